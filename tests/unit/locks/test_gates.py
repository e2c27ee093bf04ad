"""Holding another tool's lock: at once or not at all, and never by deleting anything."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright.errors import GateHeld, Refused
from cachewright.locks import gates, kernel, ours
from cachewright.model import Gate, LockKind
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

NAME = b"linux_amd64.lock"
POSIX, FLOCK = LockKind.POSIX, LockKind.FLOCK
TAKE = {
    POSIX: "fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    FLOCK: "fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)",
}
KINDS = pytest.mark.parametrize("kind", TAKE)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / os.fsdecode(NAME)).touch()
    with Directory.open(os.fsencode(tmp_path)) as opened:
        yield opened


def file(root: Directory) -> str:
    return os.fsdecode(root.where(NAME))


def try_lock(kind: LockKind, root: Directory, other: Starter) -> str:
    """Whether another process gets the lock."""
    code = f"""
f = open(sys.argv[1], 'r+')
try:
    {TAKE[kind]}; ready('got')
except BlockingIOError:
    ready('refused')
"""
    one = other(code, file(root))
    one.end()
    return one.said[0].decode()


@KINDS
def test_it_is_held_for_the_length_of_the_block(
    kind: LockKind, root: Directory, other: Starter
) -> None:
    with kernel.acquire(root, Gate(kind, NAME, create=False)):
        assert try_lock(kind, root, other) == "refused"
    assert try_lock(kind, root, other) == "got"
    assert root.names() == [NAME]


@KINDS
def test_it_is_let_go_when_the_block_fails(kind: LockKind, root: Directory, other: Starter) -> None:
    gate = Gate(kind, NAME, create=False)
    with pytest.raises(ZeroDivisionError), kernel.acquire(root, gate):
        raise ZeroDivisionError
    assert try_lock(kind, root, other) == "got"
    with kernel.acquire(root, gate):
        assert try_lock(kind, root, other) == "refused"


@KINDS
def test_contention_names_the_holder(kind: LockKind, root: Directory, other: Starter) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE[kind]}; ready()", file(root))
    gate = Gate(kind, NAME, create=True)
    with pytest.raises(GateHeld) as refused, kernel.acquire(root, gate, subject=b"/cache/entry"):
        pytest.fail("it was granted")
    text = str(refused.value)
    assert f"(pid {one.pid})" in text
    assert "python" in text
    assert text.startswith("/cache/entry was left untouched: ")
    assert text.endswith(" holds linux_amd64.lock.")
    one.end()
    with kernel.acquire(root, gate):
        assert try_lock(kind, root, other) == "refused"


def test_an_ofd_lock_is_in_the_way_and_its_owner_named(root: Directory, other: Starter) -> None:
    one = other(
        "f = open(sys.argv[1], 'r+'); lock(f.fileno(), fcntl.F_OFD_SETLK); ready()", file(root)
    )
    with (
        pytest.raises(GateHeld, match=rf"\(pid {one.pid}\)"),
        kernel.acquire(root, Gate(POSIX, NAME, create=False)),
    ):
        pytest.fail("it was granted")


@KINDS
def test_readers_are_kept_out_too(kind: LockKind, root: Directory, other: Starter) -> None:
    shared = TAKE[kind].replace("LOCK_EX", "LOCK_SH")
    code = f"""
f = open(sys.argv[1], 'r+')
try:
    {shared}; ready('got')
except BlockingIOError:
    ready('refused')
"""
    with kernel.acquire(root, Gate(kind, NAME, create=False)):
        assert other(code, file(root)).said == [b"refused"]


def test_flock_and_posix_do_not_see_each_other(root: Directory, other: Starter) -> None:
    """The kinds behave differently: the gate must be of the tool's own kind."""
    other(f"f = open(sys.argv[1], 'r+'); {TAKE[FLOCK]}; ready()", file(root))
    with kernel.acquire(root, Gate(POSIX, NAME, create=False)):
        assert try_lock(POSIX, root, other) == "refused"


