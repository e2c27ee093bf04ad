from __future__ import annotations

import pytest

from cachewright.diagnosis.locks import of_lock, offer_of
from cachewright.model import (
    Confirm,
    FindingKind,
    HoldVerdict,
    LockKind,
    LockReport,
    Severity,
    StepKind,
)

RELEASED = {
    LockKind.EXISTENCE: StepKind.QUARANTINE_LOCK,
    LockKind.INFO_FILE: StepKind.QUARANTINE_LOCK,
    LockKind.LEASE: StepKind.RELEASE_LEASE,
    LockKind.OBJECT: StepKind.RELEASE_OBJECT_LOCK,
}
KERNEL = (LockKind.POSIX, LockKind.FLOCK, LockKind.OFD)


def lock(kind: LockKind, verdict: HoldVerdict, *, garbage: bool = False) -> LockReport:
    return LockReport("id-1", kind, b"/c/a.lock", verdict, "a thing", "Because.", garbage=garbage)


@pytest.mark.parametrize("verdict", HoldVerdict)
@pytest.mark.parametrize("kind", KERNEL)
def test_a_kernel_lock_is_never_offered_to_be_released(
    kind: LockKind, verdict: HoldVerdict
) -> None:
    assert offer_of(lock(kind, verdict)) is None


@pytest.mark.parametrize("kind", RELEASED)
def test_only_what_is_proven_takes_one_click(kind: LockKind) -> None:
    stale = offer_of(lock(kind, HoldVerdict.STALE))
    unproven = offer_of(lock(kind, HoldVerdict.UNPROVEN))
    assert stale is not None
    assert unproven is not None
    assert (stale.step, stale.confirm, stale.typed) == (RELEASED[kind], Confirm.CLICK, "id-1")
    assert (unproven.confirm, unproven.typed) == (Confirm.TYPED, "id-1")


@pytest.mark.parametrize("verdict", [HoldVerdict.HELD, HoldVerdict.FREE])
@pytest.mark.parametrize("kind", RELEASED)
def test_what_is_held_or_free_is_left_alone(kind: LockKind, verdict: HoldVerdict) -> None:
    assert offer_of(lock(kind, verdict)) is None


@pytest.mark.parametrize(
    ("verdict", "garbage", "kind", "severity"),
    [
        (HoldVerdict.STALE, False, FindingKind.STALE_LOCK, Severity.PROBLEM),
        (HoldVerdict.STALE, True, FindingKind.STALE_LOCK, Severity.PROBLEM),
        (HoldVerdict.UNPROVEN, False, FindingKind.UNPROVEN_LOCK, Severity.NOTICE),
        (HoldVerdict.UNPROVEN, True, FindingKind.GARBAGE_LOCK, Severity.PROBLEM),
        (HoldVerdict.HELD, False, FindingKind.HELD_LOCK, Severity.NOTICE),
        (HoldVerdict.HELD, True, FindingKind.HELD_LOCK, Severity.NOTICE),
    ],
)
def test_what_a_lock_is_told_as(
    verdict: HoldVerdict, garbage: bool, kind: FindingKind, severity: Severity
) -> None:
    finding = of_lock(lock(LockKind.EXISTENCE, verdict, garbage=garbage))
    assert finding is not None
    assert (finding.kind, finding.severity, finding.subject) == (kind, severity, "a thing")


def test_a_free_lock_is_no_finding() -> None:
    assert of_lock(lock(LockKind.POSIX, HoldVerdict.FREE)) is None
