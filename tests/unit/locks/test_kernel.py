"""Looking at a kernel lock: held and then free, named, and nobody disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright import holders
from cachewright.locks import kernel
from cachewright.model import Gate, HoldVerdict, LockKind, LockPlace, LockReport, Says
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

Until = Callable[[Callable[[], object]], None]

NAME = b"linux_amd64.lock"
TAKE = {
    "posix": "lock(f.fileno(), fcntl.F_SETLK)",
    "ofd": "lock(f.fileno(), fcntl.F_OFD_SETLK)",
    "flock": "fcntl.flock(f, fcntl.LOCK_EX)",
}
POSIX, FLOCK = LockKind.POSIX, LockKind.FLOCK


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / os.fsdecode(NAME)).touch()
    with Directory.open(os.fsencode(tmp_path)) as opened:
        yield opened


def file(root: Directory) -> str:
    return os.fsdecode(root.where(NAME))


def place(kind: LockKind = POSIX) -> LockPlace:
    return LockPlace("id-1", kind, NAME, 7, "acme/toy 1.2.3", {"tool": "OpenTofu"})


def look(root: Directory, kind: LockKind = POSIX) -> LockReport:
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    return kernel.look(root, place(kind), survey, holders.kernel_locks())


@pytest.mark.parametrize("asked", [POSIX, FLOCK])
@pytest.mark.parametrize("kind", TAKE)
def test_held_and_then_free(kind: str, asked: LockKind, root: Directory, other: Starter) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE[kind]}; ready()", file(root))
    report = look(root, asked)
    assert report.verdict is HoldVerdict.HELD
    (holder,) = report.holders
    assert holder.pid == one.pid
    assert holder.how == ("lock:write", "open:write")
    assert f"(pid {one.pid})" in report.explanation
    assert "holds this lock" in report.explanation
    assert Says.ALIVE in {evidence.says for evidence in report.evidence}
    one.end()
    report = look(root, asked)
    assert report.verdict is HoldVerdict.FREE
    assert report.explanation == "Nobody holds this. Nothing to clean."
    assert report.holders == ()
    assert {evidence.says for evidence in report.evidence} == {Says.DEAD}


def test_the_report_says_what_was_looked_at(root: Directory) -> None:
    report = look(root)
    assert (report.id, report.kind, report.subject) == ("id-1", POSIX, "acme/toy 1.2.3")
    assert report.path == root.where(NAME)
    assert report.owner == {"tool": "OpenTofu"}
    assert report.changed_ns == root.identity_of(NAME).mtime_ns


def test_a_read_lock_is_a_lock(root: Directory, other: Starter) -> None:
    other("f = open(sys.argv[1]); fcntl.lockf(f, fcntl.LOCK_SH); ready()", file(root))
    report = look(root)
    assert report.verdict is HoldVerdict.HELD
    assert report.holders[0].how == ("lock:read", "open:read")


def test_several_readers_are_all_named(root: Directory, other: Starter) -> None:
    code = "f = open(sys.argv[1]); fcntl.lockf(f, fcntl.LOCK_SH); ready()"
    pids = {other(code, file(root)).pid for _one in range(3)}
    assert {holder.pid for holder in look(root).holders} == pids


def test_a_killed_holder_leaves_it_free(root: Directory, other: Starter) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    assert look(root).verdict is HoldVerdict.HELD
    one.kill()
    assert look(root).verdict is HoldVerdict.FREE


def test_a_stopped_holder_holds(root: Directory, other: Starter) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE['flock']}; ready()", file(root))
    one.stop()
    report = look(root, FLOCK)
    assert report.verdict is HoldVerdict.HELD
    assert report.holders[0].state == "stopped"
    assert "stopped" in report.explanation


def test_who_waits_is_told(root: Directory, other: Starter, until: Until) -> None:
    other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    code = "f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()"
    two = other(code, file(root), hear=False)
    waits = f"Waiting for it: {Path(sys.executable).name} (pid {two.pid})."
    until(lambda: waits in look(root).explanation)
    report = look(root)
    assert two.pid not in {holder.pid for holder in report.holders}
    two.kill()


def test_open_without_a_lock_is_free_and_said(root: Directory, other: Starter) -> None:
    one = other("f = open(sys.argv[1]); ready()", file(root))
    report = look(root)
    assert report.verdict is HoldVerdict.FREE
    said = [one.detail for one in report.evidence if one.fact == "open-files"]
    assert len(said) == 1
    assert f"(pid {one.pid})" in said[0]


def test_the_newest_word_counts_not_the_table(root: Directory, other: Starter) -> None:
    """A POSIX lock that was let go since the table was read is free."""
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    table = holders.kernel_locks()
    one.end()
    assert kernel.look(root, place(), survey, table).verdict is HoldVerdict.FREE
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    report = kernel.look(root, place(), survey, ())
    assert report.verdict is HoldVerdict.HELD
    assert [holder.pid for holder in report.holders] == [one.pid]


def test_a_missing_lock_file_is_free(root: Directory) -> None:
    os.unlink(NAME, dir_fd=root.fd)
    assert look(root).verdict is HoldVerdict.FREE


def test_looking_creates_and_changes_nothing(root: Directory) -> None:
    before = root.identity_of(NAME)
    look(root)
    look(root, FLOCK)
    assert root.identity_of(NAME) == before
    os.unlink(NAME, dir_fd=root.fd)
    look(root)
    assert root.names() == []


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_unproven(make: Callable[[str], None], root: Directory) -> None:
    os.unlink(NAME, dir_fd=root.fd)
    make(file(root))
    report = look(root)
    assert report.verdict is HoldVerdict.UNPROVEN
    assert "not a regular file" in report.explanation


def test_a_link_is_not_followed(root: Directory, tmp_path: Path, other: Starter) -> None:
    target = tmp_path / "target"
    target.touch()
    other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", target)
    os.unlink(NAME, dir_fd=root.fd)
    os.symlink(target, file(root))
    assert look(root).verdict is HoldVerdict.UNPROVEN


def test_where_locks_of_others_do_not_show_it_is_unproven(other: Starter) -> None:
    """/proc stands for every file system that is not known to be this computer's own."""
    with Directory.open(b"/proc/self") as root:
        survey = holders.survey([root.path], frozenset({root.identity.device}))
        for kind in (POSIX, FLOCK):
            status = LockPlace("id", kind, b"status", 0, "status")
            report = kernel.look(root, status, survey, ())
            assert report.verdict is HoldVerdict.UNPROVEN
            assert "proc" in report.explanation
    del other


