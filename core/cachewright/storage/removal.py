"""Remove a tree that is our own: staging that was not published, kept things past their grace.

Only names below pinned descriptors are removed, iteratively, on one mount, and never through a
link; path-based removal can be led elsewhere (reliability.md T1, T2, T3).
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Final

from cachewright.storage.anchored import Directory

_OWNER_RIGHTS: Final = 0o700


def remove_tree(parent: Directory, name: bytes) -> None:
    """Remove ``parent/name`` with all below it; what is gone already is no error.

    Raises ``Escapes`` where something is mounted inside, and ``OSError`` where something cannot
    be removed; what was not reached by then stays.  Directories of ours that are read-only are
    made writable first, by descriptor; the mode of a file is never touched.
    """
    try:
        found = parent.stat(name)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        _unlink(parent, name)
        return
    with parent.open_directory(name, one_mount=True) as top:
        for at in reversed(_empty_of_files(top)):
            if at:
                _remove_directory(top, at)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent.fd)


def _empty_of_files(top: Directory) -> list[bytes]:
    """Unlink everything that is no directory; return the directories, parents first."""
    directories = [b""]
    for at in directories:  # grows while it is walked: no recursion, however deep the tree
        with top.open_directory(at, one_mount=True) as here:
            if here.identity.mode & _OWNER_RIGHTS != _OWNER_RIGHTS:
                os.fchmod(here.fd, stat.S_IMODE(here.identity.mode) | _OWNER_RIGHTS)
            for name in here.names():
                if stat.S_ISDIR(here.stat(name).st_mode):
                    directories.append(at + b"/" + name if at else name)
                else:
                    _unlink(here, name)
    return directories


def _remove_directory(top: Directory, at: bytes) -> None:
    parent, name = top.parent_of(at)
    with parent, contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent.fd)


def _unlink(parent: Directory, name: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent.fd)
