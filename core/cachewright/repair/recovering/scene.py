"""An interrupted operation, its places pinned again while nobody else is at work there."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import Refused
from cachewright.repair.quarantine import same_thing
from cachewright.repair.records import Event
from cachewright.repair.reopening import subject_place
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from cachewright.repair.journal import Journal
    from cachewright.repair.operations import Operation
    from cachewright.repair.reopening import Reopened
    from cachewright.repair.subject import LookAround

TAKEN_BACK: Final = "It was interrupted, and is taken back: all is as it was before."
FINISHED: Final = "It was interrupted when its work was done, and is finished now."


@dataclass(frozen=True, slots=True)
class Ending:
    """How an interrupted operation ended: what the journal gets to say."""

    event: Event
    reason: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def taken_back(cls) -> Ending:
        return cls(Event.ROLLED_BACK, TAKEN_BACK)

    @classmethod
    def finished(cls, **fields: Any) -> Ending:
        return cls(Event.DONE, FINISHED, fields)


@dataclass(frozen=True, slots=True)
class Scene:
    """``one`` was interrupted; ``undone`` is the repair that it was taking back, if it was an
    undo.  ``places`` are held by us alone, with the tool's own locks."""

    one: Operation
    undone: Operation | None
    journal: Journal
    places: Reopened
    look: LookAround

    @contextmanager
    def subject(self) -> Iterator[tuple[Directory, bytes]]:
        with subject_place(self.one, self.places.root) as (parent, name):
            yield parent, name

    @property
    def place_name(self) -> bytes:
        """The operation's place in quarantine (that of what it was undoing)."""
        return str(self.one.started.get("place") or self.one.id).encode()

    @contextmanager
    def place(self) -> Iterator[Directory | None]:
        """The operation's place; None where none was made yet, or it is gone again.  An empty one
        is swept up only when the journal has the end: it tells how far the operation came."""
        quarantine = self.places.quarantine
        if quarantine is None:
            yield None
            return
        try:
            place = quarantine.directory.open_directory(self.place_name)
        except FileNotFoundError:
            yield None
            return
        with place:
            yield place

    def is_made(self, directory: Directory, name: bytes) -> bool:
        """Whether what lies there was made by this operation to stand in the subject's place."""
        if self.one.prepared is None:
            return False
        try:
            found = directory.stat(name)
        except FileNotFoundError:
            return False
        made = self.one.prepared["made"]
        # A directory's own time may be another: xfs sets it when two are exchanged.
        unwritten = stat.S_ISDIR(found.st_mode) or found.st_mtime_ns == made["mtime_ns"]
        return same_thing(found, made, within=directory) and unwritten


def refuse_without(undone: Operation | None, one: Operation) -> Operation:
    """The repair that ``one`` was taking back; ``Refused`` where the journal has none."""
    if undone is None:
        raise Refused(path=one.path, reason="the repair that it undoes is not in the journal")
    return undone
