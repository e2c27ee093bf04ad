"""Files that a process has mapped, also where it closed the descriptor long ago."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from cachewright.holders.descriptors import parts
from cachewright.holders.processes import GONE, Process, Stat

_Made = TypeVar("_Made")


class Mapping(NamedTuple):
    """One mapped file.  ``device`` is the file system's number (see ``holders.mounts``), not
    always that of ``stat``; ``write`` means that writing into it changes the file."""

    path: str
    device: int
    inode: int
    write: bool


class Mappings(Generic[_Made]):
    """What is made of each mapped file, which is made once for all processes that share it."""

    def __init__(self, make: Callable[[Mapping], tuple[_Made, ...]]) -> None:
        self._make = make
        self._made: dict[bytes, tuple[_Made, ...]] = {}

    def of(self, process: Process, stat: Stat) -> Iterator[_Made]:
        """Of every file that the process has mapped; ``PermissionError`` where we may not look.

        The same may come more than once.
        """
        for part in parts(process, stat):
            try:
                raw = process.read(f"{part}maps")
            except GONE:
                continue
            # Apart from their addresses, processes have most lines in common.
            for line in {line.partition(b" ")[2] for line in raw.split(b"\n")}:
                made = self._made.get(line)
                if made is None:
                    mapping = parse(line)
                    made = self._made[line] = self._make(mapping) if mapping else ()
                yield from made


def parse(line: bytes) -> Mapping | None:
    r"""``rw-s 00000000 08:01 42    /path``: a line of maps without its addresses, or None where
    it is no file's.  The kernel writes a newline in a name as ``\012``."""
    slash = line.find(b" /")
    if slash < 0:
        return None
    fields = line[:slash].split()
    if len(fields) != 4 or fields[3] == b"0":  # noqa: PLR2004 - proc(5) maps
        return None
    major, _, minor = fields[2].partition(b":")
    return Mapping(
        path=os.fsdecode(line[slash + 1 :].replace(rb"\012", b"\n")),
        device=os.makedev(int(major, 16), int(minor, 16)),
        inode=int(fields[3]),
        write=fields[0][1:2] == b"w" and fields[0][3:4] == b"s",
    )
