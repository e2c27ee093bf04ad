"""Plans for a store of locks, which has no directory: made of findings, and run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from cachewright.diagnosis.locks import RELEASES
from cachewright.errors import PlanInvalid
from cachewright.model import (
    Access,
    CancelToken,
    CheckResult,
    Confirm,
    HoldVerdict,
    LockKind,
    Outcome,
    Plan,
    PlanStep,
    ProgressSink,
    Result,
    StepKind,
    no_progress,
)
from cachewright.repair.exclusive import STATE_LOCK, exclusive
from cachewright.repair.records import pack
from cachewright.repair.releasing import Place, release
from cachewright.repair.unlocking import lock_step
from cachewright.repair.work import in_turn, outcome

if TYPE_CHECKING:
    from cachewright.locks.store import LockStore
    from cachewright.repair.journal import Journal


def store_plan(
    result: CheckResult,
    *,
    only: Collection[StepKind] | None = None,
    stale_only: bool = False,
    findings: Collection[str] | None = None,
) -> Plan:
    """The releases that the findings about a store's locks allow; as ``plan.make_plan``."""
    locks = {lock.path: lock for lock in result.locks}
    steps: dict[str, PlanStep] = {}
    for finding in result.findings:
        lock, offer = locks.get(finding.path), finding.repair
        wanted = findings is None or finding.id in findings
        if lock is None or offer is None or not wanted or offer.step not in RELEASES.values():
            continue
        proven = finding.verdict is HoldVerdict.STALE and offer.confirm is Confirm.CLICK
        if (stale_only and not proven) or (only is not None and offer.step not in only):
            continue
        step = lock_step(lock, offer)
        steps.setdefault(step.id, step)
    ordered = sorted(steps.values(), key=lambda step: step.path)
    return Plan(result.root, result.format, tuple(ordered))


def place_of(store: LockStore, format_name: str, access: Access) -> Place:
    """The store with what its undo needs; ``access`` holds no secret, and is journaled."""
    about: dict[str, Any] = {
        "root": pack(store.root),
        "format": format_name,
        "access": asdict(access),
        "gates": [],
        "quarantine": None,
    }
    return Place(store, LockKind.OBJECT, about)


def release_all(
    plan: Plan,
    place: Place,
    *,
    format_name: str,
    journal: Journal,
    confirmations: Mapping[str, str] | None = None,
    apply: bool = False,
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[Outcome, ...]:
    """Run a store's plan; what is said of ``execute.execute`` holds here too."""
    if plan.root != place.store.root or plan.format != format_name:
        raise PlanInvalid(path=plan.root, reason="it was made for another store")
    if not apply:
        return tuple(outcome(step, Result.SKIPPED, "dry run") for step in plan.steps)
    journal.verify()
    token = cancel or CancelToken()
    with exclusive(journal.state, STATE_LOCK):
        one = partial(release, place, journal, confirmations=confirmations or {})
        return tuple(in_turn(plan, one, progress, token))
