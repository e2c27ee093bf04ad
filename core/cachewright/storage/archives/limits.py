"""What an archive may cost before it is called harmful."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachewright.digests import Cancellable

Clock = Callable[[], float]
"""Seconds that only ever go forward."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Number of members, unpacked bytes in all, unpacked bytes per packed byte (looked at above
    ``harmless_bytes`` only), bytes of its list of members (for a tar: of their names), bytes of
    one header that makes a name longer, seconds of one pass (without pauses)."""

    members: int = 1_000_000
    total_bytes: int = 64 << 30
    ratio: int = 200
    harmless_bytes: int = 64 << 20
    list_bytes: int = 128 << 20
    header_bytes: int = 1 << 20
    seconds: float = 3600.0

    def refuse_total(self, total: int, packed: int) -> None:
        """``ValueError`` where so many unpacked bytes are too many for so many packed ones."""
        if total > self.total_bytes:
            raise ValueError(f"it would unpack to {total} bytes, more than {self.total_bytes}")
        if total > self.harmless_bytes and total > packed * self.ratio:
            raise ValueError(f"it would unpack to {total // max(packed, 1)} times its size")


DEFAULT_LIMITS: Final = ArchiveLimits()


class Unhurried:
    """A ``Cancellable`` that nobody stops."""

    def check(self) -> None:
        """Goes on."""


class Watch:
    """The time of one pass through an archive, and whether it is to be stopped."""

    def __init__(
        self, limits: ArchiveLimits, cancel: Cancellable, clock: Clock = time.monotonic
    ) -> None:
        self._seconds = limits.seconds
        self._cancel = cancel
        self._clock = clock
        self._until = clock() + limits.seconds

    def check(self) -> None:
        """To be called for each block: ``Cancelled``, or ``ValueError`` when time is up.  What
        is spent here, paused by the person, does not count."""
        before = self._clock()
        self._cancel.check()
        now = self._clock()
        self._until += now - before
        if now > self._until:
            raise ValueError(f"reading it took longer than {self._seconds:g} seconds")
