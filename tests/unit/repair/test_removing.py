from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.holders import Survey
from cachewright.model import Confirm, Gate, HoldVerdict, LockKind, LockPlace, Result, StepKind
from cachewright.repair import removing
from cachewright.repair.undo import undo
from cachewright.storage import swap

STAGING = StepKind.QUARANTINE_STAGING
ENTRY = StepKind.QUARANTINE_ENTRY
LOCK = StepKind.QUARANTINE_LOCK


def snapshot(top: Path) -> dict[str, int]:
    return {str(path.relative_to(top)): path.lstat().st_ino for path in top.rglob("*")}


def test_dead_staging_goes_to_quarantine_whole(bench: Any) -> None:
    inside = snapshot(bench.path / ".tmp-1")
    outcome = bench.one(STAGING, ".tmp-1")
    assert outcome.result is Result.DONE
    assert not (bench.path / ".tmp-1").exists()
    place = bench.quarantine / outcome.undo
    assert snapshot(place / "item") == inside
    assert bench.quarantine.stat().st_mode & 0o777 == 0o700
    assert json.loads((place / "record.json").read_text())["operation"] == outcome.undo
    assert bench.events() == ["started", "done"]


def test_a_dry_run_touches_nothing(bench: Any, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    (outcome,) = bench.run(bench.plan_of(STAGING, ".tmp-1"), apply=False)
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, "dry run")
    assert snapshot(tmp_path) == before


def test_a_bad_entry_goes_to_quarantine_and_comes_back(bench: Any) -> None:
    before = snapshot(bench.path)
    outcome = bench.one(ENTRY, "bad")
    assert outcome.result is Result.DONE
    assert not (bench.path / "bad").exists()
    assert undo(bench.journal, outcome.undo).result is Result.DONE
    assert snapshot(bench.path) == before
    assert sorted(os.listdir(bench.quarantine)) == ["lock"]


def test_a_linked_entry_is_moved_as_a_link(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "data").write_bytes(b"kept")
    (bench.path / "linked").symlink_to(tmp_path / "mirror")
    bench.__post_init__()
    outcome = bench.one(ENTRY, "linked")
    assert outcome.result is Result.DONE
    assert (bench.quarantine / outcome.undo / "item").is_symlink()
    assert (tmp_path / "mirror" / "data").read_bytes() == b"kept"


@pytest.mark.parametrize(
    "code",
    [
        "f = open(sys.argv[1] + '/part'); ready()",
        "f = open(sys.argv[1] + '/part', 'a'); ready()",
        "bare_mmap(sys.argv[1] + '/part', False); ready()",
        "os.chdir(sys.argv[1] + '/inner'); ready()",
        "f = os.open(sys.argv[1], os.O_RDONLY); ready()",
        "f = os.open(sys.argv[1] + '/part', os.O_PATH); ready()",
    ],
    ids=["reads", "writes", "maps", "stands in it", "has the directory", "looks"],
)
def test_staging_that_anybody_holds_stays(bench: Any, other: Any, code: str) -> None:
    plan = bench.plan_of(STAGING, ".tmp-1")
    holder = other(code, bench.path / ".tmp-1")
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert f"pid {holder.pid}" in outcome.reason
    assert (bench.path / ".tmp-1" / "part").exists()
    assert bench.events() == []


def seen_by_nobody(uninspected: int) -> Any:
    return lambda _prefixes, _devices: Survey((), uninspected, "", 0)


def test_the_kernel_tells_of_a_holder_that_no_survey_shows(bench: Any, other: Any) -> None:
    plan = bench.plan_of(STAGING, ".tmp-1")
    other("f = open(sys.argv[1] + '/inner/part'); ready()", bench.path / ".tmp-1")
    bench.look = seen_by_nobody(uninspected=1)
    (outcome,) = bench.run(plan)
    assert (outcome.result, "cannot be named" in outcome.reason) == (Result.REFUSED, True)


