"""Give what was taken from a cache its place back, whatever step the taking had come to.

In an operation's private place lies what was made to stand in the subject's place, which is known
by what was recorded right before it got there, and what was taken out: anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cachewright.inventory.tree import scan_subtree
from cachewright.model import Identity, StepKind
from cachewright.repair.plan import MISSING
from cachewright.repair.quarantine import ALONE, AWAY, ITEM, SPARE, STAGE, kept_at
from cachewright.repair.records import Event
from cachewright.repair.recovering.scene import Ending, Scene
from cachewright.storage.removal import remove_tree
from cachewright.storage.swap import (
    ExchangeUnsupported,
    exchange,
    rename_noreplace,
    sync_directory,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_NAMES: Final = (SPARE, STAGE, ITEM, AWAY, ALONE)
"""In this order things get their place back: what was taken last comes first."""
_TRIES: Final = 10
_NOT_KEPT: Final = (
    "It was interrupted. What was there before is not in quarantine any more; what was published "
    "is left in its place."
)


def give_back(scene: Scene, place: Directory | None, parent: Directory, name: bytes) -> Ending:
    """Put back what was taken out, remove what was made.  Where another has the place by now,
    both are kept."""
    if place is None:
        return Ending.taken_back()
    for taken in list(taken_out(scene, place)):
        if not _returned(scene, place, taken, parent, name):
            sync_directory(parent)
            return _keep(scene, place, taken)
    if _as_made(scene, parent, name):
        if scene.one.step is not StepKind.QUARANTINE_LOCK and not _was_missing(scene):
            return Ending(Event.FAILED, _NOT_KEPT)
        rename_noreplace(parent, name, place, _free_name(place))
    sync_directory(parent)
    _remove_made(scene, place)
    return Ending.taken_back()


def _was_missing(scene: Scene) -> bool:
    return Identity.from_json(scene.one.started["identity"]) == MISSING


def _as_made(scene: Scene, parent: Directory, name: bytes) -> bool:
    """Whether what we made lies there, and nobody has changed anything in it."""
    if not scene.is_made(parent, name):
        return False
    signature = (scene.one.prepared or {})["made"]["signature"]
    return signature is None or scan_subtree(parent, name).signature(0) == signature


def taken_out(scene: Scene, place: Directory) -> Iterator[bytes]:
    """The names in the place of what was taken out of the cache, not made for it."""
    for name in _NAMES:
        # Nothing is taken but into ITEM before it is recorded what was made.
        may_be = name == ITEM or scene.one.prepared is not None
        if may_be and place.exists(name) and not scene.is_made(place, name):
            yield name


def _returned(scene: Scene, place: Directory, taken: bytes, parent: Directory, name: bytes) -> bool:
    """Whether it has its name again."""
    for _try in range(_TRIES):
        try:
            if not parent.exists(name):
                rename_noreplace(place, taken, parent, name)
                return True
            if not _as_made(scene, parent, name):
                return False
            _swapped(place, taken, parent, name)
            if scene.is_made(place, taken):
                return True
            # Somebody put another in its place at the last moment: that one has the name.
            _swapped(place, taken, parent, name)
        except (FileExistsError, FileNotFoundError):
            continue
    return False


def _swapped(place: Directory, taken: bytes, parent: Directory, name: bytes) -> None:
    try:
        exchange(place, taken, parent, name)
    except ExchangeUnsupported:
        away = _free_name(place)
        rename_noreplace(parent, name, place, away)
        rename_noreplace(place, taken, parent, name)
        rename_noreplace(place, away, place, taken)


def _free_name(place: Directory) -> bytes:
    return next(name for name in (AWAY, SPARE, STAGE) if not place.exists(name))


def _keep(scene: Scene, place: Directory, taken: bytes) -> Ending:
    if taken != ITEM and not place.exists(ITEM):
        rename_noreplace(place, taken, place, ITEM)
    _remove_made(scene, place)
    reason = (
        "It was interrupted, and its place has been taken by another since. What was there is "
        f"kept in {display(place.where(ITEM))}."
    )
    kept = kept_at(place, str(scene.one.id), int(scene.one.started["identity"]["size"]))
    return Ending(Event.FAILED, reason, {"kept": kept})


def _remove_made(scene: Scene, place: Directory) -> None:
    taken = set(taken_out(scene, place))
    for name in _NAMES:
        if name not in taken:
            remove_tree(place, name)
    sync_directory(place)
