"""A check over a real cache on disk, with real processes that write beside it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cachewright.demo.provider import Provider, lock_file, pack, unpack
from cachewright.errors import NotACache, RootMissing, RootNotADirectory, RootVanished
from cachewright.model import (
    CheckResult,
    EntryVerdict,
    Finding,
    FindingKind,
    HoldVerdict,
    Progress,
    Severity,
    StepKind,
)
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree
from cachewright.workbench import Options, Unwatched, Workbench

TOY = Provider("toy", "1.2.3")
OTHER = Provider("other", "2.0.0")
QUICK = {"floor_s": 0.0, "observe_s": 0.2, "settle_s": 0.4, "environment": {}}


class Place:
    """A cache with two good providers and a project whose lock file vouches for both."""

    def __init__(self, base: Path) -> None:
        self.cache = base / "cache"
        self.project = base / "project"
        self.mirror = base / "mirror"
        self.project.mkdir(parents=True)
        for provider in (TOY, OTHER):
            unpack(provider, str(self.cache))
        recorded = {one: [one.h1()] for one in (TOY, OTHER)}
        (self.project / ".terraform.lock.hcl").write_bytes(lock_file(recorded))

    def entry(self, provider: Provider = TOY) -> Path:
        return self.cache / provider.name

    def check(self, **changed: object) -> CheckResult:
        options = {"projects": (os.fsencode(self.project),), **QUICK, **changed}
        with Workbench.open(os.fsencode(self.cache), options=Options(**options)) as bench:
            return bench.check()

    def verdict(self, result: CheckResult, provider: Provider = TOY) -> EntryVerdict:
        return next(one.verdict for one in result.entries if one.name == provider.name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def kinds(result: CheckResult) -> list[FindingKind]:
    return [finding.kind for finding in result.findings]


def test_a_good_cache_is_ok_with_its_evidence(place: Place) -> None:
    result = place.check()
    assert {entry.verdict for entry in result.entries} == {EntryVerdict.OK}
    assert result.findings == ()
    assert result.complete
    for entry in result.entries:
        assert {one.fact for one in entry.evidence} >= {"digest", "open-files", "unchanged"}
        assert entry.actual
        assert entry.expected[0].source.endswith(b".terraform.lock.hcl")


def test_a_flipped_byte_is_corrupt_and_named_where_a_copy_allows(place: Place) -> None:
    file = place.entry() / "README.md"
    file.write_bytes(file.read_bytes().replace(b"1", b"2", 1))
    result = place.check()
    assert place.verdict(result) is EntryVerdict.CORRUPT
    assert place.verdict(result, OTHER) is EntryVerdict.OK
    archive = pack(TOY, str(place.mirror))
    result = place.check(sources=(os.fsencode(archive),))
    (finding,) = result.problems
    assert (finding.kind, finding.files) == (FindingKind.CORRUPT_ENTRY, (b"README.md",))
    assert finding.repair is not None
    assert finding.repair.step is StepKind.REPUBLISH_ENTRY


WRITER = """
import sys
file = open(sys.argv[1], "r+b", buffering=0)
print("ready", flush=True)
sys.stdin.read()
"""


def test_an_entry_with_an_open_writer_is_busy_and_names_the_process(
    place: Place, child: Any
) -> None:
    file = place.entry() / TOY.executable
    file.write_bytes(b"half")
    with child(WRITER, file) as writer:
        result = place.check()
    entry = next(one for one in result.entries if one.name == TOY.name)
    assert entry.verdict is EntryVerdict.BUSY
    assert [holder.pid for holder in entry.holders] == [writer.pid]
    (finding,) = result.findings
    assert (finding.kind, finding.severity) == (FindingKind.BUSY_ENTRY, Severity.NOTICE)
    assert f"pid {writer.pid}" in finding.explanation
    assert finding.repairs == ()


CHANGER = """
import itertools, os, sys, time
print("ready", flush=True)
for count in itertools.count():
    with open(sys.argv[1], "r+b") as file:
        file.write(count.to_bytes(8, "little"))
    time.sleep(0.01)
"""


def test_what_changes_while_it_is_read_is_never_called_corrupt(place: Place, child: Any) -> None:
    """The writer is never seen with the file open for long: only the signature tells."""
    file = place.entry() / TOY.executable
    with child(CHANGER, file):
        seen = [place.verdict(place.check()) for _ in range(3)]
    assert seen == [EntryVerdict.BUSY] * 3
    result = place.check()
    assert place.verdict(result) is EntryVerdict.CORRUPT


LATE = """
import sys, time
print("ready", flush=True)
time.sleep(0.8)
with open(sys.argv[1], "wb") as file:
    file.write(b"the second file of the entry")