@pytest.mark.parametrize(
    ("uninspected", "confirm", "result"),
    [
        (1, Confirm.CLICK, Result.REFUSED),
        (0, Confirm.CLICK, Result.DONE),
        (1, Confirm.TYPED, Result.DONE),
    ],
)
def test_what_nobody_can_tell_must_be_typed(
    bench: Any,
    monkeypatch: pytest.MonkeyPatch,
    uninspected: int,
    confirm: Confirm,
    result: Result,
) -> None:
    """The file system knows no leases, and a process could not be inspected."""
    monkeypatch.setattr("cachewright.holders.sole_opener", lambda _fd: None)
    bench.verdict = HoldVerdict.STALE if confirm is Confirm.CLICK else HoldVerdict.UNPROVEN
    bench.look = seen_by_nobody(uninspected)
    plan = bench.plan_of(STAGING, ".tmp-1", confirm=confirm)
    (outcome,) = bench.run(plan, confirmations={plan.steps[0].id: ".tmp-1"})
    assert outcome.result is result


def test_a_stopped_holder_is_a_holder(bench: Any, other: Any) -> None:
    plan = bench.plan_of(STAGING, ".tmp-1")
    other("f = open(sys.argv[1] + '/part'); ready()", bench.path / ".tmp-1").stop()
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert "stopped" in outcome.reason


@pytest.mark.parametrize(
    ("verdict", "confirm", "result"),
    [
        (HoldVerdict.HELD, Confirm.TYPED, Result.REFUSED),
        (HoldVerdict.UNPROVEN, Confirm.CLICK, Result.REFUSED),
        (HoldVerdict.UNPROVEN, Confirm.TYPED, Result.DONE),
        (HoldVerdict.STALE, Confirm.CLICK, Result.DONE),
    ],
)
def test_staging_is_judged_anew(
    bench: Any, verdict: HoldVerdict, confirm: Confirm, result: Result
) -> None:
    bench.verdict = verdict
    plan = bench.plan_of(STAGING, ".tmp-1", confirm=confirm)
    (outcome,) = bench.run(plan, confirmations={plan.steps[0].id: ".tmp-1"})
    assert outcome.result is result
    assert (bench.path / ".tmp-1").exists() is (result is not Result.DONE)


@pytest.mark.parametrize("typed", [None, "", ".tmp-2", ".tmp-1 "])
def test_what_must_be_typed_must_be_typed_exactly(bench: Any, typed: str | None) -> None:
    plan = bench.plan_of(STAGING, ".tmp-1", confirm=Confirm.TYPED)
    (outcome,) = bench.run(plan, confirmations={} if typed is None else {plan.steps[0].id: typed})
    assert outcome.result is Result.REFUSED
    assert ".tmp-1 must be typed" in outcome.reason
    assert (bench.path / ".tmp-1").exists()


