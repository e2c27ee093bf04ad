"""What moves an entry to quarantine."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

from tests.race.acts.finding import Act
from tests.race.arena import Arena

from cachewright.formats.base import Entry
from cachewright.model import StepKind


def quarantine(arena: Arena, stack: ExitStack) -> Act:
    bench = stack.enter_context(arena.bench())
    plan = bench.plan_of(StepKind.QUARANTINE_ENTRY, "bad")
    return lambda: bench.run(plan)[0]


def look_and_rename(arena: Arena, _stack: ExitStack) -> Act:
    return lambda: _renamed_by_path(arena, arena.cache / "bad")


def _renamed_by_path(arena: Arena, path: Path) -> None:
    place = arena.top / ".cachewright-quarantine" / "1"
    place.mkdir(parents=True)
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise NotADirectoryError(path)
    os.rename(path, place / "item")


def quarantine_below(arena: Arena, stack: ExitStack) -> Act:
    bench = stack.enter_context(arena.bench())
    row = bench.tree.find(b"p/entry")
    assert row is not None
    bench.knowledge.entries = [Entry("p/entry", "p/entry", "", b"p/entry", row)]
    arena.judged = (arena.cache / "p" / "entry").stat().st_ino
    plan = bench.plan_of(StepKind.QUARANTINE_ENTRY, "p/entry")
    return lambda: bench.run(plan)[0]


def look_and_rename_below(arena: Arena, _stack: ExitStack) -> Act:
    arena.judged = (arena.cache / "p" / "entry").stat().st_ino
    return lambda: _renamed_by_path(arena, arena.cache / "p" / "entry")
