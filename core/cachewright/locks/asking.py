"""Asking the kernel whether a POSIX or OFD lock is in the way, without locking anything."""

from __future__ import annotations

import errno
import struct
import sys
from dataclasses import dataclass
from typing import Final

_FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock``: type, whence, start, length (0: to the end), pid."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands in the way of locking the whole file.

    ``pid`` is -1 for an OFD lock, which belongs to open files rather than a process, and 0 for
    a process that does not show in our pid namespace.
    """

    free: bool
    write: bool = False
    pid: int = 0


def ask(fd: int) -> Answer | None:
    """Whether anybody else could be disturbed by a write lock on the whole file.

    Sees POSIX and OFD locks, this process's own POSIX locks included; never flocks.  None
    where the system or the file system does not answer.  Any open descriptor will do.
    """
    if sys.platform != "linux":
        return None
    import fcntl

    request = _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0)
    try:
        reply = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, request)
    except OSError as error:
        if error.errno != errno.EINVAL:
            return None
        try:
            reply = fcntl.fcntl(fd, fcntl.F_GETLK, request)
        except OSError:
            return None
    kind, _whence, _start, _length, pid = _FLOCK.unpack(reply)
    return _answer(kind, pid)


def ask_of_others(fd: int) -> Answer | None:
    """The same, without this process's own POSIX locks: whether what it has is its alone."""
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        reply = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
    except OSError:
        return None
    kind, _whence, _start, _length, pid = _FLOCK.unpack(reply)
    return _answer(kind, pid)


def _answer(kind: int, pid: int) -> Answer:
    import fcntl

    if kind == fcntl.F_UNLCK:
        return Answer(free=True)
    return Answer(free=False, write=kind == fcntl.F_WRLCK, pid=pid)
