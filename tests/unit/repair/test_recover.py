"""A repair is killed at a chosen moment; the next start finishes it or takes it back.

Every moment there is: tests/crash.  Here stands what each kind of ending is for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cachewright import workbench
from cachewright.cli.recover import recover as recover_verb
from cachewright.errors import JournalDamaged
from cachewright.model import Outcome, Result, StepKind
from cachewright.repair import keeping, permissions, publication, removing, rewriting
from cachewright.repair import undo as undoing
from cachewright.repair.journal import Journal
from cachewright.repair.keeping import kept_items, purge
from cachewright.repair.operations import operations
from cachewright.repair.quarantine import Quarantine
from cachewright.repair.records import Event
from cachewright.repair.recover import recover
from cachewright.repair.recovering import rewritten
from cachewright.repair.undo import undo
from cachewright.storage import swap

GOOD = b"good content" * 1000
ENTRY = StepKind.QUARANTINE_ENTRY
STAGING = StepKind.QUARANTINE_STAGING
REPUBLISH = StepKind.REPUBLISH_ENTRY
EXEC = StepKind.RESTORE_EXEC_BIT
DROP = StepKind.DROP_POISONED_CHECKSUM


def killed(work: Callable[[], object], owner: Any, name: str, *, nth: int = 1) -> None:
    """``work`` in a process of its own, which is killed right after the n-th call of a name."""
    child = os.fork()
    if child == 0:
        real, calls = getattr(owner, name), iter(range(1, 1000))

        def deadly(*arguments: Any, **more: Any) -> Any:
            answer = real(*arguments, **more)
            if next(calls) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(owner, name, deadly)
        try:
            work()
        finally:
            os._exit(9)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def content(top: Path) -> dict[str, bytes]:
    files = (path for path in sorted(top.rglob("*")) if path.is_file())
    return {str(path.relative_to(top)): path.read_bytes() for path in files}


@pytest.fixture
def copied(bench: Any) -> Any:
    bench.knowledge.good_copies = [bench.good_copy()]
    return bench


def recovered(bench: Any) -> tuple[Outcome, ...]:
    """And once more, which finds nothing."""
    found = recover(bench.journal)
    before = bench.journal.verify()
    assert recover(bench.journal) == ()
    assert bench.journal.verify() == before
    return found


def places(bench: Any) -> list[str]:
    return sorted(name for name in os.listdir(bench.quarantine) if name != "lock")


def last(bench: Any) -> Any:
    return operations(bench.journal.records())[-1]


@pytest.mark.parametrize("step", [ENTRY, STAGING])
def test_what_was_moved_and_not_looked_at_again_gets_its_place_back(bench: Any, step: Any) -> None:
    name = "bad" if step is ENTRY else ".tmp-1"
    plan, before = bench.plan_of(step, name), content(bench.path)
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    assert not (bench.path / name).exists()
    (outcome,) = recovered(bench)
    assert (outcome.result, "taken back" in outcome.reason) == (Result.DONE, True)
    assert content(bench.path) == before
    assert (places(bench), last(bench).event) == ([], Event.ROLLED_BACK)
    bench.scan()
    assert bench.one(step, name).result is Result.DONE


def test_where_the_place_was_taken_both_are_kept(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    (bench.path / "bad").mkdir()
    (bench.path / "bad" / "data").write_bytes(b"fetched again")
    (outcome,) = recovered(bench)
    assert (outcome.result, "taken by another" in outcome.reason) == (Result.FAILED, True)
    assert content(bench.path / "bad") == {"data": b"fetched again"}
    (kept,) = kept_items(bench.journal)
    assert (Path(os.fsdecode(kept.kept)) / "data").read_bytes() == b"BAD content"
    shutil.rmtree(bench.path / "bad")
    assert undo(bench.journal).result is Result.DONE
    assert (bench.path / "bad" / "data").read_bytes() == b"BAD content"


def test_a_directory_that_is_gone_leaves_it_kept(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "good/sub")
    bench.knowledge.offers = (bench.finding(ENTRY, "good/sub"),)
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    shutil.rmtree(bench.path / "good")
    (outcome,) = recovered(bench)
    assert (outcome.result, "is gone" in outcome.reason) == (Result.FAILED, True)
    assert [one.size for one in kept_items(bench.journal)] == [outcome_size(plan)]


def outcome_size(plan: Any) -> int:
    return int(plan.steps[0].identity.size)


def test_what_was_staged_and_not_published_is_removed(copied: Any) -> None:
    plan, before = copied.plan_of(REPUBLISH, "bad"), content(copied.path)
    killed(lambda: copied.run(plan), publication.Publication, "made")
    assert places(copied) != []
    (outcome,) = recovered(copied)
    assert "taken back" in outcome.reason
    assert (content(copied.path), places(copied)) == (before, [])


@pytest.mark.parametrize("nth", [1, 2])
def test_what_has_its_place_whole_is_finished(copied: Any, nth: int) -> None:
    """Killed after the exchange, and after the old content was moved to be kept."""
    plan = copied.plan_of(REPUBLISH, "bad")
    owner, name = (publication, "exchange") if nth == 1 else (publication, "rename_noreplace")
    killed(lambda: copied.run(plan), owner, name)
    (outcome,) = recovered(copied)
    assert "finished" in outcome.reason
    assert set(content(copied.path / "bad")) == {"data", "run"}
    assert last(copied).event is Event.DONE
    assert undo(copied.journal).result is Result.DONE
    assert (copied.path / "bad" / "data").read_bytes() == b"BAD content"


def test_new_content_that_was_written_to_since_is_left_and_the_old_is_kept(copied: Any) -> None:
    plan = copied.plan_of(REPUBLISH, "bad")
    killed(lambda: copied.run(plan), publication, "exchange")
    (copied.path / "bad" / "data").write_bytes(b"somebody's")
    (outcome,) = recovered(copied)
    assert outcome.result is Result.FAILED
    assert (copied.path / "bad" / "data").read_bytes() == b"somebody's"
    (kept,) = kept_items(copied.journal)
    assert (Path(os.fsdecode(kept.kept)) / "data").read_bytes() == b"BAD content"


def test_old_content_that_was_written_to_since_gets_its_place_back(copied: Any) -> None:
    """As the repair itself would have done, had it lived to look."""
    plan = copied.plan_of(REPUBLISH, "bad")
    killed(lambda: copied.run(plan), publication, "exchange")
    (place,) = places(copied)
    (copied.quarantine / place / "stage" / "data").write_bytes(b"written late")
    (outcome,) = recovered(copied)
    assert "taken back" in outcome.reason
    assert (copied.path / "bad" / "data").read_bytes() == b"written late"
    assert places(copied) == []


def test_a_published_entry_that_was_missing_is_finished(copied: Any) -> None:
    shutil.rmtree(copied.path / "bad")
    copied.scan()
    plan = copied.plan_of(REPUBLISH, "bad")
    killed(lambda: copied.run(plan), publication.Publication, "_move_in")
    (outcome,) = recovered(copied)
    assert "finished" in outcome.reason
    assert undo(copied.journal).result is Result.DONE
    assert not (copied.path / "bad").exists()


@contextmanager
def held_by_another(bench: Any, other: Any) -> Iterator[None]:
    code = (
        "import fcntl, os\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\nready()"
    )
    process = other(code, bench.quarantine / "lock")
    yield
    process.end()


def test_a_recovery_that_is_killed_at_its_end_is_not_taken_for_nothing_done(copied: Any) -> None:
    bad = copied.path / "bad"
    shutil.rmtree(bad)
    copied.scan()
    plan = copied.plan_of(REPUBLISH, "bad")
    killed(lambda: copied.run(plan), publication.Publication, "_move_in")
    killed(lambda: recover(copied.journal), Quarantine, "discard")
    recovered(copied)
    (one,) = operations(copied.journal.records())
    assert (one.event, (bad / "data").exists()) == (Event.DONE, True)


def test_what_another_cachewright_is_at_work_on_is_left_alone(bench: Any, other: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    with held_by_another(bench, other):
        assert recover(bench.journal) == ()
        assert last(bench).unfinished
    (outcome,) = recovered(bench)
    assert outcome.result is Result.DONE


def test_a_purge_that_is_at_work_is_left_alone(bench: Any, other: Any) -> None:
    bench.one(ENTRY, "bad")
    killed(lambda: purge(bench.journal, 0), keeping, "remove_tree")
    with held_by_another(bench, other):
        assert recover(bench.journal) == ()
        assert last(bench).unfinished
    (outcome,) = recovered(bench)
    assert outcome.result is Result.DONE


def test_a_lock_of_the_tool_that_is_held_puts_it_off(bench: Any, other: Any) -> None:
    bench.knowledge.gated = True
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    code = "import fcntl; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()"
    process = other(code, bench.path / "bad.lock")
    (outcome,) = recover(bench.journal)
    assert outcome.result is Result.REFUSED
    assert not (bench.path / "bad").exists()
    process.end()
    (outcome,) = recovered(bench)
    assert (outcome.result, (bench.path / "bad").exists()) == (Result.DONE, True)


def test_a_cache_that_is_gone_ends_it(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    shutil.rmtree(bench.path)
    (outcome,) = recovered(bench)
    assert outcome.result is Result.FAILED
    assert "deleted" in outcome.reason
    assert len(kept_items(bench.journal)) == 1


def test_a_cache_and_its_quarantine_that_are_gone_end_it(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    shutil.rmtree(bench.path)
    shutil.rmtree(bench.quarantine)
    (outcome,) = recovered(bench)
    assert (outcome.result, kept_items(bench.journal)) == (Result.DONE, ())


def test_only_the_cache_that_is_asked_for(bench: Any, tmp_path: Path) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    assert recover(bench.journal, root=os.fsencode(tmp_path / "other")) == ()
    assert last(bench).unfinished
    assert len(recover(bench.journal, root=bench.root.path)) == 1


def test_modes_that_were_changed_are_set_back(bench: Any) -> None:
    for name in ("data", "sub/more"):
        (bench.path / "good" / name).chmod(0o644)
    bench.scan()
    plan = bench.plan_of(EXEC, "good", detail={"files": ["data", "sub/more"]})
    killed(lambda: bench.run(plan), permissions, "set_mode")
    assert (bench.path / "good" / "data").stat().st_mode & 0o777 == 0o755
    recovered(bench)
    modes = [(bench.path / "good" / name).stat().st_mode & 0o777 for name in ("data", "sub/more")]
    assert modes == [0o644, 0o644]


LOCK_FILE = b"good line\npoison\n"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "shelf.lock").write_bytes(LOCK_FILE)
    return tmp_path / "project" / "shelf.lock"


def drop(bench: Any, record: Path) -> Callable[[], object]:
    plan = bench.plan_of(DROP, record, detail={"drop": "poison\n"})
    return lambda: bench.run(plan)


def test_a_record_that_was_written_beside_is_removed(bench: Any, record: Path) -> None:
    killed(drop(bench, record), rewriting, "_write_beside")
    (outcome,) = recovered(bench)
    assert "taken back" in outcome.reason
    assert (record.read_bytes(), os.listdir(record.parent)) == (LOCK_FILE, ["shelf.lock"])
    assert os.listdir(record.parents[1] / "state" / "kept") == []


def test_a_record_that_has_its_place_is_finished(bench: Any, record: Path) -> None:
    killed(drop(bench, record), rewriting, "_exchange")
    (outcome,) = recovered(bench)
    assert "finished" in outcome.reason
    assert (record.read_bytes(), os.listdir(record.parent)) == (b"good line\n", ["shelf.lock"])
    assert undo(bench.journal).result is Result.DONE
    assert record.read_bytes() == LOCK_FILE


def test_what_somebody_saved_at_the_last_moment_is_given_back(bench: Any, record: Path) -> None:
    killed(drop(bench, record), rewriting, "_exchange")
    (beside,) = [name for name in os.listdir(record.parent) if name != "shelf.lock"]
    (record.parent / beside).write_bytes(b"saved by somebody\n")
    (outcome,) = recovered(bench)
    assert "taken back" in outcome.reason
    assert record.read_bytes() == b"saved by somebody\n"
    assert os.listdir(record.parent) == ["shelf.lock"]


def test_what_somebody_saves_while_it_is_given_back_stays_too(
    bench: Any, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(drop(bench, record), rewriting, "_exchange")
    (beside,) = [name for name in os.listdir(record.parent) if name != "shelf.lock"]
    (record.parent / beside).write_bytes(b"saved by somebody\n")
    exchange = rewritten.exchange

    def just_before(*arguments: Any) -> None:
        monkeypatch.setattr(rewritten, "exchange", exchange)
        (record.parent / "new").write_bytes(b"saved once more\n")
        (record.parent / "new").rename(record)
        exchange(*arguments)

    monkeypatch.setattr(rewritten, "exchange", just_before)
    (outcome,) = recovered(bench)
    assert outcome.result is Result.FAILED
    assert beside in outcome.reason
    assert record.read_bytes() == b"saved once more\n"
    assert (record.parent / beside).read_bytes() == b"saved by somebody\n"


def test_what_somebody_saved_afterwards_stays(bench: Any, record: Path) -> None:
    killed(drop(bench, record), rewriting, "_exchange")
    (record.parent / "new").write_bytes(b"saved by somebody\n")
    (record.parent / "new").rename(record)
    (outcome,) = recovered(bench)
    assert outcome.result is Result.FAILED
    assert record.read_bytes() == b"saved by somebody\n"
    assert os.listdir(record.parent) == ["shelf.lock"]


def test_what_lies_beside_after_the_last_record_is_swept_up(bench: Any, record: Path) -> None:
    killed(drop(bench, record), Journal, "append", nth=3)
    assert len(os.listdir(record.parent)) == 2
    assert recovered(bench) == ()
    assert (record.read_bytes(), os.listdir(record.parent)) == (b"good line\n", ["shelf.lock"])


@pytest.mark.parametrize("saved", [False, True])
def test_what_was_written_beside_for_nothing_is_swept_up(
    bench: Any, record: Path, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    """But never what somebody else saved, which was exchanged with it."""
    work = drop(bench, record)
    real = rewriting._inspect

    def inspect(*arguments: Any) -> None:
        if saved:
            (record.parent / "mine").write_bytes(b"just saved")
            os.replace(record.parent / "mine", record)
        real(*arguments)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(rewriting, "_inspect", inspect)
        broken.setattr(rewriting, "_drop", lambda *_: None)
        work()
    assert bench.events()[-1] == "rolled-back"
    assert recovered(bench) == ()
    left = [one.read_bytes() for one in record.parent.glob(".cachewright-*")]
    assert left == ([b"just saved"] if saved else [])


def test_an_undo_that_was_killed_is_done_or_was_not(bench: Any) -> None:
    bench.one(ENTRY, "bad")
    killed(lambda: undo(bench.journal), Journal, "append")
    recovered(bench)
    assert not (bench.path / "bad").exists()
    killed(lambda: undo(bench.journal), undoing, "rename_noreplace")
    (outcome,) = recovered(bench)
    assert "finished" in outcome.reason
    assert ((bench.path / "bad").exists(), places(bench)) == (True, [])
    assert all(not one.can_undo for one in operations(bench.journal.records()))


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_undo_in_three_steps_is_done_or_was_not(
    copied: Any, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Where names cannot be exchanged, and the tool's lock is held instead."""
    rename2 = swap._rename2
    monkeypatch.setattr(
        swap, "_rename2", lambda *rest: rest[-1] != swap._EXCHANGE and rename2(*rest)
    )
    copied.knowledge.gated = True
    before = content(copied.path / "bad")
    assert copied.one(REPUBLISH, "bad").result is Result.DONE
    after = content(copied.path / "bad")
    killed(lambda: undo(copied.journal), undoing, "rename_noreplace", nth=nth)
    (outcome,) = recovered(copied)
    assert ("taken back" if nth == 1 else "finished") in outcome.reason
    assert content(copied.path / "bad") == (after if nth == 1 else before)
    (kept,) = kept_items(copied.journal)
    assert content(Path(os.fsdecode(kept.kept))) == (before if nth == 1 else after)


