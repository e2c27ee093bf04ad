from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import Cancelled
from cachewright.model import CancelToken, Progress, Result, StepKind
from cachewright.repair import publication
from cachewright.repair.undo import undo
from cachewright.storage import swap

REPUBLISH = StepKind.REPUBLISH_ENTRY
GOOD = b"good content" * 1000


def contents(top: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()
    }


@pytest.fixture
def copied(bench: Any) -> Any:
    bench.knowledge.good_copies = [bench.good_copy()]
    return bench


def untouched(bench: Any, before: dict[str, bytes]) -> bool:
    """The cache is as it was, and nothing of the attempt is left beside it."""
    kept = sorted(os.listdir(bench.quarantine)) if bench.quarantine.exists() else ["lock"]
    return contents(bench.path) == before and kept == ["lock"]


def test_a_good_copy_takes_the_place_and_the_old_one_is_kept(copied: Any) -> None:
    (copied.path / "bad").chmod(0o750)
    copied.scan()
    old = (copied.path / "bad").stat().st_ino
    outcome = copied.one(REPUBLISH, "bad")
    assert (outcome.result, outcome.reason) == (
        Result.DONE,
        "Published 2 files; what was there is in quarantine.",
    )
    assert contents(copied.path / "bad") == {"data": GOOD, "run": b"#!"}
    assert (copied.path / "bad").stat().st_mode & 0o777 == 0o750
    assert (copied.path / "bad" / "run").stat().st_mode & 0o777 == 0o755
    kept = copied.quarantine / outcome.undo / "item"
    assert (kept.stat().st_ino, (kept / "data").read_bytes()) == (old, b"BAD content")
    assert sorted(os.listdir(kept.parent)) == ["item", "record.json"]


def test_the_time_that_an_exchange_sets_on_xfs_is_no_change(copied: Any, look_then: Any) -> None:
    look_then(lambda: os.utime(copied.path / "bad", ns=(1, 1)), after=2)
    assert copied.one(REPUBLISH, "bad").result is Result.DONE


def test_undoing_brings_the_old_one_back_and_keeps_the_new_one(copied: Any) -> None:
    before = contents(copied.path)
    outcome = copied.one(REPUBLISH, "bad")
    assert undo(copied.journal, outcome.undo).result is Result.DONE
    assert contents(copied.path) == before
    kept = copied.quarantine / outcome.undo / "item"
    assert (kept / "data").read_bytes() == GOOD


def test_undo_leaves_what_was_replaced_since(copied: Any) -> None:
    outcome = copied.one(REPUBLISH, "bad")
    shutil.rmtree(copied.path / "bad")
    (copied.path / "bad").mkdir()
    assert undo(copied.journal, outcome.undo).result is Result.REFUSED
    assert os.listdir(copied.path / "bad") == []


def test_undo_leaves_what_is_written_to(copied: Any, other: Any) -> None:
    copied.one(REPUBLISH, "bad")
    other("f = open(sys.argv[1], 'a'); ready()", copied.path / "bad" / "data")
    assert undo(copied.journal).result is Result.REFUSED
    assert (copied.path / "bad" / "data").read_bytes() == GOOD


def test_a_missing_entry_is_published_and_taken_out_again(copied: Any) -> None:
    shutil.rmtree(copied.path / "bad")
    copied.scan()
    outcome = copied.one(REPUBLISH, "bad")
    assert (outcome.result, outcome.reason) == (Result.DONE, "Published 2 files.")
    assert contents(copied.path / "bad") == {"data": GOOD, "run": b"#!"}
    assert undo(copied.journal).result is Result.DONE
    assert not (copied.path / "bad").exists()


def test_what_appeared_meanwhile_stays(copied: Any) -> None:
    shutil.rmtree(copied.path / "bad")
    copied.scan()
    plan = copied.plan_of(REPUBLISH, "bad")
    (copied.path / "bad").mkdir()
    before = contents(copied.path)
    (outcome,) = copied.run(plan)
    assert outcome.result is Result.REFUSED
    assert untouched(copied, before)
    assert os.listdir(copied.path / "bad") == []


