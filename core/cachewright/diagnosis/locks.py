"""Findings about locks, and how each may be released (DESIGN 6, 7; reliability.md A2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cachewright.model import (
    Confirm,
    Finding,
    FindingKind,
    HoldVerdict,
    LockKind,
    LockReport,
    RepairOffer,
    Severity,
    StepKind,
)

RELEASES: Final = {
    LockKind.EXISTENCE: StepKind.QUARANTINE_LOCK,
    LockKind.INFO_FILE: StepKind.QUARANTINE_LOCK,
    LockKind.LEASE: StepKind.RELEASE_LEASE,
    LockKind.OBJECT: StepKind.RELEASE_OBJECT_LOCK,
}
"""What releases each kind.  A kernel lock has no such step: only its holder lets it go."""

_KEPT: Final = {
    StepKind.QUARANTINE_LOCK: "It is moved to quarantine and can be put back.",
    StepKind.RELEASE_LEASE: "Its record is kept in the journal and can be put back.",
    StepKind.RELEASE_OBJECT_LOCK: "Its record is kept in the journal and can be put back.",
}

_FOUND: Final = {
    HoldVerdict.STALE: (FindingKind.STALE_LOCK, Severity.PROBLEM),
    HoldVerdict.UNPROVEN: (FindingKind.UNPROVEN_LOCK, Severity.NOTICE),
    HoldVerdict.HELD: (FindingKind.HELD_LOCK, Severity.NOTICE),
}


def offer_of(lock: LockReport) -> RepairOffer | None:
    """How a person may release this lock; None where nobody may.

    One click only for what is proven; ``typed`` is the lock's ID.
    """
    step = RELEASES.get(lock.kind)
    if step is None or lock.no_release or lock.verdict in {HoldVerdict.HELD, HoldVerdict.FREE}:
        return None
    if lock.verdict is HoldVerdict.STALE:
        return RepairOffer(step, Confirm.CLICK, _KEPT[step], typed=lock.id)
    why = f"Its owner is not proven gone, so its ID must be typed. {_KEPT[step]}"
    return RepairOffer(step, Confirm.TYPED, why, typed=lock.id)


def of_lock(lock: LockReport) -> Finding | None:
    """A held lock is a notice; one that nobody holds is none at all.  A stale lock is a problem,
    and so is one whose record not even its own tool can read."""
    found = _FOUND.get(lock.verdict)
    if found is None:
        return None
    kind, severity = found
    if lock.garbage and lock.verdict is HoldVerdict.UNPROVEN:
        kind, severity = FindingKind.GARBAGE_LOCK, Severity.PROBLEM
    offer = offer_of(lock)
    return Finding(
        kind=kind,
        severity=severity,
        verdict=lock.verdict,
        subject=lock.subject,
        path=lock.path,
        explanation=lock.explanation,
        evidence=lock.evidence,
        repairs=(offer,) if offer else (),
        holders=lock.holders,
        changed_ns=lock.changed_ns,
    )


def of_locks(locks: Sequence[LockReport]) -> Iterator[Finding]:
    """What is told of all locks of a cache.  A kernel lock that an info file describes is told
    of once: by the info file, which says more."""
    told = [(lock, finding) for lock in locks if (finding := of_lock(lock))]
    described = {lock.guards for lock, _finding in told if lock.guards}
    yield from (finding for lock, finding in told if lock.path not in described)