sys.stdin.read()
"""


def test_a_writer_between_two_files_is_not_mistaken_for_damage(place: Place, child: Any) -> None:
    (place.entry() / "README.md").unlink()
    with child(LATE, place.entry() / "CHANGELOG.md"):
        result = place.check(settle_s=2.0)
    assert place.verdict(result) is EntryVerdict.BUSY


def staging(place: Place) -> Path:
    left = place.entry().parent / ".temp4711"
    left.mkdir()
    (left / "half").write_bytes(b"x" * 100)
    return left


def test_what_a_dead_writer_left_is_stale_after_two_looks(place: Place) -> None:
    left = staging(place)
    result = place.check()
    (report,) = result.staging
    assert (report.verdict, report.path) == (HoldVerdict.STALE, os.fsencode(left))
    assert kinds(result) == [FindingKind.STALE_STAGING]


def test_staging_younger_than_the_floor_is_not_judged(place: Place) -> None:
    staging(place)
    (report,) = place.check(floor_s=3600.0).staging
    assert report.verdict is HoldVerdict.UNPROVEN


def test_staging_that_changes_between_two_looks_is_held(place: Place, child: Any) -> None:
    left = staging(place)
    with child(CHANGER, left / "half"):
        (report,) = place.check(observe_s=0.5).staging
    assert report.verdict is HoldVerdict.HELD


@pytest.mark.parametrize("kind", ["cwd", "open", "mmap"])
def test_staging_that_somebody_has_is_held(place: Place, kind: str, inside: Any) -> None:
    left = staging(place)
    with inside(kind, left / "half") as holder:
        result = place.check()
    (report,) = result.staging
    assert report.verdict is HoldVerdict.HELD
    assert holder.pid in [one.pid for one in report.holders]
    assert result.findings[0].repairs == ()


def test_foreign_names_are_told_of_and_left_alone(place: Place) -> None:
    (place.cache / "notes.txt").write_text("mine")
    os.mkfifo(place.entry().parent / "pipe")
    result = place.check()
    assert sorted(kinds(result)) == [FindingKind.FOREIGN_FILE, FindingKind.FOREIGN_TYPE]
    assert all(finding.severity is Severity.NOTICE for finding in result.findings)
    assert all(finding.repairs == () for finding in result.findings)


def test_pipes_sockets_and_links_inside_an_entry_are_named_and_never_opened(place: Place) -> None:
    os.mkfifo(place.entry() / "pipe")
    (place.entry() / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(place.entry())
        try:
            listener.bind("socket")
        finally:
            os.chdir("/")
    result = place.check()
    named = {name for finding in result.problems for name in finding.files}
    assert {b"pipe", b"loop", b"socket"} <= named
    assert FindingKind.FOREIGN_TYPE in kinds(result)


@pytest.mark.parametrize(
    "name", [b"n\xff\xfe", b"two\nlines", b"\x1b[2J", b"<img src=x>", b"-rf"], ids=repr
)
def test_hostile_names_inside_an_entry_are_found(place: Place, name: bytes) -> None:
    path = os.path.join(os.fsencode(place.entry()), name)
    with open(path, "wb") as file:
        file.write(b"foreign")
    result = place.check()
    assert place.verdict(result) is EntryVerdict.CORRUPT
    assert name in [one for finding in result.problems for one in finding.files]


def test_a_very_deep_directory_is_walked_to_its_end(place: Place) -> None:
    fd = os.open(place.entry(), os.O_DIRECTORY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    try:
        result = place.check()
    finally:  # too deep for the test runner's own tidying
        with Directory.open(os.fsencode(place.entry())) as entry:
            remove_tree(entry, b"d")
    assert place.verdict(result) is EntryVerdict.CORRUPT
    (finding,) = result.problems
    assert finding.files[0].endswith(b"d/bottom")


def test_roots_that_are_no_cache_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, error in [
        ("missing", RootMissing),
        ("file", RootNotADirectory),
        ("empty", NotACache),
    ]:
        with pytest.raises(error):
            Workbench.open(os.fsencode(tmp_path / name))
    with Workbench.open(os.fsencode(tmp_path / "empty"), format_name="terraform") as bench:
        assert bench.check().entries == ()


def test_a_root_that_is_replaced_is_not_taken_for_the_cache(place: Place) -> None:
    with Workbench.open(os.fsencode(place.cache), options=Options(**QUICK)) as bench:
        place.cache.rename(place.cache.with_name("old"))
        with pytest.raises(RootVanished):
            bench.check()
        place.cache.mkdir()
        with pytest.raises(RootVanished):
            bench.check()


class When(Unwatched):
    """Starts something once a stage begins, so that it happens right then."""

    def __init__(self, stage: str, start: Callable[[], None]) -> None:
        self.stages: list[str] = []
        self._stage = stage
        self._start = start

    def progress(self, progress: Progress) -> None:
        if progress.stage == self._stage and self._stage not in self.stages:
            self._start()
        self.stages.append(progress.stage)


def watched(place: Place, watcher: When, **changed: float) -> CheckResult:
    options = Options(projects=(os.fsencode(place.project),), **{**QUICK, **changed})
    with Workbench.open(os.fsencode(place.cache), options=options) as bench:
        return bench.check(watcher)


def test_good_content_with_an_open_writer_is_busy_too(place: Place, child: Any) -> None:
    with child(WRITER, place.entry() / "README.md"):
        assert place.verdict(place.check()) is EntryVerdict.BUSY


TOUCHER = """
import os, sys
print("ready", flush=True)
while True:
    os.utime(sys.argv[1])
