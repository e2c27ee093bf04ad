"""Remove a tree that is our own: staging that was not published, kept things past their grace.

Only names below pinned descriptors are removed, iteratively, on one mount, and never through a
link; path-based removal can be led elsewhere (reliability.md T1, T2, T3).
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import Final

from cachewright.errors import Changed
from cachewright.storage.anchored import Directory
from cachewright.storage.beneath import SAFE_FLAGS

_OWNER_RIGHTS: Final = 0o700


@dataclass(frozen=True, slots=True)
class _Level:
    """A directory on the way down: its name in the one above, which file system object it is,
    and its own directories that are still there."""

    name: bytes
    place: tuple[int, int]
    waiting: list[bytes]


def remove_tree(parent: Directory, name: bytes) -> None:
    """Remove ``parent/name`` with all below it; what is gone already is no error.

    Raises ``Escapes`` where something is mounted inside, ``Changed`` where a directory is moved
    away meanwhile, and ``OSError`` where something cannot be removed; what was not reached by
    then stays.  Directories of ours that are read-only are made writable first, by descriptor;
    the mode of a file is never touched.  Two descriptors are enough for any depth.
    """
    try:
        found = parent.stat(name)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        _unlink(parent, name)
        return
    _empty(parent.open_directory(name, one_mount=True), name)
    _remove_directory(parent, name)


def _empty(top: Directory, name: bytes) -> None:
    """Remove everything below ``top``, which is closed at the end."""
    at = top
    try:
        trail = [_enter(at, name)]
        while True:
            if trail[-1].waiting:
                below = trail[-1].waiting.pop()
                at = _moved(at, at.open_directory(below, one_mount=True))
                trail.append(_enter(at, below))
            elif len(trail) > 1:
                left = trail.pop()
                at = _moved(at, _above(at, trail[-1]))
                _remove_directory(at, left.name)
            else:
                return
    finally:
        at.close()


def _moved(left: Directory, entered: Directory) -> Directory:
    left.close()
    return entered


def _enter(here: Directory, name: bytes) -> _Level:
    """Unlink everything in ``here`` that is no directory; list the directories."""
    if here.identity.mode & _OWNER_RIGHTS != _OWNER_RIGHTS:
        os.fchmod(here.fd, stat.S_IMODE(here.identity.mode) | _OWNER_RIGHTS)
    waiting = []
    for one in here.names():
        if stat.S_ISDIR(here.stat(one).st_mode):
            waiting.append(one)
        else:
            _unlink(here, one)
    return _Level(name, (here.identity.device, here.identity.inode), waiting)


def _above(here: Directory, expected: _Level) -> Directory:
    """The directory above, proven to be the one that was come from."""
    fd = os.open(b"..", os.O_RDONLY | os.O_DIRECTORY | SAFE_FLAGS, dir_fd=here.fd)
    above = Directory(fd, os.path.dirname(here.path))
    if (above.identity.device, above.identity.inode) != expected.place:
        above.close()
        raise Changed(path=here.path, what="it was moved while it was removed")
    return above


def _remove_directory(parent: Directory, name: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent.fd)


def _unlink(parent: Directory, name: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent.fd)
