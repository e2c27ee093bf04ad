"""Locks that come and go after the scan are known, at the cost of what changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cachewright.demo.provider import Provider, unpack
from cachewright.errors import RootVanished
from cachewright.formats.base import Knowledge, References
from cachewright.formats.terraform import Terraform
from cachewright.inventory.reading import Reader
from cachewright.inventory.renewing import Containers
from cachewright.inventory.tree import Tree
from cachewright.inventory.wire import Request
from cachewright.model import HoldVerdict, LockKind, LockPlace, Result
from cachewright.storage.anchored import Directory
from cachewright.workbench import Options, Workbench, checking, refreshing
from cachewright.workbench.refreshing import places_of

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

TOY, OTHER = Provider("toy", "1.2.3"), Provider("other", "2.0.0")
QUICK = Options(floor_s=0.0, observe_s=0.2, settle_s=0.1, environment={})


class Counted:
    """What was really read: directories in this process, whole scans, and records."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.directories: list[bytes] = []
        self.scans = self.records = 0
        read, scan, records = Reader.read, checking.scan, Terraform.read

        def reading(reader: Reader, requests: list[Request], rows: int) -> object:
            self.directories += [one.path for one in requests]
            return read(reader, requests, rows)

        def scanning(*arguments: object, **options: object) -> object:
            self.scans += 1
            return scan(*arguments, **options)  # type: ignore[arg-type]

        def knowing(*arguments: object) -> object:
            self.records += 1
            return records(*arguments)  # type: ignore[arg-type]

        patch.setattr(Reader, "read", reading)
        patch.setattr(checking, "scan", scanning)
        patch.setattr(Terraform, "read", knowing)

    def reset(self) -> None:
        self.directories.clear()
        self.scans = self.records = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    for provider in (TOY, OTHER):
        unpack(provider, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bench(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A cache that was at rest for long when it was opened."""
    monkeypatch.setattr("cachewright.inventory.renewing._YOUNG_NS", -(1 << 60))
    with Workbench.open(os.fsencode(cache), options=QUICK) as opened:
        yield opened


def lock(cache: Path, provider: Provider = TOY) -> Path:
    return cache / f"{provider.name}.lock"


def seen(bench: Workbench) -> dict[bytes, HoldVerdict]:
    return {one.path: one.verdict for one in bench.locks()}


def test_locks_that_come_and_go_are_shown(
    cache: Path, bench: Workbench, counted: Counted, other: Starter
) -> None:
    assert seen(bench) == {}
    assert counted.scans == 1
    for number, provider in enumerate((TOY, OTHER), 1):
        path = lock(cache, provider)
        holder = other("f = open(sys.argv[1], 'w'); lock(f.fileno(), fcntl.F_SETLK); ready()", path)
        (report,) = (one for one in bench.locks() if one.path == os.fsencode(path))
        assert report.verdict is HoldVerdict.HELD
        assert [one.pid for one in report.holders] == [holder.pid]
        assert len(seen(bench)) == number
        holder.end()
    lock(cache).unlink()
    assert seen(bench) == {os.fsencode(lock(cache, OTHER)): HoldVerdict.FREE}
    assert counted.scans == 1


def test_a_look_reads_what_changed_and_nothing_else(
    cache: Path, bench: Workbench, counted: Counted
) -> None:
    bench.locks()
    counted.reset()
    for _look in range(5):
        bench.locks()
    assert (counted.scans, counted.directories, counted.records) == (0, [], 0)
    lock(cache).touch()
    for _look in range(5):
        bench.locks()
    changed = os.fsencode(os.path.relpath(lock(cache).parent, cache))
    assert (counted.scans, counted.directories, counted.records) == (0, [changed], 1)


def test_what_changes_inside_an_entry_costs_nothing(
    cache: Path, bench: Workbench, counted: Counted
) -> None:
    bench.locks()
    counted.reset()
    (cache / TOY.name / "new").touch()
    bench.locks()
    assert (counted.scans, counted.directories, counted.records) == (0, [], 0)


def test_a_lock_in_a_new_place_is_found(cache: Path, bench: Workbench, counted: Counted) -> None:
    bench.locks()
    third = Provider("third", "3.0.0")
    unpack(third, str(cache))
    lock(cache, third).touch()
    assert seen(bench) == {os.fsencode(lock(cache, third)): HoldVerdict.FREE}
    assert counted.scans == 1


def test_what_was_made_in_the_same_tick_is_not_missed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes with the same times, of which the look fell between."""
    folder = lock(cache).parent
    with Workbench.open(os.fsencode(cache), options=QUICK) as bench:
        lock(cache).touch()
        known = folder.stat()
        assert len(seen(bench)) == 1
        (folder / "windows_amd64.lock").touch()
        real = os.stat

        def coarse(path: object, **options: object) -> os.stat_result:
            found = real(path, **options)  # type: ignore[arg-type]
            return known if found.st_ino == known.st_ino else found

        with monkeypatch.context() as patched:
            patched.setattr(os, "stat", coarse)
            assert len(seen(bench)) == 2


def test_a_look_counts_from_where_it_began(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes while the directories are read is young to the next look."""
    now = [1]
    asked: list[int] = []
    changed = Containers.changed

    def slow(containers: Containers, since_ns: int) -> list[int]:
        asked.append(since_ns)
        now[0] += 1
        return changed(containers, since_ns)

    monkeypatch.setattr(refreshing, "time", SimpleNamespace(time_ns=lambda: now[0]))
    monkeypatch.setattr(Containers, "changed", slow)
    for _look in range(3):
        bench.locks()
    assert asked[1:] == [1, 2]


def test_records_are_read_again_in_the_same_environment(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables may say where locks lie."""
    told: list[Mapping[str, str]] = []
    read = Terraform.read

    def noted(form: Terraform, root: Directory, tree: Tree, references: References) -> Knowledge:
        told.append(references.environment)
        return read(form, root, tree, references)

    monkeypatch.setattr(Terraform, "read", noted)
    options = replace(QUICK, environment={"WHERE": "here"})
    with Workbench.open(os.fsencode(cache), options=options) as bench:
        bench.locks()
        lock(cache).touch()
        bench.locks()
    assert told == [{"WHERE": "here"}] * 2


def test_the_tree_that_is_shown_stays(cache: Path, bench: Workbench) -> None:
    result = bench.check()
    tree = bench.tree
    lock(cache).touch()
    assert len(seen(bench)) == 1
    assert bench.tree is tree
    assert bench.result is result
    assert tree is not None
    assert tree.find(os.fsencode(os.path.relpath(lock(cache), cache))) is None


def test_a_later_check_is_where_it_goes_on_from(
    cache: Path, bench: Workbench, counted: Counted
) -> None:
    bench.locks()
    lock(cache).touch()
    bench.check()
    counted.reset()
    assert len(seen(bench)) == 1
    assert (counted.scans, counted.directories, counted.records) == (0, [], 0)


def test_a_root_that_went_away_is_told(cache: Path, bench: Workbench) -> None:
    bench.locks()
    cache.rename(cache.with_name("elsewhere"))
    with pytest.raises(RootVanished):
        bench.locks()


def test_a_lock_that_came_after_the_scan_can_be_released(
    tmp_path: Path, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a place that the scan's records do not know it would be said that no lock lies there.

    As formats of caches do it, the lock's place is taken from the inventory.
    """
    import stranger_cache

    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    real = stranger_cache.StrangerKnowledge.locks

    def from_inventory(knowledge: Any) -> Any:
        if not hasattr(knowledge, "places"):
            knowledge.places = real(knowledge)
        return knowledge.places

    monkeypatch.setattr(stranger_cache.StrangerKnowledge, "locks", from_inventory)
    top = tmp_path / "strange"
    top.mkdir()
    (top / "stranger.cache").touch()
    with Workbench.open(os.fsencode(top), format_name=stranger, options=QUICK) as bench:
        bench.check()
        (top / "work.lock").write_bytes(b"{}")
        (report,) = bench.locks()
        plan = bench.unlocking(report)
        (step,) = plan.steps
        (outcome,) = bench.repair(plan, apply=True, confirmations={step.id: step.wanted})
        assert (outcome.result, outcome.reason[:5]) == (Result.DONE, "Moved")
    assert not (top / "work.lock").exists()


def test_what_a_lock_holds_is_known_by_number(tmp_path: Path) -> None:
    (tmp_path / "work.dir").mkdir()
    inside = tmp_path / "work.dir" / "owner.json"
    for path in (inside, tmp_path / "plain.lock", tmp_path / "other"):
        path.touch()
    with Directory.open(os.fsencode(tmp_path)) as root:
        places = [
            LockPlace("", LockKind.EXISTENCE, name, -1, "")
            for name in (b"work.dir", b"plain.lock", b"gone.lock")
        ]
        expected = {
            (one.stat().st_dev, one.stat().st_ino)
            for one in (tmp_path / "work.dir", inside, tmp_path / "plain.lock")
        }
        assert places_of(root, places) == expected


@pytest.mark.usefixtures("only_root")
def test_a_container_that_holds_a_new_lock_by_another_name_is_seen(
    cache: Path, bench: Workbench, tmp_path: Path, other: Starter
) -> None:
    """Its path says nothing: only the number of the file, which no scan knew, tells."""
    bench.locks()
    path = lock(cache)
    code = """
import subprocess
target = sys.argv[2]
os.unshare(os.CLONE_NEWNS) if hasattr(os, "unshare") else ctypes.CDLL(None).unshare(0x20000)
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
os.mkdir(target)
subprocess.run(["mount", "--bind", os.path.dirname(sys.argv[1]), target], check=True)
f = open(target + "/" + os.path.basename(sys.argv[1]), "w")
ready()
"""
    one = other(code, path, tmp_path / "inside")
    (report,) = bench.locks()
    (said,) = (evidence for evidence in report.evidence if evidence.fact == "open-files")
    assert f"(pid {one.pid})" in said.detail
    one.end()
