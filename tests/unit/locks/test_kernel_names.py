"""Who is named for a kernel lock: heirs, holders of former files, and nobody who has ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.holders import KernelLock
from cachewright.holders.mounts import mount_of
from cachewright.locks import kernel, seeing
from cachewright.model import HoldVerdict, LockKind, LockPlace, LockReport, Says
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Other, Starter

Until = Callable[[Callable[[], object]], None]

NAME = b"linux_amd64.lock"
TAKE = {
    "posix": "lock(f.fileno(), fcntl.F_SETLK)",
    "ofd": "lock(f.fileno(), fcntl.F_OFD_SETLK)",
    "flock": "fcntl.flock(f, fcntl.LOCK_EX)",
}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / os.fsdecode(NAME)).touch()
    with Directory.open(os.fsencode(tmp_path)) as opened:
        yield opened


def file(root: Directory) -> str:
    return os.fsdecode(root.where(NAME))


def place(kind: LockKind = LockKind.FLOCK) -> LockPlace:
    return LockPlace("id-1", kind, NAME, 7, "acme/toy 1.2.3")


def around(root: Directory) -> tuple[Any, tuple[KernelLock, ...]]:
    return holders.look_around([root.path], frozenset({root.identity.device}))


def look(root: Directory, kind: LockKind = LockKind.FLOCK) -> LockReport:
    return kernel.look(root, place(kind), *around(root))


def facts(report: LockReport) -> dict[str, tuple[Says, str]]:
    return {one.fact: (one.says, one.detail) for one in report.evidence}


def heirs(kind: str, root: Directory, other: Starter) -> tuple[Other, int]:
    """A process that took the lock, and its child that inherited it."""
    code = f"""
f = open(sys.argv[1], 'r+'); {TAKE[kind]}
child = os.fork()
if child:
    ready(child)
    os._exit(0)
import signal
signal.pause()
"""
    one = other(code, file(root))
    return one, int(one.said[0])


@pytest.mark.parametrize("kind", ["flock", "ofd"])
def test_an_inherited_lock_names_parent_and_child_and_then_the_child(
    kind: str, root: Directory, other: Starter, until: Until
) -> None:
    parent, child = heirs(kind, root, other)
    try:
        report = look(root)
        assert {one.pid for one in report.holders} == {parent.pid, child}
        assert all("lock:write" in one.how for one in report.holders)
        assert f"(pid {child})" in report.explanation
        assert report.explanation.endswith("hold this lock.")
        assert parent.process.stdin is not None
        parent.process.stdin.close()
        until(lambda: parent.process.poll() is not None)
        report = look(root)
        assert report.verdict is HoldVerdict.HELD
        assert [one.pid for one in report.holders] == [child]
        assert report.explanation.endswith(f"(pid {child}) holds this lock.")
    finally:
        os.kill(child, 9)


def test_who_has_a_former_file_of_the_name_is_told(root: Directory, other: Starter) -> None:
    """Two builds believe that they exclude each other: one has the lock on a deleted file."""
    code = f"f = open(sys.argv[1], 'r+'); {TAKE['flock']}; os.unlink(sys.argv[1]); ready()"
    one = other(code, file(root))
    for made_again in (False, True):
        if made_again:
            Path(file(root)).touch()
        report = look(root)
        assert report.verdict is HoldVerdict.FREE
        assert report.holders == ()
        says, said = facts(report)[kernel.FORMER]
        assert says is Says.DEAD
        assert f"(pid {one.pid}) still has a deleted file of that name open." in said
        assert said in report.explanation
    one.end()
    assert kernel.FORMER not in facts(look(root))


def test_the_file_itself_and_those_beside_it_are_no_former_ones(
    root: Directory, other: Starter
) -> None:
    other("f = open(sys.argv[1]); ready()", file(root))
    code = "f = open(sys.argv[1] + '2', 'w'); os.unlink(sys.argv[1] + '2'); ready()"
    other(code, file(root))
    assert kernel.FORMER not in facts(look(root))


def test_uninspected_processes_are_counted_and_weighed(root: Directory, other: Starter) -> None:
    survey, table = around(root)
    seen = replace(survey, uninspected=3, unnamed=("systemd",), hidden="")
    free = kernel.look(root, place(), seen, table)
    assert free.verdict is HoldVerdict.FREE
    says, said = facts(free)["uninspected"]
    assert says is Says.DEAD
    assert said.startswith("3 processes could not be inspected (systemd).")
    assert said.endswith("The kernel's own word on the lock settles it.")
    whole = kernel.look(root, place(), replace(seen, uninspected=0), table)
    assert facts(whole)["uninspected"] == (Says.DEAD, "Every process could be inspected.")
    other(f"f = open(sys.argv[1], 'r+'); {TAKE['ofd']}; ready()", file(root))
    unnamed = kernel.look(root, place(LockKind.POSIX), seen, ())
    assert (unnamed.verdict, unnamed.holders) == (HoldVerdict.HELD, ())
    said = facts(unnamed)["uninspected"][1]
    assert said.endswith("(systemd). Who holds the lock may be among them.")


def test_what_may_not_be_asked_leaves_the_question_open(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey, table = around(root)
    monkeypatch.setattr(kernel, "ask", lambda _fd: None)
    seen = replace(survey, uninspected=2, unnamed=())
    report = kernel.look(root, place(LockKind.POSIX), seen, table)
    assert report.verdict is HoldVerdict.UNPROVEN
    assert facts(report)["uninspected"] == (
        Says.UNKNOWN,
        "2 processes could not be inspected.",
    )


@pytest.mark.parametrize("kind", TAKE)
def test_who_ends_while_it_is_judged_is_not_named(
    kind: str, root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is looked at once more: the lock may be free, or another's by then."""
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE[kind]}; ready()", file(root))
    survey, table = around(root)
    real = seeing.evidence_of

    def slow(*arguments: Any) -> Any:
        one.kill()
        return real(*arguments)

    monkeypatch.setattr(kernel, "evidence_of", slow)
    asked = LockKind.FLOCK if kind == "flock" else LockKind.POSIX
    report = kernel.look(root, place(asked), survey, table)
    assert (report.verdict, report.holders) == (HoldVerdict.FREE, ())


def test_who_got_the_pid_of_a_former_holder_is_not_named(root: Directory, other: Starter) -> None:
    """The table is some milliseconds old: the pid in it may be another's by now."""
    innocent = other("ready()")
    survey, _table = around(root)
    mount = mount_of(root.fd)
    assert mount is not None
    inode = os.stat(file(root)).st_ino
    table = (KernelLock("flock", True, (innocent.pid,), mount.device, inode, 0, None),)
    report = kernel.look(root, place(), survey, table)
    assert (report.verdict, report.holders) == (HoldVerdict.FREE, ())


def test_a_holder_that_opened_it_after_the_look_is_named(
    root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody saw it having the file open, but the kernel's table still says so."""
    survey, _table = around(root)
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE['flock']}; ready()", file(root))
    table = holders.kernel_locks()
    monkeypatch.setattr(kernel, "look_around", pytest.fail)
    report = kernel.look(root, place(), survey, table)
    assert [holder.pid for holder in report.holders] == [one.pid]


def test_a_holder_that_may_not_be_asked_holds_all_the_same(
    root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", file(root))
    survey, table = around(root)

    def refused(_pid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(seeing, "process", refused)
    report = kernel.look(root, place(LockKind.POSIX), survey, table)
    assert (report.verdict, report.holders) == (HoldVerdict.HELD, ())
    assert "cannot be named" in report.explanation