def test_a_hidden_lock_table_leaves_a_flock_unproven(root: Directory) -> None:
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    hiding = replace(survey, hidden="Cachewright runs in a container.")
    report = kernel.look(root, place(FLOCK), hiding, ())
    assert report.verdict is HoldVerdict.UNPROVEN
    assert "runs in a container" in report.explanation
    # Of POSIX locks the kernel speaks itself, namespace or not.
    assert kernel.look(root, place(POSIX), hiding, ()).verdict is HoldVerdict.FREE


@pytest.mark.usefixtures("only_root")
def test_a_holder_outside_the_namespace_holds(root: Directory, other: Starter) -> None:
    other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    code = """
import sys, os
from cachewright import holders
from cachewright.locks import kernel
from cachewright.model import LockKind, LockPlace
from cachewright.storage.anchored import Directory
root = Directory.open(os.fsencode(sys.argv[1]))
place = LockPlace("id", LockKind.POSIX, os.fsencode(sys.argv[2]), 0, "")
survey = holders.survey([root.path], frozenset({root.identity.device}))
report = kernel.look(root, place, survey, holders.kernel_locks())
print(report.verdict, len(report.holders), report.explanation)
"""
    enter = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*enter, sys.executable, "-c", code, os.fsdecode(root.path), os.fsdecode(NAME)]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    if "unshare" in said.stderr:
        pytest.skip("may not make a pid namespace")
    expected = "held 0 A process that cannot be named from here holds this lock.\n"
    assert said.stdout == expected


@pytest.mark.parametrize("kind", TAKE)
def test_a_lock_on_an_overlay_is_found(
    kind: str, overlay: tuple[Path, Path], other: Starter
) -> None:
    lower, merged = overlay
    (lower / os.fsdecode(NAME)).touch()
    with Directory.open(os.fsencode(merged)) as root:
        one = other(f"f = open(sys.argv[1], 'r+'); {TAKE[kind]}; ready()", file(root))
        table = holders.kernel_locks()
        (lock,) = (lock for lock in table if one.pid in lock.pids)
        assert lock.device != root.stat(NAME).st_dev, "the premise"
        survey = holders.survey([root.path], frozenset({root.stat(NAME).st_dev}))
        for known in (table, ()):  # should its numbers not lead there, the descriptor does
            report = kernel.look(root, place(FLOCK), survey, known)
            assert report.verdict is HoldVerdict.HELD
            assert [holder.pid for holder in report.holders] == [one.pid]


