"""Operations: what the journal's records say together of one repair, undo or purge."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from cachewright.errors import CachewrightError, StepFailed
from cachewright.model import Identity, StepKind
from cachewright.repair.journal import Journal
from cachewright.repair.records import Event, Record, unpack

LEFT_OPEN: Final = "It is put right before the next repair here, or by cachewright recover."


class PutBack(Exception):
    """Something had been moved, was found alive or unfit after all, and lies where it was."""


class Unfinished(StepFailed):
    """{path}: {reason}. {state}"""

    # What was begun could be neither ended nor taken back, so the journal must not say how it
    # ended: its operation stays open, and ``recover`` ends it as it does after a crash.


@contextmanager
def taking_back(path: bytes) -> Iterator[None]:
    """For a block that takes back what was done at ``path``; ``Unfinished`` if that fails."""
    try:
        yield
    except OSError as error:
        reason = f"it could not be put back ({error.strerror or error})"
        raise Unfinished(path=path, reason=reason, state=LEFT_OPEN) from error


@dataclass(frozen=True, slots=True)
class Operation:
    """One repair, undo or purge.

    ``started`` are the fields of its first record (names, paths, identities: enough to finish
    it or roll it back), ``prepared`` those of the record that was written right before anything
    in the cache was moved, ``ended`` those of its last.  ``event`` is ``STARTED`` where it was
    interrupted.  ``undoes`` and ``purges`` name the operation that it takes back or deletes
    the kept copy of.
    """

    id: str
    at_ns: int
    step: StepKind
    subject: str
    path: bytes
    started: Mapping[str, Any]
    event: Event = Event.STARTED
    reason: str = ""
    prepared: Mapping[str, Any] | None = None
    ended: Mapping[str, Any] | None = None
    undone: bool = False
    purge_started: bool = False
    purged: bool = False

    @property
    def root(self) -> bytes:
        """The cache that it is about."""
        return unpack(self.started["root"])

    @property
    def unfinished(self) -> bool:
        """Whether it was interrupted, or is at work this moment."""
        return self.ended is None

    @property
    def undoes(self) -> str | None:
        return self.started.get("undoes")

    @property
    def purges(self) -> str | None:
        return self.started.get("purges")

    @property
    def kept(self) -> Mapping[str, Any] | None:
        """Where its kept copy lies (see ``quarantine``), if there is one that is not purged."""
        if self.undone or self.purged or self.ended is None:
            return None
        return self.ended.get("kept")

    @property
    def released(self) -> Mapping[str, Any] | None:
        """The record of a lock in a store that this operation released, or was about to."""
        return self.started.get("record") if not self.undoes else None

    @property
    def can_undo(self) -> bool:
        """Whether ``undo`` may be tried: it was done, or failed with its subject kept.

        Also where a lock's record may have been deleted, and nobody heard what became of it:
        writing it again where nothing is does no harm.
        """
        # A purge that only started may have deleted a part: nothing is put back from it.
        if self.undoes or self.purges or self.undone or self.purge_started:
            return False
        if self.released is not None:
            unheard = self.event is Event.STARTED or bool((self.ended or {}).get("unheard"))
            return bool(self.released["whole"]) and (self.event is Event.DONE or unheard)
        return self.event is Event.DONE or (self.event is Event.FAILED and self.kept is not None)


def operations(records: Iterable[Record]) -> tuple[Operation, ...]:
    """All operations in the order of their start."""
    found: dict[str, Operation] = {}
    for record in records:
        if record.event is Event.STARTED:
            found[record.operation] = operation = _first(record)
            if operation.purges in found:
                found[operation.purges] = replace(found[operation.purges], purge_started=True)
        elif record.operation not in found:
            continue
        elif record.event is Event.PREPARED:
            one = found[record.operation]
            found[record.operation] = replace(one, prepared=record.fields)
        else:
            found[record.operation] = operation = replace(
                found[record.operation],
                event=record.event,
                reason=str(record.fields.get("reason", "")),
                ended=record.fields,
            )
            _mark(found, operation)
    return tuple(found.values())


def _mark(found: dict[str, Operation], operation: Operation) -> None:
    """Tell the operation that this one took back, or whose kept copy it deleted."""
    if operation.event is not Event.DONE:
        return
    if operation.undoes in found:
        found[operation.undoes] = replace(found[operation.undoes], undone=True)
    if operation.purges in found:
        found[operation.purges] = replace(found[operation.purges], purged=True)


def _first(record: Record) -> Operation:
    fields = record.fields
    return Operation(
        id=record.operation,
        at_ns=record.at_ns,
        step=StepKind(fields["step"]),
        subject=str(fields["subject"]),
        path=unpack(fields["path"]),
        started=fields,
    )


class Running:
    """An operation that has started; ``end`` it once, or it is rolled back when left."""

    def __init__(self, journal: Journal, operation: str) -> None:
        self.id = operation
        self._journal = journal
        self.ended = False

    def prepared(self, made: Identity, signature: str | None = None) -> None:
        """Record what was made to stand in the subject's place, right before it gets there.

        So that whoever finds this operation interrupted can tell it from anything else that
        lies there by then.
        """
        fields = {"made": {**made.as_json(), "signature": signature}}
        self._journal.append(self.id, Event.PREPARED, fields)

    def end(self, event: Event, fields: Mapping[str, Any]) -> None:
        """Record how it ended; durable on return."""
        self._journal.append(self.id, event, fields)
        self.ended = True

    def done(self, **fields: Any) -> None:
        self.end(Event.DONE, fields)


def new_id() -> str:
    """An operation's ID: sorts by time, cannot be guessed, can be typed."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"


@contextmanager
def beyond_return(path: bytes, what: str) -> Iterator[None]:
    """For a block after which nothing can be taken back; ``Unfinished`` if it fails.  ``what``
    says of ``path`` what may have happened."""
    try:
        yield
    except Unfinished:
        raise
    except (OSError, CachewrightError) as error:
        raise Unfinished(path=path, reason=f"{what} ({error})", state=LEFT_OPEN) from error


@contextmanager
def operation(journal: Journal, operation_id: str, fields: Mapping[str, Any]) -> Iterator[Running]:
    """Record that an operation starts; when the block raises, that it was rolled back (that it
    failed, for ``StepFailed``; nothing, for ``Unfinished``).

    The block must leave things as they were when it raises, or ``end`` the operation itself, or
    raise ``Unfinished``.
    Where it is torn away (``KeyboardInterrupt``), or even the second record cannot be written,
    the operation stays open in the journal and is found there by the next start.
    """
    running = Running(journal, operation_id)
    journal.append(running.id, Event.STARTED, fields)
    try:
        yield running
    except Exception as error:
        if not running.ended and not isinstance(error, Unfinished):
            event = Event.FAILED if isinstance(error, StepFailed) else Event.ROLLED_BACK
            with suppress(OSError, CachewrightError):
                running.end(event, {"reason": str(error)})
        raise
