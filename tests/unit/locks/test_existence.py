"""Locks that are held by being there: real owners, real files of every sort."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.holders import Survey, owners
from cachewright.locks import marker, openers
from cachewright.locks.filesystems import FilesystemFacts
from cachewright.locks.looking import Around, look
from cachewright.model import Claim, HoldVerdict, LockKind, LockPlace, LockReport, Says
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Other, Starter

HELD, STALE, UNPROVEN = HoldVerdict.HELD, HoldVerdict.STALE, HoldVerdict.UNPROVEN
SHAPES = ("work.lock", "work.lnk", "work.dir")
SURE = FilesystemFacts("ext4", local=True, exported=False, why="It lies on this computer.")
FACTS = [
    "known-shape",
    "filesystem",
    "rights",
    "record",
    "owner",
    "open-files",
    "kernel-locks",
    "sole-opener",
    "uninspected",
]


class Locks:
    """A directory of locks, how a stranger's format reads them, and what is seen around."""

    def __init__(self, root: Directory, form: Any) -> None:
        self.root, self.form = root, form
        self.reader: Any = form.StrangerKnowledge(root)
        self.around: dict[str, Any] = {"decide": True}

    @property
    def path(self) -> Path:
        return Path(os.fsdecode(self.root.path))

    def place(self, name: str) -> LockPlace:
        record = b"owner.json" if name.endswith(".dir") else b""
        return LockPlace("by-path", LockKind.EXISTENCE, name.encode(), -1, "work", record=record)

    def write(self, name: str, record: bytes) -> Path:
        """A lock with this record, made as its tool makes it."""
        at = self.path / name
        if name.endswith(".lnk"):
            os.symlink(record, os.fsencode(at))
        elif name.endswith(".dir"):
            at.mkdir()
            (at / "owner.json").write_bytes(record)
        else:
            at.write_bytes(record)
        return at

    def owned(self, name: str, pid: int, **other: Any) -> Path:
        record = {"id": f"id-{pid}", **self.form.whole_identity(pid), **other}
        return self.write(name, json.dumps(record).encode())

    def survey(self) -> Survey:
        return holders.survey([self.root.path], frozenset({self.root.identity.device}))

    def look(self, name: str, **around: Any) -> LockReport | None:
        known = {"filesystem": SURE, **self.around, **around}
        if "survey" not in known:
            known["survey"] = self.survey()
        if "kernel" not in known:
            known["kernel"] = holders.kernel_locks()
        return look(self.root, self.place(name), self.reader, Around(**known))

    def report(self, name: str, **around: Any) -> LockReport:
        report = self.look(name, **around)
        assert report is not None
        unknown = [one for one in report.evidence if one.says is Says.UNKNOWN]
        alive = [one for one in report.evidence if one.says is Says.ALIVE]
        wanted = HELD if alive else UNPROVEN if unknown else STALE
        assert report.verdict is wanted
        assert report.explanation.endswith(".")
        return report


@pytest.fixture
def locks(tmp_path: Path, stranger: str) -> Iterator[Locks]:
    import stranger_cache

    assert stranger_cache.Stranger.name == stranger
    (tmp_path / "cache").mkdir()
    with Directory.open(os.fsencode(tmp_path / "cache")) as root:
        yield Locks(root, stranger_cache)


@pytest.fixture
def sleeper(other: Starter) -> Other:
    return other("ready()")


def says(report: LockReport, fact: str) -> Says:
    (found,) = [one.says for one in report.evidence if one.fact == fact]
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_held_while_its_owner_lives_and_stale_when_it_is_dead(
    locks: Locks, sleeper: Other, name: str
) -> None:
    at = locks.owned(name, sleeper.pid)
    report = locks.report(name)
    assert report.verdict is HELD
    assert [(one.pid, one.how) for one in report.holders] == [(sleeper.pid, ("owner",))]
    assert f"(pid {sleeper.pid})" in report.explanation
    sleeper.kill()
    report = locks.report(name)
    assert report.verdict is STALE
    assert [one.fact for one in report.evidence] == FACTS
    assert report.holders == ()
    assert (report.id, report.subject, report.kind) == (
        f"id-{sleeper.pid}",
        "work",
        LockKind.EXISTENCE,
    )
    assert report.owner["pid"] == str(sleeper.pid)
    assert report.identity == locks.root.identity_of(name.encode())
    assert report.changed_ns == at.lstat().st_mtime_ns
    assert len(report.fingerprint) == 64
    assert not report.no_release


