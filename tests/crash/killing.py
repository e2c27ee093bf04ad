"""``kill -9`` before every system call of every verb, and of what recovers afterwards.

On tmpfs before every single call; on the other file systems before every call that can change a
disk: a kill before one that changes nothing leaves the very same disk as a kill before the next
one that does.  Closing a descriptor changes nothing, and is done by the kill too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.crash import verbs
from tests.crash.naive import NAIVE
from tests.crash.process import Point, disturb, record
from tests.crash.trials import Play, Tally, plays

from cachewright.repair.recover import recover

if TYPE_CHECKING:
    from tests.counts import Row
    from tests.crash.calls import Call
    from tests.crash.judging import Case
    from tests.crash.scenario import Scenario
    from tests.crash.stage import Stage

SWAPS: Final = frozenset({"rename", "renameat2"})
"""Where the verb's own things change places."""
STEPS: Final = SWAPS | {"renameat", "unlinkat"}
"""There, and wherever the journal goes on or something is removed."""


@dataclass(frozen=True)
class Kills:
    """What one row is about."""

    where: str
    scenarios: Sequence[Scenario]
    run_with: Callable[[Sequence[Scenario], Path], Tally]

    def run(self, share: Sequence[Scenario], top: Path) -> Row:
        return self.run_with(share, top).row("kill", self.where)


def kills(kind: str) -> Iterator[Kills]:
    """All of them on one kind of file system."""
    groups = {
        "repairs": verbs.REPAIRS,
        "undos": verbs.UNDOS,
        "purges": verbs.PURGES,
        "baseline": (verbs.BASELINE,),
    }
    memory = kind == "tmpfs"
    for name, group in groups.items():
        yield Kills(f"{kind}, {name}", group, partial(kill_verbs, every=memory))
    around = STEPS if memory else SWAPS
    recovered = [one for one in verbs.ALL if one.journals]
    yield Kills(f"{kind}, recovery", recovered, partial(kill_recoveries, around=around))
    yield _control(kind)


def quick_kills(kind: str) -> Iterator[Kills]:
    """A few verbs, where files are in memory; one of them elsewhere."""
    if kind not in {"tmpfs", "here"}:
        yield Kills(f"{kind}, verbs", verbs.QUICK[:1], partial(kill_verbs, every=False))
        return
    yield Kills(f"{kind}, verbs", verbs.QUICK, partial(kill_verbs, every=False))
    yield Kills(
        f"{kind}, recovery", verbs.QUICKLY_RECOVERED, partial(kill_recoveries, around=SWAPS)
    )
    yield _control(kind)


def _control(kind: str) -> Kills:
    without = partial(kill_verbs, every=False, control=True)
    return Kills(f"{kind}, naive verbs", NAIVE, without)


def kill_verbs(
    scenarios: Sequence[Scenario], top: Path, *, every: bool, control: bool = False
) -> Tally:
    """Kill each verb before every call, or before every one that can change a disk."""
    tally = Tally(control)
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


def kill_recoveries(scenarios: Sequence[Scenario], top: Path, *, around: frozenset[str]) -> Tally:
    """Interrupt each verb before and after every call of these names (of ``STEPS``, where it
    makes none of them), and kill what recovers from that before every call that can change a
    disk."""
    tally = Tally()
    for play in plays([one for one in scenarios if one.journals], top):
        steps = [one for one in play.calls if one.changes]
        names = around if any(step.name in around for step in steps) else STEPS
        for before, step in pairwise(steps):
            if before.name in names or step.name in names:
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
