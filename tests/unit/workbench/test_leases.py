"""Leases of a stranger's cache: shown beside its locks, released by compare and delete."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import Refused
from cachewright.model import (
    Confirm,
    FindingKind,
    HoldVerdict,
    Outcome,
    Plan,
    Result,
    StepKind,
)
from cachewright.repair.delay import refuse_during_delay
from cachewright.repair.journal import Journal
from cachewright.repair.plan import load, save
from cachewright.workbench import Workbench, chosen_lock, undo

NS = 1_000_000_000


class Cache:
    """The stranger's cache with a table of leases."""

    def __init__(self, path: Path) -> None:
        import stranger_cache

        self.path = path
        self.whole = stranger_cache.whole_identity()
        path.mkdir()
        (path / "stranger.cache").touch()
        self.ask("CREATE TABLE leases(name PRIMARY KEY, value)")

    def ask(self, statement: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self.path / "leases.db", isolation_level=None)) as base:
            return base.execute(statement, values).fetchall()

    def put(self, name: str, age_s: float = 3600.0, **record: Any) -> str:
        """A lease of a minute that was renewed so long ago."""
        renewed = time.time_ns() - int(age_s * NS)
        said = {"id": f"id-{name}", "renewed_ns": renewed, "lasts_ns": 60 * NS, **record}
        value = json.dumps(said)
        self.ask("INSERT OR REPLACE INTO leases VALUES (?, ?)", name, value)
        return value

    def dead(self, name: str) -> str:
        """An expired one of an owner who is proven dead: another process has its pid."""
        return self.put(name, **{**self.whole, "start": 1})

    @property
    def rows(self) -> dict[str, str]:
        return dict(self.ask("SELECT name, value FROM leases"))


@pytest.fixture
def cache(tmp_path: Path, stranger: str, monkeypatch: pytest.MonkeyPatch) -> Cache:
    del stranger
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return Cache(tmp_path / "cache")


@pytest.fixture
def bench(cache: Cache) -> Iterator[Workbench]:
    with Workbench.open(os.fsencode(cache.path)) as opened:
        yield opened


def plan_of(bench: Workbench, name: str) -> Plan:
    return bench.unlocking(chosen_lock(bench.root, bench.locks(), f"id-{name}"))


def run(bench: Workbench, plan: Plan, typed: str | None = None) -> Outcome:
    said = {} if typed is None else {plan.steps[0].id: typed}
    (outcome,) = bench.repair(plan, apply=True, confirmations=said)
    return outcome


def test_leases_are_shown_beside_the_other_locks(cache: Cache, bench: Workbench) -> None:
    (cache.path / "x.lock").write_text('{"id": "x"}')
    cache.put("fresh", 1)
    cache.put("whose")
    cache.dead("dead")
    shown = {one.id: one.verdict for one in bench.locks()}
    assert shown == {
        "x": HoldVerdict.UNPROVEN,
        "id-dead": HoldVerdict.STALE,
        "id-fresh": HoldVerdict.HELD,
        "id-whose": HoldVerdict.UNPROVEN,
    }
    result = bench.check()
    assert {one.id: one.verdict for one in result.locks} == shown
    kinds = {one.path.rpartition(b":")[2]: one.kind for one in result.findings}
    assert kinds[b"dead"] is FindingKind.STALE_LOCK
    assert kinds[b"fresh"] is FindingKind.HELD_LOCK


def test_what_is_renewed_while_it_is_watched_is_held(cache: Cache, bench: Workbench) -> None:
    cache.dead("dead")
    assert [one.verdict for one in bench.locks()] == [HoldVerdict.STALE]
    assert [one.verdict for one in bench.locks()] == [HoldVerdict.STALE]
    cache.put("dead", 3000, **{**cache.whole, "start": 1})
    assert [one.verdict for one in bench.locks()] == [HoldVerdict.HELD]
    assert [one.verdict for one in bench.locks()] == [HoldVerdict.STALE]


def test_a_table_that_cannot_be_read_is_a_gap(cache: Cache, bench: Workbench) -> None:
    (cache.path / "leases.db").write_bytes(b"no database, and long enough to be seen as none" * 9)
    (gap,) = bench.check().gaps
    assert gap.path == os.fsencode(cache.path / "leases.db")
    assert bench.locks() == ()
    assert bench.unread() == (gap,)
    assert any("leases.db could not be read: " in note for note in bench.notes())


