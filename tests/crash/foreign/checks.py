"""What repairs do on a file system that may not know how to exchange two names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.crash import caches, verbs
from tests.crash.listing import Listing, World, listing
from tests.crash.process import Point
from tests.crash.scenario import Scenario, undoing
from tests.crash.stage import Stage
from tests.crash.trials import Tally, plays

from cachewright.demo.provider import write
from cachewright.errors import Refused
from cachewright.model import Outcome
from cachewright.storage.anchored import Directory
from cachewright.storage.swap import (
    ExchangeUnsupported,
    exchange,
    rename_noreplace,
    supports_exchange,
)

_SENTENCE: Final = "cannot exchange two names in one step"


def _locked_cache(stage: Stage) -> None:
    """OpenTofu's: known by the lock files that it leaves, and takes before it changes an entry."""
    caches.corrupt_entry_with_mirror(stage)
    (stage.cache / f"{caches.PROVIDER.name}.lock").touch()


def _on_its_way(now: World, before: World) -> bool:
    """Between the two renames that stand for an exchange the name is free, or just claimed."""

    def rest(world: World) -> dict[str, object]:
        return {
            name: node.lasting
            for name, node in world.place.items()
            if not f"{name}/".startswith(f"{caches.ENTRY}/")
        }

    return rest(now) == rest(before) and len(now.tree(caches.ENTRY)) <= 1


GATED: Final = replace(
    verbs.REPUBLISH,
    name="republish-entry behind a lock",
    make=_locked_cache,
    between=_on_its_way,
)
"""Its gate can be held, so it is done everywhere."""

_NAMED: Final = {one.name: one for one in verbs.ALL}
NEED_EXCHANGE: Final = (verbs.REPUBLISH, verbs.LINE, _NAMED["publish over old"])
"""Done where names can be exchanged, and refused everywhere else."""
UNDO_GATED: Final = undoing(GATED)
UNDO_ENTRY: Final = replace(_NAMED["undo quarantine-entry"], between=_on_its_way)
ALWAYS: Final = (verbs.ENTRY, GATED, UNDO_GATED, UNDO_ENTRY)
KILLED: Final = (GATED, verbs.ENTRY, UNDO_GATED, UNDO_ENTRY)
_STEPS: Final = frozenset(
    {
        *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
        *("mkdir", "mkdirat", "rmdir"),
    }
)
"""Where one situation becomes another: the machine is too slow for every call."""


def ends(top: Path) -> Tally:
    """How each verb ends, below ``top``, undisturbed."""
    tally = Tally()
    exchanges = _probed(top / "probe", tally)
    for name, wrong in _never_overwritten(top / "taken"):
        tally.count(name, wrong, "not overwritten")
    stage = Stage(top / "stage")
    for scenario in NEED_EXCHANGE:
        tally.count(scenario.name, *_ended(scenario, stage, refused=not exchanges))
    for scenario in ALWAYS:
        tally.count(scenario.name, *_ended(scenario, stage, refused=False))
    return tally


def killed(top: Path) -> Tally:
    """``kill -9`` before every call that gives or takes a name."""
    tally = Tally()
    for play in plays(KILLED, top):
        for call in play.calls:
            if call.name not in _STEPS:
                continue
            case, run = play.disturbed(Point(call.name, call.number))
            wrong = [*case.after_crash(case.world()), *case.recovered()]
            unkilled = [] if run.killed else [f"not killed: {run}"]
            name = f"{play.scenario.name}, killed before {call.name} {call.number}"
            tally.count(name, [*wrong, *unkilled], case.state(case.world()).value)
    return tally


def _probed(place: Path, tally: Tally) -> bool:
    """The answer about exchanging, held against what an exchange of two new files really does."""
    place.mkdir()
    for name in ("one", "two"):
        (place / name).write_text(name)
    with Directory.open(os.fsencode(place)) as opened:
        said = supports_exchange(opened)
        left = sorted(os.listdir(place))
        try:
            exchange(opened, b"one", opened, b"two")
            found = [(place / name).read_text() for name in ("one", "two")]
        except ExchangeUnsupported:
            found = []
    wrong = [f"said {said}, found {found}"] if (found == ["two", "one"]) is not said else []
    wrong += [f"left {left}"] if left != ["one", "two"] else []
    tally.count("probe", wrong, "names exchanged" if said else "names not exchanged")
    return said


_TAKEN: Final[dict[str, Callable[[Path], object]]] = {
    "file": lambda path: path.write_text("theirs"),
    "empty directory": Path.mkdir,
    "full directory": lambda path: write(os.fspath(path / "theirs"), b"theirs"),
}


def _never_overwritten(place: Path) -> Iterator[tuple[str, list[str]]]:
    """Move a file and a directory to a name that is taken by a thing of each kind."""
    for moved in ("file", "full directory"):
        for taken, make in _TAKEN.items():
            place.mkdir()
            _TAKEN[moved](place / "ours")
            make(place / "name")
            before = {name: node.bare for name, node in listing(place).items()}
            wrong = []
            with Directory.open(os.fsencode(place)) as opened:
                try:
                    rename_noreplace(opened, b"ours", opened, b"name")
                    wrong.append("moved over it")
                except FileExistsError:
                    pass
            if {name: node.bare for name, node in listing(place).items()} != before:
                wrong.append("it changed something")
            yield f"{moved} over {taken}", wrong
            shutil.rmtree(place)


def _ended(scenario: Scenario, stage: Stage, *, refused: bool) -> tuple[list[str], str]:
    """Run it undisturbed; what is wrong with how it ended, and how that was."""
    stage.clear()
    scenario.make(stage)
    with scenario.ready(stage) as act:
        before = World.of(stage)
        try:
            said, words = _verdict(act())
        except Refused as error:
            said, words = "refused", str(error)
    now = World.of(stage)
    wrong = [] if said == ("refused" if refused else "done") else [f"{said}: {words}"]
    if refused and _SENTENCE not in words:
        wrong.append(f"refused without its sentence: {words}")
    if refused and (not _same(now.place, before.place) or now.kept or now.litter):
        wrong.append("refused, but something is not as it was")
    return wrong, said


def _same(one: Listing, other: Listing) -> bool:
    return {name: node.lasting for name, node in one.items()} == {
        name: node.lasting for name, node in other.items()
    }


def _verdict(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    (one,) = outcomes
    return one.result.value, one.reason
