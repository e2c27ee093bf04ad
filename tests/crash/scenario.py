"""What one scenario is: a stage that is made, a verb that acts on it, and what it may lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cachewright import workbench
from cachewright.model import Outcome

if TYPE_CHECKING:
    from tests.crash.listing import World
    from tests.crash.stage import Stage

Act = Callable[[], Sequence[Outcome]]
"""The verb, by the entry that both faces use; nothing before it is killed or disturbed."""
Ready = Callable[["Stage"], AbstractContextManager[Act]]
"""Opens and plans; what it yields is the verb."""


def _never(_now: World, _before: World) -> bool:
    return False


def _deleting(now: World, before: World) -> bool:
    """A purge has begun: a part of what is kept is gone, and all else is as it was."""
    for operation, place in now.kept.items():
        was = before.kept.get(operation, {})
        if any(name not in was or was[name].bare != one.bare for name, one in place.items()):
            return False
    return {name: one.lasting for name, one in now.place.items()} == {
        name: one.lasting for name, one in before.place.items()
    }


@dataclass(frozen=True)
class Scenario:
    """``make`` fills an empty stage; ``ready`` gives the verb.

    ``subject`` is what it acts on, relative to the stage's top.  ``between`` says of a state
    that is neither the old nor the new one whether a killed verb may leave it for ``recover``
    to take back or to finish.  ``deletes`` is a verb that deletes on purpose, ``of_done`` one
    that acts on what another verb has done; ``replaces_ours`` one that drops what we had written
    ourselves.  The journal knows of all verbs that ``journals``.
    """

    name: str
    subject: str
    make: Callable[[Stage], None]
    ready: Ready
    between: Callable[[World, World], bool] = _never
    deletes: bool = False
    of_done: bool = False
    replaces_ours: bool = False
    journals: bool = True


def done(scenario: Scenario, stage: Stage) -> None:
    """The stage as it is when the verb has run to its end."""
    scenario.make(stage)
    with scenario.ready(stage) as act:
        outcomes = act()
    if [one.result.value for one in outcomes] != ["done"]:
        raise AssertionError(f"{scenario.name} is not done undisturbed: {outcomes}")


def undoing(scenario: Scenario, *, replaces_ours: bool = False) -> Scenario:
    """The scenario of taking back what another one did."""

    @contextmanager
    def ready(_stage: Stage) -> Iterator[Act]:
        yield lambda: (workbench.undo(),)

    return replace(
        scenario,
        name=f"undo {scenario.name}",
        make=lambda stage: done(scenario, stage),
        ready=ready,
        of_done=True,
        replaces_ours=replaces_ours,
    )


def purging(scenario: Scenario) -> Scenario:
    """The scenario of deleting for good what another one put into quarantine."""

    @contextmanager
    def ready(_stage: Stage) -> Iterator[Act]:
        yield lambda: workbench.quarantine_purge(0.0)

    return replace(
        scenario,
        name=f"purge after {scenario.name}",
        make=lambda stage: done(scenario, stage),
        ready=ready,
        of_done=True,
        between=_deleting,
        deletes=True,
    )