@pytest.fixture
def two_steps(copied: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where the file system can neither exchange two names nor be told not to replace."""
    monkeypatch.setattr(swap, "_rename2", lambda *_: False)
    copied.knowledge.gated = True
    return copied


def names(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


@pytest.mark.parametrize(("step", "nth"), [(ENTRY, 3), (REPUBLISH, 4), (REPUBLISH, 5)])
def test_a_name_that_was_claimed_for_a_move_is_free_again(
    two_steps: Any, step: Any, nth: int
) -> None:
    plan, before = two_steps.plan_of(step, "bad"), names(two_steps.path)
    killed(lambda: two_steps.run(plan), os, "mkdir", nth=nth)
    claimed = two_steps.quarantine / last(two_steps).id / "item" if nth < 5 else None
    assert list((claimed or two_steps.path / "bad").iterdir()) == []
    (outcome,) = recovered(two_steps)
    assert "taken back" in outcome.reason
    assert set(names(two_steps.path)) == {*before, "bad.lock"}
    assert places(two_steps) == []


@pytest.mark.parametrize(("step", "nth"), [(ENTRY, 1), (REPUBLISH, 1), (REPUBLISH, 2)])
def test_a_name_that_was_claimed_for_an_undo_is_free_again(
    two_steps: Any, step: Any, nth: int
) -> None:
    two_steps.one(step, "bad")
    kept = [names(two_steps.path), names(two_steps.quarantine)]
    killed(lambda: undo(two_steps.journal), os, "mkdir", nth=nth)
    (outcome,) = recovered(two_steps)
    assert (outcome.result, "taken back" in outcome.reason) == (Result.DONE, True)
    assert [names(two_steps.path), names(two_steps.quarantine)] == kept
    assert undo(two_steps.journal).result is Result.DONE


def test_the_last_name_that_an_undo_claims_is_free_again(two_steps: Any) -> None:
    two_steps.one(REPUBLISH, "bad")
    killed(lambda: undo(two_steps.journal), os, "mkdir", nth=3)
    (outcome,) = recovered(two_steps)
    assert "finished" in outcome.reason
    (kept,) = kept_items(two_steps.journal)
    assert content(two_steps.path / "bad")["data"] == b"BAD content"
    assert content(Path(os.fsdecode(kept.kept)))["data"] == GOOD


def test_a_file_that_has_two_names_in_the_middle_of_a_move_keeps_the_first(two_steps: Any) -> None:
    (two_steps.path / ".tmp-file").write_bytes(b"half")
    two_steps.__post_init__()
    plan = two_steps.plan_of(STAGING, ".tmp-file")
    killed(lambda: two_steps.run(plan), os, "link")
    recovered(two_steps)
    assert (two_steps.path / ".tmp-file").read_bytes() == b"half"
    assert (two_steps.path / ".tmp-file").stat().st_nlink == 1
    assert places(two_steps) == []


def test_a_directory_that_is_no_claim_stays(two_steps: Any) -> None:
    plan = two_steps.plan_of(ENTRY, "bad")
    killed(lambda: two_steps.run(plan), removing, "rename_noreplace")
    (two_steps.path / "bad").mkdir(mode=0o700)
    (outcome,) = recover(two_steps.journal)
    assert (outcome.result, (two_steps.path / "bad").is_dir()) == (Result.FAILED, True)


def test_a_place_that_was_emptied_is_swept_up(bench: Any) -> None:
    bench.one(ENTRY, "bad")
    killed(lambda: undo(bench.journal), Journal, "append", nth=2)
    assert places(bench) != []
    assert recovered(bench) == ()
    assert places(bench) == []


def test_what_could_not_be_tidied_away_is_swept_up(
    copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(publication, "exchange", failing)
        broken.setattr(publication, "remove_tree", failing)
        assert copied.one(REPUBLISH, "bad").result is Result.FAILED
    before = content(copied.path / "bad")
    assert len(places(copied)) == 1
    assert recovered(copied) == ()
    assert (places(copied), content(copied.path / "bad")) == ([], before)


@pytest.mark.parametrize("step", ["rename_noreplace", "append"])
def test_what_could_be_neither_ended_nor_taken_back_is_ended_later(
    bench: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real, calls = removing.rename_noreplace, iter(range(1, 100))

    def failing(*names: Any) -> None:
        if next(calls) > 1:
            raise OSError(30, "Read-only file system")
        real(*names)

    def unwritten(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(removing, "rename_noreplace", failing)
        broken.setattr(removing, "sync_directory", failing)
        if step == "append":
            broken.setattr(removing.Running, "end", unwritten)
        outcome = bench.one(ENTRY, "bad")
        assert (outcome.result, "It is kept in" in outcome.reason) == (Result.FAILED, True)
    assert not (bench.path / "bad").exists()
    (one,) = operations(bench.journal.records())
    assert one.unfinished == (step == "append")
    if step == "append":
        recovered(bench)
    else:
        assert undo(bench.journal).result is Result.DONE
    assert (bench.path / "bad" / "data").read_bytes() == b"BAD content"


def test_a_purge_is_finished(bench: Any) -> None:
    bench.one(ENTRY, "bad")
    killed(lambda: purge(bench.journal, 0), keeping, "remove_tree")
    (outcome,) = recovered(bench)
    assert (outcome.result, places(bench)) == (Result.DONE, [])
    assert kept_items(bench.journal) == ()


def test_what_is_left_of_a_purge_is_not_deleted_under_its_user(bench: Any, other: Any) -> None:
    bench.one(ENTRY, "bad")
    killed(lambda: purge(bench.journal, 0), Journal, "append")
    (place,) = places(bench)
    process = other("f = open(sys.argv[1]); ready()", bench.quarantine / place / "item" / "data")
    (outcome,) = recover(bench.journal)
    assert outcome.result is Result.REFUSED
    assert (bench.quarantine / place / "item" / "data").exists()
    process.end()
    recovered(bench)
    assert places(bench) == []


def torn(bench: Any, tail: bytes) -> Path:
    file = Path(os.fsdecode(bench.journal.path))
    with file.open("ab") as opened:
        opened.write(tail)
    return file


@pytest.mark.parametrize("tail", [b'{"at_ns":17', bytes(200), bytes(20) + b"\n", b"{}\n"])
def test_a_record_that_was_torn_off_is_set_aside(bench: Any, tail: bytes) -> None:
    bench.one(ENTRY, "bad")
    whole = Path(os.fsdecode(bench.journal.path)).read_bytes()
    file = torn(bench, tail)
    with pytest.raises(JournalDamaged):
        bench.journal.verify()
    assert recovered(bench) == ()
    assert file.read_bytes() == whole
    assert (file.parent / "journal.torn").read_bytes() == tail + b"\n"
    assert undo(bench.journal).result is Result.DONE


def test_other_damage_is_left_to_a_person(bench: Any) -> None:
    bench.one(ENTRY, "bad")
    file = Path(os.fsdecode(bench.journal.path))
    for damaged in (
        file.read_bytes()[:-3],  # the last record that was told of
        file.read_bytes() + b"{}\n{}\n",
        file.read_bytes().replace(b"started", b"startle"),
    ):
        before = file.read_bytes()
        file.write_bytes(damaged)
        with pytest.raises(JournalDamaged):
            recover(bench.journal)
        assert file.read_bytes() == damaged
        file.write_bytes(before)


def test_the_verb_ends_all_that_is_open(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", os.fsdecode(os.path.dirname(bench.journal.path)))
    plan = bench.plan_of(ENTRY, "bad")
    killed(lambda: bench.run(plan), removing, "rename_noreplace")
    assert workbench.interrupted() == workbench.interrupted(bench.root.path) == 1
    ended = CliRunner().invoke(recover_verb, ["--json"], standalone_mode=False)
    (told,) = json.loads(ended.stdout)["outcomes"]
    assert ended.return_value == 0
    assert (told["step"], told["result"]) == ("quarantine-entry", "done")
    assert workbench.interrupted() == 0
    assert (bench.path / "bad").exists()


def test_a_quarantine_that_somebody_removed_ends_it(bench: Any) -> None:
    plan, before = bench.plan_of(ENTRY, "bad"), content(bench.path)
    killed(lambda: bench.run(plan), Journal, "append")
    shutil.rmtree(bench.quarantine)
    recovered(bench)
    assert content(bench.path) == before
