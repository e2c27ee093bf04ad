"""The survey where there is no /proc, through psutil; honest about what it cannot see.

It never proves absence: open directories, locks and descriptors in flight do not show, so
``hidden`` always says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import psutil

from cachewright.holders.lock_table import Line
from cachewright.holders.redaction import redact
from cachewright.holders.survey import Hold, KernelLock, Survey, below
from cachewright.model import Holder
from cachewright.text import display

_HIDDEN = "This system does not tell which programs have a directory open."


def _place(path: bytes) -> tuple[int, int]:
    try:
        found = os.lstat(path)
    except OSError:
        return (-1, -1)
    return (found.st_dev, found.st_ino)


def _open_files(process: psutil.Process) -> Iterator[tuple[str, str]]:
    for one in process.open_files():
        mode = getattr(one, "mode", "r+")  # where the mode is not told it may be writing
        yield one.path, "open:read" if mode == "r" else "open:write"


def _mapped(process: psutil.Process) -> Iterator[tuple[str, str]]:
    maps = getattr(process, "memory_maps", None)
    if maps is not None:
        for one in maps(grouped=False):
            shared = one.perms[1:2] == "w" and one.perms[3:4] == "s"
            yield one.path, "mmap:write" if shared else "mmap:read"


def _links(process: psutil.Process) -> Iterator[tuple[str, str]]:
    for path, how in ((process.exe(), "exe"), (process.cwd(), "cwd")):
        if path:
            yield path, how


def _holder(process: psutil.Process) -> Holder:
    try:
        user = display(process.username())
    except (psutil.Error, KeyError):
        user = ""
    try:
        command = redact([os.fsencode(one) for one in process.cmdline()])
    except psutil.Error:
        command = ""
    started = process.create_time()
    return Holder(
        pid=process.pid,
        started_ns=int(started * 1_000_000_000),
        user=user,
        command=command or f"[{display(process.name())}]",
        how=(),
        state="stopped" if process.status() == psutil.STATUS_STOPPED else "running",
        start_ticks=int(started * 100),
    )


class _Looker:
    def __init__(
        self,
        prefixes: Sequence[bytes],
        devices: frozenset[int],
        wanted: Callable[[int, int], bool] | None,
        ours: frozenset[int],
    ) -> None:
        self.holds: list[Hold] = []
        self.uninspected: dict[int, str] = {}
        self._prefixes = prefixes
        self._devices = devices
        self._wanted = wanted
        self._ours = ours | {os.getpid()}

    def ask(self, process: psutil.Process) -> None:
        found: dict[tuple[str, str], None] = {}
        for look in (_links, _open_files, _mapped):
            try:
                found.update(dict.fromkeys(look(process)))
            except (psutil.AccessDenied, OSError):
                self.uninspected[process.pid] = ""
        holds = [hold for path, how in found if (hold := self._hold(process.pid, path, how))]
        if holds:
            holder = _holder(process)
            self.holds.extend(
                Hold(holder, device, inode, path, how) for device, inode, path, how in holds
            )

    def _hold(self, pid: int, name: str, how: str) -> tuple[int, int, bytes, str] | None:
        if pid in self._ours and how == "open:read":
            return None
        path = os.fsencode(name)
        below_any = any(below(path, prefix) for prefix in self._prefixes)
        device, inode = _place(path) if os.path.isabs(path) else (-1, -1)
        wanted = device in self._devices and (self._wanted is None or self._wanted(device, inode))
        return (device, inode, path, how) if below_any or wanted else None


def survey(
    prefixes: Sequence[bytes],
    devices: frozenset[int],
    *,
    wanted: Callable[[int, int], bool] | None = None,
    ours: frozenset[int] = frozenset(),
) -> Survey:
    """As ``holders.linux.survey``, as far as psutil sees; ``hidden`` is never empty."""
    looker = _Looker(prefixes, devices, wanted, ours)
    for process in psutil.process_iter():
        try:
            looker.ask(process)
        except psutil.NoSuchProcess:
            continue
    return Survey(
        holds=tuple(looker.holds),
        uninspected=len(looker.uninspected),
        hidden=_HIDDEN,
        at_ns=time.time_ns(),
    )


def kernel_locks() -> tuple[KernelLock, ...]:
    """Empty: psutil does not tell; ``Survey.hidden`` says that absence proves nothing."""
    return ()


def read_table() -> dict[Line, tuple[int, ...]]:
    """Empty, as ``kernel_locks``."""
    return {}


def look_around(
    prefixes: Sequence[bytes],
    devices: frozenset[int],
    *,
    wanted: Callable[[int, int], bool] | None = None,
    ours: frozenset[int] = frozenset(),
) -> tuple[Survey, tuple[KernelLock, ...]]:
    """``survey`` and ``kernel_locks``, as far as psutil sees."""
    return survey(prefixes, devices, wanted=wanted, ours=ours), kernel_locks()


def process(pid: int, how: tuple[str, ...] = ()) -> Holder | None:
    """The process that has this pid now, or None where there is none."""
    try:
        return replace(_holder(psutil.Process(pid)), how=how)
    except psutil.Error:
        return None
