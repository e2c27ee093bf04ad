"""What a look at all processes is after, and so what is worth remembering of what it meets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


class Interest:
    """Places on some devices, or below some prefixes as our own mount namespace names them.

    ``wanted`` narrows the former by device and inode.  A path alone convinces only where the
    process that shows it has the same names as we: a container's paths are its own.
    """

    def __init__(
        self,
        prefixes: Sequence[bytes],
        devices: frozenset[int],
        wanted: Callable[[int, int], bool] | None,
    ) -> None:
        self._devices = devices
        self._wanted = wanted
        shown = [os.fsdecode(prefix) for prefix in prefixes]
        self._same = frozenset(shown) | {f"{prefix} (deleted)" for prefix in shown}
        self._below = tuple(prefix.rstrip("/") + "/" for prefix in shown)

    def of(self, device: int, inode: int, path: str) -> bool | None:
        """Whether this counts; None: only where the process sees what we see."""
        if device in self._devices and (self._wanted is None or self._wanted(device, inode)):
            return True
        if path.startswith(self._below) or path in self._same:
            return True if device in self._devices else None
        return False
