"""What removes for good: a tree of our own, and what was kept."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from tests.race.acts.finding import Act, kept_items
from tests.race.arena import Arena, nobody

from cachewright.model import Outcome, Result, StepKind
from cachewright.repair.keeping import purge
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree

AT_ONCE_S: Final = -60.0
"""Also what was kept this moment, however the clock is set meanwhile."""


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


def _beside(arena: Arena) -> None:
    """Another tree with the same names, which is none of what is to be removed."""
    _tree(arena)
    shutil.copytree(arena.top / "p" / "tree", arena.top / "beside")


def remove_beside(arena: Arena, stack: ExitStack) -> Act:
    _beside(arena)
    top = stack.enter_context(Directory.open(os.fsencode(arena.top / "p")))
    return lambda: remove_tree(top, b"tree")


def walk_up_and_down(arena: Arena, _stack: ExitStack) -> Act:
    """Into each directory, and by its ``..`` out of it again."""
    _beside(arena)

    def act() -> None:
        with suppress(OSError):
            os.chdir(arena.top / "p" / "tree")
            _emptied()
        os.chdir("/")

    return act


def _emptied() -> None:
    for name in os.listdir("."):
        if stat.S_ISDIR(os.lstat(name).st_mode):
            os.chdir(name)
            _emptied()
            os.chdir("..")
            os.rmdir(name)
        else:
            os.unlink(name)


def beside_touched(arena: Arena, _done: bool) -> bool:
    """Only ``d1`` may have been exchanged."""
    names = ("d0/f", "d0/e/f", "d2/f", "d2/e/f")
    return not all((arena.top / "beside" / name).is_file() for name in names)


def purge_kept(arena: Arena, stack: ExitStack) -> Act:
    bench = stack.enter_context(arena.bench())
    moved = bench.one(StepKind.QUARANTINE_ENTRY, "bad")
    assert moved.result is Result.DONE, moved.reason

    def act() -> Outcome:
        outcomes = purge(arena.journal, AT_ONCE_S, look=nobody)
        if not outcomes:
            raise FileNotFoundError
        return outcomes[-1]

    return act


def unlink_kept(arena: Arena, stack: ExitStack) -> Act:
    purge_kept(arena, stack)
    return lambda: _removed_by_path(kept_items(arena)[0])


def rmtree_kept(arena: Arena, stack: ExitStack) -> Act:
    purge_kept(arena, stack)
    return lambda: shutil.rmtree(kept_items(arena)[0], ignore_errors=True)
