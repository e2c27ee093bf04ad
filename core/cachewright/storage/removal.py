"""Remove a tree that is our own: staging that was not published, kept things past their grace.

Only names below pinned descriptors are removed, iteratively, on one file system, and never
through a link; path-based removal can be led elsewhere (reliability.md T1, T2, T3).
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Final

from cachewright.storage.anchored import Directory
from cachewright.storage.walking import Cursor, names_in, walk

_OWNER_RIGHTS: Final = 0o700


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
    with parent.open_directory(name, one_mount=True) as top:
        walk(top, _empty, above=lambda cursor, left: _remove_directory(cursor.here, left))
    _remove_directory(parent, name)


def _empty(cursor: Cursor) -> list[bytes]:
    """Unlink everything here that is no directory; what is left are the directories."""
    here = cursor.here
    if here.identity.mode & _OWNER_RIGHTS != _OWNER_RIGHTS:
        os.fchmod(here.fd, stat.S_IMODE(here.identity.mode) | _OWNER_RIGHTS)
    names = names_in(here)
    for one in names.others:
        _unlink(here, one)
    return names.directories


def _remove_directory(parent: Directory, name: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent.fd)


def _unlink(parent: Directory, name: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent.fd)
