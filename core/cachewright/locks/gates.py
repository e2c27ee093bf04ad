"""Holding one of a tool's own locks while something is repaired (DESIGN 6.4, 7).

Only at action time and never waiting: what another holds is left to it.  A lock file is never
deleted, neither before nor afterwards (reliability.md rule 6).

A file that is content rather than a mere place for a lock (``Gate.read_only``) is opened for
reading only.  A POSIX read lock on it keeps every writer's lock out; and since its tool fails at
once where it cannot have the lock, a write lease lets the tool wait in its ``open`` instead,
which then finds the lock free.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import CachewrightError, GateHeld, Refused
from cachewright.holders.leases import take_lease
from cachewright.holders.naming import name_of, names_of
from cachewright.locks import ours
from cachewright.locks.asking import ask, ask_of_others
from cachewright.locks.table import of_file
from cachewright.model import Gate, Holder, LockKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_TRIES: Final = 5
_LEASE_TRIES: Final = 20
_LEASE_PAUSE_S: Final = 0.01
"""Together far longer than a tool takes from opening a file to locking it."""
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
            granted = _lock(fd, gate, about)
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
        return root.open_file(gate.relative, os.O_RDONLY if gate.read_only else os.O_RDWR)
    except FileNotFoundError:
        if not gate.create or gate.read_only:
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


def _lock(fd: int, gate: Gate, about: bytes) -> bool:
    """Whether the lock was granted at once."""
    if sys.platform == "win32":
        raise _unlockable(about, "this system has no such locks")
    import fcntl

    take = {LockKind.POSIX: fcntl.lockf, LockKind.FLOCK: fcntl.flock}.get(gate.kind)
    if take is None:
        raise _unlockable(about, f"a lock of kind {gate.kind} cannot be taken")
    # The kernel gives no POSIX write lock to who cannot write; a flock minds no such thing.
    shared = gate.read_only and gate.kind is LockKind.POSIX
    if gate.read_only:
        _let_openers_wait(fd)
    try:
        take(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise _unlockable(about, error.strerror) from error
    return not shared or _alone(fd)


def _let_openers_wait(fd: int) -> None:
    """Take a write lease, which goes with the descriptor.

    Somebody who has the file open may be about to lock it: they get time to.  Where they only
    read, or where no lease is to be had, the lock has to do.
    """
    for _try in range(_LEASE_TRIES):
        answer = ask(fd)
        if take_lease(fd) is not False or answer is None or not answer.free:
            return
        time.sleep(_LEASE_PAUSE_S)


def _alone(fd: int) -> bool:
    """Whether nobody else has a read lock beside ours; ours is given up where somebody has."""
    import fcntl

    answer = ask_of_others(fd)
    if answer is None or answer.free:
        return True
    fcntl.lockf(fd, fcntl.LOCK_UN)
    return False


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
