"""Leases: held by their own rule or by proof of life, stale only by proof of death."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cachewright.holders.processes import Process, boot_id, pid_namespace
from cachewright.holders.sightings import Sighting
from cachewright.locks import lease
from cachewright.locks.lease import Watch, judge
from cachewright.locks.store import Stored
from cachewright.model import Claim, Evidence, Holder, HoldVerdict, LockKind, LockReport, Says

NS = 1_000_000_000
NOW = time.time_ns()
MACHINE = "0123456789abcdef0123456789abcdef"
MINUTE = 60 * NS


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease.time, "time_ns", lambda: NOW)


class Here:
    """This computer's identity as a test wants it; processes are looked for in memory."""

    boot_id = boot_id()
    machine_id = MACHINE
    pid_namespace = pid_namespace()
    sees_all = True

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting

    def find(self, claim: Claim) -> Sighting:
        del claim
        return self.sighting


GONE = Here(Sighting(runs=False))


def me() -> Holder:
    with Process(os.getpid()) as process:
        return process.holder(("owner",))


def claim(age_s: float = 3600, lasts_s: float = 60, **how: Any) -> Claim:
    """By default: expired, and of an owner with a whole identity."""
    whole = {
        "id": "one",
        "owner": {"id": "one"},
        "machine": MACHINE,
        "boot_id": boot_id(),
        "pid_namespace": pid_namespace(),
        "pid": 4_000_000,
        "start_ticks": 1,
        "renewed_ns": NOW - int(age_s * NS),
        "lasts_ns": int(lasts_s * NS),
    }
    return Claim(**{**whole, **how})


STORED = Stored("row", b"body", "version 1", 4, read_ns=NOW)


class Store:
    root = b"/cache/leases"

    def __init__(self, found: Claim) -> None:
        self.found = found

    def where(self, key: str) -> bytes:
        return f"/cache/leases:{key}".encode()

    def claim(self, stored: Stored) -> Claim:
        del stored
        return self.found


def judged(found: Claim, stored: Stored = STORED, **how: Any) -> LockReport:
    watch = Watch(**{"machine": GONE, **how})
    store: Any = Store(found)
    return judge(store, stored, watch)


def says(report: LockReport) -> dict[str, Says]:
    return {one.fact: one.says for one in report.evidence}


def test_a_fresh_lease_is_held_even_if_its_owner_seems_gone() -> None:
    report = judged(claim(age_s=30))
    assert report.verdict is HoldVerdict.HELD
    assert says(report)["lease"] is Says.ALIVE
    assert "was renewed 30 seconds ago and lasts a minute" in report.explanation


def test_the_last_moment_of_a_lease_is_its_own() -> None:
    assert judged(claim(age_s=60)).verdict is HoldVerdict.HELD
    assert judged(claim(age_s=60.001)).verdict is HoldVerdict.STALE


def test_an_expired_lease_of_a_dead_owner_is_stale() -> None:
    report = judged(claim())
    assert (report.verdict, report.kind) == (HoldVerdict.STALE, LockKind.LEASE)
    assert says(report) == {"lease": Says.DEAD, "owner": Says.DEAD}
    assert "has ended" in report.explanation
    assert (report.id, report.etag, report.path) == ("one", "version 1", b"/cache/leases:row")


