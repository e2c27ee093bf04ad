"""Sweep up what a process that was killed after its last record had not removed yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.repair.quarantine import Quarantine
from cachewright.repair.records import Event, unpack
from cachewright.repair.recovering.rewritten import drop_left_over

if TYPE_CHECKING:
    from cachewright.repair.operations import Operation


def sweep(known: Mapping[str, Operation], root: bytes | None) -> None:
    """Of all ended operations in the cache at ``root`` (of all, without).  Whatever cannot be
    removed now, or is in use by another Cachewright, waits for the next time."""
    ended = [one for one in known.values() if not one.unfinished and root in {None, one.root}]
    for one in ended:
        if "beside" in one.started and one.event is Event.DONE:
            drop_left_over(one, known.get(one.undoes or ""))
    for path in {str(one.started.get("quarantine") or "") for one in ended} - {""}:
        with suppress(OSError, CachewrightError):
            _empty_places(unpack(path), known)


def _empty_places(path: bytes, known: Mapping[str, Operation]) -> None:
    """Places of ended operations that hold nothing but their record."""
    quarantine = Quarantine.at(path)
    try:
        names = [name for name in quarantine.directory.names() if _ended(name, known)]
        if not names:
            return
        with quarantine.exclusive():
            for name in names:
                with suppress(OSError), quarantine.directory.open_directory(name) as place:
                    quarantine.discard(place, name)
    finally:
        quarantine.close()


def _ended(name: bytes, known: Mapping[str, Operation]) -> bool:
    one = known.get(name.decode("ascii", "replace"))
    return one is not None and not one.unfinished and not _keeps(one)


def _keeps(one: Operation) -> bool:
    return one.kept is not None
