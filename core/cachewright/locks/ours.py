"""Kernel locks that this process holds itself.

Closing *any* descriptor of a file drops every POSIX lock that the process has on it.  So while a
gate is held nothing else in this process may open that file; whoever is about to asks here,
under ``mutex``, which also keeps a lock from being taken between the asking and the closing.
"""

from __future__ import annotations

import os
import threading
from typing import Final

Place = tuple[int, int]
"""Device and inode, as ``stat`` tells them."""

mutex: Final = threading.RLock()
_held: Final[set[Place]] = set()


def place(found: os.stat_result) -> Place:
    return (found.st_dev, found.st_ino)


def hold(where: Place) -> None:
    """Note a lock that was just taken; call under ``mutex``."""
    _held.add(where)


def release(where: Place) -> None:
    """Forget it, right after its descriptor was closed; call under ``mutex``."""
    _held.discard(where)


def held_here(found: os.stat_result) -> bool:
    """Whether this process holds a gate on that very file."""
    with mutex:
        return place(found) in _held