def test_a_reader_does_not_keep_a_bad_entry(bench: Any, other: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    other("f = open(sys.argv[1] + '/data'); os.chdir(sys.argv[1]); ready()", bench.path / "bad")
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.DONE


def test_a_writer_keeps_a_bad_entry(bench: Any, other: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    holder = other("f = open(sys.argv[1] + '/data', 'r+'); ready()", bench.path / "bad")
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert f"pid {holder.pid}) writes to it" in outcome.reason


CHANGES = {
    "another file": lambda entry: (entry / "new").touch(),
    "another deep file": lambda entry: (entry / "sub" / "new").touch(),
    "content": lambda entry: (entry / "sub" / "more").write_bytes(b"MORE"),
    "deep mode": lambda entry: (entry / "sub" / "more").chmod(0o600),
    "mode": lambda entry: entry.chmod(0o700),
    "gone file": lambda entry: (entry / "data").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_changed_since_it_was_judged_stays(bench: Any, change: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    change(bench.path / "bad")
    before = snapshot(bench.path)
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert "changed since it was looked at" in outcome.reason
    assert snapshot(bench.path) == before
    assert bench.events() == []


def test_another_directory_of_the_same_name_stays(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    (bench.path / "bad").rename(bench.path / "old")
    (bench.path / "bad").mkdir()
    (outcome,) = bench.run(plan)
    assert (outcome.result, "another file or directory" in outcome.reason) == (Result.REFUSED, True)


def test_what_is_gone_is_refused(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    (bench.path / "bad").rename(bench.path.parent / "old")
    (outcome,) = bench.run(plan)
    assert (outcome.result, "it is gone" in outcome.reason) == (Result.REFUSED, True)


def test_who_takes_hold_at_the_last_moment_gets_it_back(
    bench: Any, other: Any, look_then: Any
) -> None:
    """A working directory: no lease sees it, only the second survey does."""
    plan = bench.plan_of(STAGING, ".tmp-1")
    look_then(lambda: other("os.chdir(sys.argv[1]); ready()", bench.path / ".tmp-1"))
    before = snapshot(bench.path)
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.ROLLED_BACK
    assert "has it in use" in outcome.reason
    assert snapshot(bench.path) == before
    assert bench.events() == ["started", "rolled-back"]
    assert sorted(os.listdir(bench.quarantine)) == ["lock"]


def test_what_was_written_at_the_last_moment_comes_back(bench: Any, look_then: Any) -> None:
    plan = bench.plan_of(STAGING, ".tmp-1")
    look_then(lambda: (bench.path / ".tmp-1" / "part").write_bytes(b"more"))
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.ROLLED_BACK
    assert (bench.path / ".tmp-1" / "part").read_bytes() == b"more"


def test_a_file_saved_at_the_last_moment_comes_back(bench: Any, look_then: Any) -> None:
    (bench.path / ".tmp-file").write_bytes(b"half")
    bench.__post_init__()
    plan = bench.plan_of(STAGING, ".tmp-file")

    def save() -> None:
        (bench.path / ".saved").write_bytes(b"whole")
        (bench.path / ".saved").rename(bench.path / ".tmp-file")

    look_then(save)
    assert bench.run(plan)[0].result is Result.ROLLED_BACK
    assert (bench.path / ".tmp-file").read_bytes() == b"whole"


def test_what_was_replaced_at_the_last_moment_comes_back(bench: Any, look_then: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")

    def replace() -> None:
        (bench.path / "bad").rename(bench.path.parent / "away")
        (bench.path / "bad").mkdir()
        (bench.path / "bad" / "new").write_bytes(b"new")

    look_then(replace)
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.ROLLED_BACK
    assert (bench.path / "bad" / "new").read_bytes() == b"new"


def test_what_cannot_come_back_is_kept_and_can_be_undone_later(bench: Any, look_then: Any) -> None:
    """Its name was taken again before it could be put back."""
    plan = bench.plan_of(ENTRY, "bad")

    def write_and_take_the_name() -> None:
        (bench.path / "bad").mkdir()
        inside = next(bench.quarantine.glob("*/item/data"))
        inside.write_bytes(b"alive")

    look_then(write_and_take_the_name, after=2)
    bench_look = bench.look

    def look(prefixes: Any, devices: Any) -> Any:
        seen = bench_look(prefixes, devices)
        if (bench.path / "bad").exists() and list(bench.quarantine.glob("*/item")):
            raise OSError(5, "Input/output error")
        return seen

    bench.look = look
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.FAILED
    assert "It is kept in" in outcome.reason
    assert bench.events() == ["started", "failed"]
    assert next(bench.quarantine.glob("*/item/data")).read_bytes() == b"alive"
    assert undo(bench.journal).result is Result.REFUSED
    (bench.path / "bad").rmdir()
    assert undo(bench.journal).result is Result.DONE
    assert (bench.path / "bad" / "data").read_bytes() == b"alive"


def test_a_held_gate_keeps_everything_as_it_is(bench: Any, other: Any) -> None:
    bench.knowledge.gated = True
    plan = bench.plan_of(ENTRY, "bad")
    (bench.path / "bad.lock").touch()
    holder = other(
        "f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()",
        bench.path / "bad.lock",
    )
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert f"pid {holder.pid}" in outcome.reason
    assert (bench.path / "bad" / "data").exists()
    holder.end()
    assert bench.run(plan)[0].result is Result.DONE
    assert (bench.path / "bad.lock").exists()


def test_the_gate_is_held_while_the_entry_is_moved(bench: Any, other: Any, look_then: Any) -> None:
    bench.knowledge.gated = True
    plan = bench.plan_of(ENTRY, "bad")
    tried = []

    def try_lock() -> None:
        code = """
f = open(sys.argv[1], 'r+')
try:
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); ready('free')
except OSError:
    ready('held')
"""
        tried.extend(other(code, bench.path / "bad.lock").said)

    look_then(try_lock, after=2)
    assert bench.run(plan)[0].result is Result.DONE
    assert tried == [b"held"]


def test_gates_of_a_staging_place_are_taken_too(bench: Any, other: Any) -> None:
    gate = Gate(LockKind.FLOCK, b"shelf.lock", create=True)
    place = bench.knowledge.places[0]
    bench.knowledge.places = [type(place)(place.name, place.relative, place.row, (gate,))]
    plan = bench.plan_of(STAGING, ".tmp-1")
    other(
        "f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); ready()",
        bench.path / "shelf.lock",
    )
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert (bench.path / ".tmp-1").exists()


@pytest.mark.parametrize(
    ("step", "name"),
    [(STAGING, "good"), (ENTRY, ".tmp-1"), (ENTRY, "bad/sub"), (LOCK, "good"), (LOCK, "bad.lock")],
)
def test_only_what_the_format_knows_is_moved(bench: Any, step: StepKind, name: str) -> None:
    (bench.path / "bad.lock").touch()
    bench.scan()
    bench.knowledge.lock_places = [LockPlace("1", LockKind.POSIX, b"bad.lock", 1, "bad")]
    outcome = bench.one(step, name)
    assert outcome.result is Result.REFUSED
    assert (bench.path / name).exists()


def test_what_the_format_itself_offers_is_moved(bench: Any) -> None:
    (bench.path / ".odd").write_bytes(b"a file where a directory belongs")
    bench.scan()
    bench.knowledge.offers = (bench.finding(ENTRY, ".odd"),)
    assert bench.one(ENTRY, ".odd").result is Result.DONE


def test_a_second_item_never_replaces_a_kept_one(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies where the item should go is left alone, and so is the subject."""
    moved = removing.rename_noreplace

    def taken(src: Any, name: bytes, dst: Any, new: bytes) -> None:
        dst.make_directory(new).close()
        moved(src, name, dst, new)

    monkeypatch.setattr(removing, "rename_noreplace", taken)
    outcome = bench.one(ENTRY, "bad")
    assert outcome.result is Result.FAILED
    assert (bench.path / "bad" / "data").exists()
    assert bench.events() == ["started", "rolled-back"]


def test_works_without_the_kernels_own_flag(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    outcome = bench.one(ENTRY, "bad")
    assert outcome.result is Result.DONE
    assert undo(bench.journal).result is Result.DONE
    assert (bench.path / "bad" / "data").exists()


def test_one_refusal_does_not_stop_the_others(bench: Any, other: Any) -> None:
    plan = bench.plan(bench.finding(STAGING, ".tmp-1"), bench.finding(ENTRY, "bad"))
    other("f = open(sys.argv[1] + '/part'); ready()", bench.path / ".tmp-1")
    results = [outcome.result for outcome in bench.run(plan)]
    assert results == [Result.REFUSED, Result.DONE]
