"""Holding the lock of a file that is content: excluding all, opening it for reading only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright.errors import GateHeld, Refused
from cachewright.locks import gates, kernel
from cachewright.model import Gate, LockKind
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

NAME = b"terraform.tfstate"
GATE = Gate(LockKind.POSIX, NAME, create=False, read_only=True)
TRY = """
try:
    fcntl.lockf(f, {mode} | fcntl.LOCK_NB); ready('got')
except BlockingIOError:
    ready('refused')
"""
WRITE = TRY.format(mode="fcntl.LOCK_EX")
READ = "fcntl.lockf(f, fcntl.LOCK_SH | fcntl.LOCK_NB)"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / os.fsdecode(NAME)).write_bytes(b"{}")
    with Directory.open(os.fsencode(tmp_path)) as opened:
        yield opened


def file(root: Directory) -> str:
    return os.fsdecode(root.where(NAME))


def flags_here(path: str) -> list[int]:
    """The flags of every descriptor that this process has on the file."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.stat(f"/proc/self/fd/{number}"), os.stat(path)):
                text = Path(f"/proc/self/fdinfo/{number}").read_text()
                found.append(int(text.split("flags:")[1].split()[0], 8))
        except FileNotFoundError:
            continue  # the listing's own descriptor
    return found


def test_it_keeps_a_writers_lock_out_of_a_file_that_somebody_has_open(
    root: Directory, other: Starter
) -> None:
    """No lease is to be had then: the read lock alone has to do."""
    one = other("f = open(sys.argv[1], 'r+'); ready()" + WRITE + WRITE, file(root))
    with kernel.acquire(root, GATE):
        assert one.go_on() == [b"refused"]
    assert one.go_on() == [b"got"]


def test_the_file_is_never_opened_for_writing(root: Directory) -> None:
    before = root.stat(NAME)
    with kernel.acquire(root, GATE):
        (flags,) = flags_here(file(root))
        assert flags & os.O_ACCMODE == os.O_RDONLY
    after = root.stat(NAME)
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_who_opens_it_meanwhile_waits_and_then_gets_the_lock(
    root: Directory, other: Starter, until: Callable[[Callable[[], object]], None]
) -> None:
    """Its tool fails at once where it finds the lock taken: it must not find it so."""
    inode = f":{root.stat(NAME).st_ino} "

    def being_opened() -> bool:
        lines = Path("/proc/locks").read_text().splitlines()
        return any(inode in line and "BREAKING" in line for line in lines)

    with kernel.acquire(root, GATE):
        one = other("f = open(sys.argv[1], 'r+')" + WRITE, file(root), hear=False)
        until(being_opened)
    assert one.hear() == [b"got"]


def test_a_holder_is_named_at_once(root: Directory, other: Starter) -> None:
    one = other("f = open(sys.argv[1], 'r+')" + WRITE, file(root))
    with pytest.raises(GateHeld, match=rf"\(pid {one.pid}\)"), kernel.acquire(root, GATE):
        pytest.fail("it was granted")
    one.end()
    with kernel.acquire(root, GATE):
        assert len(flags_here(file(root))) == 1
    assert flags_here(file(root)) == []


def test_another_readers_lock_is_in_the_way_too(root: Directory, other: Starter) -> None:
    """The kernel would grant a second read lock; the gate is held by one alone."""
    one = other(f"f = open(sys.argv[1]); {READ}; ready()", file(root))
    with pytest.raises(GateHeld, match=rf"\(pid {one.pid}\)"), kernel.acquire(root, GATE):
        pytest.fail("it was granted")


@pytest.mark.parametrize("moment", ["_let_openers_wait", "ask_of_others"])
def test_a_reader_that_comes_between_is_seen_and_named(
    moment: str, root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It locks after we asked whether anybody has a lock, or right after we took ours."""
    one = other(f"f = open(sys.argv[1]); ready(); {READ}; ready()", file(root))
    real, locked = getattr(gates, moment), []

    def between(fd: int) -> object:
        if not locked:
            locked.append(one.go_on())
        return real(fd)

    monkeypatch.setattr(gates, moment, between)
    with pytest.raises(GateHeld, match=rf"\(pid {one.pid}\)"), kernel.acquire(root, GATE):
        pytest.fail("it was granted")


def test_a_tool_between_opening_and_locking_gets_time_to(
    root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = other("f = open(sys.argv[1], 'r+'); ready()" + WRITE, file(root))
    paused = []

    def pause(seconds: float) -> None:
        assert seconds > 0
        if not paused:
            paused.append(one.go_on())

    monkeypatch.setattr(gates.time, "sleep", pause)
    with pytest.raises(GateHeld), kernel.acquire(root, GATE):
        pytest.fail("it was granted")
    assert paused == [[b"got"]]


def test_a_missing_file_is_never_made(root: Directory) -> None:
    os.unlink(NAME, dir_fd=root.fd)
    gate = Gate(LockKind.POSIX, NAME, create=True, read_only=True)
    with pytest.raises(Refused, match="missing"), kernel.acquire(root, gate):
        pytest.fail("it was granted")
    assert root.names() == []


def test_a_flock_is_taken_whole_on_a_read_only_descriptor(root: Directory, other: Starter) -> None:
    code = "f = open(sys.argv[1]); ready()" + WRITE.replace("lockf", "flock")
    one = other(code.replace("LOCK_EX", "LOCK_SH"), file(root))
    with kernel.acquire(root, Gate(LockKind.FLOCK, NAME, create=False, read_only=True)):
        assert one.go_on() == [b"refused"]
        assert flags_here(file(root))[0] & os.O_ACCMODE == os.O_RDONLY
