"""Run a plan: every step judged anew, journaled, done by renames, and looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import NoQuarantine, NotConfirmed, PlanInvalid
from cachewright.holders.owners import THIS_MACHINE, Machine
from cachewright.model import (
    CancelToken,
    Confirm,
    Outcome,
    Plan,
    PlanStep,
    ProgressSink,
    Result,
    StepKind,
    no_progress,
)
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.breaking import BREAKERS
from cachewright.repair.delay import RELEASES, refuse_during_delay
from cachewright.repair.exclusive import STATE_LOCK, exclusive
from cachewright.repair.permissions import MENDERS
from cachewright.repair.quarantine import Quarantine
from cachewright.repair.releasing import RELEASERS
from cachewright.repair.removing import REMOVERS
from cachewright.repair.republishing import REPUBLISHERS
from cachewright.repair.rewriting import REWRITERS
from cachewright.repair.work import Rejudge, Work, in_turn, outcome

if TYPE_CHECKING:
    from cachewright.formats.base import Format, Knowledge
    from cachewright.repair.journal import Journal
    from cachewright.repair.subject import LookAround
    from cachewright.storage.anchored import Directory

Performer = Callable[[Work, PlanStep], Outcome]

PERFORMERS: Final[Mapping[StepKind, Performer]] = {
    **REMOVERS,
    **BREAKERS,
    **REPUBLISHERS,
    **MENDERS,
    **REWRITERS,
    **RELEASERS,
}
"""What carries out each kind of step; a further kind is one more entry."""


def execute(
    plan: Plan,
    *,
    root: Directory,
    form: Format,
    knowledge: Knowledge,
    journal: Journal,
    rejudge: Rejudge,
    confirmations: Mapping[str, str] | None = None,
    apply: bool = False,
    look: LookAround = holders.survey,
    machine: Machine = THIS_MACHINE,
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[Outcome, ...]:
    """Run the steps of ``plan`` in order and tell what became of each.

    Without ``apply`` nothing is touched and every outcome is ``skipped``, ``dry run``.
    ``confirmations`` maps the ID of a step that wants it to what was typed, which must be what
    the step wants typed.  ``rejudge`` judges a staging place anew right before it is moved;
    ``machine`` is where owners of locks are looked for.
    One step that is refused or fails does not stop the others; a cancelled run skips the rest.
    Each step is durable and in the journal before its outcome says ``done``; its ``undo`` is
    what ``undo`` takes.  Raises ``PlanInvalid`` for another cache's plan, ``JournalDamaged``
    before anything is touched, ``InUse`` while another Cachewright is at work here, ``Refused``
    where root would work in another user's place.
    """
    if plan.root != root.path or plan.format != form.name:
        reason = "it was made for another cache"
        raise PlanInvalid(path=plan.root, reason=reason)
    if not apply:
        return tuple(outcome(step, Result.SKIPPED, "dry run") for step in plan.steps)
    refuse_for_root(root)
    journal.verify()
    if not plan.steps:
        return ()
    token = cancel or CancelToken()
    with _work_place(root, form, journal) as (quarantine, why):
        work = Work(
            root=root,
            form=form,
            knowledge=knowledge,
            journal=journal,
            quarantine=quarantine,
            no_quarantine=why,
            rejudge=rejudge,
            look=look,
            machine=machine,
            cancel=token,
            confirmations=confirmations or {},
        )
        return tuple(in_turn(plan, partial(_perform, work), progress, token))


def _perform(work: Work, step: PlanStep) -> Outcome:
    if step.confirm is Confirm.TYPED and work.confirmations.get(step.id) != step.wanted:
        raise NotConfirmed(path=step.path, subject=step.wanted)
    if step.step not in RELEASES:
        here = work.root.identity.as_json()
        refuse_during_delay(work.journal, work.root.path, here, step.path)
    return PERFORMERS[step.step](work, step)


@contextmanager
def _work_place(
    root: Directory, form: Format, journal: Journal
) -> Iterator[tuple[Quarantine | None, str]]:
    """The cache's quarantine, ours alone for the block; where it can have none, at least other
    Cachewrights with the same journal are kept away."""
    try:
        quarantine = Quarantine.for_root(root, form)
    except NoQuarantine as error:
        with exclusive(journal.state, STATE_LOCK):
            yield None, error.values["reason"]
        return
    try:
        with quarantine.exclusive():
            yield quarantine, ""
    finally:
        quarantine.close()
