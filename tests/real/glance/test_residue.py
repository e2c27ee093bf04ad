"""The real service killed with a copy, an import, an upload and a stage in flight: what is left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import InUse
from cachewright.model import (
    CheckResult,
    EntryVerdict,
    Finding,
    FindingKind,
    HoldVerdict,
    Outcome,
    Result,
    Severity,
    StepKind,
)
from cachewright.workbench import Bench, Options, open_bench, undo

MIB = 1 << 20
CONTENT = os.urandom(3 * MIB)
OPTIONS = Options(floor_s=0.0, observe_s=0.1, settle_s=0.1)


@pytest.fixture
def flying(api: Any) -> Any:
    """A is copied to another store, B imported, C uploaded, D staged: all in the middle."""
    api.ids = {name: api.image(f"k{name}") for name in "ABCD"}
    api.upload(api.ids["A"], CONTENT)
    api.stage(api.ids["B"], CONTENT)
    api.stop_writers()
    assert api.imported(api.ids["A"], "copy-image", "slow")[0] == 202
    api.waits("staging", api.ids["A"])
    assert api.imported(api.ids["B"], "glance-direct", "slow")[0] == 202
    api.waits("slow", api.ids["B"])
    api.begin(lambda: api.upload(api.ids["C"], CONTENT))
    api.waits("fast", api.ids["C"])
    api.begin(lambda: api.stage(api.ids["D"], CONTENT))
    api.waits("staging", api.ids["D"])
    return api


@pytest.fixture
def bench(api: Any) -> Iterator[Bench]:
    with open_bench(os.fsencode(api.config), options=OPTIONS) as opened:
        yield opened


def at(result: CheckResult, path: Path) -> Finding:
    (found,) = [one for one in result.findings if one.path == os.fsencode(path)]
    return found


def lock_verdicts(result: CheckResult) -> dict[str, HoldVerdict]:
    return {one.subject: one.verdict for one in result.locks}


def repaired(bench: Bench, *findings: Finding, only: StepKind) -> tuple[Outcome, ...]:
    plan = bench.plan(only=[only], findings=[one.id for one in findings])
    typed = {step.id: step.wanted for step in plan.steps}
    return bench.repair(plan, apply=True, confirmations=typed)


def test_what_is_being_written_is_alive_whatever_its_rows_say(flying: Any, bench: Bench) -> None:
    ids, top, pid = flying.ids, flying.top, flying.pid
    flying.age(61, *ids.values())
    result = bench.check()
    assert not result.problems
    assert lock_verdicts(result) == {
        "Import of kA": HoldVerdict.HELD,
        "Import of kB": HoldVerdict.HELD,
    }
    for lock in result.locks:
        assert [one.pid for one in lock.holders] == [pid]
        with pytest.raises(InUse, match=f"pid {pid}"):
            bench.unlocking(lock)
    seen = {
        "staging/A": FindingKind.LIVE_STAGING,
        "slow/B": FindingKind.BUSY_ENTRY,
        "fast/C": FindingKind.BUSY_ENTRY,
        "staging/D": FindingKind.LIVE_STAGING,
    }
    for place, kind in seen.items():
        folder, name = place.split("/")
        found = at(result, top / folder / ids[name])
        assert (found.kind, [one.pid for one in found.holders]) == (kind, [pid])
    assert not bench.plan().steps
    (kept,) = [one for one in result.entries if one.name == f"fast/{ids['A']}"]
    assert (kept.verdict, kept.title) == (EntryVerdict.OK, "kA")
    assert kept.expected[0].value == hashlib.sha512(CONTENT).hexdigest()


def test_what_a_kill_left_is_found_with_its_reason(flying: Any, bench: Bench) -> None:
    ids, top = flying.ids, flying.top
    flying.kill()
    result = bench.check()
    assert set(lock_verdicts(result).values()) == {HoldVerdict.HELD}  # by the service's own rule
    part = at(result, top / "slow" / ids["B"])
    assert (part.kind, part.severity) == (FindingKind.ORPHAN, Severity.PROBLEM)
    assert "image kB is importing" in part.explanation
    assert "its lock is there" in part.explanation
    upload = at(result, top / "fast" / ids["C"])
    assert (upload.kind, upload.severity) == (FindingKind.ORPHAN, Severity.PROBLEM)
    assert "in the middle of the upload" in upload.explanation
    staged = at(result, top / "staging" / ids["D"])
    assert staged.kind is FindingKind.STUCK_RECORD
    assert "published as the whole image" in staged.explanation
    left = at(result, top / "staging" / ids["A"])
    assert (left.kind, left.verdict) == (FindingKind.STALE_STAGING, HoldVerdict.STALE)
    (whole,) = [one for one in result.entries if one.name == f"staging/{ids['B']}"]
    assert "it may be the only copy" in whole.why
    stuck = {one.subject: one for one in result.findings if one.path.startswith(b"sqlite:")
             and one.kind is FindingKind.STUCK_RECORD}  # fmt: skip
    assert list(stuck) == [f"kC ({ids['C']})"]
    assert "refuses a new upload" in stuck[f"kC ({ids['C']})"].explanation

    # Aged, the locks are left behind, and B will never be finished.
    backdate(flying)
    result = bench.check()
    assert lock_verdicts(result) == {
        "Import of kA": HoldVerdict.STALE,
        "Import of kB": HoldVerdict.STALE,
    }
    stuck = {one.subject: one for one in result.findings if one.path.startswith(b"sqlite:")
             and one.kind is FindingKind.STUCK_RECORD}  # fmt: skip
    assert "refuses a new import of it for ever" in stuck[f"kB ({ids['B']})"].explanation

    # The warning is right: an import of D publishes its part, unless that was taken away.
    (done,) = repaired(bench, staged, only=StepKind.QUARANTINE_ENTRY)
    assert done.result is Result.DONE
    flying.let_writers_go()
    flying.start()
    assert flying.imported(ids["D"], "glance-direct", "fast")[0] == 202
    flying.ends(ids["D"])
    assert flying.shown(ids["D"])["status"] != "active"
    flying.kill()
    assert undo(done.undo).result is Result.DONE
    flying.sql("UPDATE images SET status = 'uploading' WHERE id = ?", ids["D"])
    flying.start()
    assert flying.imported(ids["D"], "glance-direct", "fast")[0] == 202
    flying.ends(ids["D"])
    published = flying.shown(ids["D"])
    assert (published["status"], published["size"]) == ("active", flying.size("fast", ids["D"]))
    assert published["size"] < len(CONTENT)


def backdate(api: Any) -> None:
    """As if the kill had been 61 minutes ago, for rows and files alike."""
    images = tuple(api.ids.values())
    api.age(61, *images)
    for image in images:
        api.sql(
            "UPDATE image_properties SET created_at = datetime(created_at, '-61 minutes'), "
            "updated_at = datetime(updated_at, '-61 minutes') WHERE image_id = ?",
            image,
        )
        for place in ("fast", "slow", "staging"):
            path = api.top / place / image
            if path.exists():
                then = path.stat().st_mtime - 61 * 60
                os.utime(path, (then, then))


def test_a_lock_that_is_released_lets_the_next_import_succeed(flying: Any, bench: Bench) -> None:
    image = flying.ids["A"]
    flying.kill()
    flying.let_writers_go()
    flying.start()
    assert flying.imported(image, "copy-image", "slow")[0] == 409  # its lock has 59 minutes left
    (young,) = [one for one in bench.check().locks if one.subject == "Import of kA"]
    assert young.verdict is HoldVerdict.HELD
    backdate(flying)
    result = bench.check()
    (found,) = [one for one in result.findings if one.subject == "Import of kA"]
    (lock,) = [one for one in result.locks if one.subject == "Import of kA"]
    assert (found.kind, lock.owner["Task"]) == (FindingKind.STALE_LOCK, lock.id)
    rows = lock_rows(flying, lock.id)
    plan = bench.plan(stale_only=True, findings=[found.id])
    (done,) = bench.repair(plan, apply=True)
    assert (done.step, done.result) == (StepKind.RELEASE_LEASE, Result.DONE), done.reason
    released = lock_rows(flying, lock.id)
    assert [row[0] for row in released["tasks"]] == ["failure"]
    assert "released by Cachewright" in released["task_info"][0][0]
    assert not released["image_properties"]
    assert [one.subject for one in bench.locks()] == ["Import of kB"]

    assert undo(done.undo).result is Result.DONE
    assert lock_rows(flying, lock.id) == rows
    bench.check()
    (again,) = bench.repair(bench.plan(stale_only=True, findings=[found.id]), apply=True)
    assert again.result is Result.DONE
    assert flying.imported(image, "copy-image", "slow")[0] == 202
    flying.ends(image)
    copies = {one.name: one.verdict for one in bench.check().entries}
    assert copies[f"slow/{image}"] is EntryVerdict.OK


def test_what_is_told_to_do_about_stuck_images_works(flying: Any, bench: Bench) -> None:
    flying.kill()
    flying.let_writers_go()
    flying.start()
    backdate(flying)
    result = bench.check()
    image = flying.ids["B"]  # nothing of it is uploaded again
    (stuck,) = [one for one in result.findings if one.subject == f"kB ({image})"]
    assert "still lies in staging, whole" in stuck.explanation
    part = at(result, flying.top / "slow" / image)
    plan = bench.plan(findings=[part.id, *(one.id for one in result.findings
                                           if one.subject == "Import of kB")])  # fmt: skip
    typed = {step.id: step.wanted for step in plan.steps}
    done = bench.repair(plan, apply=True, confirmations=typed)
    assert [one.result for one in done] == [Result.DONE, Result.DONE], done
    flying.sql("UPDATE images SET status = 'uploading' WHERE id = ?", image)
    assert flying.imported(image, "glance-direct", "slow")[0] == 202
    flying.ends(image)
    result = bench.check()
    copies = {one.name: one.verdict for one in result.entries}
    assert copies[f"slow/{image}"] is EntryVerdict.OK

    half = flying.ids["C"]
    left = at(result, flying.top / "fast" / half)
    assert [one.result for one in repaired(bench, left, only=StepKind.QUARANTINE_ENTRY)] == [
        Result.DONE
    ]
    flying.sql("UPDATE images SET status = 'queued' WHERE id = ?", half)
    flying.upload(half, CONTENT)
    copies = {one.name: one.verdict for one in bench.check().entries}
    assert copies[f"fast/{half}"] is EntryVerdict.OK


def lock_rows(api: Any, task: str) -> dict[str, list[Any]]:
    return {
        "image_properties": api.sql(
            "SELECT image_id, name, created_at, updated_at, deleted FROM image_properties "
            "WHERE value = ?",
            task,
        ),
        "tasks": api.sql("SELECT status, updated_at, created_at FROM tasks WHERE id = ?", task),
        "task_info": api.sql("SELECT message FROM task_info WHERE task_id = ?", task),
    }


def test_a_released_lock_and_a_part_taken_away_make_a_copy_succeed(api: Any, bench: Bench) -> None:
    image = api.image("copied")
    api.ids = {"A": image}
    api.upload(image, CONTENT)
    (api.top / "staging" / image).write_bytes(CONTENT)  # staged already: on to the store
    api.stop_writers()
    assert api.imported(image, "copy-image", "slow")[0] == 202
    api.waits("slow", image)
    api.kill()
    api.let_writers_go()
    backdate(api)
    bench.check()
    plan = bench.plan(only=[StepKind.RELEASE_LEASE], stale_only=True)
    assert [one.result for one in bench.repair(plan, apply=True)] == [Result.DONE]

    api.start()
    assert api.imported(image, "copy-image", "slow")[0] == 202
    api.ends(image)
    assert api.shown(image)["os_glance_failed_import"] == "slow"  # the part is in its way

    part = at(bench.check(), api.top / "slow" / image)
    assert (part.kind, part.severity) == (FindingKind.ORPHAN, Severity.PROBLEM)
    assert "Every further copy of the image into this store fails" in part.explanation
    (moved,) = repaired(bench, part, only=StepKind.QUARANTINE_ENTRY)
    assert moved.result is Result.DONE, moved.reason
    assert api.imported(image, "copy-image", "slow")[0] == 202
    api.ends(image)
    result = bench.check()
    assert {one.name: one.verdict for one in result.entries} == {
        f"fast/{image}": EntryVerdict.OK,
        f"slow/{image}": EntryVerdict.OK,
    }
    assert not result.problems


def test_deleted_images_leave_files_and_cached_ones_can_be_corrupt(
    flying: Any, bench: Bench
) -> None:
    ids, top = flying.ids, flying.top
    flying.kill()
    flying.let_writers_go()
    flying.start()
    for name in "BC":
        assert flying.ask("DELETE", f"/images/{ids[name]}")[0] == 204
    result = bench.check()
    for place, name in (("slow", "B"), ("fast", "C")):
        left = at(result, top / place / ids[name])
        assert (left.kind, left.severity) == (FindingKind.ORPHAN, Severity.NOTICE)
        assert f"image k{name} was deleted" in left.explanation
    left = [at(result, top / "slow" / ids["B"]), at(result, top / "fast" / ids["C"])]
    done = repaired(bench, *left, only=StepKind.QUARANTINE_ENTRY)
    assert [one.result for one in done] == [Result.DONE, Result.DONE]
    assert not (top / "slow" / ids["B"]).exists()

    assert flying.ask("GET", f"/images/{ids['A']}/file") == (200, CONTENT)
    cached = top / "image-cache" / ids["A"]
    with cached.open("r+b") as file:
        file.seek(1000)
        file.write(bytes([CONTENT[1000] ^ 1]))
    code, served = flying.ask("GET", f"/images/{ids['A']}/file")
    assert (code, served == CONTENT) == (200, False)
    wrong = at(bench.check(), cached)
    assert (wrong.kind, wrong.verdict) == (FindingKind.CORRUPT_ENTRY, EntryVerdict.CORRUPT)
    (gone,) = repaired(bench, wrong, only=StepKind.QUARANTINE_ENTRY)
    assert gone.result is Result.DONE
    assert flying.ask("GET", f"/images/{ids['A']}/file") == (200, CONTENT)
