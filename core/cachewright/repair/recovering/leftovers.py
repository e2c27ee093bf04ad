"""Sweep up what a process had not removed yet when it was killed after its last record, or could
not remove then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.repair.quarantine import ALONE, SPARE, STAGE, Quarantine, same_thing
from cachewright.repair.records import Event, unpack
from cachewright.repair.recovering.rewritten import drop_left_over, drop_unused
from cachewright.storage.removal import remove_tree

if TYPE_CHECKING:
    from cachewright.repair.operations import Operation
    from cachewright.storage.anchored import Directory


def sweep(known: Mapping[str, Operation], root: bytes | None) -> None:
    """Of all ended operations in the cache at ``root`` (of all, without).  Whatever cannot be
    removed now, or is in use by another Cachewright, waits for the next time."""
    ended = [one for one in known.values() if not one.unfinished and root in {None, one.root}]
    for one in ended:
        if "beside" in one.started and one.event is Event.DONE:
            drop_left_over(one, known.get(one.undoes or ""))
        elif "beside" in one.started and one.event is Event.ROLLED_BACK:
            drop_unused(one)
    for path in {str(one.started.get("quarantine") or "") for one in ended} - {""}:
        with suppress(OSError, CachewrightError):
            _empty_places(unpack(path), known)


def _empty_places(path: bytes, known: Mapping[str, Operation]) -> None:
    """Places of ended operations: what their own tidying could not remove, and the places
    themselves where they hold nothing but their record."""
    quarantine = Quarantine.at(path)
    try:
        at_work = {name for one in known.values() if one.unfinished for name in _places(one)}
        ended = [
            (name, known[at])
            for name in quarantine.directory.names()
            if (at := name.decode("ascii", "replace")) in known and at not in at_work
        ]
        if not ended:
            return
        with quarantine.exclusive():
            for name, one in ended:
                with suppress(OSError), quarantine.directory.open_directory(name) as place:
                    _drop_staged(place, one)
                    if one.kept is None:
                        quarantine.discard(place, name)
    finally:
        quarantine.close()


def _places(one: Operation) -> tuple[str | None, ...]:
    """The operations whose places it acts in."""
    return (one.id, one.undoes, one.purges)


def _drop_staged(place: Directory, one: Operation) -> None:
    """What was staged, or stood in for a lock, and is of no use since the operation ended well
    or was taken back whole.  Where it is known what was made, nothing else is removed."""
    if one.event not in {Event.DONE, Event.ROLLED_BACK}:
        return
    made = (one.prepared or {}).get("made")
    for name in (STAGE, ALONE, SPARE):
        with suppress(OSError, CachewrightError):
            if made is None or same_thing(place.stat(name), made, within=place):
                remove_tree(place, name)
