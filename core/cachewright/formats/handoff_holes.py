"""Which ranges of a file were never written: holes, and room that is only reserved.

A hole shows by ``SEEK_HOLE``.  Room that a writer reserved (``fallocate``) does too, but only
until somebody reads it: then the kernel takes the zeros in its memory for data, and only the map
of extents still tells.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import humanize

from cachewright.errors import CachewrightError

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

TELLING: Final = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "f2fs", "overlay", "zfs", "bcachefs",
     "ocfs2", "gfs2", "ceph", "nfs4"}
)  # fmt: skip
"""File systems that tell ranges never written from others.  Elsewhere the kernel may call a
whole file data, so that finding no hole means nothing."""

_RANGES_AT_MOST: Final = 4096
_SECTOR: Final = 512
_FIEMAP: Final = 0xC020660B
_HEAD: Final = struct.Struct("=QQLLLL")
_EXTENT: Final = struct.Struct("=QQQQQLLLL")
_EXTENTS_AT_ONCE: Final = 256
_SYNC: Final = 1
_LAST: Final = 1
_UNWRITTEN: Final = 0x800
_KILO: Final = 1000

Range = tuple[int, int]
"""From the first byte up to the one after the last."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How far a file is filled.  ``missing`` are the ranges never written, in order; ``more``:
    there are too many to list.  ``unknown`` is why nobody can tell, in one plain sentence."""

    size: int
    missing: tuple[Range, ...] = ()
    more: bool = False
    unknown: str = ""

    @property
    def missing_bytes(self) -> int:
        return sum(stop - start for start, stop in self.missing)

    def up_to(self, size: int) -> Filling:
        """The same, where the file should be of this size and is shorter."""
        if size <= self.size:
            return self
        missing = list(self.missing)
        if missing and missing[-1][1] == self.size:
            missing[-1] = (missing[-1][0], size)
        else:
            missing.append((self.size, size))
        return replace(self, size=size, missing=tuple(missing))


def look(root: Directory, relative: bytes, place: Range, kind: str) -> Filling | None:
    """The file at ``relative``, if it still is the one at ``place`` (device and inode); None
    where it is not, or changes meanwhile.  ``kind`` is its file system's."""
    try:
        fd = root.open_file(relative)
    except (OSError, CachewrightError):
        return None
    try:
        before = os.fstat(fd)
        if (before.st_dev, before.st_ino) != place:
            return None
        found = filling(fd, before, kind)
        after = os.fstat(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return found if same else None


def filling(fd: int, found: os.stat_result, kind: str) -> Filling:
    """What the kernel tells of an open file; nothing of it is read."""
    size = found.st_size
    try:
        holes = list(_holes(fd, size))
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.ESPIPE}:
            raise
        return Filling(size, unknown=_cannot(kind))
    reserved = _reserved(fd, size)
    missing = _joined([*holes, *reserved])
    if missing:
        return Filling(size, missing[:_RANGES_AT_MOST], len(missing) > _RANGES_AT_MOST)
    if kind not in TELLING:
        return Filling(size, unknown=_cannot(kind))
    if found.st_blocks * _SECTOR + found.st_blksize < size:
        said = "It takes less room than its size, but the file system names no range as missing: "
        return Filling(size, unknown=said + "it may be stored compressed.")
    return Filling(size)


def _cannot(kind: str) -> str:
    named = f" ({kind})" if kind else ""
    return (
        f"Its file system{named} does not tell which ranges of a file were written, so whether "
        "any is missing is not known."
    )


def _holes(fd: int, size: int) -> Iterator[Range]:
    """The end of the file is no hole.  More than are ever listed are looked for, no more."""
    at = 0
    if not hasattr(os, "SEEK_DATA"):
        raise OSError(errno.ENOSYS, "not here")
    for _count in range(_RANGES_AT_MOST + 2):
        if at >= size:
            return
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            yield at, size  # nothing but a hole from here on
            return
        if data > at:
            yield at, min(data, size)
        at = os.lseek(fd, data, os.SEEK_HOLE)


def _reserved(fd: int, size: int) -> list[Range]:
    """Room that was reserved and not written.  What was written but is still in memory only
    looks the same, so it is brought to disk before that is believed."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        if not _unwritten(fd, size, 0):
            return []
        return _unwritten(fd, size, _SYNC)
    except OSError:
        return []  # this file system has no such map


def _unwritten(fd: int, size: int, flags: int) -> list[Range]:
    import fcntl  # there is none on Windows

    found: list[Range] = []
    at = 0
    while at < size and len(found) <= _RANGES_AT_MOST:
        request = bytearray(_HEAD.size + _EXTENTS_AT_ONCE * _EXTENT.size)
        _HEAD.pack_into(request, 0, at, size - at, flags, 0, _EXTENTS_AT_ONCE, 0)
        fcntl.ioctl(fd, _FIEMAP, request)
        count = _HEAD.unpack_from(request)[3]
        last = count == 0
        for index in range(count):
            extent = _EXTENT.unpack_from(request, _HEAD.size + index * _EXTENT.size)
            start, length, marks = extent[0], extent[2], extent[5]
            if marks & _UNWRITTEN and start < size:
                found.append((start, min(start + length, size)))
            at = max(at + 1, start + length)
            last = last or bool(marks & _LAST)
        if last:
            break
    return found


def _joined(ranges: list[Range]) -> tuple[Range, ...]:
    """In order, without overlaps."""
    whole: list[Range] = []
    for start, stop in sorted(ranges):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], stop))
        else:
            whole.append((start, stop))
    return tuple(whole)


def size_words(size: int) -> str:
    """A size for a person, and exactly."""
    exact = f"{size:,} byte{'' if size == 1 else 's'}"
    return f"{humanize.naturalsize(size)} ({exact})" if size >= _KILO else exact


def range_words(missing: tuple[Range, ...], at_most: int = 3) -> str:
    """Some ranges, with their first and last byte."""
    shown = [f"{start:,} to {stop - 1:,}" for start, stop in missing[:at_most]]
    more = len(missing) - at_most
    return ", ".join(shown) + (f" and {more:,} more ranges" if more > 0 else "")
