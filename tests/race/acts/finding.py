"""What there is to find in an arena after a trial."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from tests.race.arena import Arena

Act = Callable[[], object]
"""What is tried, once everything is ready."""


def found(arena: Arena, inode: int) -> bool:
    """Whether the judged directory lies anywhere in the arena."""
    return any(
        stat.S_ISDIR(path.lstat().st_mode) and path.lstat().st_ino == inode
        for path in arena.top.rglob("*")
    )


def kept_items(arena: Arena) -> list[Path]:
    return list(arena.top.glob(".cachewright-quarantine/*/item"))


def lost(arena: Arena, done: bool) -> bool:
    """What was to be moved is nowhere, or something else is said to be moved."""
    kept = [path.lstat().st_ino for path in kept_items(arena)]
    return not found(arena, arena.judged) or (done and kept != [arena.judged])
