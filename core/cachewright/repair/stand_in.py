"""What stands in a lock's place while it is taken away: a lock of the same kind, made by us.

So the name is never free before all is decided, and whoever follows the lock's protocol waits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cachewright.storage.swap import sync_directory

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

Place = tuple[int, int]
"""Device and inode: which thing it is, wherever it lies."""

_ROOT_USER: Final = 0
_ACCESS: Final = 0o777


def place_of(directory: Directory, name: bytes) -> Place:
    """What has the name now; ``FileNotFoundError`` where nothing has."""
    found = directory.stat(name)
    return (found.st_dev, found.st_ino)


def make_stand_in(
    private: Directory,
    name: bytes,
    *,
    like: os.stat_result,
    records: Sequence[bytes],
    inner: bytes,
) -> Place:
    """Make a file, link or directory as ``like`` is, durable, with the first of ``records`` that
    it can hold; in a directory the record is the file ``inner``, if the tool writes one.

    It gets the owner and the access of ``like``, so that whoever may release that may release
    this.  ``OSError`` where none can be made; what was begun is left to the caller.
    """
    kind = stat.S_IFMT(like.st_mode)
    if kind == stat.S_IFLNK:
        _make_link(private, name, records)
    elif kind == stat.S_IFDIR:
        with private.make_directory(name) as made:
            if inner:
                _make_file(made, inner, records[0], 0o644, like)
            os.fchmod(made.fd, stat.S_IMODE(like.st_mode) & _ACCESS)
            sync_directory(made)
    else:
        _make_file(private, name, records[0], stat.S_IMODE(like.st_mode) & _ACCESS, like)
    if os.geteuid() == _ROOT_USER:
        os.chown(name, like.st_uid, like.st_gid, dir_fd=private.fd, follow_symlinks=False)
    sync_directory(private)
    return place_of(private, name)


def _make_link(private: Directory, name: bytes, records: Sequence[bytes]) -> None:
    """A target may be neither empty nor long nor hold a zero byte."""
    for record in records[:-1]:
        with suppress(OSError, ValueError):
            os.symlink(record, name, dir_fd=private.fd)
            return
    os.symlink(records[-1], name, dir_fd=private.fd)


def _make_file(
    directory: Directory, name: bytes, content: bytes, mode: int, like: os.stat_result
) -> None:
    fd = directory.create_file(name, mode)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        if os.geteuid() == _ROOT_USER:
            os.fchown(fd, like.st_uid, like.st_gid)
        os.fsync(fd)
