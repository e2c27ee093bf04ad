"""Kernel locks: /proc/locks, and fdinfo for the owners it does not name.

/proc/locks has pid -1 for OFD locks and, for a flock that was inherited over fork, only the
process that took it, which may be dead.  Each holder has the very same line in the fdinfo of its
descriptor, so the two are joined by what they say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cachewright.holders.processes import GONE, Process
from cachewright.holders.survey import KernelLock

_KINDS: Final = {b"POSIX": "posix", b"FLOCK": "flock", b"OFDLCK": "ofd", b"LEASE": "lease"}
_FIELDS: Final = 7
_COLONS: Final = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One lock as the kernel prints it; equal in /proc/locks and in fdinfo."""

    kind: str
    write: bool
    pid: int
    device: int
    inode: int
    start: int
    end: int | None


def parse_line(fields: list[bytes]) -> Line | None:
    """``POSIX ADVISORY WRITE 123 08:01:42 0 EOF``; None for a kind that is not ours."""
    if len(fields) < _FIELDS or fields[0] not in _KINDS or fields[4].count(b":") != _COLONS:
        return None  # "<none>:0" stands for a file that the lock has lost
    major, minor, inode = fields[4].split(b":")
    return Line(
        kind=_KINDS[fields[0]],
        write=fields[2] == b"WRITE",
        pid=int(fields[3]),
        device=os.makedev(int(major, 16), int(minor, 16)),
        inode=int(inode),
        start=int(fields[5]),
        end=None if fields[6] == b"EOF" else int(fields[6]),
    )


def read_table() -> dict[Line, tuple[int, ...]]:
    """/proc/locks: each lock and the processes that wait for it.

    Read to the end: one read gives a page of it, the rest would silently be missing.  Empty
    where the system keeps the table to itself; ``visibility.hidden`` says so then.
    """
    try:
        with open("/proc/locks", "rb", buffering=0) as file:
            lines = file.readall().splitlines()
    except OSError:
        return {}
    waiting: dict[Line, tuple[int, ...]] = {}
    current: Line | None = None
    for text in lines:
        fields = text.split()[1:]
        if fields[:1] == [b"->"]:
            waiter = parse_line(fields[1:])
            if current is not None and waiter is not None and waiter.pid > 0:
                waiting[current] += (waiter.pid,)
            continue
        current = parse_line(fields)
        if current is not None:
            waiting.setdefault(current, ())
    return waiting


def lines_of(process: Process, number: str) -> tuple[Line, ...]:
    """Locks that a process holds through one descriptor, named as ``descriptors`` names it."""
    try:
        texts = process.read(number.replace("fd/", "fdinfo/", 1)).splitlines()
    except GONE:
        return ()
    found = (parse_line(text.split()[2:]) for text in texts if text.startswith(b"lock:"))
    return tuple(line for line in found if line is not None)


def joined(
    table: Mapping[Line, tuple[int, ...]], owners: Mapping[Line, set[int]]
) -> tuple[KernelLock, ...]:
    """Each lock of the table, or of descriptors, with all its holders that can be named."""
    # A holder that could only be found by fdinfo may have locked after the table was read.
    every = {**dict.fromkeys(owners, ()), **table}
    return tuple(
        KernelLock(
            kind=line.kind,
            write=line.write,
            pids=_pids(line, owners.get(line, set())),
            device=line.device,
            inode=line.inode,
            start=line.start,
            end=line.end,
            waiting=waiting,
        )
        for line, waiting in every.items()
    )


def _pids(line: Line, owners: set[int]) -> tuple[int, ...]:
    named = {line.pid} if line.pid > 0 and (line.kind != "flock" or not owners) else set()
    return tuple(sorted(owners | named))
