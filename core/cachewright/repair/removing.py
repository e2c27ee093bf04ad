"""Steps that take something out of a cache: a rename into quarantine, and a second look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, InUse, Refused
from cachewright.model import (
    Confirm,
    HoldVerdict,
    Outcome,
    PlanStep,
    Result,
    StepKind,
)
from cachewright.repair.operations import PutBack, Running, Unfinished
from cachewright.repair.quarantine import ITEM, kept_at
from cachewright.repair.records import Event, pack
from cachewright.repair.subject import Subject
from cachewright.repair.work import Work, held, outcome
from cachewright.storage.anchored import Directory
from cachewright.storage.swap import rename_noreplace, sync_directory
from cachewright.text import display

if TYPE_CHECKING:
    from collections.abc import Iterator

_Refuse = Callable[[Subject], None]


def quarantine_staging(work: Work, step: PlanStep) -> Outcome:
    """Judge anew, then move while the tool's lock is held.  Any user at all is a refusal."""
    relative = work.relative(step)
    if relative not in {place.relative for place in work.knowledge.staging()}:
        raise Refused(path=step.path, reason="it is no staging place that its format knows")
    report = work.rejudge(step)
    if report.verdict is HoldVerdict.HELD:
        raise InUse(path=step.path, reason=report.explanation.rstrip("."))
    proven = report.verdict is HoldVerdict.STALE
    if not proven and step.confirm is not Confirm.TYPED:
        why = f"its writer is not proven gone ({report.explanation.rstrip('.')})"
        raise Refused(path=step.path, reason=why)
    return _move_away(work, step, lambda subject: subject.refuse_users(work.look, prove=proven))


def quarantine_entry(work: Work, step: PlanStep) -> Outcome:
    """Move a bad entry away; its tool fetches it again.  Writers refuse, users do not."""
    relative = work.relative(step)
    known = {entry.relative for entry in work.knowledge.entries}
    if relative not in known and not _offered(work, step):
        raise Refused(path=step.path, reason="it is no entry that its format knows")
    objection = work.knowledge.objection(relative, step.detail)
    if objection:
        raise Refused(path=step.path, reason=objection)
    return _move_away(work, step, lambda subject: subject.refuse_writers(work.look))


def _offered(work: Work, step: PlanStep) -> bool:
    """Whether the format itself offers this for something that is no entry."""
    return any(
        finding.path == step.path and offer.step is step.step
        for finding in work.knowledge.findings()
        for offer in finding.repairs
    )


def _move_away(work: Work, step: PlanStep, refuse: _Refuse) -> Outcome:
    gates = work.gates(work.relative(step))
    quarantine = work.need_quarantine()
    with held(work.root, gates, step.path), work.subject(step) as subject:
        subject.recheck()
        refuse(subject)
        with work.operation(step, gates) as running:
            about = {"path": pack(step.path), "step": step.step.value}
            with quarantine.place(running.id, about) as place:
                rename_noreplace(subject.parent, subject.name, place, ITEM)
                with _put_back_if_unfit(subject, place, running):
                    moved = subject.moved(place, ITEM)
                    moved.recheck_moved()
                    refuse(moved)
                    sync_directory(subject.parent)
                    sync_directory(place)
                    running.done(kept=kept_at(place, running.id, step.size))
    return outcome(step, Result.DONE, "Moved to quarantine.", running.id)


@contextmanager
def _put_back_if_unfit(subject: Subject, place: Directory, running: Running) -> Iterator[None]:
    """After the move: whatever goes wrong, the subject gets its old place again."""
    try:
        yield
    except BaseException as error:
        try:
            rename_noreplace(place, ITEM, subject.parent, subject.name)
        except OSError as failure:
            raise _lost_place(subject, place, running, failure) from error
        with suppress(OSError):  # it has its name again; a disk that fails now changes nothing
            sync_directory(subject.parent)
            sync_directory(place)
        if isinstance(error, Exception):
            raise PutBack(str(error)) from error
        raise


def _lost_place(
    subject: Subject, place: Directory, running: Running, failure: OSError
) -> Unfinished:
    """Its old name was taken meanwhile: it stays kept, and says so."""
    failed = Unfinished(
        path=subject.path,
        reason=f"it could not be put back ({failure.strerror})",
        state=f"It is kept in {display(place.where(ITEM))}.",
    )
    with suppress(OSError, CachewrightError):  # else it is left open, as it is
        kept = kept_at(place, running.id, subject.judged.size)
        running.end(Event.FAILED, {"reason": str(failed), "kept": kept})
    return failed


REMOVERS: Final = {
    StepKind.QUARANTINE_STAGING: quarantine_staging,
    StepKind.QUARANTINE_ENTRY: quarantine_entry,
}
