"""End an interrupted change of modes: those that were changed by then are set back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError, Refused
from cachewright.repair.permissions import ModeChange, set_mode
from cachewright.repair.recovering.scene import Ending, Scene

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory


def set_back(scene: Scene) -> Ending:
    """Only files that are what they were; one that was replaced since has a mode of its own."""
    with suppress(Refused), scene.subject() as (parent, name), parent.open_directory(name) as entry:
        for data in reversed(scene.one.started["changes"]):
            _set_back(entry, ModeChange.from_json(data))
    return Ending.taken_back()


def _set_back(entry: Directory, change: ModeChange) -> None:
    if change.old == change.new:
        return
    with suppress(FileNotFoundError, NotADirectoryError, CachewrightError):
        set_mode(entry, change.name, change.inode, change.new, change.old)
