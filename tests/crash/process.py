"""One run of a verb in a process of its own, forked from one that has imported all it needs."""

from __future__ import annotations

import os
import pickle
import select
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from tests.crash.calls import Call
from tests.crash.supervisor import END, Supervisor, listener, next_descriptor, submit

from cachewright.errors import CachewrightError

Opens = Callable[[], AbstractContextManager[Callable[[], Any]]]
"""Gets ready, unseen; what it yields is what is seen, killed or disturbed."""

_LONGEST_S: Final = 60


@dataclass(frozen=True)
class Point:
    """Where to interfere: at the ``number``-th call of this name.  With an ``error`` it fails
    by that; ``later`` tells which of the calls ``among`` that come after it fail, too."""

    name: str
    number: int
    error: int = 0
    later: Callable[[Call], bool] | None = None
    among: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Run:
    """How it ended.  ``reached``: the point was.  ``killed``: by us.  ``outcomes`` is what the
    verb gave, ``error`` the sentence of what it raised and may raise, ``odd`` the trace of
    anything that it may not raise."""

    reached: bool
    killed: bool
    outcomes: Sequence[Any] = ()
    error: str = ""
    odd: str = ""
    calls: Sequence[Call] = ()


def record(opens: Opens) -> Run:
    """Run it undisturbed, and write down every call that it makes."""
    return _run(opens, None)


def disturb(opens: Opens, point: Point) -> Run:
    """Run it, and kill it (where the point has no error) or let its call fail at the point."""
    return _run(opens, point)


def _run(opens: Opens, point: Point | None) -> Run:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _child(opens, writing, None if point is None else point.among | {point.name, END})
    os.close(writing)
    supervisor = Supervisor(pid)
    if point is not None:
        supervisor = Supervisor(pid, point.name, point.number, point.error, point.later)
    try:
        return _supervised(supervisor, reading)
    finally:
        os.close(reading)


def _supervised(supervisor: Supervisor, reading: int) -> Run:
    first = os.read(reading, 16)
    if not first[:1].isdigit():
        raise AssertionError(f"it ended before it was ready: {_rest(first, reading)}")
    fd = listener(supervisor.pid, int(first))
    try:
        supervisor.attend(fd, lambda: bool(select.select([reading], [], [], 0)[0]))
    finally:
        os.close(fd)
    said = _rest(b"", reading)
    _, status = os.waitpid(supervisor.pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if said is None:
        odd = "" if killed else f"it ended with status {status}"
        return Run(supervisor.disturbed, killed, odd=odd)
    outcomes, error, odd = said
    return Run(supervisor.disturbed, killed, outcomes or (), error, odd, supervisor.calls)


def _rest(first: bytes, reading: int) -> Any:
    with open(reading, "rb", closefd=False) as pipe:
        said = first + pipe.read()
    return pickle.loads(said) if said else None  # noqa: S301 - our own child's


def _child(opens: Opens, writing: int, names: frozenset[str] | None) -> None:
    """Never returns: nothing of the parent's may be closed or ended twice."""
    signal.alarm(_LONGEST_S)
    told: tuple[Any, str, str] = (None, "", "")
    try:
        with opens() as act:
            os.write(writing, b"%-16d" % next_descriptor())
            submit(names)
            told = _done(act)
            os.getsid(0)  # what END names
            _tell(writing, told)
    except BaseException:  # noqa: BLE001 - told to the parent
        _tell(writing, (None, "", traceback.format_exc()))


def _tell(writing: int, told: tuple[Any, str, str]) -> None:
    os.writev(writing, [pickle.dumps(told)])
    os._exit(0)


def _done(act: Callable[[], Any]) -> tuple[Any, str, str]:
    try:
        return (act(), "", "")
    except (OSError, CachewrightError) as error:  # what a face makes a sentence of
        return (None, f"{type(error).__name__}: {error}", "")
    except BaseException:  # noqa: BLE001 - told to the parent
        return (None, "", traceback.format_exc())


assert END == "getsid"
