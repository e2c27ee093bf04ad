"""One look at every process through /proc: what it holds, and which kernel locks it has.

All of it is asked in one pass (performance.md 3): readlink and stat of each descriptor, its
permission bits only where it counts, and fdinfo only where the file has a lock.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from cachewright.holders.descriptors import OpenFile, Sieve, descriptors, parts, remote_points
from cachewright.holders.interest import Interest, Wanted
from cachewright.holders.lock_table import Line, joined, lines_of, read_table
from cachewright.holders.mappings import Glance, Mapped, Mappings
from cachewright.holders.mounts import Mount, covering, mounts
from cachewright.holders.processes import GONE, Process, Stat, pids
from cachewright.holders.survey import Hold, KernelLock, Survey
from cachewright.holders.visibility import hidden
from cachewright.text import display

_ROUNDS: Final = 8
"""How often processes born meanwhile are looked for: a parent may hand over to its child."""

_NAMES: Final = 4096
"""Bytes of a command line; the first two words are what matters."""

_Found = tuple[int, int, str, str]
"""Device, inode, path and way of holding."""

_Met = tuple[_Found, bool | None]
"""With what ``Interest`` says of it."""


class _Looker:
    """What one look is after, and what it found so far."""

    def __init__(
        self,
        prefixes: Sequence[bytes],
        devices: frozenset[int],
        wanted: Wanted | None,
        ours: frozenset[int],
    ) -> None:
        self.holds: list[Hold] = []
        self.uninspected: dict[int, str] = {}
        self.table = read_table()
        self.owners: dict[Line, set[int]] = defaultdict(set)
        self._interest = Interest(prefixes, devices, wanted)
        self._ours = ours | {os.getpid()}
        known = mounts()
        self._avoid = remote_points(prefixes, known)
        self._sieve = Sieve(
            interest=self._interest,
            locked=frozenset(line.inode for line in self.table),
            avoid=self._avoid,
            nowhere={*self._interest.elsewhere(known)} - {line.device for line in self.table},
        )
        self._aliases = _other_numbers(prefixes, devices, known)
        numbers = {device: (device,) for device in devices} | self._aliases
        self._mapped = Mappings(self._mapping, Glance(self._interest, prefixes, numbers))
        self._namespace = _link_or_none("/proc/self/ns/mnt")

    def ask_all(self) -> None:
        """Ask every process, those born meanwhile too."""
        asked: set[int] = set()
        for _round in range(_ROUNDS):
            born = [pid for pid in pids() if pid not in asked]
            if not born:
                break
            for pid in born:
                self._ask(pid)
            asked.update(born)

    def _ask(self, pid: int) -> None:
        """Note everything that matters about one process; an ended one is nothing.

        Whatever goes wrong with one process makes it uninspected and leaves the others."""
        try:
            with Process(pid) as process:
                stat = process.stat()
                if not stat.kernel_thread:
                    self._inspect(process, stat)
        except GONE:
            return
        except OSError:
            self.uninspected.setdefault(pid, "")

    def _inspect(self, process: Process, stat: Stat) -> None:
        met: dict[_Found, bool | None] = {}
        for look in (self._links, self._descriptors, self._mapped.of, self._names):
            try:
                met.update(look(process, stat))
            except GONE:
                continue
            except OSError:
                self.uninspected[process.pid] = display(stat.name)
        found = list(self._counting(process, met))
        if found:
            self._note(process, stat, found)

    def _counting(self, process: Process, met: dict[_Found, bool | None]) -> Iterator[_Found]:
        reading_ours = process.pid in self._ours
        for one, counts in met.items():
            if reading_ours and one[3] in {"open:read", "argv"}:
                continue  # our own scanning and hashing
            if counts or (counts is None and self._same_names(process)):
                yield one

    def _note(self, process: Process, stat: Stat, found: Sequence[_Found]) -> None:
        who = process.holder((), stat)
        self.holds += [
            Hold(who, device, inode, os.fsencode(path), how) for device, inode, path, how in found
        ]

    def _same_names(self, process: Process) -> bool:
        try:
            return process.link("ns/mnt") == self._namespace
        except OSError:
            return True

    def _links(self, process: Process, stat: Stat) -> Iterator[_Met]:
        for part in parts(process, stat):
            for name in ("cwd", "root", "exe"):
                try:
                    path = process.link(part + name)
                    if path == "/" or path.startswith(self._avoid):
                        continue
                    target = os.stat(part + name, dir_fd=process.fd)
                except GONE:
                    continue  # a zombie has none
                device, inode = target.st_dev, target.st_ino
                yield (device, inode, path, name), self._interest.of(device, inode, path)

    def _names(self, process: Process, stat: Stat) -> Iterator[_Met]:
        """What it was started as: a program behind a symbolic link, or a script that was read
        and closed, may need more of the place that it was started from."""
        del stat
        words = process.read("cmdline", _NAMES).split(b"\0", 2)[:2]
        for path in (os.fsdecode(one) for one in words if one.startswith(b"/")):
            yield (0, 0, path, "argv"), self._interest.of(0, 0, path)

    def _descriptors(self, process: Process, stat: Stat) -> Iterator[_Met]:
        for one in descriptors(process, stat, self._sieve):
            how = "open:write" if one.write and not one.directory else "open:read"
            yield (one.device, one.inode, one.path, how), one.counts
            if one.inode in self._sieve.locked:
                for way in self._locks(process, one):
                    yield (one.device, one.inode, one.path, way), one.counts

    def _locks(self, process: Process, one: OpenFile) -> Iterator[str]:
        for line in lines_of(process, one.number):
            self.owners[line].add(process.pid)
            if line.kind != "lease":
                yield "lock:write" if line.write else "lock:read"

    def _mapping(self, one: Mapped) -> tuple[_Met, ...]:
        how = "mmap:write" if one.write else "mmap:read"
        return tuple(
            ((device, one.inode, one.path, how), self._interest.of(device, one.inode, one.path))
            for device in self._aliases.get(one.device, (one.device,))
        )


def _other_numbers(
    prefixes: Sequence[bytes], devices: frozenset[int], table: tuple[Mount, ...]
) -> dict[int, tuple[int, ...]]:
    """The file systems' own numbers (as in maps) of the devices asked for."""
    own = {found.device for one in prefixes if (found := covering(one, table))}
    return dict.fromkeys(own - devices, tuple(devices))