@pytest.mark.parametrize("name", SHAPES)
def test_where_nothing_lies_there_is_no_lock(locks: Locks, name: str) -> None:
    assert locks.look(name) is None
    (locks.path / "file").touch()
    assert locks.look(f"file/{name}") is None


BARE = (b'{"pid": true}', b'{"pid": 2, "pid": 1}')
"""Read as the number of the first process, which always runs."""


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"pid": "x"}',
        b'{"pid": 1e400}',
        *BARE,
        b'{"boot": {}}',
        b"[" * 3000,
        b"\xff\xfe\x1b[31m",
        b"4711 some-host",
        b'{"id": "\\u202e\\u001b[2J"}',
    ],
    ids=lambda record: repr(record[:12]),
)
def test_a_record_that_does_not_say_who_is_unproven(locks: Locks, name: str, record: bytes) -> None:
    if record == b"" and name.endswith(".lnk"):
        record = b"."
    locks.write(name, record)
    report = locks.report(name)
    assert report.verdict is (HELD if record in BARE else UNPROVEN)
    assert says(report, "known-shape") is Says.DEAD
    assert report.explanation.isprintable()
    assert all(one.detail.isprintable() for one in report.evidence)


def test_a_directory_without_an_owner_file_is_unproven(locks: Locks) -> None:
    (locks.path / "work.dir").mkdir()
    report = locks.report("work.dir")
    assert (report.verdict, report.id) == (UNPROVEN, "by-path")


def test_a_format_that_fails_has_read_nothing(locks: Locks, sleeper: Other) -> None:
    class Failing:
        def claim(self, place: LockPlace, record: bytes) -> Claim:
            raise RuntimeError(place, record)

    locks.owned("work.lock", sleeper.pid)
    locks.reader = Failing()
    report = locks.report("work.lock")
    assert (report.verdict, report.garbage) == (UNPROVEN, True)
    assert "RuntimeError" in report.explanation


@pytest.mark.parametrize("name", ["work.lock", "work.dir"])
def test_at_most_64_kib_are_read(locks: Locks, sleeper: Other, name: str) -> None:
    record = {"id": "x", **locks.form.whole_identity(sleeper.pid)}
    text = json.dumps(record).encode()
    real, asked = locks.reader.claim, []

    class Counting:
        def claim(self, place: LockPlace, record: bytes) -> Claim:
            asked.append(len(record))
            return real(place, record)  # type: ignore[no-any-return]

    locks.reader = Counting()
    locks.write(name, text.ljust(65_536))
    assert locks.report(name).verdict is HELD
    os.truncate(
        locks.path / name / "owner.json" if name == "work.dir" else locks.path / name, 1 << 40
    )
    report = locks.report(name)
    assert report.verdict is UNPROVEN
    assert "64 KiB" in report.explanation
    assert asked == [65_536]


