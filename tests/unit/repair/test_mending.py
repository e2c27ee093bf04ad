"""Steps that change a mode or a record file in place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Result, StepKind
from cachewright.repair import rewriting
from cachewright.repair.undo import undo
from cachewright.storage import swap
from cachewright.text import encode_name

EXEC = StepKind.RESTORE_EXEC_BIT
DROP = StepKind.DROP_POISONED_CHECKSUM


def files(*names: bytes) -> dict[str, Any]:
    return {"files": [encode_name(name) for name in names]}


@pytest.fixture
def unexecutable(bench: Any) -> Any:
    for name, mode in ((b"run", 0o644), (b"\xff", 0o640)):
        path = os.fsencode(bench.path / "bad") + b"/" + name
        with open(path, "wb") as file:
            file.write(b"#!")
        os.chmod(path, mode)
    bench.scan()
    return bench


def modes(bench: Any) -> dict[bytes, int]:
    place = os.fsencode(bench.path / "bad")
    return {name: os.stat(place + b"/" + name).st_mode & 0o777 for name in os.listdir(place)}


def test_whoever_may_read_may_run_again(unexecutable: Any) -> None:
    before = modes(unexecutable)
    outcome = unexecutable.one(EXEC, "bad", detail=files(b"run", b"\xff"))
    assert outcome.result is Result.DONE
    assert modes(unexecutable) == before | {b"run": 0o755, b"\xff": 0o750}
    assert undo(unexecutable.journal, outcome.undo).result is Result.DONE
    assert modes(unexecutable) == before


def test_a_hard_link_is_left_alone(unexecutable: Any, tmp_path: Path) -> None:
    os.link(unexecutable.path / "bad" / "run", tmp_path / "elsewhere")
    unexecutable.scan()
    outcome = unexecutable.one(EXEC, "bad", detail=files(b"run"))
    assert (outcome.result, "hard link" in outcome.reason) == (Result.REFUSED, True)
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"files": []},
        {"files": "run"},
        {"files": [1]},
        files(b"../good/data"),
        files(b"/etc/passwd"),
        files(b"out"),
        files(b"sub"),
        files(b"missing"),
    ],
)
def test_odd_details_change_no_mode(
    unexecutable: Any, tmp_path: Path, detail: dict[str, Any]
) -> None:
    (tmp_path / "out").touch()
    (unexecutable.path / "bad" / "out").symlink_to(tmp_path / "out")
    unexecutable.scan()
    before = modes(unexecutable)
    outcome = unexecutable.one(EXEC, "bad", detail=detail)
    assert outcome.result in {Result.REFUSED, Result.FAILED}
    assert modes(unexecutable) == before
    assert unexecutable.events() == []


def test_nothing_is_changed_where_a_link_leads(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "run").touch(0o644)
    (bench.path / "linked").symlink_to(tmp_path / "mirror")
    bench.__post_init__()
    outcome = bench.one(EXEC, "linked", detail=files(b"run"))
    assert (outcome.result, "it is a link" in outcome.reason) == (Result.REFUSED, True)
    assert (tmp_path / "mirror" / "run").stat().st_mode & 0o777 == 0o644


def test_if_one_file_cannot_be_changed_none_is(
    unexecutable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, calls = os.fchmod, iter(range(1, 100))

    def failing(fd: int, mode: int) -> None:
        if next(calls) == 2:
            raise PermissionError(1, "Operation not permitted")
        change(fd, mode)

    before = modes(unexecutable)
    plan = unexecutable.plan_of(EXEC, "bad", detail=files(b"run", b"\xff"))
    assert unexecutable.run(unexecutable.plan_of(EXEC, "good"))[0].result is Result.REFUSED
    monkeypatch.setattr("cachewright.repair.permissions.os.fchmod", failing)
    (outcome,) = unexecutable.run(plan)
    assert outcome.result is Result.ROLLED_BACK
    assert modes(unexecutable) == before


@pytest.mark.parametrize(("nth", "result"), [(1, Result.FAILED), (2, Result.ROLLED_BACK)])
def test_a_mode_that_may_not_last_is_set_back(
    unexecutable: Any, monkeypatch: pytest.MonkeyPatch, nth: int, result: Result
) -> None:
    sync, calls = os.fsync, iter(range(1, 100))

    def failing(fd: int) -> None:
        of_cache = os.readlink(f"/proc/self/fd/{fd}").startswith(str(unexecutable.path))
        if of_cache and next(calls) == nth:
            raise OSError(5, "Input/output error")
        sync(fd)

    before = modes(unexecutable)
    plan = unexecutable.plan_of(EXEC, "bad", detail=files(b"run", b"\xff"))
    monkeypatch.setattr("cachewright.repair.permissions.os.fsync", failing)
    (outcome,) = unexecutable.run(plan)
    assert (outcome.result, modes(unexecutable)) == (result, before)


def test_undo_leaves_a_mode_that_was_changed_since(unexecutable: Any) -> None:
    unexecutable.one(EXEC, "bad", detail=files(b"run", b"\xff"))
    (unexecutable.path / "bad" / "run").chmod(0o700)
    outcome = undo(unexecutable.journal)
    assert outcome.result is not Result.DONE
    assert modes(unexecutable)[b"run"] == 0o700
    assert modes(unexecutable)[b"\xff"] == 0o750


LOCK_FILE = b"good line\npoison\nother line\nbad\n"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "shelf.lock"
    path.write_bytes(LOCK_FILE)
    path.chmod(0o640)
    return path


def drop(text: str = "poison\n") -> dict[str, str]:
    return {"drop": text}


def alone(record: Path) -> bool:
    return os.listdir(record.parent) == [record.name]


def test_a_line_is_dropped_and_comes_back(bench: Any, record: Path) -> None:
    outcome = bench.one(DROP, record, detail=drop())
    assert outcome.result is Result.DONE
    assert record.read_bytes() == LOCK_FILE.replace(b"poison\n", b"")
    assert (record.stat().st_mode & 0o777, alone(record)) == (0o640, True)
    assert undo(bench.journal, outcome.undo).result is Result.DONE
    assert record.read_bytes() == LOCK_FILE
    assert (record.stat().st_mode & 0o777, alone(record)) == (0o640, True)


def test_two_steps_of_one_run_may_change_one_file(bench: Any, record: Path) -> None:
    plan = bench.plan(
        bench.finding(DROP, record, detail=drop()),
        bench.finding(DROP, record, detail=drop("bad\n")),
    )
    assert [one.result for one in bench.run(plan)] == [Result.DONE, Result.DONE]
    assert record.read_bytes() == b"good line\nother line\n"
    assert [undo(bench.journal).result for _ in range(2)] == [Result.DONE, Result.DONE]
    assert record.read_bytes() == LOCK_FILE


def test_a_file_changed_since_it_was_judged_stays(bench: Any, record: Path) -> None:
    plan = bench.plan_of(DROP, record, detail=drop())
    record.write_bytes(LOCK_FILE + b"new\n")
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.REFUSED
    assert (record.read_bytes(), alone(record)) == (LOCK_FILE + b"new\n", True)
    assert bench.events() == []


def test_a_file_saved_at_the_last_moment_stays(
    bench: Any, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved by rename between our last look and the exchange."""
    exchange = rewriting.exchange

    def save_then_exchange(*names: Any) -> None:
        if record.read_bytes() == LOCK_FILE:
            saved = record.with_name("saved")
            saved.write_bytes(b"saved by somebody\n")
            saved.rename(record)
        exchange(*names)

    monkeypatch.setattr(rewriting, "exchange", save_then_exchange)
    outcome = bench.one(DROP, record, detail=drop())
    assert outcome.result is Result.ROLLED_BACK
    assert (record.read_bytes(), alone(record)) == (b"saved by somebody\n", True)


