"""End an interrupted publication, or the undoing of one.

What was published had been verified and made durable before it got its place: if it lies there
just as it was staged, the publication is finished.  Otherwise the old content gets its place.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.inventory.tree import scan_subtree
from cachewright.model import Identity
from cachewright.repair.publication import as_published
from cachewright.repair.quarantine import ITEM, SPARE, STAGE, kept_at, same_thing
from cachewright.repair.recovering.giving_back import give_back, taken_out
from cachewright.repair.recovering.moved import put_back
from cachewright.repair.recovering.scene import Ending, Scene, refuse_without
from cachewright.repair.subject import Subject
from cachewright.storage.swap import rename_noreplace, sync_directory

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_WHERE_OLD_LIES: Final = frozenset({STAGE, ITEM})


def end_publishing(scene: Scene) -> Ending:
    with scene.place() as place:
        if place is None or scene.one.prepared is None:
            return put_back(scene)
        with scene.subject() as (parent, name):
            finished = _finish(scene, place, parent, name)
            return finished or give_back(scene, place, parent, name)


def _finish(scene: Scene, place: Directory, parent: Directory, name: bytes) -> Ending | None:
    """Go on where it was torn away, if the new content has its place and the old is whole."""
    one = scene.one
    made = (one.prepared or {})["made"]
    if not scene.is_made(parent, name):
        return None
    if scan_subtree(parent, name).signature(0) != made["signature"]:
        return None
    judged = Identity.from_json(one.started["identity"])
    target = Subject(parent, name, one.path, judged, one.started["signature"])
    taken = list(taken_out(scene, place))
    if target.missing:
        if taken:
            return None
    elif not _old_kept(scene, target, place, taken):
        return None
    sync_directory(parent)
    sync_directory(place)
    kept = None if target.missing else kept_at(place, one.id, judged.size)
    return Ending.finished(kept=kept, place=one.id, published=as_published(target))


def _old_kept(scene: Scene, target: Subject, place: Directory, taken: list[bytes]) -> bool:
    """Whether the old content, as it was judged and written to by nobody, is kept."""
    if len(taken) != 1 or taken[0] not in _WHERE_OLD_LIES:
        return False
    # The file system may have got another number since.
    judged = replace(target.judged, device=place.identity.device)
    old = replace(target, judged=judged, parent=place, name=taken[0])
    with suppress(CachewrightError):
        old.recheck_moved()
        old.refuse_writers(scene.look)
        if taken[0] == STAGE:
            rename_noreplace(place, STAGE, place, ITEM)
        return True
    return False


def end_unpublishing(scene: Scene) -> Ending:
    """An undo of a publication: done if what had been published is out of the cache."""
    undone = refuse_without(scene.undone, scene.one)
    published = (undone.ended or {})["published"]
    with scene.place() as place, scene.subject() as (parent, name):
        if place is None:
            return Ending.taken_back()
        if place.exists(SPARE):
            _end_three_steps(place, parent, name)
        if not place.exists(ITEM):
            return Ending.taken_back()
        sync_directory(parent)
        sync_directory(place)
        if not same_thing(place.stat(ITEM), published, within=place):
            return Ending.taken_back()
        size = int((undone.kept or {}).get("size", 0))
        where = str(scene.one.started["place"])
        return Ending.finished(kept=kept_at(place, where, size))


def _end_three_steps(place: Directory, parent: Directory, name: bytes) -> None:
    """Where names cannot be exchanged, what had been published is out of the way for a moment:
    it gets its place back, unless the old content has it already."""
    if parent.exists(name) and not place.exists(ITEM):
        rename_noreplace(place, SPARE, place, ITEM)
    else:
        rename_noreplace(place, SPARE, parent, name)
