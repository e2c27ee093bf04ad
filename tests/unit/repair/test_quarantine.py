from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import Changed, InUse, JournalDamaged, NoQuarantine, NothingToUndo
from cachewright.model import Result, StepKind
from cachewright.repair.keeping import kept_items, purge
from cachewright.repair.quarantine import Quarantine
from cachewright.repair.records import Event
from cachewright.repair.undo import undo
from cachewright.storage.anchored import Directory

ENTRY = StepKind.QUARANTINE_ENTRY


class Harmless:
    def harmless_quarantine(self) -> bytes | None:
        return b".kept"


def refused(bench: Any) -> str:
    with pytest.raises(NoQuarantine) as caught:
        Quarantine.for_root(bench.root, None)
    return caught.value.values["reason"]


def test_lies_beside_the_cache_and_is_private(bench: Any) -> None:
    Quarantine.for_root(bench.root).close()
    Quarantine.for_root(bench.root).close()
    assert bench.quarantine.stat().st_mode & 0o777 == 0o700
    assert not list(bench.path.glob("**/.cachewright*"))


def test_one_that_others_may_open_is_not_used(bench: Any) -> None:
    bench.quarantine.mkdir(mode=0o755)
    assert "open to other users" in refused(bench)


def test_a_link_in_its_place_is_not_followed(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    bench.quarantine.symlink_to(tmp_path / "elsewhere")
    assert "something else" in refused(bench)
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_file_in_its_place_stays(bench: Any) -> None:
    bench.quarantine.write_bytes(b"mine")
    assert "something else" in refused(bench)
    assert bench.quarantine.read_bytes() == b"mine"


@pytest.mark.usefixtures("only_root")
def test_another_users_is_not_used(bench: Any) -> None:
    bench.quarantine.mkdir(mode=0o700)
    os.chown(bench.quarantine, 1234, 1234)
    assert "another user" in refused(bench)


def test_a_harmless_place_serves_where_there_is_none_beside(bench: Any) -> None:
    bench.quarantine.write_bytes(b"mine")
    place = Quarantine.for_root(bench.root, Harmless())  # type: ignore[arg-type]
    place.close()
    assert place.path == os.fsencode(bench.path / ".kept")


def test_a_root_that_was_moved_is_noticed(bench: Any) -> None:
    bench.path.rename(bench.path.with_name("moved"))
    bench.path.mkdir()
    with pytest.raises(Changed):
        Quarantine.for_root(bench.root)


def test_the_top_of_the_file_tree_has_none(bench: Any) -> None:
    del bench
    with Directory.open(b"/") as root, pytest.raises(NoQuarantine):
        Quarantine.for_root(root)


@pytest.mark.usefixtures("only_root")
def test_a_mounted_cache_has_none_beside_it(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
from cachewright.errors import NoQuarantine
from cachewright.repair.quarantine import Quarantine
from cachewright.repair.records import Event
from cachewright.storage.anchored import Directory
top = os.fsencode(sys.argv[1])
for how in (["--bind", top + b"/other", top + b"/cache"], ["-t", "tmpfs", "x", top + b"/cache"]):
    subprocess.run(["mount", *how], check=True)
    with Directory.open(top + b"/cache") as root:
        try:
            Quarantine.for_root(root)
        except NoQuarantine as error:
            print(error.values["reason"])
    subprocess.run(["umount", top + b"/cache"], check=True)
"""
    (tmp_path / "cache").mkdir()
    (tmp_path / "other").mkdir()
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespace here")
    command = ["unshare", "-m", sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    assert done.stdout.splitlines() == ["the cache is a mount of its own"] * 2


def test_without_a_quarantine_steps_that_need_one_are_refused(bench: Any) -> None:
    bench.quarantine.write_bytes(b"mine")
    outcome = bench.one(ENTRY, "bad")
    assert (outcome.result, "something else" in outcome.reason) == (Result.REFUSED, True)
    assert (bench.path / "bad").exists()


def test_two_cachewrights_exclude_each_other(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    code = """
import os, sys
from cachewright.repair.quarantine import Quarantine
from cachewright.repair.records import Event
from cachewright.storage.anchored import Directory
with Directory.open(os.fsencode(sys.argv[1])) as root:
    with Quarantine.for_root(root).exclusive():
        print("ready", flush=True)
        sys.stdin.readline()
"""
    command = [sys.executable, "-c", code, str(bench.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(InUse, match="another Cachewright"):
            bench.run(plan)
        assert (bench.path / "bad").exists()
        other.kill()
    assert bench.run(plan)[0].result is Result.DONE


def test_kept_things_are_listed_by_cache(bench: Any) -> None:
    outcome = bench.one(ENTRY, "bad")
    (kept,) = kept_items(bench.journal)
    assert (kept.id, kept.original) == (outcome.undo, os.fsencode(bench.path / "bad"))
    assert os.path.isdir(kept.kept)
    assert kept_items(bench.journal, bench.root.path) == (kept,)
    assert kept_items(bench.journal, b"/other") == ()


def test_restoring_never_replaces_what_is_there_again(bench: Any) -> None:
    outcome = bench.one(ENTRY, "bad")
    (bench.path / "bad").mkdir()
    refusal = undo(bench.journal, outcome.undo)
    assert refusal.result is Result.REFUSED
    assert "is there again" in refusal.reason
    assert os.listdir(bench.path / "bad") == []
    assert len(kept_items(bench.journal)) == 1
    (bench.path / "bad").rmdir()
    assert undo(bench.journal, outcome.undo).result is Result.DONE
    assert kept_items(bench.journal) == ()


def test_restoring_needs_the_gate(bench: Any, other: Any) -> None:
    bench.knowledge.gated = True
    bench.one(ENTRY, "bad")
    other(
        "f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()",
        bench.path / "bad.lock",
    )
    assert undo(bench.journal).result is Result.REFUSED
    assert not (bench.path / "bad").exists()


def test_what_was_put_in_its_place_in_quarantine_is_not_restored(bench: Any) -> None:
    outcome = bench.one(ENTRY, "bad")
    item = bench.quarantine / outcome.undo / "item"
    item.rename(item.with_name("aside"))
    item.mkdir()
    assert undo(bench.journal).result is Result.REFUSED
    assert not (bench.path / "bad").exists()


def test_a_moved_cache_gets_nothing_back(bench: Any) -> None:
    bench.one(ENTRY, "bad")
    bench.path.rename(bench.path.with_name("moved"))
    bench.path.mkdir()
    assert undo(bench.journal).result is Result.REFUSED
    assert os.listdir(bench.path) == []


def test_undo_takes_the_last_and_each_only_once(bench: Any) -> None:
    first, second = bench.one(ENTRY, "bad"), bench.one(ENTRY, "good")
    assert undo(bench.journal).path == second.path
    assert undo(bench.journal).path == first.path
    with pytest.raises(NothingToUndo):
        undo(bench.journal)
    with pytest.raises(NothingToUndo, match="undone already"):
        undo(bench.journal, first.undo)
    with pytest.raises(NothingToUndo, match="by the ID"):
        undo(bench.journal, "none")


def test_a_damaged_journal_stops_everything(bench: Any, tmp_path: Path) -> None:
    bench.one(ENTRY, "bad")
    file = tmp_path / "state" / "journal.jsonl"
    damaged = file.read_bytes().replace(b"bad", b"bed", 1)
    file.write_bytes(damaged)
    for act in (
        lambda: undo(bench.journal),
        lambda: bench.one(ENTRY, "good"),
        lambda: purge(bench.journal, 0),
    ):
        with pytest.raises(JournalDamaged):
            act()
    assert file.read_bytes() == damaged
    assert (bench.path / "good").exists()
    assert not (bench.path / "bad").exists()


def test_a_damaged_journal_is_found_before_anything_is_made(bench: Any, tmp_path: Path) -> None:
    bench.journal.append("x", Event.STARTED, {})
    file = tmp_path / "state" / "journal.jsonl"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(JournalDamaged):
        bench.one(ENTRY, "bad")
    assert not bench.quarantine.exists()


def test_purging_waits_for_the_grace(bench: Any) -> None:
    bench.one(ENTRY, "bad")
    assert purge(bench.journal) == ()
    assert purge(bench.journal, 0, b"/other") == ()
    (outcome,) = purge(bench.journal, 0, bench.root.path)
    assert outcome.reason == f"Deleted for good. It had been at {bench.path / 'bad'}."
    assert outcome.result is Result.DONE
    assert sorted(os.listdir(bench.quarantine)) == ["lock"]
    assert kept_items(bench.journal) == ()
    with pytest.raises(NothingToUndo):
        undo(bench.journal)


def test_purging_never_leads_outside(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").touch()
    (bench.path / "bad" / "link").symlink_to(tmp_path / "outside")
    bench.scan()
    bench.one(ENTRY, "bad")
    assert purge(bench.journal, 0)[0].result is Result.DONE
    assert (tmp_path / "outside" / "canary").exists()


def test_what_somebody_still_uses_is_not_purged(bench: Any, other: Any) -> None:
    outcome = bench.one(ENTRY, "bad")
    item = bench.quarantine / outcome.undo / "item"
    holder = other("f = open(sys.argv[1] + '/data'); ready()", item)
    (refusal,) = purge(bench.journal, 0)
    assert (refusal.result, f"pid {holder.pid}" in refusal.reason) == (Result.REFUSED, True)
    assert item.exists()


def test_what_is_not_what_was_kept_is_not_purged(bench: Any) -> None:
    outcome = bench.one(ENTRY, "bad")
    item = bench.quarantine / outcome.undo / "item"
    (item / "new").touch()
    assert purge(bench.journal, 0)[0].result is Result.REFUSED
    item.rename(item.with_name("aside"))
    item.mkdir()
    assert purge(bench.journal, 0)[0].result is Result.REFUSED
    assert item.exists()


def test_a_purge_that_was_interrupted_is_finished_and_nothing_restored_from_it(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.one(ENTRY, "bad")

    def broken(parent: Directory, name: bytes) -> None:
        os.unlink(name + b"/data", dir_fd=parent.fd)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("cachewright.repair.keeping.remove_tree", broken)
        assert purge(bench.journal, 0)[0].result is Result.FAILED
    with pytest.raises(NothingToUndo):
        undo(bench.journal)
    assert purge(bench.journal, 0)[0].result is Result.DONE
    assert sorted(os.listdir(bench.quarantine)) == ["lock"]