@KINDS
def test_a_missing_lock_file_is_made_where_the_tool_would(
    kind: LockKind, root: Directory, other: Starter
) -> None:
    os.unlink(NAME, dir_fd=root.fd)
    with kernel.acquire(root, Gate(kind, NAME, create=True)):
        assert try_lock(kind, root, other) == "refused"
    found = root.stat(NAME)
    assert (found.st_mode & 0o777, found.st_size) == (0o644, 0)


def test_a_missing_lock_file_is_not_made_where_the_tool_would_not(root: Directory) -> None:
    os.unlink(NAME, dir_fd=root.fd)
    with (
        pytest.raises(Refused, match="its lock file is missing"),
        kernel.acquire(root, Gate(POSIX, NAME, create=False)),
    ):
        pytest.fail("it was granted")
    assert root.names() == []


def test_a_lock_file_in_a_missing_directory_is_refused(root: Directory) -> None:
    with (
        pytest.raises(Refused, match="cannot be taken"),
        kernel.acquire(root, Gate(POSIX, b"no/where.lock", create=True)),
    ):
        pytest.fail("it was granted")


@KINDS
def test_within_one_process_it_excludes_too(
    kind: LockKind, root: Directory, other: Starter
) -> None:
    """The kernel would grant a POSIX lock again, and the second close would drop both."""
    gate = Gate(kind, NAME, create=False)
    with kernel.acquire(root, gate):
        refused: list[BaseException] = []

        def again() -> None:
            try:
                with kernel.acquire(root, gate):
                    pass
            except GateHeld as error:
                refused.append(error)

        thread = threading.Thread(target=again)
        thread.start()
        thread.join()
        assert len(refused) == 1
        assert "Cachewright itself" in str(refused[0])
        assert try_lock(kind, root, other) == "refused"


def test_another_name_of_the_same_file_is_the_same_lock(root: Directory, other: Starter) -> None:
    os.link(NAME, b"second.lock", src_dir_fd=root.fd, dst_dir_fd=root.fd)
    with kernel.acquire(root, Gate(POSIX, NAME, create=False)):
        with (
            pytest.raises(GateHeld),
            kernel.acquire(root, Gate(POSIX, b"second.lock", create=False)),
        ):
            pytest.fail("it was granted")
        assert try_lock(POSIX, root, other) == "refused"


def test_it_knows_what_it_holds(root: Directory) -> None:
    assert not ours.held_here(root.stat(NAME))
    with kernel.acquire(root, Gate(POSIX, NAME, create=False)):
        assert ours.held_here(root.stat(NAME))
    assert not ours.held_here(root.stat(NAME))


def test_a_lock_on_a_replaced_file_is_not_kept(
    root: Directory, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody renames another file over it between our opening and our locking it."""
    real, replaced = gates._lock, []

    def lock(fd: int, kind: LockKind, about: bytes) -> bool:
        if not replaced:
            (Path(file(root)).with_name("new")).touch()
            os.replace(Path(file(root)).with_name("new"), file(root))
            replaced.append(os.fstat(fd).st_ino)
        return real(fd, kind, about)

    monkeypatch.setattr(gates, "_lock", lock)
    with kernel.acquire(root, Gate(POSIX, NAME, create=False)):
        assert root.stat(NAME).st_ino != replaced[0]
        assert try_lock(POSIX, root, other) == "refused"


def test_a_link_is_not_followed(root: Directory, tmp_path: Path) -> None:
    os.unlink(NAME, dir_fd=root.fd)
    target = tmp_path / "outside"
    os.symlink(target, file(root))
    with (
        pytest.raises(Refused),
        kernel.acquire(root, Gate(POSIX, NAME, create=True)),
    ):
        pytest.fail("it was granted")
    assert not target.exists()


def test_a_lock_of_another_kind_is_refused(root: Directory) -> None:
    with (
        pytest.raises(Refused, match="existence"),
        kernel.acquire(root, Gate(LockKind.EXISTENCE, NAME, create=True)),
    ):
        pytest.fail("it was granted")
