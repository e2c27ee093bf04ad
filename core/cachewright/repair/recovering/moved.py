"""End an interrupted step that moved something to quarantine, or the undoing of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachewright.errors import Refused
from cachewright.repair.quarantine import ITEM, kept_at, same_thing
from cachewright.repair.records import Event
from cachewright.repair.recovering.giving_back import give_back
from cachewright.repair.recovering.scene import Ending, Scene, refuse_without
from cachewright.storage.swap import sync_directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory


def put_back(scene: Scene) -> Ending:
    """The subject gets its place again: it was moved before the second look was over."""
    with scene.place() as place:
        try:
            with scene.subject() as (parent, name):
                return give_back(scene, place, parent, name)
        except Refused:
            if place is None or not place.exists(ITEM):
                return Ending.taken_back()
            return _homeless(scene, place)


def _homeless(scene: Scene, place: Directory) -> Ending:
    """The directory that it was in is gone."""
    reason = (
        "It was interrupted, and the directory that it was in is gone. What was there is kept "
        f"in {display(place.where(ITEM))}."
    )
    size = int(scene.one.started["identity"]["size"])
    return Ending(Event.FAILED, reason, {"kept": kept_at(place, scene.one.id, size)})


def end_restoring(scene: Scene) -> Ending:
    """An undo of a move: done if what was kept has its name again, else it is kept still."""
    undone = refuse_without(scene.undone, scene.one)
    kept = (undone.kept or {}).get("identity")
    with scene.place() as place, scene.subject() as (parent, name):
        if place is not None:
            sync_directory(place)
        sync_directory(parent)
        there = (
            kept is not None
            and parent.exists(name)
            and same_thing(parent.stat(name), kept, within=parent)
        )
        away = place is None or not place.exists(ITEM)
        return Ending.finished() if there and away else Ending.taken_back()