def test_an_open_writer_keeps_the_file(bench: Any, record: Path, other: Any) -> None:
    plan = bench.plan_of(DROP, record, detail=drop())
    other("f = open(sys.argv[1], 'a'); ready()", record)
    (outcome,) = bench.run(plan)
    assert (outcome.result, record.read_bytes()) == (Result.REFUSED, LOCK_FILE)


def test_a_writer_that_comes_with_the_exchange_gets_its_file_back(
    bench: Any, record: Path, other: Any, look_then: Any
) -> None:
    plan = bench.plan_of(DROP, record, detail=drop())
    look_then(lambda: other("f = open(sys.argv[1], 'a'); ready()", record))
    inode = record.stat().st_ino
    (outcome,) = bench.run(plan)
    assert outcome.result is Result.ROLLED_BACK
    assert (record.stat().st_ino, alone(record)) == (inode, True)


def test_what_the_format_does_not_rewrite_stays(bench: Any, record: Path) -> None:
    outcome = bench.one(DROP, record, detail=drop("not there"))
    assert (outcome.result, "no longer" in outcome.reason) == (Result.REFUSED, True)
    assert (record.read_bytes(), bench.events()) == (LOCK_FILE, [])


def test_a_link_is_not_rewritten_through(bench: Any, record: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.lock"
    link.symlink_to(record)
    assert bench.one(DROP, link, detail=drop()).result is Result.REFUSED
    assert (link.is_symlink(), record.read_bytes()) == (True, LOCK_FILE)


def test_without_an_exchange_nothing_is_rewritten(
    bench: Any, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    assert bench.one(DROP, record, detail=drop()).result is Result.REFUSED
    assert (record.read_bytes(), alone(record)) == (LOCK_FILE, True)


def test_what_was_written_within_one_tick_of_the_clock_comes_back(
    bench: Any, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times tell nothing of it: the content does."""
    exchange, saved = rewriting.exchange, LOCK_FILE[::-1]

    def just_before(*arguments: Any) -> None:
        monkeypatch.setattr(rewriting, "exchange", exchange)
        before = record.stat()
        with record.open("r+b") as file:
            file.write(saved)
        os.utime(record, ns=(before.st_atime_ns, before.st_mtime_ns))
        exchange(*arguments)

    monkeypatch.setattr(rewriting, "exchange", just_before)
    assert bench.one(DROP, record, detail=drop()).result is Result.ROLLED_BACK
    assert (record.read_bytes(), alone(record)) == (saved, True)


@pytest.mark.parametrize(("failed", "result"), [(2, Result.FAILED), (3, Result.ROLLED_BACK)])
def test_what_cannot_be_journaled_is_put_back(
    bench: Any, record: Path, monkeypatch: pytest.MonkeyPatch, failed: int, result: Result
) -> None:
    append, calls = bench.journal.append, iter(range(1, 100))

    def failing(*fields: Any) -> Any:
        if next(calls) == failed:
            raise OSError(28, "No space left on device")
        return append(*fields)

    monkeypatch.setattr(bench.journal, "append", failing)
    assert bench.one(DROP, record, detail=drop()).result is result
    assert (record.read_bytes(), alone(record)) == (LOCK_FILE, True)


def test_undo_leaves_a_file_that_was_changed_since(bench: Any, record: Path) -> None:
    bench.one(DROP, record, detail=drop())
    record.write_bytes(b"new\n")
    assert undo(bench.journal).result is Result.REFUSED
    assert record.read_bytes() == b"new\n"
