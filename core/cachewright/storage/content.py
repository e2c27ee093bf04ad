"""The content of one file: blocks of data and holes, hashed while they are read or copied.

A hole is what was never written; it reads as zeros.  It is hashed as the zeros that it stands
for, without reading them, and stays a hole in a copy.  Since zeros take their time too, one tree
may have ``HOLES_LIMIT`` bytes of them; a larger one is refused before any time is spent on it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cachewright.digests import BLOCK, Cancellable, FileDigest, hex_values, new_hashes
from cachewright.errors import TooLarge

HOLES_LIMIT: Final = 256 << 30
"""Bytes of holes that are hashed in one tree: some minutes of one processor."""

_ZEROS: Final = memoryview(bytes(BLOCK))
_NO_HOLES_HERE: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})


@dataclass(frozen=True, slots=True)
class Hole:
    """So many bytes that were never written."""

    length: int


class Holes:
    """How many bytes of holes may still be hashed."""

    def __init__(self, limit: int = HOLES_LIMIT) -> None:
        self._limit = limit
        self._left = limit

    def take(self, length: int, path: bytes) -> None:
        """``TooLarge`` where they are too many, before any is hashed."""
        self._left -= length
        if self._left < 0:
            limit = f"{self._limit} bytes, counting the parts of it that were never written,"
            raise TooLarge(path=path, limit=limit)


class Hashing:
    """Running hashes of one file's content from its start."""

    def __init__(self, algorithms: Collection[str]) -> None:
        self._hashes = new_hashes(algorithms)
        self.size = 0

    def data(self, block: bytes | memoryview) -> None:
        for running in self._hashes.values():
            running.update(block)
        self.size += len(block)

    def hole(self, length: int, cancel: Cancellable) -> None:
        while length:
            cancel.check()
            block = _ZEROS[:length]
            self.data(block)
            length -= len(block)

    def digest(self, mode: int) -> FileDigest:
        return FileDigest(size=self.size, mode=mode, values=hex_values(self._hashes))


def pieces(fd: int, size: int, cancel: Cancellable) -> Iterator[memoryview | Hole]:
    """The first ``size`` bytes of an open file in their order; fewer if it has become shorter.

    A block is valid until the next one is asked for.
    """
    view = memoryview(bytearray(min(BLOCK, size)))
    at = 0
    while at < size:
        cancel.check()
        start = _data_from(fd, at, size)
        if start > at:
            yield Hole(start - at)
            at = start
            continue
        end = _hole_from(fd, at, size)
        while at < end:
            cancel.check()
            count = os.preadv(fd, [view[: end - at]], at)
            if not count:
                return
            yield view[:count]
            at += count


def _data_from(fd: int, at: int, size: int) -> int:
    """Where the next data begins, ``size`` if there is none."""
    try:
        return min(os.lseek(fd, at, os.SEEK_DATA), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        if error.errno in _NO_HOLES_HERE:
            return at
        raise


def _hole_from(fd: int, at: int, size: int) -> int:
    """Where the data at ``at`` ends."""
    try:
        return max(min(os.lseek(fd, at, os.SEEK_HOLE), size), at + 1)
    except OSError as error:
        if error.errno in _NO_HOLES_HERE or error.errno == errno.ENXIO:
            return size
        raise


class Reader:
    """Reads whole files, hashing what it reads; the holes of all of them count together."""

    def __init__(self, algorithms: Collection[str], cancel: Cancellable) -> None:
        self.cancel = cancel
        self._algorithms = algorithms
        self._holes = Holes()

    def hash(self, fd: int, path: bytes) -> FileDigest:
        """Digest of an open file of its present size; ``path`` is what an error speaks of."""
        found = os.fstat(fd)
        hashing = Hashing(self._algorithms)
        for piece in pieces(fd, found.st_size, self.cancel):
            self._add(hashing, piece, path)
        return hashing.digest(found.st_mode)

    def copy(self, from_fd: int, to_fd: int, path: bytes) -> Hashing:
        """Write the content of one open file to another, empty one, hashing the very bytes."""
        hashing = Hashing(self._algorithms)
        for piece in pieces(from_fd, os.fstat(from_fd).st_size, self.cancel):
            if not isinstance(piece, Hole):
                write_whole(to_fd, piece, hashing.size)
            self._add(hashing, piece, path)
        os.ftruncate(to_fd, hashing.size)
        return hashing

    def _add(self, hashing: Hashing, piece: memoryview | Hole, path: bytes) -> None:
        if isinstance(piece, Hole):
            self._holes.take(piece.length, path)
            hashing.hole(piece.length, self.cancel)
        else:
            hashing.data(piece)


def write_whole(fd: int, block: bytes | memoryview, at: int) -> None:
    """Write all of ``block`` at that offset."""
    rest = memoryview(block)
    while rest:
        written = os.pwrite(fd, rest, at)
        at += written
        rest = rest[written:]


def write_hashed(
    fd: int, blocks: Iterable[bytes | memoryview], algorithms: Collection[str]
) -> FileDigest:
    """Write ``blocks`` to a new file, hashing exactly what was handed to the kernel."""
    hashing = Hashing(algorithms)
    for block in blocks:
        write_whole(fd, block, hashing.size)
        hashing.data(block)
    return hashing.digest(os.fstat(fd).st_mode)
