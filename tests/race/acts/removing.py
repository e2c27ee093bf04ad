"""What removes for good: a tree of our own, and what was kept."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.race.acts.finding import Act, kept_items
from tests.race.arena import Arena, nobody

from cachewright.model import StepKind
from cachewright.repair.keeping import purge
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree


def _tree(arena: Arena) -> None:
    for name in ("d0", "d1", "d2"):
        (arena.top / "p" / "tree" / name / "e").mkdir(parents=True)
        for file in ("f", "e/f"):
            (arena.top / "p" / "tree" / name / file).write_bytes(b"inside")


def remove(arena: Arena, stack: ExitStack) -> Act:
    _tree(arena)
    top = stack.enter_context(Directory.open(os.fsencode(arena.top)))

    def act() -> None:
        parent, name = top.parent_of(b"p/tree")
        with parent:
            remove_tree(parent, name)

    return act


def list_and_unlink(arena: Arena, _stack: ExitStack) -> Act:
    _tree(arena)
    return lambda: _removed_by_path(arena.top / "p" / "tree")


def _removed_by_path(top: Path) -> None:
    """All that lies there, listed first and then removed, the deepest first."""
    for path in sorted(top.rglob("*"), reverse=True):
        with suppress(OSError):
            path.rmdir() if stat.S_ISDIR(path.lstat().st_mode) else path.unlink()


def rmtree(arena: Arena, _stack: ExitStack) -> Act:
    _tree(arena)
    return lambda: shutil.rmtree(arena.top / "p" / "tree", ignore_errors=True)


def purge_kept(arena: Arena, stack: ExitStack) -> Act:
    bench = stack.enter_context(arena.bench())
    bench.one(StepKind.QUARANTINE_ENTRY, "bad")
    return lambda: purge(arena.journal, 0.0, look=nobody)[-1]


def unlink_kept(arena: Arena, stack: ExitStack) -> Act:
    purge_kept(arena, stack)
    return lambda: _removed_by_path(kept_items(arena)[0])


def rmtree_kept(arena: Arena, stack: ExitStack) -> Act:
    purge_kept(arena, stack)
    return lambda: shutil.rmtree(kept_items(arena)[0], ignore_errors=True)