"""


@pytest.mark.parametrize("name", ["README.md", "."])
def test_good_content_is_busy_while_its_times_change(place: Place, name: str, child: Any) -> None:
    """Nobody has it open and what was read fits: only before and after tell."""
    with child(TOUCHER, place.entry() / name):
        assert place.verdict(place.check()) is EntryVerdict.BUSY


def test_a_writer_that_comes_before_the_second_look_is_seen(place: Place, child: Any) -> None:
    """It only opens the file: nothing in the entry changes."""
    (place.entry() / "README.md").unlink()
    with ExitStack() as stack:
        writers: list[subprocess.Popen[str]] = []
        come = child(WRITER, place.entry() / TOY.executable)
        watcher = When("settle", lambda: writers.append(stack.enter_context(come)))
        result = watched(place, watcher)
        (finding,) = result.findings
        assert finding.kind is FindingKind.BUSY_ENTRY
        assert [holder.pid for holder in finding.holders] == [writers[0].pid]


NEW = """
import sys
file = open(sys.argv[1], "xb", buffering=0)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_file_made_after_the_scan_belongs_to_its_entry(place: Place, child: Any) -> None:
    with ExitStack() as stack:
        writers: list[subprocess.Popen[str]] = []
        come = child(NEW, place.entry() / "new")
        watcher = When("records", lambda: writers.append(stack.enter_context(come)))
        result = watched(place, watcher)
        (finding,) = result.findings
        assert finding.kind is FindingKind.BUSY_ENTRY
        assert [holder.pid for holder in finding.holders] == [writers[0].pid]


def test_a_second_look_is_waited_for_only_where_it_can_matter(place: Place) -> None:
    staging(place)
    young = When("never", lambda: None)
    watched(place, young, floor_s=3600.0, observe_s=30.0)
    assert "watch" not in young.stages
    old = When("never", lambda: None)
    watched(place, old, observe_s=3.0)
    assert "watch" in old.stages


def test_nothing_is_repaired_where_another_directory_took_the_caches_place(place: Place) -> None:
    left = staging(place)
    options = Options(projects=(os.fsencode(place.project),), **QUICK)
    with Workbench.open(os.fsencode(place.cache), options=options) as bench:
        bench.check()
        plan = bench.plan(stale_only=True)
        place.cache.rename(place.cache.with_name("old"))
        place.cache.mkdir()
        with pytest.raises(RootVanished):
            bench.repair(plan, apply=True)
    assert (place.cache.with_name("old") / left.relative_to(place.cache)).is_dir()


class Told(Unwatched):
    """Keeps what it was told of findings, each time."""

    def __init__(self) -> None:
        self.told: list[set[FindingKind]] = []

    def findings(self, findings: Sequence[Finding]) -> None:
        self.told.append({one.kind for one in findings})


def test_every_telling_of_findings_is_of_all_that_are_known(place: Place) -> None:
    staging(place)
    (place.entry() / "README.md").unlink()
    watcher = Told()
    options = Options(projects=(os.fsencode(place.project),), **QUICK)
    with Workbench.open(os.fsencode(place.cache), options=options) as bench:
        bench.check(watcher)
    first, *more = watcher.told
    assert first == {FindingKind.UNPROVEN_STAGING}
    assert {FindingKind.UNPROVEN_STAGING, FindingKind.CORRUPT_ENTRY} in more
    assert more[-1] == {FindingKind.STALE_STAGING, FindingKind.CORRUPT_ENTRY}
