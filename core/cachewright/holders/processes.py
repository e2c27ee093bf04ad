"""Who a process is, on Linux: identity, user, state and command line, read from /proc.

A pid alone proves nothing: identity is boot id, pid namespace, pid and start time (reliability.md
rule 4).  Everything about one process is read through one pinned ``/proc/PID`` descriptor, which
goes dead with the process, so that a reused pid is never mistaken for it.  No signal is ever
sent and the environment is never read.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from types import TracebackType
from typing import Final, Self

from cachewright.holders.redaction import redact
from cachewright.model import Holder
from cachewright.text import display

GONE: Final = (FileNotFoundError, ProcessLookupError)
"""How the kernel says that a process, or one of its descriptors, is no more."""

UNSHOWN: Final = "/(a path too long to show)"

_DIRECTORY: Final = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_CHUNK: Final = 65_536
_COMMAND_LINE_LIMIT: Final = 32_768
_IDS: Final = 64
"""Bytes enough for a process's four user ids."""
_PF_KTHREAD: Final = 0x00200000
_STOPPED: Final = frozenset({"T", "t"})
_ZOMBIE: Final = frozenset({"Z", "X"})
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stat:
    """The parts of /proc/PID/stat that are needed; ``start_ticks`` counts from boot."""

    name: bytes
    state: str
    flags: int
    threads: int
    start_ticks: int

    @property
    def kernel_thread(self) -> bool:
        return bool(self.flags & _PF_KTHREAD)

    @property
    def zombie(self) -> bool:
        """Whether the main thread ended; other threads may go on and hold things."""
        return self.state in _ZOMBIE

    @classmethod
    def parse(cls, raw: bytes) -> Stat:
        """The name may hold anything, also ``)`` and spaces: the last ``)`` ends it."""
        head, _, tail = raw.rpartition(b")")
        fields = tail.split()  # field 3 of proc(5) comes first
        return cls(
            name=head.partition(b"(")[2],
            state=fields[0].decode("ascii"),
            flags=int(fields[6]),
            threads=int(fields[17]),
            start_ticks=int(fields[19]),
        )


@cache
def boot_id() -> str:
    """The running boot's random id; empty where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


@cache
def pid_namespace() -> int:
    """Our pid namespace's inode; 0 where it is not known."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


@lru_cache(maxsize=256)
def user_name(uid: int) -> str:
    """The name of a user, or the number where no name is known."""
    import pwd

    try:
        return display(pwd.getpwuid(uid).pw_name)
    except (KeyError, OSError):
        return str(uid)


@cache
def _tick_ns() -> int:
    return _NS // os.sysconf("SC_CLK_TCK")


def _started_ns(ticks: int) -> int:
    """Wall-clock time of a moment ``ticks`` after boot, to a hundredth of a second."""
    tick_ns = _tick_ns()
    boot_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return round((boot_ns + ticks * tick_ns) / tick_ns) * tick_ns


def shown_link(name: str, fd: int) -> str:
    """Where a link in the directory ``fd`` of /proc leads; ``UNSHOWN`` where the path is longer
    than the kernel shows (it is still found by device and inode)."""
    try:
        return os.readlink(name, dir_fd=fd)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return UNSHOWN


class Process:
    """One process, pinned; use as a context manager.  ``FileNotFoundError`` or
    ``ProcessLookupError`` from any method mean that it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.open(f"/proc/{pid}", _DIRECTORY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """A file of this process, to its end (one read gives at most a page or so)."""
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            parts: list[bytes] = []
            size = 0
            while (limit is None or size < limit) and (part := os.read(fd, _CHUNK)):
                parts.append(part)
                size += len(part)
            return b"".join(parts)
        finally:
            os.close(fd)

    def link(self, name: str) -> str:
        """Where a link of this process leads."""
        return shown_link(name, self.fd)

    def directory(self, name: str) -> int:
        """A descriptor of one of its directories, for the caller to close."""
        return os.open(name, _DIRECTORY, dir_fd=self.fd)

    def names(self, name: str) -> list[str]:
        fd = self.directory(name)
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def stat(self) -> Stat:
        return Stat.parse(self.read("stat"))

    def user(self) -> str:
        """The user it acts as (effective uid)."""
        _, _, after = self.read("status").partition(b"\nUid:")
        ids = after[:_IDS].split()
        return user_name(int(ids[1])) if after else ""

    def command(self, stat: Stat) -> str:
        """The command line without its secrets; the name in brackets where there is none."""
        raw = self.read("cmdline", _COMMAND_LINE_LIMIT)
        return redact([raw]) if raw.strip(b"\0") else f"[{display(stat.name)}]"

    def holder(self, how: tuple[str, ...] = (), stat: Stat | None = None) -> Holder:
        """Who it is; ``stat`` where it was read already."""
        stat = stat or self.stat()
        return Holder(
            pid=self.pid,
            started_ns=_started_ns(stat.start_ticks),
            user=self.user(),
            command=self.command(stat),
            how=how,
            state="stopped" if stat.state in _STOPPED else "running",
            start_ticks=stat.start_ticks,
            boot_id=boot_id(),
            pid_namespace=pid_namespace(),
        )


def process(pid: int, how: tuple[str, ...] = ()) -> Holder | None:
    """The process that has this pid now, or None where there is none."""
    try:
        with Process(pid) as found:
            return found.holder(how)
    except GONE:
        return None


def pids() -> Iterator[int]:
    """Pids that /proc shows at this moment, ascending."""
    yield from sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