def test_a_link_is_replaced_as_a_link(copied: Any, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "data").write_bytes(b"mirror")
    (copied.path / "linked").symlink_to(tmp_path / "mirror")
    copied.__post_init__()
    copied.knowledge.good_copies = [copied.good_copy("another")]
    outcome = copied.one(REPUBLISH, "linked")
    assert outcome.result is Result.DONE
    assert not (copied.path / "linked").is_symlink()
    assert contents(tmp_path / "mirror") == {"data": b"mirror"}
    assert undo(copied.journal).result is Result.DONE
    assert (copied.path / "linked").is_symlink()


def test_a_reader_keeps_the_whole_old_directory(copied: Any, other: Any) -> None:
    plan = copied.plan_of(REPUBLISH, "bad")
    code = """
fd = os.open(sys.argv[1], os.O_RDONLY)
ready()
print(open(os.open('data', os.O_RDONLY, dir_fd=fd)).read(), flush=True)
"""
    reader = other(code, copied.path / "bad")
    assert copied.run(plan)[0].result is Result.DONE
    reader.process.stdin.write(b"\n")
    reader.process.stdin.flush()
    assert reader.out.readline() == b"BAD content\n"


def test_a_writer_keeps_the_entry(copied: Any, other: Any) -> None:
    plan = copied.plan_of(REPUBLISH, "bad")
    before = contents(copied.path)
    holder = other("f = open(sys.argv[1], 'r+'); ready()", copied.path / "bad" / "data")
    (outcome,) = copied.run(plan)
    assert (outcome.result, f"pid {holder.pid}" in outcome.reason) == (Result.REFUSED, True)
    assert untouched(copied, before)


@pytest.mark.parametrize("after", [1, 2])
def test_what_was_written_while_it_was_staged_is_not_lost(
    copied: Any, look_then: Any, after: int
) -> None:
    """Found before the exchange (1), or only after it (2: put back)."""
    plan = copied.plan_of(REPUBLISH, "bad")
    look_then(lambda: (copied.path / "bad" / "data").write_bytes(b"just written"), after=after)
    (outcome,) = copied.run(plan)
    assert outcome.result is (Result.REFUSED if after == 1 else Result.ROLLED_BACK)
    assert (copied.path / "bad" / "data").read_bytes() == b"just written"
    assert sorted(os.listdir(copied.quarantine)) == ["lock"]
    assert copied.events() == ["started", "prepared", "rolled-back"]


def test_a_writer_that_comes_with_the_exchange_gets_its_directory_back(
    copied: Any, other: Any, look_then: Any
) -> None:
    plan = copied.plan_of(REPUBLISH, "bad")
    code = "f = open(sys.argv[1], 'r+'); ready()"
    look_then(lambda: other(code, copied.path / "bad" / "data"), after=2)
    (outcome,) = copied.run(plan)
    assert outcome.result is Result.ROLLED_BACK
    assert "writes to it" in outcome.reason
    assert (copied.path / "bad" / "data").read_bytes() == b"BAD content"


@pytest.mark.parametrize("name", ["data", "run", "new"])
def test_a_copy_that_is_no_longer_good_is_not_published(copied: Any, name: str) -> None:
    """Even where its format would accept what it is now."""
    (copied.path.parent / "copy" / name).write_bytes(b"X!")
    before = contents(copied.path)
    outcome = copied.one(REPUBLISH, "bad")
    assert (outcome.result, "cannot be used" in outcome.reason) == (Result.REFUSED, True)
    assert untouched(copied, before)


