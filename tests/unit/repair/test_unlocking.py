from __future__ import annotations

import json

import pytest

from cachewright.errors import InUse, Refused
from cachewright.model import (
    Confirm,
    Holder,
    HoldVerdict,
    Identity,
    LockKind,
    LockReport,
    StepKind,
)
from cachewright.repair.plan_file import document, parse
from cachewright.repair.unlocking import chosen_lock, unlock_plan

SEEN = Identity(1, 2, 0o100600, 4, 5, 6)


def lock(
    verdict: HoldVerdict = HoldVerdict.UNPROVEN,
    kind: LockKind = LockKind.EXISTENCE,
    *,
    name: str = "id-1",
    path: bytes = b"/c/a.lock",
    holders: tuple[Holder, ...] = (),
) -> LockReport:
    return LockReport(
        name,
        kind,
        path,
        verdict,
        "a thing",
        "Nobody can tell.",
        holders,
        identity=SEEN,
        fingerprint="f" * 64,
        etag="e1",
    )


@pytest.mark.parametrize("verdict", [HoldVerdict.UNPROVEN, HoldVerdict.STALE])
def test_unlocking_is_typed_whatever_the_verdict(verdict: HoldVerdict) -> None:
    (step,) = unlock_plan(b"/c", "some", lock(verdict)).steps
    assert (step.step, step.confirm, step.wanted) == (
        StepKind.QUARANTINE_LOCK,
        Confirm.TYPED,
        "id-1",
    )
    assert (step.identity, step.subject, step.path) == (SEEN, "a thing", b"/c/a.lock")
    assert step.detail == {"fingerprint": "f" * 64, "etag": "e1"}


def test_a_plan_to_unlock_survives_its_file() -> None:
    plan = unlock_plan(b"/c", "some", lock())
    text = json.dumps(document(plan)).encode()
    assert parse(text).steps == plan.steps


def test_a_held_lock_is_refused_and_its_holder_named() -> None:
    holder = Holder(4711, 1, "u", "terraform apply", ("lock:write",))
    with pytest.raises(InUse, match="end process 4711"):
        unlock_plan(b"/c", "some", lock(HoldVerdict.HELD, holders=(holder,)))


@pytest.mark.parametrize("verdict", [HoldVerdict.FREE, HoldVerdict.UNPROVEN, HoldVerdict.STALE])
def test_the_place_of_a_kernel_lock_is_never_released(verdict: HoldVerdict) -> None:
    with pytest.raises(Refused, match="never removed"):
        unlock_plan(b"/c", "some", lock(verdict, LockKind.POSIX))


def test_a_lock_is_chosen_by_id_or_path() -> None:
    one, two = lock(), lock(name="id-2", path=b"/c/b.lock")
    assert chosen_lock(b"/c", (one, two), "id-2") is two
    assert chosen_lock(b"/c", (one, two), "/c/a.lock") is one


def test_an_unknown_id_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(Refused, match=r"no lock has the ID id-3 .*id-1") as caught:
        chosen_lock(b"/c", (lock(),), "id-3")
    assert caught.value.exit_code == 4


def test_an_id_that_two_locks_have_is_refused() -> None:
    with pytest.raises(Refused, match="name one by its path"):
        chosen_lock(b"/c", (lock(), lock(path=b"/c/b.lock")), "id-1")
