"""A disk on which from some moment on every write fails, as a broken one's do.

A verb that is told so by the kernel may not say that it is done, unless it is; and what lies on
the disk when it works again is as after a crash.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from tests.crash import verbs
from tests.crash.foreign.places import FAILING_BYTES, mounted, run
from tests.crash.judging import Case, State
from tests.crash.listing import World
from tests.crash.scenario import Act, Scenario
from tests.crash.stage import Stage
from tests.crash.trials import Tally
from tests.crash.vm.initrd import DISKS

from cachewright.errors import CachewrightError

SCENARIOS: Final = {
    "ext4": (verbs.REPUBLISH, verbs.ENTRY, verbs.LINE),
    "xfs": (verbs.REPUBLISH,),
    "btrfs": (verbs.REPUBLISH,),
}
POINTS: Final = 8
"""So many moments of each verb, from its first ``fsync`` to its last."""

_NAME: Final = "failing"
_MAKE: Final = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
_WORKS: Final = "0 3600 0"
_FAILS: Final = "0 0 3600 1 error_writes"
_LONGEST_S: Final = 120


def check(kind: str) -> Tally:
    """Every scenario of this kind of file system, with the disk failing at several moments."""
    run("modprobe", "-a", "dm-flakey", kind)
    _dm("create", "--table", _table(_WORKS))
    run("dmsetup", "mknodes")
    try:
        tally = Tally()
        for scenario in SCENARIOS[kind]:
            trials = _Trials(kind, scenario)
            for point in _spread(trials.count):
                name = f"{scenario.name}, fsync {point} of {trials.count} fails"
                tally.count(name, *trials.disturbed(point))
        return tally
    finally:
        _dm("remove")


def _spread(count: int) -> list[int]:
    return sorted({1 + (count - 1) * step // (POINTS - 1) for step in range(POINTS)})


class _Trials:
    """Trials of one scenario, each on a file system of its own.  ``count`` is how often the
    verb asks for durability when all goes well."""

    def __init__(self, kind: str, scenario: Scenario) -> None:
        self._kind = kind
        self._scenario = scenario
        with self._new() as top:
            self._stage = Stage(top / "stage")
            self._make()
            self.count, said = _apart(scenario, self._stage, 0)
            if said != "done":
                raise AssertionError(f"{scenario.name} is not done undisturbed: {said}")
            self._after = World.of(self._stage)

    def disturbed(self, point: int) -> tuple[list[str], str]:
        """What is wrong when every write fails from the verb's ``point``-th ``fsync`` on, and
        how the verb ended."""
        with self._new():
            self._make()
            before = World.of(self._stage)
            _count, said = _apart(self._scenario, self._stage, point)
        _switch(_WORKS)
        with self._mounted():
            case = Case(self._scenario, self._stage, before, self._after)
            now = World.of(self._stage)
            wrong = list(case.after_crash(now))
            if said == "done" and case.state(now) is not State.NEW:
                wrong.append(f"done was said, but it is {case.state(now)}")
            wrong += case.recovered()
        return wrong, said

    def _make(self) -> None:
        self._stage.clear()
        self._scenario.make(self._stage)
        os.sync()

    @contextmanager
    def _new(self) -> Iterator[Path]:
        run(*_MAKE[self._kind], f"/dev/mapper/{_NAME}")
        with self._mounted() as top:
            yield top

    def _mounted(self) -> AbstractContextManager[Path]:
        return mounted(f"/dev/mapper/{_NAME}", _NAME, "-t", self._kind)


def _table(way: str) -> str:
    sectors = FAILING_BYTES // 512
    return f"0 {sectors} flakey {os.path.realpath(f'{DISKS}/{_NAME}')} {way}"


def _dm(verb: str, *more: str) -> None:
    run("dmsetup", verb, _NAME, "--noudevsync", *more)


def _switch(way: str) -> None:
    _dm("suspend", "--nolockfs", "--noflush")
    _dm("reload", "--table", _table(way))
    _dm("resume")


def _apart(scenario: Scenario, stage: Stage, point: int) -> tuple[int, str]:
    """Run the verb in a process of its own; how often it called ``fsync``, and how it ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        signal.alarm(_LONGEST_S)
        _tell(writing, scenario, stage, point)
    os.close(writing)
    with open(reading) as pipe:
        count, _, said = pipe.read().partition(" ")
    os.waitpid(pid, 0)
    return (int(count), said) if count else (0, "it did not end in time")


def _tell(writing: int, scenario: Scenario, stage: Stage, point: int) -> None:
    """Never returns: nothing of the parent's may be closed or ended twice."""
    said, count = "error", _Count(point)
    try:
        with scenario.ready(stage) as act:
            os.fsync = count  # type: ignore[assignment]
            said = _verdict(act)
    except BaseException:  # noqa: BLE001 - told to the parent
        traceback.print_exc()
    os.write(writing, f"{count.calls} {said}".encode())
    os._exit(0)


class _Count:
    """``fsync`` as it is, but the disk fails right before one of the calls."""

    def __init__(self, point: int) -> None:
        self.calls = 0
        self._point = point
        self._real = os.fsync

    def __call__(self, fd: int) -> None:
        self.calls += 1
        if self.calls == self._point:
            _switch(_FAILS)
        self._real(fd)


def _verdict(act: Act) -> str:
    try:
        (outcome,) = act()
    except (OSError, CachewrightError) as error:
        return type(error).__name__
    return outcome.result.value
