"""What may be broken at all, and how it must be confirmed."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cachewright.model import Confirm, Gate, HoldVerdict, LockKind, LockPlace, Result

if TYPE_CHECKING:
    from tests.unit.repair.breaking.conftest import Act, Shop

SHAPES = ("work.lock", "work.lnk", "work.dir")
DONE, REFUSED, FAILED = Result.DONE, Result.REFUSED, Result.FAILED


def test_a_living_owner_refuses_click_and_typed_id(shop: Shop, act: Act) -> None:
    at = shop.path / "work.lock"
    actor = act(at)
    shop.write("work.lock", {"id": "mine", **shop.format.whole_identity(actor.process.pid)})
    assert shop.seen("work.lock").verdict is HoldVerdict.HELD
    for confirm in (Confirm.CLICK, Confirm.TYPED):
        outcome = shop.run(shop.plan("work.lock", confirm), "mine")
        assert outcome.result is REFUSED
        assert f"pid {actor.process.pid}" in outcome.reason
    assert at.exists()
    assert shop.events() == []


@pytest.mark.parametrize(
    ("confirm", "typed", "result"),
    [
        (Confirm.CLICK, None, REFUSED),
        (Confirm.CLICK, "typed-id", REFUSED),
        (Confirm.TYPED, None, REFUSED),
        (Confirm.TYPED, "another", REFUSED),
        (Confirm.TYPED, "typed-id", DONE),
    ],
)
def test_what_is_not_proven_must_be_typed(
    shop: Shop, confirm: Confirm, typed: str | None, result: Result
) -> None:
    at = shop.write("work.lock", b'{"id": "typed-id"}')
    outcome = shop.run(shop.plan("work.lock", confirm), typed)
    assert outcome.result is result
    assert at.exists() is (result is REFUSED)


def test_what_is_typed_must_be_the_locks_own_id(shop: Shop) -> None:
    """A plan file may say that anything is to be typed."""
    shop.write("work.lock", b'{"id": "typed-id"}')
    plan = shop.plan("work.lock", Confirm.TYPED, typed="y")
    assert shop.run(plan, "y").result is REFUSED


def test_a_lock_without_an_id_is_confirmed_by_its_place(shop: Shop) -> None:
    shop.write("work.lock", b"{}")
    assert shop.run(shop.plan("work.lock"), "work.lock").result is DONE


@pytest.mark.parametrize("name", ["work.flock", "work.posix", "work.ofd", "work.data"])
@pytest.mark.parametrize("confirm", list(Confirm))
def test_a_place_for_a_kernel_lock_is_never_moved(shop: Shop, name: str, confirm: Confirm) -> None:
    """Whatever a plan says, held or not, and however it was confirmed."""
    at = shop.path / name
    at.touch()
    (shop.path / "work.info").write_bytes(b"{}")
    shop.dead("work.lock")
    forged = replace(
        shop.plan("work.lock", confirm).steps[0],
        path=os.fsencode(at),
        identity=shop.root.identity_of(name.encode()),
    )
    plan = replace(shop.plan("work.lock"), steps=(forged,))
    outcome = shop.run(plan, forged.wanted)
    assert (outcome.result, "ever be moved" in outcome.reason) == (REFUSED, True)
    assert at.exists()
    assert shop.events() == []


KERNEL = {
    "the same place": LockPlace("k", LockKind.FLOCK, b"work.dir", -1, "k"),
    "a place in it": LockPlace("k", LockKind.FLOCK, b"work.dir/owner.json", -1, "k"),
    "the lock that something describes": LockPlace(
        "k",
        LockKind.INFO_FILE,
        b"x.info",
        -1,
        "k",
        guards=Gate(LockKind.POSIX, b"work.dir/owner.json", create=False),
    ),
}


@pytest.mark.parametrize("place", KERNEL.values(), ids=KERNEL.keys())
def test_what_is_also_a_place_for_a_kernel_lock_is_never_moved(
    shop: Shop, place: LockPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = shop.dead("work.dir")
    plan, own = shop.plan("work.dir"), shop.place("work.dir")
    monkeypatch.setattr(shop.knowledge, "locks", lambda: (own, place))
    assert shop.run(plan).result is REFUSED
    assert at.exists()


def test_the_tools_own_gate_is_never_moved(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    at = shop.dead("work.lock")
    plan = shop.plan("work.lock")
    gate = Gate(LockKind.FLOCK, b"work.lock", create=True)
    monkeypatch.setattr(shop.knowledge, "gate", lambda _relative: gate)
    outcome = shop.run(plan)
    assert (outcome.result, "ever be moved" in outcome.reason) == (REFUSED, True)
    assert at.exists()


def test_what_its_format_does_not_know_is_never_moved(shop: Shop) -> None:
    shop.dead("work.lock")
    (shop.path / "other").write_bytes(b"content")
    forged = replace(
        shop.plan("work.lock").steps[0],
        path=os.fsencode(shop.path / "other"),
        identity=shop.root.identity_of(b"other"),
    )
    assert shop.run(replace(shop.plan("work.lock"), steps=(forged,))).result is REFUSED
    outside = replace(forged, path=os.fsencode(shop.path.parent / "state"))
    assert shop.run(replace(shop.plan("work.lock"), steps=(outside,))).result is REFUSED


def test_a_plan_without_a_fingerprint_is_refused(shop: Shop) -> None:
    at = shop.dead("work.lock")
    assert shop.run(shop.plan("work.lock", detail={})).result is REFUSED
    assert at.exists()


def test_a_strange_thing_is_left_where_it_is(shop: Shop) -> None:
    os.mkfifo(shop.path / "work.lock")
    outcome = shop.run(shop.plan("work.lock", Confirm.TYPED), "work.lock")
    assert (outcome.result, "a FIFO" in outcome.reason) == (REFUSED, True)
    assert (shop.path / "work.lock").is_fifo()
