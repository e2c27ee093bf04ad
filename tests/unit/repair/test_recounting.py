"""Steps that write a record inside the cache anew, or make one that was missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Result, StepKind
from cachewright.repair import rewriting
from cachewright.repair.undo import undo

RECOUNT = StepKind.RECOUNT_STATISTICS


@pytest.fixture
def counting(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``count`` holds the number of names in the cache, counted when it is written."""

    def renewed(step: StepKind, relative: bytes, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        assert step is RECOUNT
        if relative != b"count":
            raise ValueError("it holds no count")
        return {**detail, "count": len([one for one in bench.root.names() if one[:1] != b"."])}

    def rewrite(_step: StepKind, detail: Mapping[str, Any], _old: bytes) -> bytes:
        return f"{detail['count']}".encode()

    monkeypatch.setattr(bench.knowledge, "renewed", renewed, raising=False)
    monkeypatch.setattr(bench.form, "rewrite", rewrite)
    return bench


@pytest.fixture
def record(counting: Any) -> Path:
    path: Path = counting.path / "count"
    path.write_text("old")
    path.chmod(0o640)
    counting.scan()
    return path


def beside(path: Path) -> list[str]:
    return [name for name in os.listdir(path.parent) if name.startswith(".cachewright")]


def test_it_is_counted_when_the_step_acts(counting: Any, record: Path) -> None:
    plan = counting.plan_of(RECOUNT, "count", detail={"count": 99})
    (counting.path / "more").mkdir()
    (outcome,) = counting.run(plan)
    assert (outcome.result, record.read_text()) == (Result.DONE, "4")
    assert (record.stat().st_mode & 0o777, beside(record)) == (0o640, [])
    assert undo(counting.journal, outcome.undo).result is Result.DONE
    assert (record.read_text(), record.stat().st_mode & 0o777) == ("old", 0o640)
    assert undo_ends(counting)


def undo_ends(bench: Any) -> bool:
    return all(event in {"started", "prepared", "done"} for event in bench.events())


def test_a_missing_record_is_made_and_taken_away_again(counting: Any) -> None:
    outcome = counting.one(RECOUNT, "count", detail={})
    made = counting.path / "count"
    assert (outcome.result, made.read_text(), beside(made)) == (Result.DONE, "2", [])
    assert made.stat().st_mode & 0o777 == 0o644
    undone = undo(counting.journal, outcome.undo)
    assert (undone.result, undone.reason) == (Result.DONE, "It is gone again.")
    assert (made.exists(), beside(made)) == (False, [])


def test_a_made_record_that_was_changed_since_stays(counting: Any) -> None:
    counting.one(RECOUNT, "count", detail={})
    (counting.path / "count").write_text("5")
    assert undo(counting.journal).result is Result.REFUSED
    assert (counting.path / "count").read_text() == "5"


def test_a_record_that_came_meanwhile_stays(counting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = counting.path / "count"
    rename = rewriting.rename_noreplace

    def made_first(*names: Any) -> None:
        path.write_text("made by its tool")
        rename(*names)

    monkeypatch.setattr(rewriting, "rename_noreplace", made_first)
    outcome = counting.one(RECOUNT, "count", detail={})
    assert outcome.result is Result.REFUSED
    assert (path.read_text(), beside(path)) == ("made by its tool", [])
    plan = counting.plan_of(RECOUNT, "count", detail={})
    assert counting.run(plan)[0].result is Result.REFUSED


@pytest.mark.parametrize(("record", "result"), [(2, Result.FAILED), (3, Result.ROLLED_BACK)])
def test_what_cannot_be_journaled_is_not_made(
    counting: Any, monkeypatch: pytest.MonkeyPatch, record: int, result: Result
) -> None:
    append, calls = counting.journal.append, iter(range(1, 100))

    def failing(*fields: Any) -> Any:
        if next(calls) == record:
            raise OSError(28, "No space left on device")
        return append(*fields)

    monkeypatch.setattr(counting.journal, "append", failing)
    assert counting.one(RECOUNT, "count", detail={}).result is result
    assert os.listdir(counting.path / "good") != []
    assert ((counting.path / "count").exists(), beside(counting.path / "count")) == (False, [])


def test_undoing_that_cannot_be_journaled_leaves_it(
    counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.one(RECOUNT, "count", detail={})
    append, calls = counting.journal.append, iter(range(1, 100))

    def failing(*fields: Any) -> Any:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        return append(*fields)

    monkeypatch.setattr(counting.journal, "append", failing)
    assert undo(counting.journal).result is Result.ROLLED_BACK
    assert ((counting.path / "count").read_text(), beside(counting.path / "count")) == ("2", [])


@pytest.mark.parametrize("name", ["good/data", "good", ".tmp-1/part"])
def test_no_other_file_of_the_cache_is_written(counting: Any, name: str) -> None:
    counting.scan()
    outcome = counting.one(RECOUNT, name, detail={"count": 1})
    assert outcome.result is Result.REFUSED
    assert counting.events() == []


def test_nothing_outside_the_cache_is_counted(counting: Any, tmp_path: Path) -> None:
    outside = tmp_path / "count"
    outside.write_text("mine")
    outcome = counting.one(RECOUNT, outside, detail={"count": 1})
    assert (outcome.result, "in the cache" in outcome.reason) == (Result.REFUSED, True)
    assert outside.read_text() == "mine"


def test_a_link_in_its_place_is_left_alone(counting: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (counting.path / "count").symlink_to(tmp_path / "elsewhere")
    counting.scan()
    assert counting.one(RECOUNT, "count", detail={}).result is Result.REFUSED
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_the_tool_s_lock_is_held_meanwhile(
    counting: Any, record: Path, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting.knowledge, "gated", True)
    lock = counting.path / "count.lock"
    lock.touch()
    counting.scan()
    plan = counting.plan_of(RECOUNT, "count", detail={})
    holder = other("f = open(sys.argv[1], 'r+'); lock(f.fileno(), fcntl.F_SETLK); ready()", lock)
    assert counting.run(plan)[0].result is Result.REFUSED
    assert record.read_text() == "old"
    holder.kill()
    assert counting.run(plan)[0].result is Result.DONE


def test_undo_in_another_directory_of_that_name_is_refused(
    counting: Any, record: Path, tmp_path: Path
) -> None:
    counting.one(RECOUNT, "count", detail={})
    written = record.read_text()
    counting.path.rename(tmp_path / "former")
    counting.path.mkdir()
    record.write_text(written)
    assert undo(counting.journal).result is Result.REFUSED
    assert record.read_text() == written