@pytest.mark.parametrize(
    "unknown",
    [
        {"pid": 0},
        {"start_ticks": 0},
        {"machine": "f" * 32, "boot_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12},
        {"boot_id": ""},
        {"pid_namespace": 0},
    ],
)
def test_expiry_alone_proves_nothing(unknown: dict[str, Any]) -> None:
    report = judged(claim(**unknown))
    assert report.verdict is HoldVerdict.UNPROVEN
    assert says(report) == {"lease": Says.DEAD, "owner": Says.UNKNOWN}
    assert "by its own rule another may take it over" in report.explanation
    assert "cannot be told whether anybody holds this lease" in report.explanation


def test_an_expired_lease_of_a_living_owner_is_held() -> None:
    mine = me()
    here = Here(Sighting(runs=True, holder=mine))
    report = judged(claim(pid=mine.pid, start_ticks=mine.start_ticks), machine=here)
    assert report.verdict is HoldVerdict.HELD
    assert says(report) == {"lease": Says.DEAD, "owner": Says.ALIVE}
    assert report.holders == (mine,)


def test_a_heartbeat_that_moved_while_it_was_watched_is_life() -> None:
    former = judged(claim())
    known = {former.path: former}
    assert judged(claim(), former=known).verdict is HoldVerdict.STALE
    moved = replace(STORED, version="version 2")
    report = judged(claim(), moved, former=known)
    assert (report.verdict, says(report)["heartbeat"]) == (HoldVerdict.HELD, Says.ALIVE)
    assert "renewed it while it was watched" in report.explanation
    other = judged(claim(id="two"), moved, former=known)
    assert (other.verdict, "Another took it" in other.explanation) == (HoldVerdict.HELD, True)


def test_who_has_open_what_it_is_about_holds_it() -> None:
    mine = me()

    def opened(found: Claim) -> Sequence[Holder]:
        return (mine,) if found.id == "one" else ()

    report = judged(claim(), opened=opened)
    assert (report.verdict, report.holders) == (HoldVerdict.HELD, (mine,))
    assert says(report)["open-files"] is Says.ALIVE
    assert judged(claim(id="two"), opened=opened).verdict is HoldVerdict.STALE


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (claim(age_s=-3600), "its clock and ours differ too much"),
        (claim(lasts_s=0), "does not say when it was renewed and how long it lasts"),
        (claim(renewed_ns=0), "does not say when it was renewed and how long it lasts"),
        (claim(garbage="it is no such JSON."), "cannot be read: it is no such JSON."),
    ],
)
def test_what_its_own_rule_cannot_tell_is_unproven(found: Claim, said: str) -> None:
    report = judged(found)
    assert report.verdict is HoldVerdict.UNPROVEN
    assert says(report)["lease"] is Says.UNKNOWN
    assert said in report.explanation


def test_a_clock_that_is_a_little_ahead_is_no_reason_to_doubt() -> None:
    assert judged(claim(age_s=-5)).verdict is HoldVerdict.HELD


def test_the_stores_own_clock_counts() -> None:
    late = replace(STORED, read_ns=NOW + 2 * MINUTE)
    assert judged(claim(age_s=30), late).verdict is HoldVerdict.STALE
    assert judged(claim(age_s=30), replace(STORED, read_ns=0)).verdict is HoldVerdict.HELD


@pytest.mark.usefixtures("stranger")
def test_every_lease_of_a_store_is_judged(tmp_path: Path) -> None:
    import sqlite3

    import stranger_cache
    from stranger_leases import StrangerLeases

    with sqlite3.connect(tmp_path / "leases.db") as base:
        base.execute("CREATE TABLE leases(name PRIMARY KEY, value)")
        base.execute("INSERT INTO leases VALUES ('a', '{\"id\": \"one\"}')")
    base.close()
    store = StrangerLeases(os.fsencode(tmp_path), stranger_cache.claim_of)
    (report,) = lease.look_all(store).locks
    assert (report.id, report.verdict) == ("one", HoldVerdict.UNPROVEN)
    found = lease.look_again(store, "a")
    assert found is not None
    assert found[1].fingerprint == report.fingerprint
    assert lease.look_again(store, "b") is None


@pytest.mark.parametrize("says", [Says.ALIVE, Says.DEAD, Says.UNKNOWN])
def test_what_is_seen_of_an_unnamed_owner_takes_the_place_of_its_identity(says: Says) -> None:
    seen = Evidence("owner", says, "Seen here.")
    nameless = claim(machine="", boot_id="", pid_namespace=0, pid=0, start_ticks=0)
    watch = Watch(proof=lambda _claim: seen)
    verdict = {
        Says.ALIVE: HoldVerdict.HELD,
        Says.DEAD: HoldVerdict.STALE,
        Says.UNKNOWN: HoldVerdict.UNPROVEN,
    }[says]
    assert judge(Store(nameless), STORED, watch).verdict is verdict  # type: ignore[arg-type]
    nothing = Watch(proof=lambda _claim: None)
    assert judge(Store(nameless), STORED, nothing).verdict is HoldVerdict.UNPROVEN  # type: ignore[arg-type]


def test_an_owner_that_names_itself_is_looked_for_itself() -> None:
    seen = Evidence("owner", Says.ALIVE, "Seen here.")
    watch = Watch(machine=GONE, proof=lambda _claim: seen)  # type: ignore[arg-type]
    assert judge(Store(claim()), STORED, watch).verdict is HoldVerdict.STALE  # type: ignore[arg-type]
