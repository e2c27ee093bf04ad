"""Take back one journaled repair, by the same kind of step that made it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final

from cachewright import holders
from cachewright.errors import CachewrightError, Changed, NothingToUndo, PlaceTaken, Refused
from cachewright.inventory.tree import scan_subtree
from cachewright.model import Outcome, Result, StepKind
from cachewright.repair.delay import RELEASES, refuse_during_delay
from cachewright.repair.exclusive import STATE_LOCK, exclusive
from cachewright.repair.journal import Journal
from cachewright.repair.operations import (
    Operation,
    PutBack,
    Running,
    new_id,
    operation,
    operations,
    taking_back,
)
from cachewright.repair.permissions import ModeChange, changed_modes
from cachewright.repair.plan import below
from cachewright.repair.quarantine import ITEM, SPARE, kept_at, same_thing
from cachewright.repair.records import pack, unpack
from cachewright.repair.relocking import put_back
from cachewright.repair.reopening import (
    Reopened,
    gates_of,
    kept_place,
    own_place,
    reopened,
    subject_place,
)
from cachewright.repair.rewriting import (
    LIMIT,
    keep_content,
    kept_content,
    record_file,
    removed_content,
    replaced_content,
    sha256_of,
    unguessable_name,
)
from cachewright.repair.subject import LookAround, Subject
from cachewright.repair.work import keeps_away, verdict_on
from cachewright.storage.anchored import Directory
from cachewright.storage.swap import (
    ExchangeUnsupported,
    exchange,
    rename_noreplace,
    sync_directory,
)

_Undoer = Callable[[Journal, Operation, LookAround], str]
_COPIED: Final = ("step", "subject", "path", "root", "root_identity", "gates", "quarantine")


def undo(
    journal: Journal, operation_id: str | None = None, *, look: LookAround = holders.survey
) -> Outcome:
    """Take back the repair with this ID, or the last one that can be taken back.

    What was moved to quarantine gets its place again if that is free (else ``refused``, and it
    stays kept); a published entry is exchanged with the old one and goes to quarantine itself;
    modes and record files are set back if nobody changed them since; a released lock's record
    is written again if nothing is in its place.  Undoing is journaled too.
    Raises ``NothingToUndo`` and ``JournalDamaged``; everything else is in the outcome.
    """
    chosen = _chosen(operations(journal.records()), operation_id)
    try:
        if chosen.step not in RELEASES:
            started = chosen.started
            root, identity = unpack(started["root"]), started.get("root_identity")
            refuse_during_delay(journal, root, identity, chosen.path)
        reason = _UNDOERS[chosen.step](journal, chosen, look)
        result = Result.DONE
    except (PutBack, OSError, CachewrightError) as error:
        result, reason = verdict_on(error)
    return Outcome(chosen.step, chosen.path, result, reason, None, chosen.subject)


def _chosen(known: tuple[Operation, ...], operation_id: str | None) -> Operation:
    if operation_id is None:
        for one in reversed(known):
            if one.can_undo:
                return one
        raise NothingToUndo(which="")
    for one in known:
        if one.id == operation_id:
            if not one.can_undo:
                raise NothingToUndo(which=f" about {operation_id}: {_why_not(one)}")
            return one
    raise NothingToUndo(which=f" by the ID {operation_id}")


def _why_not(one: Operation) -> str:
    if one.undone:
        return "it was undone already"
    if one.purge_started:
        return "its kept copy was deleted"
    if one.undoes or one.purges:
        return "it is no repair"
    if one.released is not None:
        return "what was released was too large to be kept whole"
    return "it was never done"


@contextmanager
def _undoing(journal: Journal, undone: Operation, **fields: Any) -> Iterator[Running]:
    copied = {name: undone.started[name] for name in _COPIED}
    with operation(journal, new_id(), {**copied, "undoes": undone.id, **fields}) as running:
        yield running


def _restore(journal: Journal, undone: Operation, look: LookAround) -> str:
    """Rename the kept thing back, never over anything."""
    del look
    with (
        reopened(undone, journal) as places,
        subject_place(undone, places.root) as (parent, name),
        kept_place(undone, places.need_quarantine()) as place,
    ):
        own = os.path.basename(place.path)
        with _undoing(journal, undone, place=own.decode()) as running:
            try:
                rename_noreplace(place, ITEM, parent, name)
            except FileExistsError:
                raise PlaceTaken(path=undone.path, kept=place.where(ITEM)) from None
            with _or_else(undone.path, lambda: rename_noreplace(parent, name, place, ITEM)):
                sync_directory(parent)
                sync_directory(place)
                running.done()
        places.need_quarantine().discard(place, own)
    return "Put back where it was."


@contextmanager
def _or_else(path: bytes, back: Callable[[], None]) -> Iterator[None]:
    """When the block fails, take back what was done at ``path`` before it."""
    try:
        yield
    except BaseException as error:
        with taking_back(path):
            back()
        if isinstance(error, Exception):
            raise PutBack(str(error)) from error
        raise


def _unpublish(journal: Journal, undone: Operation, look: LookAround) -> str:
    """Exchange what was published with the old entry, or take it out if there was none."""
    ended = undone.ended or {}
    with (
        reopened(undone, journal) as places,
        subject_place(undone, places.root) as (parent, name),
    ):
        _still_published(parent, name, undone, ended, look)
        swap = _old_in if undone.kept else _new_out
        with (
            _undoing(journal, undone, place=ended["place"]) as running,
            swap(places, undone, parent, name) as place,
        ):
            kept = kept_at(place, str(ended["place"]), int((undone.kept or {}).get("size", 0)))
            sync_directory(parent)
            sync_directory(place)
            running.done(kept=kept)
    return "Taken back; what had been published is in quarantine."


def _still_published(
    parent: Directory,
    name: bytes,
    undone: Operation,
    ended: Mapping[str, Any],
    look: LookAround,
) -> None:
    published = ended["published"]
    if not parent.exists(name) or not same_thing(parent.stat(name), published, within=parent):
        raise Changed(path=undone.path, what="it is not what was published any more")
    signature = scan_subtree(parent, name).signature(0)
    if signature != published["signature"]:
        raise Changed(path=undone.path, what="it is not what was published any more")
    now = parent.identity_of(name)
    Subject(parent, name, undone.path, now, signature).refuse_writers(look)


@contextmanager
def _old_in(
    places: Reopened, undone: Operation, parent: Directory, name: bytes
) -> Iterator[Directory]:
    with kept_place(undone, places.need_quarantine()) as place:
        swap = partial(_swap, undone, place, parent, name)
        swap()
        with _or_else(undone.path, swap):
            yield place


def _swap(undone: Operation, place: Directory, parent: Directory, name: bytes) -> None:
    """Exchange what is kept with what has its place; where that cannot be done in one step, in
    three, if the tool's own locks keep its readers and writers away."""
    try:
        exchange(place, ITEM, parent, name)
    except ExchangeUnsupported:
        if not keeps_away(gates_of(undone)):
            reason = "this file system cannot exchange two names in one step"
            raise Refused(path=undone.path, reason=reason) from None
        rename_noreplace(parent, name, place, SPARE)
        try:
            rename_noreplace(place, ITEM, parent, name)
        except BaseException:
            rename_noreplace(place, SPARE, parent, name)
            raise
        rename_noreplace(place, SPARE, place, ITEM)


