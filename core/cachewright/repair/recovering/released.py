"""End an interrupted release of a lock in a store, or the undoing of one: the store is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachewright.repair.records import Event
from cachewright.repair.recovering.scene import Ending, refuse_without
from cachewright.repair.relocking import opened_store, record_of

if TYPE_CHECKING:
    from cachewright.repair.operations import Operation

_UNHEARD: Final = (
    "It was interrupted after the store had been asked, and the lock is not there any more. "
    "Undo writes it again."
)


def end_releasing(one: Operation) -> Ending:
    stored = record_of(one)
    with opened_store(one) as store:
        now = store.read(stored.key)
    if now is not None and (now.version, now.body) == (stored.version, stored.body):
        return Ending.taken_back()
    return Ending(Event.FAILED, _UNHEARD, {"unheard": True})


def end_putting_back(one: Operation, undone: Operation | None) -> Ending:
    stored = record_of(refuse_without(undone, one))
    with opened_store(one) as store:
        now = store.read(stored.key)
    there = now is not None and now.body == stored.body
    return Ending.finished() if there else Ending.taken_back()
