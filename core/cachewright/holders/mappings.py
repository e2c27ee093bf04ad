"""Files that a process has mapped, also where it closed the descriptor long ago."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cachewright.holders.descriptors import parts
from cachewright.holders.processes import GONE, Process, Stat


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapped file.  ``device`` is the file system's number (see ``holders.mounts``), not
    always that of ``stat``; ``write`` means that writing into it changes the file."""

    path: bytes
    device: int
    inode: int
    write: bool


def mappings(process: Process, stat: Stat) -> Iterator[Mapping]:
    """Each mapped file once per way; ``PermissionError`` where we may not look."""
    for part in parts(process, stat):
        try:
            raw = process.read(f"{part}maps")
        except GONE:
            continue
        yield from {found: None for line in raw.splitlines() if (found := _parse(line))}


def _parse(line: bytes) -> Mapping | None:
    r"""``7f..-7f.. rw-s 00000000 08:01 42    /path``; the kernel writes a newline as ``\012``."""
    slash = line.find(b" /")
    if slash < 0:
        return None
    fields = line[:slash].split()
    if len(fields) != 5 or fields[4] == b"0":  # noqa: PLR2004 - proc(5) maps
        return None
    major, _, minor = fields[3].partition(b":")
    return Mapping(
        path=line[slash + 1 :].replace(rb"\012", b"\n"),
        device=os.makedev(int(major, 16), int(minor, 16)),
        inode=int(fields[4]),
        write=fields[1][1:2] == b"w" and fields[1][3:4] == b"s",
    )
