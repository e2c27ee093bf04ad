"""The survey on Linux: every process asked once, through /proc (performance.md 3)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from cachewright.holders.descriptors import descriptors, parts, remote_points
from cachewright.holders.lock_table import lines_of, read_table
from cachewright.holders.mappings import mappings
from cachewright.holders.mounts import covering, mounts
from cachewright.holders.processes import GONE, Process, Stat, pids
from cachewright.holders.survey import Hold, Survey, below
from cachewright.holders.visibility import hidden
from cachewright.text import display

_ROUNDS: Final = 8
"""How often processes born meanwhile are looked for: a parent may hand over to its child."""

_Found = tuple[int, int, bytes, str]
"""Device, inode, path and way of holding."""


class _Looker:
    """What one survey looks for, and what it found so far."""

    def __init__(
        self,
        prefixes: Sequence[bytes],
        devices: frozenset[int],
        wanted: Callable[[int, int], bool] | None,
        ours: frozenset[int],
    ) -> None:
        self.holds: list[Hold] = []
        self.uninspected: dict[int, str] = {}
        self._prefixes = tuple(prefixes)
        self._devices = devices
        self._wanted = wanted
        self._ours = ours | {os.getpid()}
        self._avoid = remote_points(prefixes)
        self._locked = frozenset(line.inode for line in read_table())
        self._aliases = self._other_numbers()
        self._namespace = _link_or_none("/proc/self/ns/mnt")

    def _other_numbers(self) -> dict[int, frozenset[int]]:
        """The file systems' own numbers (as in maps) of the devices asked for."""
        table = mounts()
        own = {found.device for one in self._prefixes if (found := covering(one, table))}
        return dict.fromkeys(own - self._devices, self._devices)

    def ask(self, pid: int) -> None:
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
        found: dict[_Found, None] = {}
        for look in (self._links, self._descriptors, self._mappings):
            try:
                for one in look(process, stat):
                    if self._counts(process, one):
                        found[one] = None
            except GONE:
                continue
            except OSError:
                self.uninspected[process.pid] = display(stat.name)
        if found:
            holder = process.holder()
            self.holds.extend(
                Hold(replace(holder, how=(how,)), device, inode, path, how)
                for device, inode, path, how in found
            )

    def _counts(self, process: Process, found: _Found) -> bool:
        """Whether this is on one of the devices (and wanted), or below one of the prefixes as
        we see them: a container's paths are its own, there only the numbers count."""
        device, inode, path, how = found
        if process.pid in self._ours and how == "open:read":
            return False  # our own scanning and hashing
        if device in self._devices and (self._wanted is None or self._wanted(device, inode)):
            return True
        if not any(below(path, prefix) for prefix in self._prefixes):
            return False
        return device in self._devices or self._same_names(process)

    def _same_names(self, process: Process) -> bool:
        try:
            return process.link("ns/mnt") == self._namespace
        except OSError:
            return True

    def _links(self, process: Process, stat: Stat) -> Iterator[_Found]:
        for part in parts(process, stat):
            for name in ("cwd", "root", "exe"):
                try:
                    path = process.link(part + name)
                    if path == b"/" or path.startswith(self._avoid):
                        continue
                    target = os.stat(part + name, dir_fd=process.fd)
                except GONE:
                    continue  # a zombie has none
                yield target.st_dev, target.st_ino, path, name

    def _descriptors(self, process: Process, stat: Stat) -> Iterator[_Found]:
        for one in descriptors(process, stat, self._avoid):
            how = "open:write" if one.write and not one.directory else "open:read"
            yield one.device, one.inode, one.path, how
            if one.inode in self._locked:
                for line in lines_of(process, one.number):
                    if line.kind != "lease":
                        way = "lock:write" if line.write else "lock:read"
                        yield one.device, one.inode, one.path, way

    def _mappings(self, process: Process, stat: Stat) -> Iterator[_Found]:
        for one in mappings(process, stat):
            how = "mmap:write" if one.write else "mmap:read"
            for device in self._aliases.get(one.device, (one.device,)):
                yield device, one.inode, one.path, how


def _link_or_none(path: str) -> bytes | None:
    try:
        return os.fsencode(os.readlink(path))
    except OSError:
        return None


def survey(
    prefixes: Sequence[bytes],
    devices: frozenset[int],
    *,
    wanted: Callable[[int, int], bool] | None = None,
    ours: frozenset[int] = frozenset(),
) -> Survey:
    """Ask every process what it holds on ``devices`` or below ``prefixes``.

    ``prefixes`` are absolute, resolved paths; ``devices`` are ``st_dev`` numbers of the cache.
    ``wanted`` narrows what is kept by device and inode (what lies below a prefix is always
    kept).  ``ours`` are pids whose reading is Cachewright's own work; this process is always
    among them; what they write, map, run or stand in still counts.

    Not a snapshot: a process that opens something after it was asked is not seen.
    """
    looker = _Looker(prefixes, devices, wanted, ours)
    asked: set[int] = set()
    for _round in range(_ROUNDS):
        born = [pid for pid in pids() if pid not in asked]
        if not born:
            break
        for pid in born:
            looker.ask(pid)
        asked.update(born)
    return Survey(
        holds=tuple(looker.holds),
        uninspected=len(looker.uninspected),
        hidden=hidden(),
        at_ns=time.time_ns(),
        unnamed=tuple(sorted(set(looker.uninspected.values()) - {""})),
    )
