"""The step that takes a left-behind lock file away (DESIGN 7, reliability.md A2).

A place for a kernel lock is never touched, whatever a plan says: two could then hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, Changed, InUse, Refused, StepFailed
from cachewright.inventory.tree import scan_subtree
from cachewright.locks.looking import Around, look
from cachewright.locks.marker import Marker, read_marker
from cachewright.model import (
    Confirm,
    Gate,
    HoldVerdict,
    Identity,
    LockKind,
    LockPlace,
    LockReport,
    Outcome,
    PlanStep,
    Result,
    StepKind,
)
from cachewright.repair.delay import after_break
from cachewright.repair.operations import PutBack, Running
from cachewright.repair.quarantine import STAGE, kept_at
from cachewright.repair.records import Event, pack
from cachewright.repair.stand_in import make_stand_in
from cachewright.repair.subject import Subject
from cachewright.repair.taking import Taking
from cachewright.repair.work import Work, held, outcome
from cachewright.storage.anchored import identity
from cachewright.storage.removal import remove_tree
from cachewright.storage.swap import ExchangeUnsupported, sync_directory

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_MOVABLE: Final = frozenset({LockKind.EXISTENCE, LockKind.INFO_FILE})


def quarantine_lock(work: Work, step: PlanStep) -> Outcome:
    """Judge the lock anew, take it away without ever freeing its name to two, and look at what
    came out.  One click wants it proven left behind, a typed ID that nobody is seen to hold it.
    """
    place = _place(work, step)
    gates = _gates(work, place, step)
    quarantine = work.need_quarantine()
    with held(work.root, gates, step.path), work.subject(step) as subject:
        judged = _judge_anew(work, step, place)
        proven = judged.verdict is HoldVerdict.STALE
        delayed = place.kind is LockKind.EXISTENCE and not proven
        noted = after_break(work.form) if delayed else {}
        with work.operation(step, gates, **noted) as running:
            about = {"path": pack(step.path), "step": step.step.value}
            with quarantine.place(running.id, about) as private:
                fit = _fitness(work, subject, place, judged)
                taking = Taking(subject.parent, subject.name, private, step.path, fit)
                _take(work, place, judged, taking, running)
                _keep(taking, running, step, noted)
    return outcome(step, Result.DONE, _words(work, delayed=delayed), running.id)


def _words(work: Work, *, delayed: bool) -> str:
    if not delayed:
        return "Moved to quarantine."
    seconds = f"{work.form.lock_delay_s:g} seconds"
    return f"Moved to quarantine. Nothing else is changed in this cache for {seconds}."


def _place(work: Work, step: PlanStep) -> LockPlace:
    """The lock that its format knows there; never one that the kernel keeps a lock on."""
    relative = work.relative(step)
    places = work.knowledge.locks()
    found = [one for one in places if one.relative == relative]
    kernel = {one.relative for one in places if one.kind not in _MOVABLE}
    kernel |= {one.guards.relative for one in places if one.guards}
    below = relative + b"/"
    if not found and not work.root.exists(relative):
        raise Changed(path=step.path, what="it is gone")
    guarded = any(one == relative or one.startswith(below) for one in kernel)
    if len(found) != 1 or guarded:
        raise Refused(path=step.path, reason="it is not a lock that may ever be moved")
    return found[0]


def _gates(work: Work, place: LockPlace, step: PlanStep) -> tuple[Gate, ...]:
    """What is held meanwhile: the kernel lock that an info file describes, without which it is
    never moved, and whatever lock of the tool guards this path."""
    gates = work.gates(place.relative)
    if any(gate.relative == place.relative for gate in gates):
        raise Refused(path=step.path, reason="it is not a lock that may ever be moved")
    if place.kind is not LockKind.INFO_FILE:
        return gates
    if place.guards is None:
        raise Refused(path=step.path, reason="the lock that it describes cannot be held")
    return tuple(dict.fromkeys((place.guards, *gates)))


def _judge_anew(work: Work, step: PlanStep, place: LockPlace) -> LockReport:
    """The lock as it is now, which must be the one that was judged."""
    survey = work.look([work.root.path], frozenset({work.root.identity.device}))
    around = Around.now(work.root, survey, decide=True, machine=work.machine)
    now = look(work.root, place, work.knowledge, around)
    if now is None:
        raise Changed(path=step.path, what="it is gone")
    if now.verdict is HoldVerdict.HELD:
        raise InUse(path=step.path, reason=now.explanation.rstrip("."))
    if now.no_release:
        raise Refused(path=step.path, reason=now.no_release)
    if now.identity != step.identity or now.fingerprint != step.detail.get("fingerprint"):
        raise Changed(path=step.path, what="it was taken anew or written to")
    if step.confirm is Confirm.TYPED:
        if step.wanted != (now.id or step.subject):
            raise Changed(path=step.path, what="it has another ID")
    elif now.verdict is not HoldVerdict.STALE:
        why = now.explanation.rstrip(".")
        raise Refused(path=step.path, reason=f"it is not proven left behind ({why})")
    return now


def _fitness(
    work: Work, subject: Subject, place: LockPlace, judged: LockReport
) -> Callable[[Directory, bytes], None]:
    """Whether what was taken is what was judged, and still nobody's."""
    proven = judged.verdict is HoldVerdict.STALE

    def fit(directory: Directory, name: bytes) -> None:
        taken = read_marker(directory, name, place.record)
        if taken is None or not _same(taken, judged):
            what = "it was taken anew or written to at the last moment"
            raise Changed(path=subject.path, what=what)
        subject.moved(directory, name).refuse_users(work.look, prove=proven)

    return fit