class Opened:
    """Whether anybody opened a file, as the kernel tells it."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self.fd, os.fsencode(path), 0x20) >= 0

    def __bool__(self) -> bool:
        try:
            return bool(os.read(self.fd, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self.fd)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.fspath(path))


STRANGE: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a socket": make_socket,
    "a device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_lock_is_not_opened(locks: Locks, name: str, what: str) -> None:
    if what == "a device" and os.geteuid() != 0:
        pytest.skip("needs root")
    STRANGE[what](locks.path / name)
    opened = Opened(locks.path / name)
    try:
        report = locks.report(name)
        assert not opened
    finally:
        opened.close()
    assert report.verdict is UNPROVEN
    assert what in report.explanation
    assert what in report.no_release


def test_a_strange_thing_in_a_lock_directory_is_not_opened(locks: Locks, sleeper: Other) -> None:
    at = locks.owned("work.dir", sleeper.pid)
    sleeper.kill()
    os.rename(at / "owner.json", at / "kept")
    os.mkfifo(at / "owner.json")
    opened = Opened(at / "owner.json")
    try:
        report = locks.report("work.dir")
        assert not opened
    finally:
        opened.close()
    assert report.verdict is UNPROVEN
    assert report.no_release.startswith("it holds owner.json, which is no plain file")


def test_an_owner_file_that_is_a_link_is_not_followed(locks: Locks, sleeper: Other) -> None:
    elsewhere = locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    (locks.path / "work.dir").mkdir()
    (locks.path / "work.dir" / "owner.json").symlink_to(elsewhere)
    opened = Opened(elsewhere)
    try:
        assert locks.report("work.dir").verdict is UNPROVEN
        assert not opened
    finally:
        opened.close()


def test_a_link_is_never_followed(locks: Locks, sleeper: Other) -> None:
    elsewhere = locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    (locks.path / "work.lnk").symlink_to(elsewhere)
    opened = Opened(elsewhere)
    try:
        report = locks.report("work.lnk")
        assert not opened
    finally:
        opened.close()
    assert (report.verdict, report.garbage) == (UNPROVEN, True)


def test_a_link_on_the_way_is_never_followed(locks: Locks, tmp_path: Path, sleeper: Other) -> None:
    locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    (tmp_path / "real").mkdir()
    (locks.path / "work.lock").rename(tmp_path / "real" / "work.lock")
    (locks.path / "sub").symlink_to(tmp_path / "real")
    report = locks.report("sub/work.lock")
    assert report.verdict is UNPROVEN
    assert report.no_release


def test_a_directory_of_many_names_is_no_lock(locks: Locks, sleeper: Other) -> None:
    at = locks.owned("work.dir", sleeper.pid)
    sleeper.kill()
    for number in range(63):
        (at / f"{number}").touch()
    assert locks.report("work.dir").verdict is STALE
    (at / "one-more").touch()
    report = locks.report("work.dir")
    assert (report.verdict, "64 names" in report.explanation) == (UNPROVEN, True)


def test_a_directory_with_a_tree_in_it_is_no_lock(locks: Locks, sleeper: Other) -> None:
    at = locks.owned("work.dir", sleeper.pid)
    sleeper.kill()
    (at / "deeper").mkdir()
    report = locks.report("work.dir")
    assert (report.verdict, "deeper" in report.explanation) == (UNPROVEN, True)


HOLD = {
    "open:read": "f = open(sys.argv[1]); ready()",
    "open:write": "f = open(sys.argv[1], 'a'); ready()",
    "mmap:read": "bare_mmap(sys.argv[1], False); ready()",
    "lock:write": "f = open(sys.argv[1], 'r+'); lock(f.fileno(), fcntl.F_SETLK); ready()",
}


@pytest.mark.parametrize("name", ["work.lock", "work.dir"])
@pytest.mark.parametrize("how", HOLD)
def test_who_has_any_of_it_in_use_holds_it(
    locks: Locks, other: Starter, sleeper: Other, name: str, how: str
) -> None:
    at = locks.owned(name, sleeper.pid)
    sleeper.kill()
    file = at / "owner.json" if name == "work.dir" else at
    one = other(HOLD[how], file)
    report = locks.report(name)
    assert says(report, "open-files") is Says.ALIVE
    (holder,) = report.holders
    assert (holder.pid, how in holder.how) == (one.pid, True)
    one.end()
    assert locks.report(name).verdict is STALE


def test_who_stands_in_a_lock_directory_holds_it(
    locks: Locks, other: Starter, sleeper: Other
) -> None:
    at = locks.owned("work.dir", sleeper.pid)
    sleeper.kill()
    one = other("os.chdir(sys.argv[1]); ready()", at)
    report = locks.report("work.dir")
    assert [(holder.pid, holder.how) for holder in report.holders] == [(one.pid, ("cwd",))]


def test_its_owner_and_its_user_are_one(locks: Locks, other: Starter) -> None:
    one = other("f = open(sys.argv[1], 'w'); ready()", locks.path / "work.lock")
    record = json.dumps(locks.form.whole_identity(one.pid))
    (locks.path / "work.lock").write_text(record)
    (holder,) = locks.report("work.lock").holders
    assert (holder.pid, holder.how) == (one.pid, ("open:write", "owner"))


NOBODY_SEEN = Survey((), 0, "", 0)


def test_a_kernel_lock_speaks_for_alive_where_no_process_shows(
    locks: Locks, other: Starter, sleeper: Other
) -> None:
    at = locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    one = other("f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); ready()", at)
    report = locks.report("work.lock", survey=NOBODY_SEEN, decide=False)
    assert says(report, "kernel-locks") is Says.ALIVE
    assert [(holder.pid, holder.how) for holder in report.holders] == [(one.pid, ("lock:read",))]


HIDDEN = {
    "uninspected": Survey((), 1, "", 0, ("init",)),
    "hidden": Survey((), 0, "This system hides processes of other users.", 0),
}


@pytest.mark.parametrize("survey", HIDDEN.values(), ids=HIDDEN.keys())
@pytest.mark.parametrize("name", SHAPES)
def test_the_kernel_answers_for_processes_that_do_not_show(
    locks: Locks, other: Starter, sleeper: Other, survey: Survey, name: str
) -> None:
    at = locks.owned(name, sleeper.pid)
    sleeper.kill()
    report = locks.report(name, survey=survey)
    assert report.verdict is STALE
    assert says(report, "sole-opener") is Says.DEAD
    if name == "work.lnk":
        return
    other("f = open(sys.argv[1]); ready()", at / "owner.json" if name == "work.dir" else at)
    report = locks.report(name, survey=survey)
    assert says(report, "sole-opener") is Says.ALIVE
    assert says(report, "uninspected") is Says.UNKNOWN


@pytest.mark.parametrize("survey", HIDDEN.values(), ids=HIDDEN.keys())
def test_where_the_kernel_does_not_answer_either_it_is_unproven(
    locks: Locks, sleeper: Other, monkeypatch: pytest.MonkeyPatch, survey: Survey
) -> None:
    locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    monkeypatch.setattr(openers, "sole_opener", lambda _fd: None)
    assert locks.report("work.lock", survey=NOBODY_SEEN).verdict is STALE
    report = locks.report("work.lock", survey=survey)
    assert report.verdict is UNPROVEN
    assert survey.unshown in report.explanation


@pytest.mark.parametrize("name", ["work.lock", "work.dir"])
def test_while_watching_no_lease_is_taken(
    locks: Locks, sleeper: Other, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    locks.owned(name, sleeper.pid)
    sleeper.kill()
    decided = locks.report(name)
    monkeypatch.setattr(openers, "sole_opener", lambda _fd: pytest.fail("a lease was taken"))
    watched = locks.report(name, survey=HIDDEN["uninspected"], decide=False)
    assert watched.verdict is UNPROVEN
    assert "check can ask" in watched.explanation
    former = {decided.path: decided}
    known = locks.report(name, survey=HIDDEN["uninspected"], decide=False, former=former)
    assert known.verdict is STALE


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda at: at.write_bytes(at.read_bytes()),
    "replaced": lambda at: (
        at.write_bytes(at.read_bytes()),
        os.replace(at, f"{at}.x"),
        os.replace(f"{at}.x", at),
    ),
    "mode": lambda at: at.chmod(0o600),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("name", ["work.lock", "work.dir"])
def test_a_former_answer_counts_for_the_very_same_lock_only(
    locks: Locks, sleeper: Other, name: str, change: Callable[[Path], object]
) -> None:
    at = locks.owned(name, sleeper.pid)
    sleeper.kill()
    decided = locks.report(name)
    change(at / "owner.json" if name == "work.dir" else at)
    former = {decided.path: decided}
    watched = locks.report(name, survey=HIDDEN["uninspected"], decide=False, former=former)
    assert watched.verdict is UNPROVEN


@pytest.mark.parametrize(
    "where",
    [
        FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4."),
        FilesystemFacts("ext4", local=True, exported=True, why="It is exported."),
        FilesystemFacts("", local=False, exported=False, why="The system does not tell."),
    ],
    ids=lambda where: where.why,
)
def test_elsewhere_than_on_this_computer_alone_it_is_unproven(
    locks: Locks, sleeper: Other, where: FilesystemFacts
) -> None:
    locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    report = locks.report("work.lock", filesystem=where)
    assert report.verdict is UNPROVEN
    assert where.why in report.explanation
    assert "sole-opener" not in {one.fact for one in report.evidence}


@pytest.mark.usefixtures("only_root")
def test_another_file_system_below_the_root_is_unproven(locks: Locks, sleeper: Other) -> None:
    (locks.path / "sub").mkdir()
    mounted = ["mount", "-t", "tmpfs", "tmpfs", str(locks.path / "sub")]
    if subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        locks.owned("sub/work.lock", sleeper.pid)
        sleeper.kill()
        report = locks.report("sub/work.lock")
        assert report.verdict is UNPROVEN
        assert "another file system" in report.explanation
    finally:
        subprocess.run(["umount", str(locks.path / "sub")], check=True)


@pytest.mark.usefixtures("only_root")
def test_on_a_read_only_file_system_it_is_unproven(locks: Locks, sleeper: Other) -> None:
    locks.owned("work.lock", sleeper.pid)
    sleeper.kill()
    path = str(locks.path)
    if subprocess.run(["mount", "--bind", path, path], check=False).returncode:
        pytest.skip("may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
        with Directory.open(os.fsencode(path)) as root:
            report = Locks(root, locks.form).report("work.lock")
        assert report.verdict is UNPROVEN
        assert "for reading only" in report.explanation
        assert "for reading only" in report.no_release
    finally:
        subprocess.run(["umount", path], check=True)


AS_NOBODY = """
import os, sys
from pathlib import Path
from cachewright.locks.rights import why_immovable
from cachewright.storage.anchored import Directory
at = os.fsencode(sys.argv[1])
with Directory.open(os.path.dirname(at)) as root:
    name = os.path.basename(at)
    why_immovable(root, name, root.stat(name))
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    print(why_immovable(root, name, root.stat(name)))
"""


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize(
    ("name", "top", "own", "said"),
    [
        ("work.lock", 0o755, 0o644, "may not change the directory"),
        ("work.lock", 0o777, 0o644, ""),
        ("work.lock", 0o1777, 0o644, "only owners may move"),
        ("work.dir", 0o777, 0o755, "cannot be moved to another directory"),
        ("work.dir", 0o777, 0o777, ""),
    ],
)
def test_without_rights_nothing_is_offered(
    locks: Locks, name: str, top: int, own: int, said: str
) -> None:
    at = locks.write(name, b"{}")
    at.chmod(own)
    locks.path.chmod(top)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(at)], check=True, capture_output=True, text=True
    )
    assert (said in done.stdout) if said else done.stdout == "\n"


@pytest.mark.parametrize("name", SHAPES)
def test_the_fingerprint_is_of_the_record(locks: Locks, name: str) -> None:
    at = locks.write(name, b'{"id": "1"}')
    first = locks.report(name)
    assert locks.report(name).fingerprint == first.fingerprint
    at.rename(at.with_name("elsewhere"))
    assert replace(locks.root.identity_of(b"elsewhere"), ctime_ns=0) == replace(
        first.identity, ctime_ns=0
    )
    locks.write(name, b'{"id": "2"}')
    assert locks.report(name).fingerprint != first.fingerprint


def test_the_fingerprint_of_a_directory_is_of_all_that_is_in_it(locks: Locks) -> None:
    at = locks.write("work.dir", b"{}")
    (at / "beside").touch()
    prints = [locks.report("work.dir").fingerprint]
    for change in (
        lambda: (at / "beside").write_bytes(b"x"),
        lambda: (at / "beside").chmod(0o600),
        lambda: (at / "beside").rename(at / "renamed"),
        (at / "more").touch,
    ):
        change()
        prints.append(locks.report("work.dir").fingerprint)
    assert len(set(prints)) == len(prints)


def test_the_fingerprint_of_a_directory_is_of_its_names_too(locks: Locks) -> None:
    """Even where a new name leaves a file's times as they are."""
    found = os.stat(locks.path)
    prints = {marker._fingerprint(((name, found),), b"") for name in (b"a", b"b", b"ab")}
    prints |= {marker._fingerprint(((b"a", found),), record) for record in (b"1", b"2")}
    assert len(prints) == 5


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_replaced_while_it_is_read_is_read_again(
    locks: Locks, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    locks.write(name, b'{"id": "old"}')
    real, calls = marker._read, []

    def read(*arguments: Any) -> marker.Marker:
        seen = real(*arguments)
        calls.append(1)
        if len(calls) == 1:
            os.rename(locks.path / name, locks.path / "away")
            locks.write(name, b'{"id": "new"}')
        return seen

    monkeypatch.setattr(marker, "_read", read)
    assert locks.report(name).id == "new"
    assert len(calls) == 2


def test_who_started_after_it_was_written_is_not_taken_for_its_owner(
    locks: Locks, sleeper: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.dumps({"pid": sleeper.pid}).encode()
    locks.write("work.lock", record)
    assert locks.report("work.lock").verdict is HELD
    monkeypatch.setattr(owners, "_SLACK_NS", -(10**12))  # as if it had started much later
    assert locks.report("work.lock").verdict is UNPROVEN


def test_what_never_rests_is_looked_at_in_peace(locks: Locks, other: Starter) -> None:
    """It is taken, released and replaced without a pause, as everything that may have a name."""
    other(
        """
import shutil
path, kinds = sys.argv[1], ('file', 'link', 'dir', 'fifo', 'gone')
def make(kind):
    if kind == 'file':
        with open(path, 'w') as f: f.write('{"id": "f"}')
    elif kind == 'link': os.symlink('{"id": "l"}', path)
    elif kind == 'dir':
        os.mkdir(path)
        with open(path + '/owner.json', 'w') as f: f.write('{"id": "d"}')
    elif kind == 'fifo': os.mkfifo(path)
def run():
    while True:
        for kind in kinds:
            make(kind)
            if os.path.isdir(path) and not os.path.islink(path): shutil.rmtree(path)
            elif os.path.lexists(path): os.unlink(path)
import threading
threading.Thread(target=run, daemon=True).start()
ready()
os._exit(0)
""",
        locks.path / "work.dir",
    )
    survey, kernel, seen = locks.survey(), holders.kernel_locks(), set()
    rounds = 0
    while rounds < 1500 or len(seen) < 2:
        report = locks.look("work.dir", survey=survey, kernel=kernel)
        seen.add(None if report is None else report.verdict)
        rounds += 1
    assert seen <= {None, UNPROVEN, HELD}


def test_a_kind_that_is_no_file_is_said_to_be_none(locks: Locks) -> None:
    place = replace(locks.place("work.lock"), kind=LockKind.OBJECT)
    around = Around.now(locks.root, locks.survey())
    report = look(locks.root, place, locks.reader, around)
    assert report is not None
    assert report.verdict is UNPROVEN
    assert "object" in report.explanation


def test_who_has_a_former_lock_of_that_name_open_is_told(locks: Locks, other: Starter) -> None:
    at = locks.write("work.lock", b"{}")
    one = other("f = open(sys.argv[1]); os.unlink(sys.argv[1]); ready()", at)
    locks.write("work.lock", b"{}")
    said = f"(pid {one.pid}) still has a deleted file of that name open."
    assert said in locks.report("work.lock").explanation
    one.end()
    assert said not in locks.report("work.lock").explanation
