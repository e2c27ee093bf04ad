"""Read what a dm-log-writes device wrote down: every write to a disk, in the order it was durable.

The format is that of the kernel's ``dm-log-writes.c``: a first sector with the count, then for
each entry one sector that describes it and the sectors that were written.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

MAGIC: Final = 0x6A736677736872
FLUSH: Final = 1
FUA: Final = 2
DISCARD: Final = 4
MARK: Final = 8

HEAD: Final = struct.Struct("<QQQI")
"""Magic, version, number of entries, bytes of a sector."""
ENTRY: Final = struct.Struct("<QQQQ")
"""First sector, number of sectors, flags, bytes that follow in the same sector."""


@dataclass(frozen=True, slots=True)
class Write:
    """One entry; ``data`` is where its bytes lie in the log.  A mark writes nothing."""

    at: int
    size: int
    flags: int
    data: int
    mark: str = ""

    @property
    def flushes(self) -> bool:
        """All writes before this one were durable before it was done."""
        return bool(self.flags & FLUSH)

    @property
    def durable(self) -> bool:
        """It was durable itself as soon as it was done."""
        return bool(self.flags & FUA)

    @property
    def changes(self) -> bool:
        return self.size > 0 and not self.flags & MARK


class Log:
    """A log held open; ``writes`` are all its entries, ``marks`` their numbers by name."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        try:
            self.writes = tuple(_entries(self._file))
        except BaseException:
            self._file.close()
            raise
        self.marks: Mapping[str, int] = {
            write.mark: number for number, write in enumerate(self.writes) if write.mark
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def apply(self, number: int, disk: int) -> None:
        """Do one write again, on the open file ``disk``; what is discarded reads as zeros."""
        write = self.writes[number]
        if not write.changes:
            return
        if write.flags & DISCARD:
            _zero(disk, write)
            return
        os.pwrite(disk, os.pread(self._file.fileno(), write.size, write.data), write.at)


def _zero(disk: int, write: Write) -> None:
    step = 1 << 20
    for at in range(write.at, write.at + write.size, step):
        os.pwrite(disk, bytes(min(step, write.at + write.size - at)), at)


def _entries(file: BinaryIO) -> Iterator[Write]:
    magic, _version, count, sector = HEAD.unpack(file.read(HEAD.size))
    if magic != MAGIC:
        raise ValueError("this is no log of writes")
    at = sector
    for _ in range(count):
        file.seek(at)
        first, sectors, flags, told = ENTRY.unpack(file.read(ENTRY.size))
        mark = file.read(told).rstrip(b"\0").decode() if flags & MARK else ""
        at += sector
        yield Write(first * sector, sectors * sector, flags, at, mark)
        if not flags & (MARK | DISCARD):
            at += sectors * sector
