"""Hash small files below pinned directories, and compare what is there with the inventory."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Sequence
from typing import Final

from cachewright.hashing.wire import LATEST_NS, RACY_NS, UNLISTED, Known, Status, pack_done
from cachewright.storage.beneath import SAFE_FLAGS, open_beneath

GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO})
"""What one gets where something was removed or replaced by something else."""


def same(found: os.stat_result, known: Known) -> bool:
    """Whether this is what the inventory saw, unchanged."""
    return (
        found.st_ino == known.inode
        and found.st_dev == known.device
        and found.st_size == known.size
        and min(found.st_mtime_ns, LATEST_NS) == known.mtime_ns
        and min(found.st_ctime_ns, LATEST_NS) == known.ctime_ns
    )


def outlast_tick(known: Known) -> None:
    """Where the last change is so young that another one would get the same time, wait until
    it would not; then a later look shows every later change."""
    if abs(time.time_ns() - known.ctime_ns) < RACY_NS:
        time.sleep(RACY_NS / 1e9)


class Hasher:
    """Hashes files whole: only for those that fit easily into memory."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._fresh = [hashlib.new(name, usedforsecurity=False) for name in algorithms]

    def hash_all(self, root_fd: int, files: Sequence[Known]) -> list[bytes]:
        """One answer per file, in order; neighbours in one directory cost one path look-up."""
        parts: list[bytes] = []
        for directory, group in itertools.groupby(files, key=_directory_of):
            try:
                parent_fd = _open_directory(root_fd, directory)
            except OSError as error:
                parts += [_failure(error) for _file in group]
                continue
            try:
                parts += [self._answer(parent_fd, file) for file in group]
            finally:
                os.close(parent_fd)
        return parts

    def _answer(self, parent_fd: int, known: Known) -> bytes:
        try:
            return self._hash(parent_fd, known.path.rpartition(b"/")[2], known)
        except OSError as error:
            return _failure(error)

    def _hash(self, parent_fd: int, name: bytes, known: Known) -> bytes:
        # Looked at first: something else that took its place is not even opened.
        if not same(os.stat(name, dir_fd=parent_fd, follow_symlinks=False), known):
            return pack_done(Status.CHANGED)
        outlast_tick(known)
        fd = os.open(name, os.O_RDONLY | SAFE_FLAGS, dir_fd=parent_fd)
        try:
            before = os.fstat(fd)
            content = _read(fd, known.size) if same(before, known) else b""
            digests = [self._digest(fresh, content) for fresh in self._fresh]
            if len(content) != known.size or not same(os.fstat(fd), known):
                return pack_done(Status.CHANGED)
        finally:
            os.close(fd)
        return pack_done(Status.GOOD, 0, before.st_mode, known.size) + b"".join(digests)

    @staticmethod
    def _digest(fresh: hashlib._Hash, content: bytes) -> bytes:
        running = fresh.copy()
        running.update(content)
        return running.digest()


def _directory_of(file: Known) -> bytes:
    return file.path.rpartition(b"/")[0]


def _open_directory(root_fd: int, relative: bytes) -> int:
    components = relative.split(b"/") if relative else [b"."]
    return open_beneath(root_fd, components, os.O_RDONLY | os.O_DIRECTORY, one_mount=True)


def _read(fd: int, size: int) -> bytes:
    """One byte more than expected, if there is one, so that growth shows."""
    content = os.read(fd, size + 1)
    while len(content) <= size and (more := os.read(fd, size + 1 - len(content))):
        content += more
    return content


def compare_all(root_fd: int, items: Iterable[Known]) -> list[bytes]:
    """For each file or directory whether it still is as the inventory saw it."""
    parts: list[bytes] = []
    for item in items:
        try:
            unchanged = _compare(root_fd, item)
        except OSError as error:
            parts.append(_failure(error))
        else:
            parts.append(pack_done(Status.GOOD if unchanged else Status.CHANGED))
    return parts


def _compare(root_fd: int, known: Known) -> bool:
    if known.names == UNLISTED:
        directory, _, name = known.path.rpartition(b"/")
        parent_fd = _open_directory(root_fd, directory)
        try:
            found = os.stat(name or b".", dir_fd=parent_fd, follow_symlinks=False)
        finally:
            os.close(parent_fd)
        return same(found, known)
    fd = _open_directory(root_fd, known.path)
    try:
        found = os.fstat(fd)
        # Sizes of directories say nothing.  Names are counted because two changes within one
        # tick of the clock leave one time.
        return same(found, known._replace(size=found.st_size)) and (
            len(os.listdir(fd)) == known.names
        )
    finally:
        os.close(fd)


def _failure(error: OSError) -> bytes:
    if error.errno in GONE:
        return pack_done(Status.CHANGED)
    return pack_done(Status.TROUBLE, error.errno or errno.EIO)
