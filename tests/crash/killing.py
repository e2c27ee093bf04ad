"""``kill -9`` before every system call of every verb, and of what recovers afterwards.

On tmpfs before every single call; on the other file systems before every call that can change a
disk: a kill before one that changes nothing leaves the very same disk as a kill before the next
one that does.  Closing a descriptor changes nothing, and is done by the kill too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.crash.process import Point, disturb, record
from tests.crash.trials import Play, Tally, plays

from cachewright.repair.recover import recover

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.calls import Call
    from tests.crash.judging import Case
    from tests.crash.scenario import Scenario
    from tests.crash.stage import Stage

STEPS: Final = frozenset({"rename", "renameat", "renameat2", "unlink", "unlinkat", "fchmod"})
"""Before and after these a killed verb leaves another situation; between others mostly files
that are not whole yet."""
SWAPS: Final = frozenset({"rename", "renameat2"})
"""The least of them: where the verb's own things change places."""


def kill_verbs(scenarios: Sequence[Scenario], top: Path, *, every: bool) -> Tally:
    """Kill each verb before every call, or before every one that can change a disk."""
    tally = Tally()
    for play in plays(scenarios, top):
        for call in play.calls:
            if every or call.changes:
                _kill(play, call, tally)
    return tally


def _kill(play: Play, call: Call, tally: Tally) -> None:
    case, run = play.disturbed(Point(call.name, call.number))
    if not run.reached:
        tally.missed += 1
        return
    name = f"{play.scenario.name}, killed before {call.name} {call.number}"
    found, state = _after_kill(case)
    tally.count(name, [*found, *([] if run.killed else [f"not killed: {run}"])], state)


def _after_kill(case: Case) -> tuple[list[str], str]:
    now = case.world()
    state = case.state(now).value
    found = list(case.after_crash(now))
    if case.scenario.journals:
        found += case.recovered()
    return found, f"{state} then {case.state(case.world()).value}"


def kill_recoveries(
    scenarios: Sequence[Scenario], top: Path, around: frozenset[str] = STEPS
) -> Tally:
    """Interrupt each verb before and after every call of these names, and kill what recovers
    from that before every call that can change a disk."""
    tally = Tally()
    for play in plays([one for one in scenarios if one.journals], top):
        steps = [one for one in play.calls if one.changes]
        for before, step in pairwise(steps):
            if before.name in around or step.name in around:
                _kill_recovery(play, step, tally)
    return tally


def _kill_recovery(play: Play, step: Call, tally: Tally) -> None:
    """All kills of the recovery from one interrupted verb."""
    _interrupted(play, step)
    run = record(_recovering(play.stage))
    for call in run.calls:
        if not call.changes:
            continue
        case = _interrupted(play, step)
        killed = disturb(_recovering(play.stage), Point(call.name, call.number))
        if not killed.reached:
            tally.missed += 1
            continue
        name = (
            f"{play.scenario.name}, killed before {step.name} {step.number}, its recovery "
            f"before {call.name} {call.number}"
        )
        found, state = _after_kill(case)
        tally.count(name, found, state)


def _interrupted(play: Play, step: Call) -> Case:
    case, _run = play.disturbed(Point(step.name, step.number))
    return case


def _recovering(stage: Stage) -> Callable[[], Any]:
    @contextmanager
    def opens() -> Iterator[Callable[[], Any]]:
        def act() -> Any:
            with stage.journal() as journal:
                return recover(journal)

        yield act

    return opens
