"""An info file is what the kernel lock beside it is, whatever it says of itself."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright import holders
from cachewright.diagnosis.locks import of_lock, of_locks, offer_of
from cachewright.errors import Refused
from cachewright.holders.mounts import Mount
from cachewright.locks import filesystems, info_file, kernel, marker
from cachewright.locks.filesystems import FilesystemFacts
from cachewright.locks.looking import Around, look
from cachewright.model import (
    Claim,
    Confirm,
    Evidence,
    FindingKind,
    Gate,
    HoldVerdict,
    LockKind,
    LockPlace,
    LockReport,
    Says,
)
from cachewright.repair.unlocking import unlock_plan
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

INFO, STATE = b".terraform.tfstate.lock.info", b"terraform.tfstate"
GATE = Gate(LockKind.POSIX, STATE, create=False, read_only=True)
PLACE = LockPlace(
    "place-1", LockKind.INFO_FILE, INFO, 3, "State terraform.tfstate", {"of": "terraform"}, GATE
)
HOLD = "f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()"
RECORD = b'{"ID":"54dacc76","Who":"root@vm"}'
LOCAL = FilesystemFacts("ext4", local=True, exported=False, why="It lies on ext4, here.")


class Reader:
    """Reads a record as a format would, and notes what it was given."""

    def __init__(self, also: Callable[[], object] = lambda: None) -> None:
        self.given: list[bytes] = []
        self._also = also

    def claim(self, place: LockPlace, record: bytes) -> Claim:
        assert place.relative == INFO
        self.given.append(record)
        self._also()
        if record != RECORD:
            return Claim(garbage="It is not JSON.")
        return Claim(id="54dacc76", owner={"Who": "root@vm"})


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / os.fsdecode(INFO)).write_bytes(RECORD)
    (folder / os.fsdecode(STATE)).write_bytes(b"{}")
    with Directory.open(os.fsencode(folder)) as opened:
        yield opened


@pytest.fixture
def info(root: Directory) -> Path:
    return Path(os.fsdecode(root.where(INFO)))


@pytest.fixture
def state(root: Directory) -> Path:
    return Path(os.fsdecode(root.where(STATE)))


def see(
    root: Directory,
    reader: Reader | None = None,
    place: LockPlace = PLACE,
    facts: FilesystemFacts | None = None,
) -> LockReport | None:
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    around = Around(survey, holders.kernel_locks(), facts or filesystems.facts(root))
    return look(root, place, reader or Reader(), around)


def seen(
    root: Directory,
    reader: Reader | None = None,
    place: LockPlace = PLACE,
    facts: FilesystemFacts | None = None,
) -> LockReport:
    report = see(root, reader, place, facts)
    assert report is not None
    return report


def unknown(report: LockReport) -> list[str]:
    return [one.fact for one in report.evidence if one.says is Says.UNKNOWN]


def test_where_there_is_none_there_is_none(root: Directory, info: Path) -> None:
    info.unlink()
    assert see(root) is None
    assert see(root, place=replace(PLACE, relative=b"no/where.lock.info")) is None


def test_held_names_the_locks_holder_and_says_what_the_file_says(
    root: Directory, state: Path, info: Path, other: Starter
) -> None:
    one = other(HOLD, state)
    report = seen(root)
    assert report.verdict is HoldVerdict.HELD
    (holder,) = report.holders
    assert (holder.pid, holder.how) == (one.pid, ("lock:write", "open:write"))
    assert (report.id, report.kind, report.path) == ("54dacc76", LockKind.INFO_FILE, bytes(info))
    assert report.owner == {"of": "terraform", "Who": "root@vm"}
    assert report.guards == bytes(state)
    assert offer_of(report) is None


def test_a_killed_holder_leaves_it_stale(root: Directory, state: Path, other: Starter) -> None:
    one = other(HOLD, state)
    assert seen(root).verdict is HoldVerdict.HELD
    one.kill()
    report = seen(root)
    assert report.verdict is HoldVerdict.STALE
    assert {evidence.says for evidence in report.evidence} == {Says.DEAD}
    assert report.identity == root.identity_of(INFO)
    assert report.fingerprint == hashlib.sha256(RECORD).hexdigest()
    assert "nobody has the lock on terraform.tfstate" in report.explanation
    offer = offer_of(report)
    assert offer is not None
    assert (offer.confirm, offer.typed) == (Confirm.CLICK, "54dacc76")


def test_a_stopped_holder_holds(root: Directory, state: Path, other: Starter) -> None:
    other(HOLD, state).stop()
    report = seen(root)
    assert (report.verdict, report.holders[0].state) == (HoldVerdict.HELD, "stopped")


def test_nothing_is_opened_for_writing_or_changed(root: Directory, state: Path, info: Path) -> None:
    info.chmod(0o400)
    state.chmod(0o400)
    before = (root.identity_of(INFO), root.identity_of(STATE))
    assert seen(root).verdict is HoldVerdict.STALE
    assert (root.identity_of(INFO), root.identity_of(STATE)) == before


@pytest.mark.parametrize("content", [b"", b"garbage \x1b[31m", b"\xff\xfe", b"{}"])
def test_what_it_says_decides_nothing(
    content: bytes, root: Directory, state: Path, info: Path, other: Starter
) -> None:
    info.write_bytes(content)
    report = seen(root)
    assert (report.verdict, report.garbage, report.id) == (HoldVerdict.STALE, True, "place-1")
    assert any("it is not JSON" in one.detail for one in report.evidence)
    other(HOLD, state)
    assert seen(root).verdict is HoldVerdict.HELD


def test_a_record_of_10_mb_is_never_read_whole(
    root: Directory, info: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info.write_bytes(b"x" * 10_000_000)
    longest = 0
    real = marker._content

    def content(*arguments: object) -> tuple[bytes, str]:
        nonlocal longest
        found = real(*arguments)  # type: ignore[arg-type]
        longest = max(longest, len(found[0]))
        return found

    monkeypatch.setattr(marker, "_content", content)
    reader = Reader()
    report = seen(root, reader)
    assert (report.verdict, reader.given) == (HoldVerdict.STALE, [])
    assert 0 < longest <= 64 << 10
    assert any("longer than 64 KiB" in one.detail for one in report.evidence)


def test_a_record_that_may_not_be_read_decides_nothing_either(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Directory.open_file

    def open_file(self: Directory, relative: bytes, flags: int = os.O_RDONLY) -> int:
        if relative == INFO:
            raise PermissionError(13, "Permission denied")
        return real(self, relative, flags)

    monkeypatch.setattr(Directory, "open_file", open_file)
    reader = Reader()
    report = seen(root, reader)
    assert (report.verdict, reader.given, report.id) == (HoldVerdict.STALE, [], "place-1")
    assert any("it may not be read" in one.detail for one in report.evidence)


def make_directory(path: Path) -> None:
    path.mkdir()
    (path / "secret").write_text("mine")


def make_link(path: Path) -> None:
    outside = path.parent.parent / "outside"
    outside.write_bytes(RECORD)
    path.symlink_to(outside)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            one.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


STRANGE = pytest.mark.parametrize(
    ("make", "word"),
    [
        (make_directory, "a directory"),
        (make_link, "a link, which was not followed"),
        (os.mkfifo, "a named pipe"),
        (make_socket, "a socket"),
    ],
    ids=["directory", "link", "pipe", "socket"],
)


@STRANGE
def test_what_is_no_file_in_its_place_is_not_followed_and_never_clicked_away(
    make: Callable[[Path], None], word: str, root: Directory, info: Path, other: Starter
) -> None:
    info.unlink()
    make(info)
    reader = Reader()
    report = seen(root, reader)
    assert (report.verdict, report.garbage) == (HoldVerdict.UNPROVEN, True)
    assert reader.given == []
    assert word in report.explanation
    finding = of_lock(report)
    assert finding is not None
    assert finding.kind is FindingKind.GARBAGE_LOCK
    assert [one.confirm for one in finding.repairs] == [Confirm.TYPED]
    other(HOLD, os.fsdecode(root.where(STATE)))
    assert seen(root).verdict is HoldVerdict.HELD


@STRANGE
def test_a_state_file_that_is_none_proves_nothing(
    make: Callable[[Path], None], word: str, root: Directory, state: Path, info: Path
) -> None:
    state.unlink()
    make(state)
    report = seen(root)
    assert report.verdict is HoldVerdict.UNPROVEN
    assert unknown(report) == ["kernel-lock"]
    assert f"The lock is taken on terraform.tfstate, which is {word}." in report.explanation
    assert offer_of(report) is None
    with pytest.raises(Refused, match=r"the lock is taken on terraform\.tfstate, which is a"):
        unlock_plan(root.path, "terraform-state", report)
    assert info.read_bytes() == RECORD


def test_without_a_state_file_nothing_can_be_proven_or_repaired(
    root: Directory, state: Path
) -> None:
    state.unlink()
    report = seen(root)
    assert report.verdict is HoldVerdict.UNPROVEN
    assert "which is not there" in report.explanation
    assert "which is not there" in report.no_release
    assert offer_of(report) is None
    assert not state.exists()


def test_a_state_file_behind_a_linked_folder_is_not_looked_at(
    root: Directory, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "s").touch()
    (tmp_path / "project" / "here").symlink_to(tmp_path / "there")
    gate = replace(GATE, relative=b"here/s")
    report = seen(root, place=replace(PLACE, guards=gate))
    assert report.verdict is HoldVerdict.UNPROVEN
    assert "cannot be looked at" in report.explanation
    assert report.no_release


def test_an_info_file_behind_a_linked_folder_is_not_looked_at(
    root: Directory, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / os.fsdecode(INFO)).write_bytes(RECORD)
    (tmp_path / "project" / "here").symlink_to(tmp_path / "there")
    report = seen(root, place=replace(PLACE, relative=b"here/" + INFO))
    assert report.verdict is HoldVerdict.UNPROVEN
    assert "It cannot be looked at" in report.explanation
    assert offer_of(report) is None


def test_a_format_that_names_no_lock_proves_nothing(root: Directory) -> None:
    report = seen(root, place=replace(PLACE, guards=None))
    assert (report.verdict, report.guards) == (HoldVerdict.UNPROVEN, b"")
    assert "names no lock" in report.explanation
    assert offer_of(report) is None


@pytest.mark.parametrize(
    "facts",
    [
        FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4, elsewhere."),
        FilesystemFacts("ext4", local=True, exported=True, why="It is exported to others."),
        FilesystemFacts("", local=False, exported=False, why="The system does not tell."),
    ],
    ids=["network", "exported", "unknown"],
)
def test_who_may_sit_at_another_computer_is_not_proven_absent(
    facts: FilesystemFacts, root: Directory, state: Path, other: Starter
) -> None:
    report = seen(root, facts=facts)
    assert (report.verdict, unknown(report)) == (HoldVerdict.UNPROVEN, ["filesystem"])
    assert facts.why in report.explanation
    offer = offer_of(report)
    assert offer is not None
    assert offer.confirm is Confirm.TYPED
    other(HOLD, state)
    assert seen(root, facts=facts).verdict is HoldVerdict.HELD


def test_a_state_file_on_another_file_system_than_the_project_counts_by_its_own(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system mounted over a part of the project."""
    nfs = Mount(1, 1, b"/", b"/x", "nfs4", "rw")
    monkeypatch.setattr(kernel, "mount_of", lambda _fd: nfs)
    report = seen(root, facts=LOCAL)
    assert (report.verdict, unknown(report)) == (HoldVerdict.UNPROVEN, ["filesystem"])
    assert "nfs4" in report.explanation
    assert [one.fact for one in report.evidence].count("filesystem") == 1


