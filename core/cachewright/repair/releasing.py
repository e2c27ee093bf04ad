"""Release a lock that is a record in a store: the exact one that was judged, by compare and delete.

Nothing is asked twice: where the answer to a delete is lost, the record is read again and what
is found is told.  The record itself is kept in the journal, which is what undo puts back.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import (
    AnswerLost,
    CachewrightError,
    Changed,
    ConditionUnheeded,
    InUse,
    NotConfirmed,
    PlanInvalid,
    Refused,
    StepFailed,
)
from cachewright.locks import lease, object_store
from cachewright.model import (
    Confirm,
    HoldVerdict,
    LockKind,
    Outcome,
    PlanStep,
    Result,
    StepKind,
)
from cachewright.repair.delay import after_break
from cachewright.repair.operations import Running, beyond_return, new_id, operation
from cachewright.repair.records import Event, pack
from cachewright.repair.work import Work, outcome
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.locks.store import LockStore, Stored
    from cachewright.model import LockReport
    from cachewright.repair.journal import Journal


_KINDS: Final = {
    LockKind.OBJECT: StepKind.RELEASE_OBJECT_LOCK,
    LockKind.LEASE: StepKind.RELEASE_LEASE,
}


def unconditionally(step: PlanStep) -> str:
    """What confirms in ``confirmations``, by the lock's ID too, that the step may delete from a
    store that is not known to compare before it does."""
    return f"{step.id}:unconditional"


@dataclass(frozen=True, slots=True)
class Place:
    """A store of locks of one kind, and what an undo needs to find it again: the fields
    ``root`` and ``format`` of a journal's record, and ``access`` or ``root_identity``.
    ``after_break`` is noted where the owner is not proven gone (see ``delay``)."""

    store: LockStore
    kind: LockKind
    about: Mapping[str, Any]
    after_break: Mapping[str, Any] = field(default_factory=dict)
    watch: Callable[[], lease.Watch] = lease.Watch

    def look(self, key: str) -> tuple[Stored, LockReport] | None:
        """The record as it is now, and what is judged of it; a lease also by ``watch``."""
        if self.kind is LockKind.LEASE:
            return lease.look_again(self.store, key, self.watch())
        return object_store.look_again(self.store, key)


def release(
    place: Place, journal: Journal, step: PlanStep, confirmations: Mapping[str, str]
) -> Outcome:
    """Release the lock of ``step`` if it is still the one that was judged.

    Its ID must have been typed, whatever the step says, except for a lease that is proven stale
    now.  Raises ``Refused`` and what is derived from it where nothing was touched.
    """
    if _KINDS[place.kind] is not step.step:
        raise Refused(path=step.path, reason="this store has no locks of that kind")
    key = _key(place.store, step)
    stored, report = _as_judged(place, step, key)
    _confirmed(step, report, confirmations)
    conditional = _condition(place, step, report, confirmations)
    fields = {**place.about, **_about(place, step, key, stored)}
    noted = {} if report.verdict is HoldVerdict.STALE else place.after_break
    with operation(journal, new_id(), {**fields, **noted}) as running:
        reason = _delete(place, step, stored, running, conditional=conditional)
        with beyond_return(step.path, "it was released, which could not be written down"):
            running.done(**noted)
    return outcome(step, Result.DONE, reason + _not_kept(stored), _undo(running, stored))


def _key(store: LockStore, step: PlanStep) -> str:
    head = store.where("")
    try:
        key = step.path.removeprefix(head).decode("utf-8")
    except UnicodeDecodeError:
        key = ""
    if not key or not step.path.startswith(head) or store.where(key) != step.path:
        raise Refused(path=step.path, reason="it does not lie in this store")
    return key


def _as_judged(place: Place, step: PlanStep, key: str) -> tuple[Stored, LockReport]:
    """The lock, which must be exactly the one that the step was made for."""
    fingerprint, version = step.detail.get("fingerprint"), step.detail.get("etag")
    if not isinstance(fingerprint, str) or not isinstance(version, str) or not version:
        raise PlanInvalid(path=step.path, reason="it does not say which lock was judged")
    found = place.look(key)
    if found is None:
        raise Changed(path=step.path, what="it is gone: somebody released it")
    _stored, now = found
    if (now.fingerprint, now.etag, now.id) != (fingerprint, version, step.typed):
        raise Changed(path=step.path, what="another lock is there now")
    return found


def _confirmed(step: PlanStep, now: LockReport, confirmations: Mapping[str, str]) -> None:
    """The ID is what the lock itself says now, never what a plan says that it wants."""
    if now.verdict is HoldVerdict.HELD:
        raise InUse(path=step.path, reason=now.explanation.rstrip("."))
    if now.verdict is HoldVerdict.STALE and step.confirm is Confirm.CLICK:
        return
    if confirmations.get(step.id) != now.id:
        raise NotConfirmed(path=step.path, subject=now.id)


def _condition(
    place: Place, step: PlanStep, now: LockReport, confirmations: Mapping[str, str]
) -> bool:
    """Whether to delete by condition; refused where the store is not known to heed one, unless
    the person knows and wants it all the same."""
    tried = place.store.condition(_key(place.store, step))
    if tried.heeded:
        return True
    if confirmations.get(unconditionally(step)) != now.id:
        reason = (
            f"{display(tried.why).rstrip('.')}. A lock that is taken at the same moment could be "
            "deleted instead. Confirm that too (--without-condition) if nobody else is at work"
        )
        raise ConditionUnheeded(path=step.path, reason=reason, wants=unconditionally(step))
    return tried.heeded is None


def _about(place: Place, step: PlanStep, key: str, stored: Stored) -> dict[str, Any]:
    return {
        "step": step.step.value,
        "subject": step.subject,
        "path": pack(step.path),
        "confirm": step.confirm.value,
        "lock": place.kind.value,
        "key": key,
        "record": {
            "body": base64.b64encode(stored.body).decode("ascii"),
            "whole": _whole(stored),
            "version": stored.version,
            "attributes": dict(stored.attributes),
        },
    }


def _delete(
    place: Place, step: PlanStep, stored: Stored, running: Running, *, conditional: bool
) -> str:
    """Ask once, then look: what is told is what is there, not what was answered."""
    lost = ""
    try:
        deleted = place.store.delete(stored, conditional=conditional)
    except AnswerLost as error:
        lost, deleted = error.values["reason"], False
    now = _look_after(place, step, stored, running, lost)
    same = now is not None and (now.version, now.body) == (stored.version, stored.body)
    if lost and same:
        raise StepFailed(
            path=step.path,
            reason=f"{lost}. It was read again, and the lock is still there",
            state="It was not asked again; the request may still arrive.",
        )
    if same:
        told = "says that it deleted it" if deleted else "says that it is another one by now"
        state = "Nothing more was tried."
        reason = f"the store {told}, but the same lock is still there"
        raise StepFailed(path=step.path, reason=reason, state=state)
    if lost:
        seen = "it is gone" if now is None else "another lock is there by now"
        return f"{lost[:1].upper()}{lost[1:]}. It was read again: {seen}."
    if not deleted:
        what = "somebody released it" if now is None else "another lock is there now"
        raise Changed(path=step.path, what=what)
    how = "" if conditional else " without a condition"
    taken = " Somebody has taken it again since." if now is not None else ""
    return f"Released{how}; its record is kept in the journal.{taken}"


def _look_after(
    place: Place, step: PlanStep, stored: Stored, running: Running, lost: str
) -> Stored | None:
    try:
        return place.store.read(stored.key)
    except CachewrightError as error:
        told = f"{lost}. " if lost else "it was asked to delete it. "
        reason = f"{told}Whether it did could not be read again ({error.values.get('reason')})"
        state = "Look again before anything else is done; it was not asked again."
        failed = StepFailed(path=step.path, reason=reason, state=state)
        with beyond_return(step.path, "the store was asked, which could not be written down"):
            running.end(Event.FAILED, {"reason": str(failed), "unheard": True})
        raise failed from error


def _whole(stored: Stored) -> bool:
    return stored.size == len(stored.body)


def _not_kept(stored: Stored) -> str:
    return "" if _whole(stored) else " It was too large to be kept whole, and cannot be put back."


def _undo(running: Running, stored: Stored) -> str | None:
    return running.id if _whole(stored) else None


def release_lease(work: Work, step: PlanStep) -> Outcome:
    """A lease of a cache in a directory, kept where its format says."""
    store = work.knowledge.leases()
    if store is None:
        raise Refused(path=step.path, reason="this cache has no leases that its format knows")
    about: dict[str, Any] = {
        "root": pack(work.root.path),
        "root_identity": work.root.identity.as_json(),
        "format": work.form.name,
        "gates": [],
        "quarantine": pack(work.quarantine.path) if work.quarantine else None,
    }
    place = Place(store, LockKind.LEASE, about, after_break(work.form))
    return release(place, work.journal, step, work.confirmations)


def release_object_lock(work: Work, step: PlanStep) -> Outcome:
    """No directory has such locks: they are released through their own store."""
    del work
    raise Refused(path=step.path, reason="it lies in no directory: open the store that it is in")


RELEASERS: Final = {
    StepKind.RELEASE_LEASE: release_lease,
    StepKind.RELEASE_OBJECT_LOCK: release_object_lock,
}