def test_an_old_tree_that_cannot_be_put_back_is_never_dropped(
    copied: Any, look_then: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = copied.plan_of(REPUBLISH, "bad")
    calls = iter(range(1, 100))

    def exchange(*names: Any) -> None:
        if next(calls) > 1:
            raise OSError(5, "Input/output error")
        swap.exchange(*names)

    monkeypatch.setattr(publication, "exchange", exchange)
    look_then(lambda: (copied.path / "bad" / "data").write_bytes(b"just written"), after=2)
    (outcome,) = copied.run(plan)
    assert outcome.result is Result.FAILED
    assert "It is put right before the next repair" in outcome.reason
    assert [path.read_bytes() for path in copied.quarantine.glob("*/*/data")] == [b"just written"]
    assert copied.events() == ["started", "prepared"]  # left to be ended by a recovery


def test_a_copy_that_the_format_calls_corrupt_is_not_published(bench: Any) -> None:
    bench.knowledge.good_copies = [bench.good_copy(content=b"other version")]
    before = contents(bench.path)
    outcome = bench.one(REPUBLISH, "bad")
    assert (outcome.result, "recorded" in outcome.reason) == (Result.REFUSED, True)
    assert untouched(bench, before)


def test_what_the_disk_gives_back_must_be_what_was_written(
    copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = publication.sync_tree

    def disk(stage: Any) -> None:
        sync(stage)
        fd = stage.open_file(b"data", os.O_RDWR)
        os.pwrite(fd, b"?", 0)
        os.close(fd)

    monkeypatch.setattr(publication, "sync_tree", disk)
    before = contents(copied.path)
    outcome = copied.one(REPUBLISH, "bad")
    assert outcome.result is Result.FAILED
    assert untouched(copied, before)


def test_a_named_source_must_be_what_is_recorded(bench: Any, tmp_path: Path) -> None:
    for name, content, result in (("x", b"bad", Result.REFUSED), ("y", GOOD, Result.DONE)):
        archive = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("data", content)
        outcome = bench.one(REPUBLISH, "bad", source=os.fsencode(archive))
        assert outcome.result is result
    assert contents(bench.path / "bad") == {"data": GOOD}


def test_without_any_good_copy_it_is_refused(bench: Any) -> None:
    assert bench.one(REPUBLISH, "bad").result is Result.REFUSED


def test_a_full_disk_changes_nothing(copied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_stage: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publication, "sync_tree", full)
    before = contents(copied.path)
    outcome = copied.one(REPUBLISH, "bad")
    assert (outcome.result, "No space left" in outcome.reason) == (Result.FAILED, True)
    assert untouched(copied, before)
    assert copied.events() == ["started", "rolled-back"]


@pytest.mark.parametrize("failing", range(1, 4))
def test_what_cannot_be_made_durable_is_taken_back(
    copied: Any, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Each of the directory syncs from the exchange on fails once."""
    sync, calls = publication.sync_directory, iter(range(1, 100))
    exchanged = []

    def exchange(*names: Any) -> None:
        swap.exchange(*names)
        exchanged.append(names)

    def failing_sync(directory: Any) -> None:
        if exchanged and next(calls) == failing:
            raise OSError(5, "Input/output error")
        sync(directory)

    monkeypatch.setattr(publication, "exchange", exchange)
    monkeypatch.setattr(publication, "sync_directory", failing_sync)
    before = contents(copied.path)
    outcome = copied.one(REPUBLISH, "bad")
    if failing <= 2:
        assert outcome.result is Result.ROLLED_BACK
        assert untouched(copied, before)
    else:
        assert outcome.result is Result.DONE


@pytest.mark.parametrize(("record", "result"), [(2, Result.FAILED), (3, Result.ROLLED_BACK)])
def test_what_cannot_be_journaled_is_taken_back(
    copied: Any, monkeypatch: pytest.MonkeyPatch, record: int, result: Result
) -> None:
    append, calls = copied.journal.append, iter(range(1, 100))

    def failing(*fields: Any) -> Any:
        if next(calls) == record:
            raise OSError(28, "No space left on device")
        return append(*fields)

    monkeypatch.setattr(copied.journal, "append", failing)
    before = contents(copied.path)
    outcome = copied.one(REPUBLISH, "bad")
    assert outcome.result is result
    assert untouched(copied, before)
    noted = ["prepared"] if record > 2 else []
    assert copied.events() == ["started", *noted, "rolled-back"]


def test_without_an_exchange_only_under_a_lock_that_the_tool_heeds(
    copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename2 = swap._rename2

    def no_exchange(*arguments: Any) -> bool:
        return arguments[-1] != swap._EXCHANGE and rename2(*arguments)

    monkeypatch.setattr(swap, "_rename2", no_exchange)
    before = contents(copied.path)
    written: list[Any] = []
    copy = type(copied.knowledge.good_copies[0])
    write = copy.write_into

    def noted(self: Any, staging: Any, cancel: Any) -> Any:
        written.append(staging)
        return write(self, staging, cancel)

    monkeypatch.setattr(copy, "write_into", noted)
    outcome = copied.one(REPUBLISH, "bad")
    assert (outcome.result, "cannot exchange" in outcome.reason) == (Result.REFUSED, True)
    assert untouched(copied, before)
    assert not written, "what cannot be published need not be staged"
    copied.knowledge.gated = True
    outcome = copied.one(REPUBLISH, "bad")
    assert outcome.result is Result.DONE
    assert contents(copied.path / "bad")["data"] == GOOD
    assert (copied.quarantine / outcome.undo / "item" / "data").read_bytes() == b"BAD content"
    assert undo(copied.journal).result is Result.DONE
    assert contents(copied.path / "bad") == contents_of(before, "bad")


def contents_of(all_of_it: dict[str, bytes], name: str) -> dict[str, bytes]:
    inside = f"{name}/"
    return {
        path.removeprefix(inside): content
        for path, content in all_of_it.items()
        if path.startswith(inside)
    }


def test_two_renames_are_taken_back_too(
    copied: Any, look_then: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename2 = swap._rename2
    monkeypatch.setattr(
        swap, "_rename2", lambda *rest: rest[-1] != swap._EXCHANGE and rename2(*rest)
    )
    copied.knowledge.gated = True
    plan = copied.plan_of(REPUBLISH, "bad")
    look_then(lambda: (copied.path / "bad" / "data").write_bytes(b"just written"), after=2)
    assert copied.run(plan)[0].result is Result.ROLLED_BACK
    assert (copied.path / "bad" / "data").read_bytes() == b"just written"
    assert sorted(os.listdir(copied.quarantine)) == ["lock"]


def test_stopping_while_it_copies_changes_nothing(copied: Any) -> None:
    token = CancelToken()
    plan = copied.plan(copied.finding(REPUBLISH, "bad"), copied.finding(REPUBLISH, "good"))
    copy = copied.knowledge.good_copies[0]
    write = copy.write_into

    def stop_then_write(staging: Any, cancel: CancelToken) -> Any:
        token.cancel()
        return write(staging, cancel)

    copy.write_into = stop_then_write
    before = contents(copied.path)
    outcomes = copied.run(plan, cancel=token)
    assert [one.result for one in outcomes] == [Result.SKIPPED, Result.SKIPPED]
    assert untouched(copied, before)
    with pytest.raises(Cancelled):
        token.check()


def test_progress_names_what_is_repaired(copied: Any) -> None:
    told: list[Progress] = []
    copied.run(copied.plan_of(REPUBLISH, "bad"), progress=told.append)
    assert [(one.done, one.total, one.what) for one in told] == [(0, 1, "bad"), (1, 1, "")]


@pytest.mark.usefixtures("only_root")
def test_as_root_the_new_entry_belongs_to_the_old_ones_owner(copied: Any) -> None:
    os.chown(copied.path / "bad", 1234, 1234)
    copied.scan()
    assert copied.one(REPUBLISH, "bad").result is Result.DONE
    for path in (copied.path / "bad", *(copied.path / "bad").rglob("*")):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (1234, 1234)


def test_setuid_is_not_published(copied: Any) -> None:
    (copied.path.parent / "copy" / "run").chmod(0o6755)
    assert copied.one(REPUBLISH, "bad").result is Result.DONE
    assert (copied.path / "bad" / "run").stat().st_mode & 0o7777 == 0o755
