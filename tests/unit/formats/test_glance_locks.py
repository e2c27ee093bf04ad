"""Glance's import locks: what they say, and when nobody can be left who holds one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.formats.glance_making import MINUTE, Made, only_lock, told

from cachewright.errors import InUse
from cachewright.formats.glance import Glance
from cachewright.formats.glance_locks import ImportLocks, claim_of
from cachewright.formats.spread import Asked, Work
from cachewright.locks.database import Database
from cachewright.model import Claim, Confirm, FindingKind, HoldVerdict, Result, StepKind
from cachewright.workbench import undo

HOUR = 60 * MINUTE
Second = Callable[..., Any]


@pytest.fixture
def glance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return Made(tmp_path / "glance")


@pytest.fixture
def left(glance: Made) -> tuple[str, str]:
    """An image whose import was killed 61 minutes ago while it wrote to the store ``slow``."""
    image = glance.image()
    task = glance.lock(image)
    glance.file("slow", image, ago_s=60.5 * MINUTE)
    return image, task


@pytest.mark.parametrize(
    ("status", "ago_s", "verdict"),
    [
        ("processing", 59 * MINUTE, HoldVerdict.HELD),
        ("processing", 61 * MINUTE, HoldVerdict.STALE),
        ("pending", 119 * MINUTE, HoldVerdict.HELD),
        ("pending", 121 * MINUTE, HoldVerdict.STALE),
        ("success", 59 * MINUTE, HoldVerdict.HELD),
        ("failure", 61 * MINUTE, HoldVerdict.STALE),
        ("unheard of", 300 * MINUTE, HoldVerdict.UNPROVEN),
        (None, 4 * MINUTE, HoldVerdict.HELD),
        (None, 6 * MINUTE, HoldVerdict.STALE),
    ],
)
def test_a_lock_lasts_as_long_as_its_own_rule_says(
    glance: Made, status: str | None, ago_s: float, verdict: HoldVerdict
) -> None:
    image = glance.image()
    glance.lock(image, ago_s, status)
    if status is not None:
        glance.file("slow", image, ago_s=ago_s)
    assert glance.only_lock().verdict is verdict


def test_what_a_lock_says_of_itself(glance: Made, left: tuple[str, str]) -> None:
    image, task = left
    lock = glance.only_lock()
    assert lock.id == task
    assert lock.path == glance.address + b"#import-lock/" + image.encode()
    assert lock.subject == "Import of an image"
    assert dict(lock.owner) | {"Since": "", "Heartbeat": ""} == {
        "Task": task,
        "Image": image,
        "Status": "processing",
        "Message": "Copied 5 MiB",
        "Since": "",
        "Heartbeat": "",
    }


def test_nothing_here_proves_nothing(glance: Made) -> None:
    glance.lock(glance.image())
    lock = glance.only_lock()
    assert lock.verdict is HoldVerdict.UNPROVEN
    assert "its owner may run on another computer" in lock.explanation


def test_files_from_before_the_lock_prove_nothing(glance: Made) -> None:
    image = glance.image()
    glance.lock(image)
    glance.file("staging", image, ago_s=2 * HOUR)
    assert glance.only_lock().verdict is HoldVerdict.UNPROVEN


def test_a_copy_that_is_published_is_none_of_its_work(glance: Made) -> None:
    image = glance.published()
    glance.lock(image, stores=())
    assert glance.only_lock().verdict is HoldVerdict.UNPROVEN


def test_a_file_that_grew_a_moment_ago_keeps_the_lock(glance: Made) -> None:
    image = glance.image()
    glance.lock(image)
    glance.file("slow", image, ago_s=1)
    lock = glance.only_lock()
    assert lock.verdict is HoldVerdict.UNPROVEN
    assert "within the last seconds" in lock.explanation


@pytest.mark.parametrize("place", ["staging", "slow"])
def test_whoever_has_its_files_open_holds_it(
    glance: Made, left: tuple[str, str], other: Second, place: str
) -> None:
    path = glance.file(place, left[0], ago_s=60.5 * MINUTE)
    worker = other("f = open(sys.argv[1], 'r+b'); ready()", path)
    with glance.opened() as bench:
        lock = only_lock(bench.check())
        assert lock.verdict is HoldVerdict.HELD
        assert [one.pid for one in lock.holders] == [worker.pid]
        with pytest.raises(InUse, match=f"pid {worker.pid}"):
            bench.unlocking(lock)


def test_whoever_writes_to_a_deleted_staging_file_holds_it(
    glance: Made, left: tuple[str, str], other: Second
) -> None:
    path = glance.file("staging", left[0], ago_s=60.5 * MINUTE)
    other("f = open(sys.argv[1], 'r+b'); ready()", path)
    path.unlink()
    assert glance.only_lock().verdict is HoldVerdict.HELD


def test_whoever_only_reads_a_copy_is_not_called_its_holder(
    glance: Made, left: tuple[str, str], other: Second
) -> None:
    other("f = open(sys.argv[1], 'rb'); ready()", glance.top / "slow" / left[0])
    lock = glance.only_lock()
    # Where some process hides, the kernel cannot tell this reader from a writer.
    assert lock.verdict in {HoldVerdict.STALE, HoldVerdict.UNPROVEN}
    assert not lock.holders


def test_a_worker_that_comes_after_the_look_keeps_the_lock(
    glance: Made, left: tuple[str, str], other: Second
) -> None:
    with glance.opened() as bench:
        plan = bench.plan(only=[StepKind.RELEASE_LEASE])
        assert [one.confirm for one in plan.steps] == [Confirm.CLICK]
        other("f = open(sys.argv[1], 'r+b'); ready()", glance.top / "slow" / left[0])
        (outcome,) = bench.repair(plan, apply=True)
        assert outcome.result is Result.REFUSED
        assert "has what it is about open now" in outcome.reason
    assert len(glance.sql("SELECT 1 FROM image_properties")) == 1


@pytest.mark.usefixtures("left")
def test_what_is_renewed_while_it_is_watched_is_held(glance: Made) -> None:
    with glance.opened() as bench:
        assert [one.verdict for one in bench.locks()] == [HoldVerdict.STALE]
        glance.sql("UPDATE tasks SET updated_at = ?", told(61 * MINUTE - 1))
        assert [one.verdict for one in bench.locks()] == [HoldVerdict.HELD]
        assert [one.verdict for one in bench.locks()] == [HoldVerdict.STALE]


def test_an_unproven_one_is_released_by_its_id_and_nothing_else_for_a_while(glance: Made) -> None:
    image = glance.image()
    task = glance.lock(image)
    glance.file("fast", glance.image())
    with glance.opened() as bench:
        result = bench.check()
        (found,) = [one for one in result.findings if one.kind is FindingKind.UNPROVEN_LOCK]
        plan = bench.unlocking(only_lock(result))
        (step,) = plan.steps
        for typed in ({}, {step.id: image}):
            (refused,) = bench.repair(plan, apply=True, confirmations=typed)
            assert refused.result is Result.REFUSED
        orphans = bench.plan(only=[StepKind.QUARANTINE_ENTRY])
        (done,) = bench.repair(plan, apply=True, confirmations={step.id: task})
        assert done.result is Result.DONE
        (later,) = bench.repair(orphans, apply=True)
        assert later.result is Result.REFUSED
        assert "a lock of this cache was broken a moment ago" in later.reason
    assert found.repairs[0].typed == task


@pytest.mark.usefixtures("left")
def test_one_that_another_task_took_is_left_alone(glance: Made) -> None:
    with glance.opened() as bench:
        plan = bench.plan(only=[StepKind.RELEASE_LEASE])
        glance.sql("UPDATE image_properties SET value = ?", "another")
        (outcome,) = bench.repair(plan, apply=True)
    assert outcome.result is Result.REFUSED
    assert glance.sql("SELECT value FROM image_properties") == [("another",)]
    assert glance.sql("SELECT status FROM tasks") == [("processing",)]


def test_a_release_that_cannot_end_the_task_changes_nothing(
    glance: Made, left: tuple[str, str]
) -> None:
    glance.sql(
        "CREATE TRIGGER no BEFORE UPDATE ON task_info BEGIN SELECT RAISE(ABORT, 'not so'); END"
    )
    with glance.opened() as bench:
        (outcome,) = bench.repair(bench.plan(only=[StepKind.RELEASE_LEASE]), apply=True)
    assert outcome.result is not Result.DONE
    assert "not so" in outcome.reason
    assert glance.sql("SELECT value FROM image_properties") == [(left[1],)]
    assert glance.sql("SELECT status FROM tasks") == [("processing",)]


def test_a_task_that_does_not_end_keeps_its_lock(glance: Made, left: tuple[str, str]) -> None:
    glance.sql("CREATE TRIGGER no BEFORE UPDATE ON tasks BEGIN SELECT RAISE(IGNORE); END")
    with glance.opened() as bench:
        (outcome,) = bench.repair(bench.plan(only=[StepKind.RELEASE_LEASE]), apply=True)
    assert outcome.result is not Result.DONE
    assert glance.sql("SELECT value FROM image_properties") == [(left[1],)]


@pytest.mark.usefixtures("left")
def test_a_lock_of_an_ended_task_is_released_without_touching_the_task(glance: Made) -> None:
    glance.sql("UPDATE tasks SET status = 'success'")
    with glance.opened() as bench:
        (outcome,) = bench.repair(bench.plan(only=[StepKind.RELEASE_LEASE]), apply=True)
    assert outcome.result is Result.DONE
    assert glance.sql("SELECT status FROM tasks") == [("success",)]
    assert glance.sql("SELECT message FROM task_info") == [("Copied 5 MiB",)]


def test_what_was_released_is_not_put_back_over_another(
    glance: Made, left: tuple[str, str]
) -> None:
    with glance.opened() as bench:
        (done,) = bench.repair(bench.plan(only=[StepKind.RELEASE_LEASE]), apply=True)
    assert done.result is Result.DONE
    newer = glance.lock(left[0])
    outcome = undo(done.undo)
    assert outcome.result is Result.REFUSED
    assert "a lock is there again" in outcome.reason
    assert glance.sql("SELECT value FROM image_properties") == [(newer,)]
    glance.sql("UPDATE image_properties SET deleted = 1")
    assert undo(done.undo).result is Result.DONE
    assert glance.sql("SELECT value, deleted FROM image_properties") == [(left[1], 0)]


def test_an_expired_lock_of_another_computer_is_not_cleaned_by_one_click(glance: Made) -> None:
    glance.lock(glance.image())
    with glance.opened() as bench:
        assert not bench.plan(stale_only=True).steps


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"task": 1}',
        b'{"task": 1, "image_id": 2, "taken": "", "changed": ""}',
        b"[" * 100_000,
    ],
)
def test_a_record_that_is_none_is_garbage(body: bytes) -> None:
    assert claim_of(body).garbage


def test_hostile_text_in_rows_is_shown_as_text(glance: Made) -> None:
    image = glance.image(name="<img src=x>\x1b[2J\u202ereversed")
    glance.lock(image)
    glance.sql("UPDATE task_info SET message = ?", "x" * 10_000 + "\n\x00")
    glance.sql("UPDATE task_info SET input = ?", "[" * 100_000)
    lock = glance.only_lock()
    assert lock.subject == "Import of <img src=x>\\x1b[2J\\u202ereversed"
    assert len(lock.owner["Message"]) == 200
    assert json.dumps(dict(lock.owner))


@pytest.mark.usefixtures("left")
def test_without_the_directory_it_wrote_to_nothing_is_proven(glance: Made) -> None:
    stores = (("fast", os.fsencode(glance.top / "fast")),)
    directories = replace(glance.directories, stores=stores)
    assert glance.only_lock(directories=directories).verdict is HoldVerdict.UNPROVEN


@pytest.mark.usefixtures("left")
def test_a_row_that_changes_at_the_last_moment_is_left_alone(glance: Made) -> None:
    store = ImportLocks(Database(glance.address.decode()))
    (stored,) = store.list()[0]
    glance.sql("UPDATE task_info SET message = 'Copied 6 MiB'")
    assert store.delete(stored) is False
    assert len(glance.sql("SELECT 1 FROM image_properties")) == 1
    (now,) = store.list()[0]
    assert store.put_back(now) is False
    assert store.delete(now) is True
    assert store.delete(now) is False
    assert store.put_back(now) is True
    assert store.list()[0] == [now]


def test_what_another_task_works_on_proves_nothing(glance: Made, left: tuple[str, str]) -> None:
    image, task = left
    asked = Asked(glance.directories)
    spread = Glance().open_spread(glance.address, asked)
    spread.refresh_leases()
    own = spread.work(Claim(id=task, owner={"Image": image}))
    assert own.writes == (os.fsencode(glance.top / "slow" / image),)
    assert own.fills == (os.fsencode(glance.top / "staging" / image),)
    assert spread.work(Claim(id="another", owner={"Image": image})) == Work()
    assert spread.work(Claim(id=task)) == Work()