def test_a_stale_lease_goes_by_a_click_and_comes_back(cache: Cache, bench: Workbench) -> None:
    value = cache.dead("dead")
    bench.check()
    plan = bench.plan(stale_only=True)
    assert [(one.step, one.confirm) for one in plan.steps] == [
        (StepKind.RELEASE_LEASE, Confirm.CLICK)
    ]
    outcome = run(bench, plan)
    assert (outcome.result, cache.rows) == (Result.DONE, {})
    assert undo(outcome.undo).result is Result.DONE
    assert cache.rows == {"dead": value}


def test_a_click_is_not_enough_where_death_is_not_proven(cache: Cache, bench: Workbench) -> None:
    value = cache.put("whose")
    plan = plan_of(bench, "whose")
    clicked = replace(plan, steps=(replace(plan.steps[0], confirm=Confirm.CLICK),))
    assert run(bench, clicked).result is Result.REFUSED
    assert run(bench, plan, "id-other").result is Result.REFUSED
    assert cache.rows == {"whose": value}
    assert run(bench, plan, "id-whose").result is Result.DONE
    assert cache.rows == {}


def test_a_lease_that_is_renewed_before_the_act_stays(cache: Cache, bench: Workbench) -> None:
    cache.dead("dead")
    bench.check()
    plan = bench.plan(stale_only=True)
    value = cache.put("dead", 1, **cache.whole)
    outcome = run(bench, plan)
    assert (outcome.result, cache.rows) == (Result.REFUSED, {"dead": value})
    assert "another lock is there now" in outcome.reason


def test_a_lease_that_is_held_by_now_is_never_released(cache: Cache, bench: Workbench) -> None:
    """Also where its record did not change: its owner may show only now."""
    value = cache.put("mine", **cache.whole)
    (lock,) = bench.locks()
    assert lock.verdict is HoldVerdict.HELD
    forged = bench.unlocking(replace(lock, verdict=HoldVerdict.UNPROVEN))
    outcome = run(bench, forged, "id-mine")
    assert (outcome.result, cache.rows) == (Result.REFUSED, {"mine": value})
    assert "is held" in outcome.reason


def test_after_a_break_nothing_else_is_changed_for_a_while(cache: Cache, bench: Workbench) -> None:
    cache.put("whose")
    cache.dead("dead")
    assert run(bench, plan_of(bench, "whose"), "id-whose").result is Result.DONE
    with (
        closing(Journal.open()) as journal,
        pytest.raises(Refused, match="a lock of this cache was broken a moment ago"),
    ):
        refuse_during_delay(journal, bench.root, None, b"x")
    bench.check()
    assert run(bench, bench.plan(stale_only=True)).result is Result.DONE


def test_a_proven_death_delays_nothing(cache: Cache, bench: Workbench) -> None:
    cache.dead("dead")
    bench.check()
    assert run(bench, bench.plan(stale_only=True)).result is Result.DONE
    with closing(Journal.open()) as journal:
        refuse_during_delay(journal, bench.root, None, b"x")
        assert [one.event.value for one in journal.records()] == ["started", "done"]


def test_undo_never_takes_a_lease_from_its_new_owner(cache: Cache, bench: Workbench) -> None:
    cache.put("whose")
    outcome = run(bench, plan_of(bench, "whose"), "id-whose")
    value = cache.put("whose", 1, id="another")
    again = undo(outcome.undo)
    assert (again.result, cache.rows) == (Result.REFUSED, {"whose": value})


def test_a_lease_of_a_plan_file(cache: Cache, bench: Workbench, tmp_path: Path) -> None:
    cache.put("whose")
    plan, file = plan_of(bench, "whose"), os.fsencode(tmp_path / "plan.json")
    save(plan, file)
    assert load(file) == plan
    assert run(bench, load(file), "id-whose").result is Result.DONE


@pytest.mark.parametrize("step", [StepKind.RELEASE_OBJECT_LOCK, StepKind.QUARANTINE_LOCK])
def test_a_lease_is_nothing_else(cache: Cache, bench: Workbench, step: StepKind) -> None:
    value = cache.put("whose")
    plan = plan_of(bench, "whose")
    forged = replace(plan, steps=(replace(plan.steps[0], step=step),))
    outcome = run(bench, forged, "id-whose")
    assert (outcome.result, cache.rows) == (Result.REFUSED, {"whose": value})
