"""How a long stage tells how far it is, and is paused or stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from cachewright.errors import Cancelled

_PAUSE_S: Final = 0.05
"""How soon a paused stage goes on, or stops."""


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
    """Asks a running stage to pause or stop; polled per block of data.

    Safe from any thread, and from a signal handler that interrupts a waiting thread anywhere:
    no lock is held in Python code that the handler would wait for.
    """

    def __init__(self) -> None:
        self._cancelled = False
        self._paused = False
        self._wakes: SimpleQueue[None] = SimpleQueue()  # reentrant, unlike an event

    def cancel(self) -> None:
        self._cancelled = True
        self._wakes.put(None)

    def pause(self) -> None:
        self._paused = not self._cancelled

    def resume(self) -> None:
        self._paused = False

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    @property
    def paused(self) -> bool:
        return self._paused and not self._cancelled

    def check(self) -> None:
        """Wait while paused; raise ``Cancelled`` when asked to stop."""
        while self.paused:
            time.sleep(_PAUSE_S)
        if self._cancelled:
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep, waking at once when cancelled (then ``Cancelled`` is raised)."""
        if not self._cancelled:
            with suppress(Empty):
                self._wakes.get(timeout=max(seconds, 0.0))
                self._wakes.put(None)  # for whoever else waits
        self.check()