def _link_or_none(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def look_around(
    prefixes: Sequence[bytes],
    devices: frozenset[int],
    *,
    wanted: Wanted | None = None,
    ours: frozenset[int] = frozenset(),
) -> tuple[Survey, tuple[KernelLock, ...]]:
    """Ask every process once: ``survey`` and ``kernel_locks`` in one pass."""
    looker = _Looker(prefixes, devices, wanted, ours)
    looker.ask_all()
    seen = Survey(
        holds=tuple(looker.holds),
        uninspected=len(looker.uninspected),
        hidden=hidden(),
        at_ns=time.time_ns(),
        unnamed=tuple(sorted(set(looker.uninspected.values()) - {""})),
    )
    return seen, joined(looker.table, looker.owners)


def survey(
    prefixes: Sequence[bytes],
    devices: frozenset[int],
    *,
    wanted: Wanted | None = None,
    ours: frozenset[int] = frozenset(),
) -> Survey:
    """Ask every process what it holds on ``devices`` or below ``prefixes``.

    ``prefixes`` are absolute, resolved paths; ``devices`` are ``st_dev`` numbers of the cache.
    ``wanted`` narrows what is kept by device and inode (what lies below a prefix is always
    kept).  ``ours`` are pids whose reading is Cachewright's own work; this process is always
    among them; what they write, map, run or stand in still counts.

    Not a snapshot: a process that opens something after it was asked is not seen.
    """
    return look_around(prefixes, devices, wanted=wanted, ours=ours)[0]


def kernel_locks() -> tuple[KernelLock, ...]:
    """Every lock the kernel tells us of, with all its holders that can be named.

    Not a snapshot: ask again (``F_OFD_GETLK``, ``F_GETLK``) before acting on it.
    """
    return look_around((), frozenset())[1]