@contextmanager
def _new_out(
    places: Reopened, undone: Operation, parent: Directory, name: bytes
) -> Iterator[Directory]:
    own = str((undone.ended or {})["place"])
    quarantine = places.need_quarantine()
    with ExitStack() as stack:
        if quarantine.directory.exists(own.encode()):
            place = stack.enter_context(own_place(own, quarantine, undone.path))
        else:  # nothing was kept there, so it was swept up
            about = {"path": pack(undone.path), "step": undone.step.value}
            place = stack.enter_context(quarantine.place(own, about))
        rename_noreplace(parent, name, place, ITEM)
        with _or_else(undone.path, lambda: rename_noreplace(place, ITEM, parent, name)):
            yield place


def _set_modes_back(journal: Journal, undone: Operation, look: LookAround) -> str:
    del look
    listed = undone.started["changes"]
    changes = [ModeChange.from_json(one) for one in reversed(listed)]
    back = [ModeChange(one.name, one.inode, one.new, one.old) for one in changes]
    with (
        reopened(undone, journal) as places,
        subject_place(undone, places.root) as (parent, name),
        parent.open_directory(name) as entry,
        _undoing(journal, undone, changes=[one.as_json() for one in back]) as running,
        changed_modes(entry, back),
    ):
        running.done()
    return "The modes are as they were."


def _set_content_back(journal: Journal, undone: Operation, look: LookAround) -> str:
    ended = undone.ended or {}
    old = None if ended["old"] is None else kept_content(journal.state, undone.id)
    with _record_of(journal, undone) as subject:
        now = subject.parent.read(subject.name, LIMIT)
        if sha256_of(now) != ended["new"]:
            raise Changed(path=undone.path, what="its content is not what was written")
        beside = unguessable_name()
        with _undoing(journal, undone, beside=pack(beside)) as running:
            if old is None:
                keep_content(journal.state, running.id, now)
                swap = removed_content(subject, beside, now, look)
            else:
                swap = replaced_content(
                    subject, beside, old=now, new=old, look=look, running=running
                )
            with swap:
                running.done()
    return "It is gone again." if old is None else "The old content is back."


@contextmanager
def _record_of(journal: Journal, undone: Operation) -> Iterator[Subject]:
    """The record that was written, inside its cache or by its own path."""
    root = unpack(undone.started["root"])
    if below(root, undone.path) is None:
        with exclusive(journal.state, STATE_LOCK), record_file(undone.path) as subject:
            yield subject
        return
    with (
        reopened(undone, journal) as places,
        subject_place(undone, places.root) as (parent, name),
    ):
        yield Subject(parent, name, undone.path, parent.identity_of(name), None)


_UNDOERS: Final[Mapping[StepKind, _Undoer]] = {
    StepKind.QUARANTINE_STAGING: _restore,
    StepKind.QUARANTINE_ENTRY: _restore,
    StepKind.QUARANTINE_LOCK: _restore,
    StepKind.REPUBLISH_ENTRY: _unpublish,
    StepKind.RESTORE_EXEC_BIT: _set_modes_back,
    StepKind.DROP_POISONED_CHECKSUM: _set_content_back,
    StepKind.RECOUNT_STATISTICS: _set_content_back,
    StepKind.RELEASE_OBJECT_LOCK: put_back,
    StepKind.RELEASE_LEASE: put_back,
}