def test_in_a_project_that_may_only_be_read_nothing_is_offered(
    root: Directory, only_root: None
) -> None:
    del only_root
    path = os.fsdecode(root.path)
    if subprocess.run(["mount", "--bind", path, path], check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True, capture_output=True)
        with Directory.open(root.path) as mounted:
            report = seen(mounted)
        assert (report.verdict, unknown(report)) == (HoldVerdict.UNPROVEN, ["rights"])
        assert report.explanation.startswith("Nobody has the lock on terraform.tfstate, but")
        assert "mounted for reading only" in report.no_release
        assert offer_of(report) is None
    finally:
        subprocess.run(["umount", path], check=True, capture_output=True)


def test_while_we_hold_its_lock_it_is_as_stale_as_it_was(root: Directory) -> None:
    with kernel.acquire(root, GATE):
        report = seen(root)
    assert report.verdict is HoldVerdict.STALE
    assert report.holders == ()
    assert Evidence(kernel.OUR_GATE, Says.DEAD, "").fact in {one.fact for one in report.evidence}


def test_our_own_gate_does_not_make_a_network_file_system_a_local_one(root: Directory) -> None:
    facts = FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4.")
    with kernel.acquire(root, GATE):
        assert seen(root, facts=facts).verdict is HoldVerdict.UNPROVEN


