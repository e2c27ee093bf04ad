"""Finish an interrupted purge: what is deleted in part cannot be put back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cachewright.errors import Refused
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.keeping import delete_item, refuse_users
from cachewright.repair.quarantine import ITEM, Quarantine
from cachewright.repair.records import unpack
from cachewright.repair.recovering.scene import Ending, refuse_without

if TYPE_CHECKING:
    from cachewright.repair.operations import Operation
    from cachewright.repair.subject import LookAround


def finish_purge(one: Operation, purged: Operation | None, look: LookAround) -> Ending:
    """Its quarantine is held by the caller.  Raises ``InUse`` where somebody uses what is left of
    it: that is tried again next time."""
    kept_by = refuse_without(purged, one)
    if kept_by.kept is None:
        raise Refused(path=one.path, reason="nothing of it is kept")
    if not os.path.lexists(unpack(kept_by.started["quarantine"])):
        return Ending.finished()
    quarantine = Quarantine.at(unpack(kept_by.started["quarantine"]))
    name = str(kept_by.kept["place"]).encode()
    try:
        refuse_for_root(quarantine.directory)
        try:
            place = quarantine.directory.open_directory(name)
        except FileNotFoundError:
            return Ending.finished()
        with place:
            if place.exists(ITEM):
                refuse_users(place, look)
                delete_item(place)
            quarantine.discard(place, name)
    finally:
        quarantine.close()
    return Ending.finished()
