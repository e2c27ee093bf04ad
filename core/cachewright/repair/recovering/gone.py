"""End an interrupted operation whose cache, or quarantine, has been deleted since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.repair.quarantine import ITEM, Quarantine, kept_at
from cachewright.repair.records import Event, unpack
from cachewright.repair.recovering.scene import Ending
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.repair.operations import Operation

_GONE: Final = "It was interrupted, and the cache that it was at work in has been deleted since."


def is_gone(one: Operation) -> bool:
    """Whether nothing at all has the root's path any more."""
    return not os.path.lexists(one.root)


def quarantine_of(one: Operation) -> bytes | None:
    """Where its quarantine is, if it had one that still exists."""
    packed = one.started.get("quarantine")
    path = None if packed is None else unpack(packed)
    return path if path is not None and os.path.lexists(path) else None


@contextmanager
def quarantine_locked(path: bytes) -> Iterator[None]:
    """Hold a quarantine's lock for the block."""
    quarantine = Quarantine.at(path)
    try:
        with quarantine.exclusive():
            yield
    finally:
        quarantine.close()


def end_without_root(one: Operation) -> Ending:
    """What was taken out by then stays kept, and can be told."""
    path = quarantine_of(one)
    if path is not None and one.undoes is None:
        with suppress(OSError, CachewrightError):
            quarantine = Quarantine.at(path)
            try:
                with quarantine.directory.open_directory(one.id.encode()) as place:
                    kept = kept_at(place, one.id, int(one.started["identity"]["size"]))
                    reason = f"{_GONE} What was there is kept in {display(place.where(ITEM))}."
                    return Ending(Event.FAILED, reason, {"kept": kept})
            finally:
                quarantine.close()
    return Ending(Event.ROLLED_BACK, _GONE)
