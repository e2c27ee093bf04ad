"""How a long stage tells how far it is, and is paused or stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from cachewright.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stage is.  ``total`` 0 means not yet known; rates are the sink's to derive."""

    stage: str
    done: int = 0
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    what: str = ""


ProgressSink = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """A sink for callers who do not watch."""


class CancelToken:
    """Asks a running stage to pause or stop; polled per block of data.  Thread-safe."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._running = threading.Event()
        self._running.set()

    def cancel(self) -> None:
        self._cancelled.set()
        self._running.set()

    def pause(self) -> None:
        if not self._cancelled.is_set():
            self._running.clear()

    def resume(self) -> None:
        self._running.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def check(self) -> None:
        """Wait while paused; raise ``Cancelled`` when asked to stop."""
        self._running.wait()
        if self._cancelled.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep, waking at once when cancelled (then ``Cancelled`` is raised)."""
        if self._cancelled.wait(seconds):
            raise Cancelled
        self.check()
