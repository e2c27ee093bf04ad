"""Four processes that carry out the same plans for the same caches at once; run by ``cells.run``.

Each does the steps in an order of its own, a few at a time, and tries again while another one is
at work.  What they say is then compared with what their journals say and with what lies there.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.race.broken_cache import Broken, know_the_stranger
from tests.race.cells import Counts, serve

from cachewright.errors import AnotherAtWork
from cachewright.model import Plan, PlanStep, Result, StepKind
from cachewright.repair import exclusive
from cachewright.repair.journal import Journal
from cachewright.repair.operations import Operation, operations
from cachewright.repair.records import Event, unpack
from cachewright.workbench import Workbench

REPAIRERS = 4
AT_ONCE = 3
"""Steps of one run, for which nobody else may act."""
PAUSE_S = 0.01
MOVED = {
    StepKind.QUARANTINE_ENTRY,
    StepKind.QUARANTINE_STAGING,
    StepKind.QUARANTINE_LOCK,
    StepKind.REPUBLISH_ENTRY,
}
Said = list[tuple[str, str]]
"""Steps and their results."""


@dataclass(frozen=True)
class Round:
    broken: Broken
    states: tuple[Path, ...]
    alone: bool

    def plans(self) -> list[Plan]:
        found = []
        for cache in self.broken.caches:
            with Workbench.open(os.fsencode(cache), options=self.broken.options) as bench:
                bench.check()
                found.append(bench.plan())
        return found

    def repaired(self, plans: Sequence[Plan], number: int, counts: Counts) -> Said:
        """What becomes of every step that one of the four tries."""
        use_state(self.states[number % len(self.states)])
        chance = random.Random(number)  # noqa: S311 - a seed makes it repeatable
        said: Said = []
        for plan in plans:
            steps = chance.sample(plan.steps, len(plan.steps))
            with Workbench.open(plan.root, options=self.broken.options) as bench:
                for start in range(0, len(steps), AT_ONCE):
                    said += _patiently(bench, plan, steps[start : start + AT_ONCE], counts)
        return said


def use_state(state: Path) -> None:
    os.environ["CACHEWRIGHT_STATE_DIR"] = os.fspath(state)


def _patiently(bench: Workbench, plan: Plan, steps: list[PlanStep], counts: Counts) -> Said:
    some = replace(plan, steps=tuple(steps))
    while True:
        try:
            outcomes = bench.repair(some, apply=True)
        except AnotherAtWork:
            counts["waits"] += 1
            time.sleep(PAUSE_S)
        else:
            return [(step.id, one.result) for step, one in zip(steps, outcomes, strict=True)]


def _apart(this: Round, plans: Sequence[Plan], number: int, gate: tuple[int, int]) -> Started:
    """Start one of the four; it begins when nobody can open the gate any more."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(gate[1])
        os.read(gate[0], 1)
        if not this.alone:
            setattr(exclusive, "_lock", _only_the_journal(exclusive._lock))  # noqa: B010
        counts: Counts = {"waits": 0}
        said = this.repaired(plans, number, counts)
        with open(writing, "w", encoding="ascii") as answer:
            json.dump({"said": said, **counts}, answer)
    except BaseException as error:  # noqa: BLE001 - its end is counted
        if this.alone:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


Started = tuple[int, int]
Lock = Callable[[int, bytes, float], None]


def _only_the_journal(lock: Lock) -> Lock:
    """The guard taken out: only appending to a journal is done by one at a time."""

    def chosen(fd: int, path: bytes, wait_s: float) -> None:
        if path.endswith(b"/journal.lock"):
            lock(fd, path, wait_s)

    return chosen


def _all_at_once(this: Round, plans: Sequence[Plan], counts: Counts) -> Said:
    """What the four say; nothing of one that ended by an error."""
    gate = os.pipe()
    started = [_apart(this, plans, number, gate) for number in range(REPAIRERS)]
    for fd in gate:
        os.close(fd)
    said: Said = []
    for pid, reading in started:
        with open(reading, encoding="ascii") as answer:
            text = answer.read()
        if os.waitpid(pid, 0)[1]:
            counts["ended"] += 1
        else:
            told: dict[str, Any] = json.loads(text)
            counts["waits"] += told["waits"]
            said += [(step, result) for step, result in told["said"]]
    return said


def _one(this: Round, counts: Counts) -> None:
    plans = this.plans()
    steps = {step.id: step for plan in plans for step in plan.steps}
    said = _all_at_once(this, plans, counts)
    # Where the four were in each other's way, one of them alone is not.
    missing = steps.keys() - {step for step, result in said if result == Result.DONE}
    rest = [replace(one, steps=tuple(s for s in one.steps if s.id in missing)) for one in plans]
    said += this.repaired(rest, 0, counts)
    done = Counter(step for step, result in said if result == Result.DONE)
    counts["repairs"] += len(steps)
    counts["refused"] += len(said) - done.total()
    counts["twice"] += sum(count > 1 for count in done.values())
    counts["left"] += sum(not done[step] for step in steps)
    recorded = _recorded(this.states)
    told = Counter((one.path, one.step) for one in recorded)
    counts["unlike"] += sum(told[step.path, step.step] != 1 for step in steps.values())
    counts["unlike"] += sum(len(plan.steps) for plan in this.plans())
    counts["lost"] += _lost(this, steps.values(), recorded)


def _recorded(states: Sequence[Path]) -> list[Operation]:
    """Repairs that a journal calls done."""
    found: list[Operation] = []
    for state in states:
        with closing(Journal.open(os.fsencode(state))) as journal:
            known = operations(journal.records())
        found += [one for one in known if one.event is Event.DONE and not one.undoes]
    return found


def _lost(this: Round, steps: Iterable[PlanStep], recorded: Sequence[Operation]) -> int:
    """Moved things that are not kept, and kept ones that nobody tells of."""
    kept = {unpack(one.kept["item"]) for one in recorded if one.kept is not None}
    quarantines = [cache.with_name(".cachewright-quarantine") for cache in this.broken.caches]
    there = {os.fsencode(item): item for one in quarantines for item in one.glob("*/item")}
    inodes = {item.lstat().st_ino for item in there.values()}
    moved = {step.identity.inode for step in steps if step.step in MOVED}
    return len(kept ^ there.keys()) + len(moved - inodes)


def race(top: str, each: int, rounds: int, states: int, alone: bool) -> Counts:
    know_the_stranger()
    counts: Counts = dict.fromkeys(
        ("repairs", "refused", "waits", "ended", "left", "twice", "unlike", "lost"), 0
    )
    for number in range(rounds):
        here = Path(top) / f"round-{number}"
        names = tuple(here / f"state-{one}" for one in range(states))
        use_state(names[0])
        this = Round(Broken(here, each), names, alone)
        this.broken.make()
        _one(this, counts)
        shutil.rmtree(here)
    return counts


if __name__ == "__main__":
    serve(race)
