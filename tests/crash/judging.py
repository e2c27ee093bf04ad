"""What has become of a stage: whole old, whole new, mixed, lost; and what recovery left."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tests.crash.listing import Node, World

from cachewright.errors import CachewrightError
from cachewright.repair.records import Event
from cachewright.repair.recover import recover

if TYPE_CHECKING:
    from tests.crash.scenario import Scenario
    from tests.crash.stage import Stage

    from cachewright.model import Outcome
    from cachewright.repair.operations import Operation


class State(StrEnum):
    OLD = "old"
    NEW = "new"
    BETWEEN = "between"
    MIXED = "mixed"


_EVENTS: Final = {
    State.OLD: {Event.ROLLED_BACK, Event.FAILED},
    State.NEW: {Event.DONE},
}


@dataclass(frozen=True)
class Case:
    """One trial of one scenario.  ``before`` is its stage as it was made this time, ``after``
    the stage of another trial that ended undisturbed."""

    scenario: Scenario
    stage: Stage
    before: World
    after: World

    def world(self) -> World:
        """The stage as it is now."""
        return World.of(self.stage)

    def state(self, now: World) -> State:
        deletes, kept = self.scenario.deletes, _kept(now)
        same = _same(now.place, self.before.place) and _inodes(now) == _inodes(self.before)
        if same and (not deletes or kept == _kept(self.before)):
            return State.OLD
        new = _bare(now.place) == _bare(self.after.place)
        if new and (not deletes or kept == _kept(self.after)):
            return State.NEW
        if self.scenario.between(now, self.before):
            return State.BETWEEN
        return State.MIXED

    def after_crash(self, now: World) -> Iterator[str]:
        """What is wrong with the stage before anything is recovered."""
        if self.state(now) is State.MIXED:
            yield f"mixed: {_differences(now, self.before)}"
        yield from self._lost(now)

    def _lost(self, now: World) -> Iterator[str]:
        """Each thing that was there must be there, whole, wherever; what is new and complete
        need not: its source has it still."""
        before = self.before
        things = [f"{at}/item" for at, place in before.kept.items() if "item" in place]
        if self.scenario.deletes and any(one.purges for one in self.stage.operations()):
            things = []
        ours = self.scenario.replaces_ours and self.state(now) is State.NEW
        if self.scenario.subject in before.all and not ours:
            things.append(self.scenario.subject)
        for name in things:
            if not now.holds(before.tree(name)) and not self._told(before.tree(name)):
                yield f"lost: {name}"

    def _told(self, thing: Mapping[str, Node]) -> bool:
        """Whether the journal has the whole record of a lease that lay in a database, or the
        database is just another one for having it back."""
        rows = thing[""].content
        if not rows.startswith("rows"):
            return False
        bodies = [one.released["body"] for one in self.stage.operations() if one.released]
        return rows == "rows []" or any(base64.b64decode(one).decode() in rows for one in bodies)

    def recovered(self) -> Iterator[str]:
        """Recover, and say what is wrong then; once more, and say what that changes."""
        try:
            first = self._recover()
        except (OSError, CachewrightError) as error:
            yield f"not recovered: {type(error).__name__}: {error}"
            return
        if any(one.result.value != "done" for one in first) and not self.unheard():
            yield f"not recovered: {first}"
        now = self.world()
        yield from self.settled(now)
        again = self._recover()
        if again:
            yield f"recovered twice: {again}"
        changed = _changed(now, self.world())
        if changed:
            yield f"recovering again changed {changed}"

    def _recover(self) -> tuple[Outcome, ...]:
        with self.stage.journal() as journal:
            return recover(journal)

    def settled(self, now: World) -> Iterator[str]:
        """What is wrong with a stage that nothing is left to do for."""
        state = self.state(now)
        if state not in {State.OLD, State.NEW}:
            yield f"{state}: {_differences(now, self.before)}"
            return
        yield from self._lost(now)
        if now.litter:
            yield f"left over: {now.litter}"
        reference = self.before if state is State.OLD else self.after
        kept, wanted = _kept(now), _kept(reference)
        if kept != wanted:
            yield f"{state}, but kept is {kept}, not {wanted}"
        if self.scenario.journals:
            yield from self._fits_journal(state)

    def _fits_journal(self, state: State) -> Iterator[str]:
        operation = self.operation()
        if operation is None:
            fits = state is State.OLD
        elif self.unheard():
            fits = operation.can_undo
        elif operation.event is Event.FAILED and state is State.NEW:
            fits = operation.can_undo  # it could not be put back, and is kept
        else:
            fits = operation.event in _EVENTS[state]
        if not fits:
            yield f"{state}, but the journal says {operation and operation.event}"

    def unheard(self) -> bool:
        """Whether a store was asked, and nobody heard what it did: only undo can answer that."""
        operation = self.operation()
        return operation is not None and bool((operation.ended or {}).get("unheard"))

    def operation(self) -> Operation | None:
        """The one that this trial started, if it came so far."""
        known = self.stage.operations()
        earlier = int(self.scenario.of_done)
        return known[earlier] if len(known) > earlier else None


def _same(one: Mapping[str, Node], other: Mapping[str, Node]) -> bool:
    return {name: node.lasting for name, node in one.items()} == {
        name: node.lasting for name, node in other.items()
    }


def _bare(place: Mapping[str, Node]) -> dict[str, tuple[int, int, str]]:
    """By content and mode: when a file was made is another moment in each trial."""
    return {name: (node.kind, node.mode, node.content) for name, node in place.items()}


def _inodes(world: World) -> dict[str, int]:
    return {name: node.inode for name, node in world.place.items()}


def _kept(world: World) -> list[dict[str, tuple[int, int, str]]]:
    """What is in quarantine, without what is another in each trial: the names of its places."""
    return sorted(map(_bare, world.kept.values()), key=repr)


def _changed(one: World, other: World) -> list[str]:
    names = {*one.all, *other.all}
    return sorted(name for name in names if one.all.get(name) != other.all.get(name))


def _differences(now: World, before: World) -> list[str]:
    names = {*now.place, *before.place}
    return sorted(
        f"{name}{_how(before.place.get(name), now.place.get(name))}"
        for name in names
        if now.place.get(name) != before.place.get(name)
    )[:9]


def _how(before: Node | None, now: Node | None) -> str:
    if before is None or now is None:
        return " is gone" if now is None else " came"
    if before.content != now.content:
        return " has another content"
    if before.mode != now.mode:
        return f" has mode {stat.filemode(now.kind | now.mode)}"
    return " is another one"
