"""Stale only when every sign of life is absent; any unknown keeps it unproven."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.diagnosis import absence
from cachewright.diagnosis.staging import StagingRule, judge_staging
from cachewright.formats.base import Gate, StagingPlace
from cachewright.holders import Survey
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.locks import kernel
from cachewright.locks.filesystems import FilesystemFacts, facts
from cachewright.model import Gap, HoldVerdict, LockKind, Says, StagingReport
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

DAY = 86_400 * 1_000_000_000
RULE = StagingRule(floor_ns=DAY, observe_ns=60 * 1_000_000_000)
NAME = b"1.2.3/.temp42"
LOCK = b"1.2.3/linux_amd64.lock"
GATE = Gate(LockKind.POSIX, LOCK, create=True)
HELD, UNPROVEN, STALE = HoldVerdict.HELD, HoldVerdict.UNPROVEN, HoldVerdict.STALE


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    made = tmp_path / "1.2.3" / ".temp42"
    (made / "docs").mkdir(parents=True)
    (made / "provider").write_bytes(b"x" * 4096)
    (made / "docs" / "README").write_bytes(b"hi")
    return made


@pytest.fixture
def root(staging: Path) -> Iterator[Directory]:
    with Directory.open(os.fsencode(staging.parent.parent)) as opened:
        yield opened


def look(root: Directory) -> Tree:
    return scan_subtree(root, NAME)


def around(root: Directory) -> Survey:
    return holders.survey([root.path], frozenset({root.identity.device}))


def judge(root: Directory, **known: Any) -> StagingReport:
    """All dead, three days old, but for what is given."""
    return judge_staging(
        root,
        StagingPlace("acme/toy 1.2.3", NAME, 0, known.get("gates", ())),
        known["first"] if "first" in known else look(root),
        known["second"] if "second" in known else look(root),
        known["survey"] if "survey" in known else around(root),
        RULE,
        known["now_ns"] if "now_ns" in known else time.time_ns() + 3 * DAY,
        known["filesystem"] if "filesystem" in known else facts(root),
        kernel=known.get("kernel"),
        may_lock=known.get("may_lock", False),
    )


def says(report: StagingReport, what: Says) -> set[str]:
    return {one.fact for one in report.evidence if one.says is what}


def test_all_dead_is_stale(root: Directory) -> None:
    report = judge(root)
    assert report.verdict is STALE
    assert report.explanation == (
        "Left behind by a writer that is gone: nobody has it open, and it has not changed for "
        "3 days."
    )
    assert {one.says for one in report.evidence} == {Says.DEAD}
    expected = {"known-shape", "filesystem", "open-files", "age", "unchanged", "uninspected"}
    assert expected <= says(report, Says.DEAD)
    assert (report.path, report.name) == (root.where(NAME), "acme/toy 1.2.3")
    assert (report.size, report.files, report.holders) == (4098, 2, ())
    assert abs(report.changed_ns - time.time_ns()) < DAY


ALIVE = {
    "reader": "f = open(sys.argv[1] + '/provider'); ready()",
    "writer": "f = open(sys.argv[1] + '/provider', 'r+'); ready()",
    "map": "bare_mmap(sys.argv[1] + '/provider', False); ready()",
    "writing map": "bare_mmap(sys.argv[1] + '/provider', True); ready()",
    "directory": "d = os.open(sys.argv[1] + '/docs', os.O_RDONLY); ready()",
    "cwd": "os.chdir(sys.argv[1]); ready()",
    "cwd below": "os.chdir(sys.argv[1] + '/docs'); ready()",
    "deleted": "f = open(sys.argv[1] + '/gone', 'w'); os.unlink(f.name); ready()",
    "flock": "f = open(sys.argv[1] + '/provider'); fcntl.flock(f, fcntl.LOCK_SH); ready()",
    "directory lock": "d = os.open(sys.argv[1], 0); fcntl.flock(d, fcntl.LOCK_SH); ready()",
}


@pytest.mark.parametrize("way", ALIVE)
def test_a_user_keeps_it_held(way: str, root: Directory, staging: Path, other: Starter) -> None:
    one = other(ALIVE[way], staging)
    report = judge(root)
    assert report.verdict is HELD
    assert [holder.pid for holder in report.holders] == [one.pid]
    assert says(report, Says.ALIVE) == {"open-files"}
    assert f"(pid {one.pid})" in report.explanation
    gone = f"(pid {one.pid}) still has a deleted file of that name open."
    assert (gone in report.explanation) is (way == "deleted")
    one.end()
    assert judge(root).verdict is STALE


def test_a_stopped_writer_keeps_it_held(root: Directory, staging: Path, other: Starter) -> None:
    """However long ago it wrote: a stopped process beats every rule of age."""
    one = other(ALIVE["writer"], staging)
    one.stop()
    report = judge(root, now_ns=time.time_ns() + 1000 * DAY)
    assert report.verdict is HELD
    assert "stopped" in report.explanation


def test_a_running_program_keeps_it_held(root: Directory, staging: Path) -> None:
    (staging / "provider").unlink()
    with open("/bin/cat", "rb") as source, open(staging / "provider", "wb") as target:
        target.write(source.read())
        os.fchmod(target.fileno(), 0o755)
    with subprocess.Popen([staging / "provider"], stdin=-1, stdout=-1) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"\n")
        running.stdin.flush()
        running.stdout.readline()
        report = judge(root)
        assert report.verdict is HELD
        assert report.holders[0].pid == running.pid
        running.stdin.close()


def test_a_change_between_the_looks_keeps_it_held(root: Directory, staging: Path) -> None:
    first = look(root)
    (staging / "provider").write_bytes(b"more")
    report = judge(root, first=first, survey=around(root))
    assert report.verdict is HELD
    assert says(report, Says.ALIVE) == {"unchanged"}
    assert report.explanation == "It changed while it was watched."


def test_a_new_file_between_the_looks_keeps_it_held(root: Directory, staging: Path) -> None:
    first = look(root)
    (staging / "docs" / "new").write_bytes(b"")
    assert judge(root, first=first).verdict is HELD


@pytest.mark.usefixtures("only_root")
def test_something_mounted_inside_keeps_it_held(root: Directory, staging: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "none", str(staging / "docs")]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        report = judge(root)
        assert report.verdict is HELD
        assert says(report, Says.ALIVE) == {"mounts"}
    finally:
        subprocess.run(["umount", str(staging / "docs")], check=True)


def test_what_lies_on_another_device_is_unknown(root: Directory) -> None:
    tree = look(root)
    devices = tree.device.copy()
    devices[-1] += 1
    tree.device = devices
    report = judge(root, first=tree, second=tree)
    assert report.verdict is UNPROVEN
    assert "mounts" in says(report, Says.UNKNOWN)


def seen(root: Directory, **different: Any) -> Survey:
    return replace(around(root), **different)


def test_seen_once_only_is_unproven(root: Directory) -> None:
    report = judge(root, second=None)
    assert report.verdict is UNPROVEN
    assert says(report, Says.UNKNOWN) == {"unchanged"}
    assert "seen once only" in report.explanation


def test_younger_than_the_floor_is_unproven(root: Directory) -> None:
    report = judge(root, now_ns=time.time_ns() + DAY // 2)
    assert report.verdict is UNPROVEN
    assert says(report, Says.UNKNOWN) == {"age"}
    assert "It can be judged in 12 hours." in report.explanation


def test_age_is_that_of_the_newest_file(root: Directory, staging: Path) -> None:
    """Directories and one old file do not make it old."""
    past = time.time_ns() - 100 * DAY
    for path in (staging, staging / "docs", staging / "provider"):
        os.utime(path, ns=(past, past))
    assert judge(root, now_ns=time.time_ns()).verdict is UNPROVEN
    later = time.time_ns() + 10 * DAY
    os.utime(staging / "docs" / "README", ns=(later, later))
    assert judge(root, now_ns=time.time_ns() + 10 * DAY + DAY // 2).verdict is UNPROVEN


def test_a_time_in_the_future_is_unproven(root: Directory, staging: Path) -> None:
    later = time.time_ns() + 5 * DAY
    os.utime(staging / "provider", ns=(later, later))
    for gates in ((), (GATE,)):
        report = judge(root, gates=gates)
        assert report.verdict is UNPROVEN
        assert says(report, Says.UNKNOWN) == {"age"}
        assert "in the future" in report.explanation


def test_without_a_clock_it_is_unproven(root: Directory) -> None:
    report = judge(root, now_ns=None)
    assert report.verdict is UNPROVEN
    assert says(report, Says.UNKNOWN) == {"clock"}


@pytest.mark.parametrize(
    "filesystem",
    [
        FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4."),
        FilesystemFacts("ext4", local=True, exported=True, why="It is exported."),
        FilesystemFacts("", local=False, exported=False, why="It is not told."),
    ],
)
def test_where_others_may_use_it_is_unproven(filesystem: FilesystemFacts, root: Directory) -> None:
    report = judge(root, filesystem=filesystem)
    assert report.verdict is UNPROVEN
    assert "filesystem" in says(report, Says.UNKNOWN)
    assert filesystem.why in report.explanation


def test_a_probe_proves_nothing_where_others_may_use_it(root: Directory) -> None:
    remote = FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4.")
    report = judge(root, filesystem=remote, survey=seen(root, uninspected=2))
    assert {"filesystem", "uninspected"} <= says(report, Says.UNKNOWN)


def test_a_file_that_nfs_keeps_is_in_use(root: Directory, staging: Path) -> None:
    remote = FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4.")
    (staging / "docs" / ".nfs0000000000000001").touch()
    assert judge(root, filesystem=remote).verdict is HELD
    assert judge(root).verdict is STALE


@pytest.mark.parametrize(
    ("unseen", "why"),
    [
        ({"uninspected": 3}, "3 processes could not be inspected"),
        ({"uninspected": 0, "hidden": "A container hides them."}, "A container hides them."),
    ],
)
def test_the_kernels_word_settles_who_does_not_show(
    unseen: dict[str, Any], why: str, root: Directory, staging: Path, other: Starter
) -> None:
    blind = {**unseen, "holds": ()}
    report = judge(root, survey=seen(root, **blind))
    assert report.verdict is STALE
    assert {"sole-opener", "uninspected"} <= says(report, Says.DEAD)
    assert any(one.detail.startswith(why) for one in report.evidence)
    one = other("f = open(sys.argv[1] + '/docs/README'); ready()", staging)
    report = judge(root, survey=seen(root, **blind))
    assert report.verdict is HELD
    assert says(report, Says.ALIVE) == {"sole-opener"}
    assert "docs/README" in report.explanation
    one.end()


def test_the_kernel_is_asked_even_where_every_process_shows(
    root: Directory, staging: Path, other: Starter
) -> None:
    """A descriptor in flight between two processes is in no process's list."""
    code = """
import socket
one, two = socket.socketpair()
f = open(sys.argv[1] + '/provider')
socket.send_fds(one, [b'x'], [f.fileno()])
f.close(); ready()
"""
    one = other(code, staging)
    report = judge(root, survey=seen(root, uninspected=0, hidden=""))
    assert report.verdict is HELD
    assert report.holders == ()
    one.end()
    assert judge(root, survey=seen(root, uninspected=0, hidden="")).verdict is STALE