def test_one_that_goes_away_while_it_is_looked_at_is_none(root: Directory, info: Path) -> None:
    """Its tool removes it and lets the lock go between our reading and our asking."""
    assert see(root, Reader(lambda: info.unlink(missing_ok=True))) is None


def test_one_that_is_taken_while_it_is_looked_at_is_held(
    root: Directory, state: Path, info: Path, other: Starter
) -> None:
    """The lock was free when it was asked for, but by now the file is another's."""
    real, asked = kernel.look, []

    def free_then_taken(*arguments: object) -> LockReport:
        report = real(*arguments)  # type: ignore[arg-type]
        if not asked:
            other(HOLD, state)
            info.write_bytes(RECORD)
            asked.append(report.verdict)
        return report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(info_file.kernel, "look", free_then_taken)
        report = seen(root)
    assert asked == [HoldVerdict.FREE]
    assert report.verdict is HoldVerdict.HELD


def test_one_that_changes_all_the_time_is_unproven(root: Directory, info: Path) -> None:
    real = kernel.look

    def rewritten(*arguments: object) -> LockReport:
        report = real(*arguments)  # type: ignore[arg-type]
        os.replace(info.with_name("new"), info)
        info.with_name("new").write_bytes(RECORD)
        return report

    info.with_name("new").write_bytes(RECORD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(info_file.kernel, "look", rewritten)
        report = seen(root)
    assert (report.verdict, unknown(report)) == (HoldVerdict.UNPROVEN, ["unchanged"])


def test_a_flock_is_looked_up_anew_after_the_file_was_seen(
    root: Directory, state: Path, other: Starter
) -> None:
    """A flock only shows in the kernel's table: one read before the file was seen is too old."""
    one = other("f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); ready()", state)
    place = replace(PLACE, guards=Gate(LockKind.FLOCK, STATE, create=False))
    around = Around(holders.survey([root.path], frozenset()), (), LOCAL)
    report = look(root, place, Reader(), around)
    assert report is not None
    assert (report.verdict, report.holders[0].pid) == (HoldVerdict.HELD, one.pid)


def test_a_format_that_fails_to_read_it_changes_nothing(root: Directory) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    report = seen(root, Reader(fail))
    assert (report.verdict, report.garbage) == (HoldVerdict.STALE, True)
    assert any("ZeroDivisionError" in one.detail for one in report.evidence)


def test_a_lock_and_what_is_said_of_it_are_told_of_once(
    root: Directory, state: Path, other: Starter
) -> None:
    other(HOLD, state)
    posix = replace(PLACE, kind=LockKind.POSIX, relative=STATE, guards=None)
    places: Sequence[LockPlace] = (posix, PLACE)
    reports = [seen(root, place=one) for one in places]
    assert {one.verdict for one in reports} == {HoldVerdict.HELD}
    (told,) = of_locks(reports)
    assert told.path == reports[1].path
    (alone,) = of_locks(reports[:1])
    assert alone.path == reports[0].path
