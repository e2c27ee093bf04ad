"""Stand between a process and the kernel: see its calls, kill it before one, let one fail.

The process asks for it itself (seccomp, "user notification"): from then on each of its calls, or
each with one number, waits for our answer.  Where the answer is a signal that kills it, the call
is never made.  All other calls run at their own speed, which a tracer would not let them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from tests.crash.calls import NUMBERS, Call, call, number_of

END: Final = "getsid"
"""The call, which no verb makes, by which a process says that its verb is over."""

_SYS_SECCOMP: Final = 317 if platform.machine() == "x86_64" else 277
_SYS_PIDFD_GETFD: Final = 438
_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 8
_NO_NEW_PRIVILEGES: Final = 38
_ALLOW: Final = 0x7FFF0000
_ASK: Final = 0x7FC00000
_LOAD_NUMBER: Final = (0x20, 0, 0, 0)
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_UNASKED: Final = frozenset({"exit_group"})
"""By then nobody listens any more."""
_RECEIVE: Final = 0xC0502100
_ANSWER: Final = 0xC0182101
_GO_ON: Final = 1
_QUESTION: Final = struct.Struct("=QIIiIQ6Q")
_REPLY: Final = struct.Struct("=QqiI")
_PATIENCE_S: Final = 30.0


class NotAllowed(Exception):
    """This kernel or container lets no process be supervised."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def submit(names: frozenset[str] | None) -> None:
    """Let this process be supervised from the next call on: all its calls, or those named."""
    some, rest = (_ALLOW, _ASK) if names is None else (_ASK, _ALLOW)
    named = sorted(map(number_of, names or _UNASKED))
    code = [_LOAD_NUMBER]
    for index, number in enumerate(named):
        code.append((_JUMP_IF_EQUAL, len(named) - index, 0, number))
    code += [(_RETURN, 0, 0, rest), (_RETURN, 0, 0, some)]
    packed = b"".join(struct.pack("=HBBI", *one) for one in code)
    program = _Program(len(code), packed)
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    made = _libc.syscall(_SYS_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(program))
    if made < 0:
        raise NotAllowed(os.strerror(ctypes.get_errno()))


def may_supervise() -> bool:
    """Whether this kernel or container lets a process be supervised at all."""
    pid = os.fork()
    if not pid:
        try:
            submit(frozenset({END}))
        except NotAllowed:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def next_descriptor() -> int:
    """The number that the next descriptor of this process gets: where ``submit`` listens."""
    fd = os.dup(0)
    os.close(fd)
    return fd


def listener(pid: int, descriptor: int) -> int:
    """Our own descriptor of what a process listens at, as soon as it has submitted."""
    until = time.monotonic() + _PATIENCE_S
    process = os.pidfd_open(pid)
    try:
        while time.monotonic() < until:
            fd = _libc.syscall(_SYS_PIDFD_GETFD, process, descriptor, 0)
            if fd >= 0 and "seccomp" in os.readlink(f"/proc/self/fd/{fd}"):
                return int(fd)
            if fd >= 0:
                os.close(fd)
            elif ctypes.get_errno() != errno.EBADF:
                break
            time.sleep(0.0002)
    finally:
        os.close(process)
    raise NotAllowed(os.strerror(ctypes.get_errno()))


@dataclass
class Supervisor:
    """Answers one process.  ``name`` and ``at`` tell the call that is not made: the ``at``-th of
    this name.  It fails with ``error``, or where that is 0 the process is killed before it.
    ``later`` tells which calls after that one fail in the same way.  Without a name all calls
    are written down."""

    pid: int
    name: str = ""
    at: int = 0
    error: int = 0
    later: Callable[[Call], bool] | None = None
    calls: list[Call] = field(default_factory=list)
    disturbed: bool = False
    _count: Counter[int] = field(default_factory=Counter)
    _over: bool = False

    def attend(self, fd: int, until: Callable[[], bool]) -> None:
        """Answer until the process is gone, or ``until`` says that there is no more need."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while not until():
            for _fd, event in poll.poll(5):
                if event & select.POLLIN:
                    self._answer(fd)
                else:
                    return

    def _answer(self, fd: int) -> None:
        question = bytearray(_QUESTION.size)
        try:
            fcntl.ioctl(fd, _RECEIVE, question)
        except OSError:  # it was killed while it asked
            return
        mark, pid, _flags, number, _arch, _at, *arguments = _QUESTION.unpack(question)
        code = self._decide(number, tuple(arguments), pid)
        if code is None:
            # Who asks may be a child of it: unanswered, that one would wait for ever.
            for one in {self.pid, pid}:
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            return
        reply = _REPLY.pack(mark, 0, -code, 0 if code else _GO_ON)
        with suppress(OSError):
            fcntl.ioctl(fd, _ANSWER, bytearray(reply))

    def _decide(self, number: int, arguments: tuple[int, ...], pid: int) -> int | None:
        """0 to go on, an error's number, None to kill it."""
        if self._over or number == NUMBERS[END]:
            self._over = True
            return 0
        self._count[number] += 1
        nth = self._count[number]
        if not self.name:
            self.calls.append(call(number, arguments, nth, pid))
            return 0
        if self.disturbed:
            fails = self.later is not None and self.later(call(number, arguments, nth, pid))
            return self.error if fails else 0
        if number == number_of(self.name) and nth == self.at:
            self.disturbed = True
            return self.error or None
        return 0