def test_where_the_kernel_cannot_be_asked_it_is_unproven(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of file systems without leases, for which no test machine has one."""
    monkeypatch.setattr(absence, "sole_opener", lambda _fd: None)
    report = judge(root, survey=seen(root, uninspected=3))
    assert report.verdict is UNPROVEN
    assert says(report, Says.UNKNOWN) == {"sole-opener", "uninspected"}
    assert "3 processes could not be inspected" in report.explanation
    assert judge(root, survey=seen(root, uninspected=0, hidden="")).verdict is STALE


def test_every_single_file_is_asked_about(root: Directory, staging: Path) -> None:
    """A file that went away since the look can no longer be asked about."""
    tree = look(root)
    (staging / "docs" / "README").unlink()
    report = judge(root, first=tree, second=tree, survey=seen(root, uninspected=1))
    assert report.verdict is UNPROVEN
    assert "sole-opener" in says(report, Says.UNKNOWN)


def test_the_kernel_is_not_asked_about_what_is_in_use(
    root: Directory, staging: Path, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the length of the question another's non-blocking open would fail."""
    asked: list[int] = []
    monkeypatch.setattr(absence, "sole_opener", asked.append)
    other(ALIVE["writer"], staging)
    assert judge(root).verdict is HELD
    assert asked == []


def test_an_empty_directory_is_judged_by_its_own_age(root: Directory, staging: Path) -> None:
    (staging / "provider").unlink()
    (staging / "docs" / "README").unlink()
    assert judge(root, now_ns=time.time_ns()).verdict is UNPROVEN
    assert judge(root).verdict is STALE


def test_a_single_file_is_staging_too(root: Directory, staging: Path, other: Starter) -> None:
    archive = staging.with_name(".toy_1.2.3.zip")
    archive.write_bytes(b"PK")
    place = StagingPlace("toy", b"1.2.3/.toy_1.2.3.zip", 0)

    def verdict() -> HoldVerdict:
        tree = scan_subtree(root, place.relative)
        now_ns = time.time_ns() + 3 * DAY
        return judge_staging(
            root, place, tree, tree, seen(root, uninspected=1), RULE, now_ns, facts(root)
        ).verdict

    assert verdict() is STALE
    one = other("f = open(sys.argv[1]); ready()", archive)
    assert verdict() is HELD
    one.end()


def test_what_could_not_be_read_is_unknown(root: Directory) -> None:
    tree = Tree(look(root).columns, (Gap(b"/x/docs", "Permission denied"),))
    for pair in ({"first": tree}, {"second": tree}):
        report = judge(root, **pair)
        assert report.verdict is UNPROVEN
        assert says(report, Says.UNKNOWN) == {"readable"}


def test_strange_things_are_said_and_do_not_block(root: Directory, staging: Path) -> None:
    os.mkfifo(staging / "fifo")
    (staging / "link").symlink_to("/nowhere")
    report = judge(root)
    assert report.verdict is STALE
    said = [one.detail for one in report.evidence if one.fact == "contents"]
    assert said == ["It also holds a FIFO, a symbolic link."]


class TestGates:
    """Staging of a tool that locks: its lock decides, and no age is needed."""

    def test_a_free_gate_needs_no_age(self, root: Directory) -> None:
        report = judge(root, gates=(GATE,), now_ns=time.time_ns())
        assert report.verdict is STALE
        assert "gate" in says(report, Says.DEAD)
        assert "its lock is free" in report.explanation
        assert not root.exists(LOCK), "looking made no lock file"

    def test_a_held_gate_keeps_it_held(self, root: Directory, other: Starter) -> None:
        code = "f = open(sys.argv[1], 'w'); lock(f.fileno(), fcntl.F_SETLK); ready()"
        one = other(code, os.fsdecode(root.where(LOCK)))
        for may_lock in (False, True):
            report = judge(root, gates=(GATE,), may_lock=may_lock)
            assert report.verdict is HELD
            assert says(report, Says.ALIVE) == {"gate"}
            assert [holder.pid for holder in report.holders] == [one.pid]
            assert f"(pid {one.pid})" in report.explanation
        one.end()
        assert judge(root, gates=(GATE,), now_ns=time.time_ns()).verdict is STALE

    def test_one_held_gate_of_two_is_enough(self, root: Directory, other: Starter) -> None:
        code = "f = open(sys.argv[1], 'w'); lock(f.fileno(), fcntl.F_SETLK); ready()"
        other(code, os.fsdecode(root.where(LOCK)))
        second = Gate(LockKind.POSIX, b"1.2.3/windows_amd64.lock", create=True)
        for gates in ((GATE, second), (second, GATE)):
            assert judge(root, gates=gates).verdict is HELD

    def test_a_gate_that_cannot_be_had_waives_no_age(self, root: Directory) -> None:
        missing = Gate(LockKind.POSIX, LOCK, create=False)
        free = Gate(LockKind.POSIX, b"1.2.3/windows_amd64.lock", create=True)
        for gates in ((missing,), (missing, free), (free, missing)):
            report = judge(root, gates=gates, now_ns=time.time_ns())
            assert report.verdict is UNPROVEN
            assert says(report, Says.UNKNOWN) == {"gate", "age"}

    def test_looking_never_takes_it_but_acting_does(self, root: Directory) -> None:
        judge(root, gates=(GATE,), may_lock=False)
        assert not root.exists(LOCK)
        report = judge(root, gates=(GATE,), may_lock=True)
        assert root.exists(LOCK)
        assert any("could be taken" in one.detail for one in report.evidence)

    def test_who_takes_it_after_the_look_is_noticed(
        self, root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the look and the taking another may have come first."""
        real = kernel.look
        started: list[int] = []

        def slow(*arguments: Any) -> Any:
            report = real(*arguments)
            code = "f = open(sys.argv[1], 'w'); lock(f.fileno(), fcntl.F_SETLK); ready()"
            started.append(other(code, os.fsdecode(root.where(LOCK))).pid)
            return report

        monkeypatch.setattr(kernel, "look", slow)
        report = judge(root, gates=(GATE,), may_lock=True)
        assert report.verdict is HELD
        assert f"(pid {started[0]})" in report.explanation

    def test_a_gate_of_ours_counts_as_obtained(self, root: Directory) -> None:
        with kernel.acquire(root, GATE):
            for may_lock in (False, True):
                report = judge(root, gates=(GATE,), may_lock=may_lock, now_ns=time.time_ns())
                assert report.verdict is STALE
