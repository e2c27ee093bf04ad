"""One trial after the other of one scenario: made anew, disturbed at a point, and judged."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tests.counts import Row
from tests.crash.calls import Call
from tests.crash.judging import Case
from tests.crash.listing import World
from tests.crash.process import Point, Run, disturb, record
from tests.crash.scenario import Scenario
from tests.crash.stage import Stage

_SHOWN = 3


@dataclass
class Play:
    """A scenario on a stage.  ``reference`` is its undisturbed run."""

    scenario: Scenario
    stage: Stage

    @cached_property
    def reference(self) -> tuple[Run, World]:
        self._warm()
        self.prepare()
        run = record(self.opens)
        if [one.result.value for one in run.outcomes] != ["done"]:
            raise AssertionError(f"{self.scenario.name} is not done undisturbed: {run}")
        return run, World.of(self.stage)

    @property
    def opens(self) -> Callable[[], AbstractContextManager[Callable[[], Any]]]:
        return partial(self.scenario.ready, self.stage)

    @property
    def calls(self) -> list[Call]:
        return list(self.reference[0].calls)

    def prepare(self) -> None:
        """The stage as it is before the verb."""
        self.stage.clear()
        self.scenario.make(self.stage)

    def _warm(self) -> None:
        """Do here once what every process that is forked from here would else look up itself:
        its calls are to be the same ones in each."""
        self.prepare()
        with self.scenario.ready(self.stage) as act:
            act()
        list(Case(self.scenario, self.stage, World.of(self.stage), World({})).recovered())
        gc.collect()
        gc.freeze()  # a forked process then shares the memory of this one

    def case(self) -> Case:
        """A new stage, ready to be disturbed."""
        after = self.reference[1]
        self.prepare()
        return Case(self.scenario, self.stage, World.of(self.stage), after)

    def disturbed(self, point: Point) -> tuple[Case, Run]:
        case = self.case()
        return case, disturb(self.opens, point)


@dataclass
class Tally:
    """Trials that were made, and what was wrong with some; in a control something must be, and
    is not told in full."""

    control: bool = False
    trials: int = 0
    bad: int = 0
    missed: int = 0
    states: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, complaints: Iterable[str], state: str = "") -> None:
        found = list(complaints)
        self.trials += 1
        self.states[state] += 1
        if found:
            self.bad += 1
            self.wrong[found[0][:200]] += 1
            if not self.control:
                sys.stderr.write(f"{name}: {'; '.join(found)}\n")

    def row(self, part: str, where: str) -> Row:
        states = ", ".join(f"{number} {name}" for name, number in sorted(self.states.items()))
        wrong = "; ".join(f"{number}x {one}" for one, number in self.wrong.most_common(_SHOWN))
        missed = f"; {self.missed} not reached" if self.missed else ""
        note = f"{wrong}{'; ' if wrong else ''}{states}{missed}"
        return Row(part, where, self.trials, self.bad, note=note, expects_bad=self.control)


def plays(scenarios: Iterable[Scenario], top: Path) -> Iterator[Play]:
    """Each scenario on a stage of its own place, one after the other."""
    stage = Stage(top / "stage")
    for scenario in scenarios:
        yield Play(scenario, stage)