def test_an_overlay_where_somebody_does_not_show_is_unproven(overlay: tuple[Path, Path]) -> None:
    lower, merged = overlay
    (lower / os.fsdecode(NAME)).touch()
    with Directory.open(os.fsencode(merged)) as root:
        survey = holders.survey([root.path], frozenset({root.identity.device}))
        for uninspected, verdict in ((0, HoldVerdict.FREE), (3, HoldVerdict.UNPROVEN)):
            seen = replace(survey, uninspected=uninspected)
            report = kernel.look(root, place(FLOCK), seen, holders.kernel_locks())
            assert report.verdict is verdict


@pytest.mark.usefixtures("only_root")
def test_what_may_not_be_opened_is_told_by_the_table(root: Directory, other: Starter) -> None:
    """Asked as a user who may not open the lock file."""
    os.chmod(file(root), 0o600)
    os.chmod(root.path, 0o755)  # noqa: S103 - the other user must get there
    other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    table = holders.kernel_locks()
    os.seteuid(65534)
    try:
        held = kernel.look(root, place(), survey, table)
        unknown = kernel.look(root, place(), survey, ())
    finally:
        os.seteuid(0)
    assert held.verdict is HoldVerdict.HELD
    assert unknown.verdict is HoldVerdict.UNPROVEN
    assert "may not be opened" in unknown.explanation


def test_our_own_gate_is_told_without_opening_it(root: Directory, other: Starter) -> None:
    """Opening and closing the file would drop our own POSIX lock."""
    trying = """
f = open(sys.argv[1], 'r+')
try:
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); ready('got')
except BlockingIOError:
    ready('refused')
"""
    with kernel.acquire(root, Gate(POSIX, NAME, create=False)):
        report = look(root)
        assert report.verdict is HoldVerdict.HELD
        assert [holder.pid for holder in report.holders] == [os.getpid()]
        assert [one.fact for one in report.evidence] == [kernel.OUR_GATE]
        assert other(trying, file(root)).said == [b"refused"]
    assert look(root).verdict is HoldVerdict.FREE
    assert other(trying, file(root)).said == [b"got"]


def test_a_lock_of_our_own_program_is_not_dropped(root: Directory, other: Starter) -> None:
    """Taken by whoever embeds Cachewright, not through it."""
    import fcntl

    trying = """
f = open(sys.argv[1], 'r+')
try:
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); ready('got')
except BlockingIOError:
    ready('refused')
"""
    with open(file(root), "r+b") as mine:
        fcntl.lockf(mine, fcntl.LOCK_EX)
        report = look(root)
        assert report.verdict is HoldVerdict.HELD
        assert [holder.pid for holder in report.holders] == [os.getpid()]
        assert other(trying, file(root)).said == [b"refused"]


@pytest.mark.parametrize("kind", ["posix", "flock"])
def test_looking_often_never_makes_another_fail(kind: str, root: Directory, other: Starter) -> None:
    """Another process takes and drops the lock without waiting while we look all the time."""
    take, drop = {
        "posix": ("fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)", "fcntl.lockf(f, fcntl.LOCK_UN)"),
        "flock": ("fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)", "fcntl.flock(f, fcntl.LOCK_UN)"),
    }[kind]
    code = f"""
import select
f = open(sys.argv[1], 'r+'); count = failed = 0
print('ready', flush=True)
while not select.select([0], [], [], 0)[0]:
    try:
        {take}; {drop}; count += 1
    except BlockingIOError:
        failed += 1
print('ready', count, failed, flush=True)
"""
    one = other(code, file(root))
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    verdicts = {kernel.look(root, place(LockKind(kind)), survey, ()).verdict for _ in range(400)}
    assert one.process.stdin is not None
    one.process.stdin.close()
    count, failed = map(int, one.hear())
    assert failed == 0
    assert count > 100
    assert HoldVerdict.FREE in verdicts


def test_no_signal_is_ever_sent(root: Directory, other: Starter, until: Until) -> None:
    """The holder dies of, or notes, any signal that reaches it."""
    code = f"""
import signal
for number in set(signal.Signals) - {{signal.SIGKILL, signal.SIGSTOP}}:
    signal.signal(number, lambda number, frame: os.write(1, b'signal %d\\n' % number))
f = open(sys.argv[1], 'r+'); {TAKE["posix"]}; ready()
"""
    one = other(code, file(root))
    for _look in range(5):
        assert look(root).verdict is HoldVerdict.HELD
    os.kill(one.pid, signal.SIGUSR1)
    assert one.out.readline() == b"signal %d\n" % signal.SIGUSR1
    del until
