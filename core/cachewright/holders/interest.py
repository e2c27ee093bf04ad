"""What a look at all processes is after, and so what is worth remembering of what it meets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from cachewright.holders.mounts import Mount
from cachewright.holders.survey import below

Wanted = Callable[[int, int], bool]
"""Whether something on one of the devices is worth telling of, by device and inode."""


class Interest:
    """Places on some devices, or below some prefixes as our own mount namespace names them.

    ``wanted`` narrows the former.  A path alone convinces only where the process that shows it
    has the same names as we: a container's paths are its own.
    """

    def __init__(
        self, prefixes: Sequence[bytes], devices: frozenset[int], wanted: Wanted | None
    ) -> None:
        self._prefixes = tuple(prefixes)
        self._devices = devices
        self._wanted = wanted
        self._known: dict[tuple[int, int], bool] = {}
        shown = [os.fsdecode(prefix) for prefix in prefixes]
        self._same = frozenset(shown) | {f"{prefix} (deleted)" for prefix in shown}
        self._below = tuple(prefix.rstrip("/") + "/" for prefix in shown)

    def of(self, device: int, inode: int, path: str) -> bool | None:
        """Whether this counts; None: only where the process sees what we see."""
        if device in self._devices and self.is_wanted(device, inode):
            return True
        if path.startswith(self._below) or path in self._same:
            return True if device in self._devices else None
        return False

    @property
    def narrow(self) -> bool:
        """Whether not simply everything on the devices counts."""
        return self._wanted is not None

    def is_wanted(self, device: int, inode: int) -> bool:
        """Whether something on one of the devices counts wherever it lies."""
        if self._wanted is None:
            return True
        known = self._known.get((device, inode))
        if known is None:
            known = self._known[device, inode] = self._wanted(device, inode)
        return known

    def elsewhere(self, table: Sequence[Mount]) -> Iterator[int]:
        """Devices of which nothing can count: not asked for, and mounted outside all prefixes.

        Where ``stat`` gives a number that the mount does not have (btrfs, overlay), that number
        is none of these.
        """
        near = {mount.device for mount in table if self._near(mount.point)} | self._devices
        yield from {mount.device for mount in table} - near

    def _near(self, point: bytes) -> bool:
        return any(below(point, prefix) or below(prefix, point) for prefix in self._prefixes)
