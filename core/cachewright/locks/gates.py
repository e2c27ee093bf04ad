"""Holding one of a tool's own locks while something is repaired (DESIGN 6.4, 7).

Only at action time and never waiting: what another holds is left to it.  A lock file is never
deleted, neither before nor afterwards (reliability.md rule 6).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import CachewrightError, GateHeld, Refused
from cachewright.holders.naming import name_of, names_of
from cachewright.locks import ours
from cachewright.locks.asking import ask
from cachewright.locks.table import of_file
from cachewright.model import Gate, Holder, LockKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_TRIES: Final = 5
_UNNAMED: Final = "another process"


@contextmanager
def acquire(root: Directory, gate: Gate, *, subject: bytes | None = None) -> Iterator[None]:
    """Hold ``gate`` exclusively for the length of the ``with`` block.

    Raises ``GateHeld`` at once, naming the holder, where anybody has it (this process
    included: gates are not reentrant), and ``Refused`` where it cannot be taken at all.
    ``subject`` is the absolute path that errors speak of.  While it is held, nothing else in
    this process may open the lock file: POSIX locks are dropped when any descriptor of the
    file is closed.  ``look`` keeps to that.
    """
    about = root.where(gate.relative) if subject is None else subject
    with ours.mutex:
        fd = _take(root, gate, about)
        where = ours.place(os.fstat(fd))
        ours.hold(where)
    try:
        yield
    finally:
        with ours.mutex:
            os.close(fd)
            ours.release(where)


def _take(root: Directory, gate: Gate, about: bytes) -> int:
    """A descriptor that has the lock on the file that has the name now."""
    holder = ""
    for _try in range(_TRIES):
        fd = _open(root, gate, about)
        try:
            granted = _lock(fd, gate.kind, about)
            holder = "" if granted else _holder(fd, gate.kind)
            good = granted and _still_there(root, gate, fd)
        except BaseException:
            os.close(fd)
            raise
        if good:
            return fd
        os.close(fd)
        if holder:
            break  # else it was replaced, or let go in between: once more
    raise GateHeld(path=about, holder=holder or _UNNAMED, gate=display(gate.relative))


def _open(root: Directory, gate: Gate, about: bytes) -> int:
    """Never opens a file whose lock this process holds: closing it would drop that lock."""
    try:
        if ours.held_here(root.stat(gate.relative)):
            raise GateHeld(path=about, holder="Cachewright itself", gate=display(gate.relative))
        return root.open_file(gate.relative, os.O_RDWR)
    except FileNotFoundError:
        if not gate.create:
            raise Refused(path=about, reason="its lock file is missing") from None
    except OSError as error:
        raise _unlockable(about, error.strerror) from error
    except CachewrightError as error:
        if isinstance(error, GateHeld):
            raise
        raise _unlockable(about, str(error)) from error
    return _create(root, gate, about)


def _create(root: Directory, gate: Gate, about: bytes) -> int:
    """Make the lock file as the tool itself would; whoever makes it first is welcome."""
    try:
        parent, name = root.parent_of(gate.relative)
        with parent:
            try:
                return parent.create_file(name, 0o644)
            except FileExistsError:
                return parent.open_file(name, os.O_RDWR)
    except (OSError, CachewrightError) as error:
        raise _unlockable(about, str(error)) from error


def _lock(fd: int, kind: LockKind, about: bytes) -> bool:
    """Whether the lock was granted at once."""
    if sys.platform == "win32":
        raise _unlockable(about, "this system has no such locks")
    import fcntl

    take = {LockKind.POSIX: fcntl.lockf, LockKind.FLOCK: fcntl.flock}.get(kind)
    if take is None:
        raise _unlockable(about, f"a lock of kind {kind} cannot be taken")
    try:
        take(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise _unlockable(about, error.strerror) from error
    return True


def _still_there(root: Directory, gate: Gate, fd: int) -> bool:
    """Whether the locked file still has the name: a lock on a replaced file excludes nobody."""
    try:
        named = root.stat(gate.relative)
    except (OSError, CachewrightError):
        return False
    return stat.S_ISREG(named.st_mode) and ours.place(named) == ours.place(os.fstat(fd))


def _holder(fd: int, kind: LockKind) -> str:
    """Who is in the way, in words; empty where nobody is any more."""
    if kind is LockKind.POSIX:
        answer = ask(fd)
        if answer is not None and answer.free:
            return ""
        if answer is not None and answer.pid > 0:
            holder = holders.process(answer.pid)
            return name_of(holder) if holder else ""
    found: dict[int, Holder] = {}
    for lock in of_file(fd, holders.kernel_locks()):
        for pid in lock.pids:
            holder = holders.process(pid)
            if holder:
                found[pid] = holder
    return names_of(tuple(found.values())) if found else _UNNAMED


def _unlockable(about: bytes, why: str | None) -> Refused:
    return Refused(path=about, reason=f"its lock cannot be taken ({why})")
