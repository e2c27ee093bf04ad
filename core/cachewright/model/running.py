"""How a long stage tells how far it is, and is paused or stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachewright.errors import Cancelled

_NOTICED_S: Final = 0.05
"""How soon a stage that waits notices that it may go on, or shall stop."""


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

    Safe from any thread, and from a signal handler wherever it interrupts a thread that waits:
    there is no lock which that thread could hold, as there is in an event.
    """

    def __init__(self) -> None:
        self._cancelled = False
        self._paused = False

    def cancel(self) -> None:
        self._cancelled = True

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
            time.sleep(_NOTICED_S)
        if self._cancelled:
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep, waking at once when cancelled (then ``Cancelled`` is raised)."""
        until = time.monotonic() + seconds
        while not self._cancelled and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NOTICED_S))
        self.check()