def _same(taken: Marker, judged: LockReport) -> bool:
    """A move gives the thing itself another change time and nothing else."""
    now, then = taken.identity, judged.identity
    unchanged = then is not None and _unmoved(now) == _unmoved(then)
    return unchanged and not taken.odd and taken.fingerprint == judged.fingerprint


def _unmoved(identity: Identity) -> Identity:
    return replace(identity, ctime_ns=0)


def _take(
    work: Work, place: LockPlace, judged: LockReport, taking: Taking, running: Running
) -> None:
    """An info file locks nothing, so nothing needs to stand in for it: its lock is held."""
    if place.kind is LockKind.INFO_FILE:
        taking.by_rename()
        return
    like = read_marker(taking.parent, taking.name, place.record)
    if like is None or like.identity != judged.identity:
        raise Changed(path=taking.path, what="it was taken anew or written to")
    try:
        stand_in = make_stand_in(
            taking.private,
            STAGE,
            like=like.found,
            records=_records(work, place, like),
            inner=place.record,
        )
        made = scan_subtree(taking.private, STAGE).signature(0)
        running.prepared(taking.private.identity_of(STAGE), made)
        _last_look(taking, judged)
    except BaseException:
        remove_tree(taking.private, STAGE)
        raise
    try:
        taking.by_exchange(stand_in)
    except ExchangeUnsupported:
        taking.by_rename()


def _last_look(taking: Taking, judged: LockReport) -> None:
    """Making the stand-in took a disk's time.  Another's lock must not leave its place even for a
    moment: its owner may be making or releasing it in two steps."""
    try:
        now = identity(taking.parent.stat(taking.name))
    except FileNotFoundError:
        raise Changed(path=taking.path, what="it is gone") from None
    if now != judged.identity:
        raise Changed(path=taking.path, what="it was taken anew or written to")


def _records(work: Work, place: LockPlace, like: Marker) -> tuple[bytes, ...]:
    """What the stand-in may say: that our process holds the lock, as its tool would read it;
    else just what the old lock says, which a crash of ours must leave there at worst."""
    try:
        own = work.knowledge.own_record(place)
    except Exception:  # noqa: BLE001 - somebody else's code must not stop ours
        own = None
    return (own, like.record) if isinstance(own, bytes) else (like.record,)


def _keep(taking: Taking, running: Running, step: PlanStep, noted: dict[str, object]) -> None:
    """Make it durable and journal it; if that fails the lock gets its name again."""
    private = taking.private
    try:
        sync_directory(taking.parent)
        sync_directory(private)
        running.done(kept=kept_at(private, running.id, step.size), **noted)
    except BaseException as error:
        try:
            taking.undo()
        except StepFailed as failed:
            with suppress(OSError, CachewrightError):  # else it is left open, as it is
                kept = kept_at(private, running.id, step.size)
                running.end(Event.FAILED, {"reason": str(failed), "kept": kept, **noted})
            raise failed from error
        if isinstance(error, Exception):
            raise PutBack(str(error)) from error
        raise


BREAKERS: Final = {StepKind.QUARANTINE_LOCK: quarantine_lock}
