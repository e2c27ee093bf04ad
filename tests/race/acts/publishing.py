"""What puts a new tree in the place of an old one."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack

from tests.race.acts.finding import Act, found, kept_items
from tests.race.arena import Arena, fill

from cachewright.repair.operations import operations
from cachewright.repair.publish import publish


def _publish(arena: Arena, entry: str) -> Act:
    fill(arena.top / "source", b"new")
    target = arena.cache / entry
    arena.judged = target.stat().st_ino
    state = arena.journal.state.path
    return lambda: publish(
        target, arena.top / "source", root=arena.cache, state_dir=os.fsdecode(state)
    )


def publish_entry(arena: Arena, _stack: ExitStack) -> Act:
    return _publish(arena, "bad")


def publish_below(arena: Arena, _stack: ExitStack) -> Act:
    return _publish(arena, "p/entry")


def copy_over(arena: Arena, _stack: ExitStack) -> Act:
    fill(arena.top / "source", b"new")
    return lambda: shutil.copytree(arena.top / "source", arena.cache / "bad", dirs_exist_ok=True)


def rename_in(arena: Arena, _stack: ExitStack) -> Act:
    fill(arena.top / "source", b"new")
    target = arena.cache / "p" / "entry"

    def act() -> None:
        shutil.copytree(arena.top / "source", arena.top / "stage")
        os.rename(target, arena.top / "old")
        os.rename(arena.top / "stage", target)

    return act


def mispublished(arena: Arena, done: bool) -> bool:
    """The old entry is nowhere, the new one is said to be there and is not, or another thing
    is kept than the one that was found at first: the entry, or what was in its place."""
    new = [path for path in arena.top.rglob("data") if path.read_bytes() == b"new"]
    kept = [item.lstat().st_ino for item in kept_items(arena)]
    first = [_found_first(arena)] if kept else []
    return not found(arena, arena.judged) or (done and (len(new) != 2 or kept != first))


def _found_first(arena: Arena) -> int:
    started = operations(arena.journal.records())[-1].started
    inode: int = started["identity"]["inode"]
    return inode
