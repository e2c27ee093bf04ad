"""What verification finds in entries that somebody changes meanwhile: never a wrong digest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import select
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from cachewright.digests import hash_file
from cachewright.hashing import big, reading
from cachewright.hashing.big import BigFile, BigFiles
from cachewright.hashing.wire import RACY_NS, Group, Signature, Status
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.verify import Verified

MEBI = 1 << 20


class Verify(Protocol):
    def __call__(
        self, tree: Tree | None = ..., *algorithms: str, cancel: CancelToken | None = ...
    ) -> Verified: ...


def rewrite(place: Path) -> None:
    """Other content of the same size and modification time."""
    times, size = place.stat(), place.stat().st_size
    with place.open("r+b") as file:
        file.write(b"y" * size)
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(place: Path) -> None:
    """Another file with the same content and times."""
    times = place.stat()
    shutil.copy2(place, place.with_name("new"))
    place.with_name("new").replace(place)
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


def turn_to_link(place: Path) -> None:
    """The very same file, but behind a link."""
    outside = place.parent.parent.parent / "outside"
    outside.mkdir()
    place.rename(outside / "file")
    place.symlink_to(outside / "file")


def link_to_the_untouched(place: Path) -> None:
    """A link that leads to the file itself, of which not even the change time has changed."""
    away = place.parent.parent.parent / "away"
    place.parent.rename(away)
    place.parent.mkdir()
    place.symlink_to(away / place.name)


def turn_to_pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


def group_of(place: Path) -> Group:
    found = os.stat(place)
    known = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return Group(b"", [os.fsencode(place.name)], [known])


CHANGES: list[Callable[[Path], object]] = [
    rewrite,
    replace,
    turn_to_link,
    link_to_the_untouched,
    turn_to_pipe,
    lambda place: place.unlink(),
    lambda place: place.chmod(0o700),
    lambda place: os.truncate(place, 5),
]


@pytest.mark.parametrize("size", [100, 2 * MEBI], ids=["small", "big"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_after_the_scan_is_not_hashed(
    at: Path,
    root: Directory,
    verified: Verify,
    size: int,
    change: Callable[[Path], object],
) -> None:
    (at / "sub").mkdir()
    (at / "sub" / "file").write_bytes(b"x" * size)
    (at / "quiet").touch()
    tree = scan_subtree(root)
    change(at / "sub" / "file")
    one = verified(tree)
    assert b"sub/file" in one.changed
    assert set(one.files) == {b"quiet"}
    assert one.unreadable == ()


def test_nobody_waiting_at_a_pipe_is_let_in(
    at: Path, root: Directory, verified: Verify, other: Callable[..., Any]
) -> None:
    (at / "file").touch()
    tree = scan_subtree(root)
    turn_to_pipe(at / "file")
    writer = other("print('ready', flush=True); open(sys.argv[1], 'wb'); ready()", at / "file")
    assert verified(tree).changed
    assert select.select([writer.out], [], [], 0.3)[0] == []
    os.close(os.open(at / "file", os.O_RDONLY | os.O_NONBLOCK))
    writer.hear()


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda at: (at / "new").touch(), b""),
        (lambda at: (at / "sub" / "deep" / "new").touch(), b"sub/deep"),
        (lambda at: (at / "sub" / "deep" / "new").mkdir(), b"sub/deep"),
        (lambda at: (at / "sub" / "deep").rmdir(), b"sub/deep"),
        (lambda at: (at / "link").unlink(), b""),
        (lambda at: (at / "link").rename(at / "same number of names"), b""),
        (lambda at: (at / "sub").rename(at / "bus"), b"sub"),
    ],
    ids=[
        "file",
        "file below",
        "directory below",
        "directory gone",
        "link gone",
        "link renamed",
        "renamed",
    ],
)
def test_what_comes_and_goes_shows_in_its_directory(
    at: Path,
    root: Directory,
    verified: Verify,
    change: Callable[[Path], object],
    changed: bytes,
) -> None:
    (at / "sub" / "deep").mkdir(parents=True)
    (at / "link").symlink_to("x")
    (at / "file").write_bytes(b"1")
    tree = scan_subtree(root)
    change(at)
    one = verified(tree)
    assert changed in one.changed
    assert set(one.files) == {b"file"}


def test_a_directory_swapped_for_a_link_is_not_followed(
    at: Path, root: Directory, verified: Verify
) -> None:
    """The link leads to the very same files, so only following it would find them."""
    (at / "sub").mkdir()
    (at / "sub" / "small").write_bytes(b"1")
    (at / "sub" / "big").write_bytes(b"1" * (2 * MEBI))
    tree = scan_subtree(root)
    (at / "sub").rename(at.parent / "outside")
    (at / "sub").symlink_to(at.parent / "outside")
    one = verified(tree)
    assert one.files == {}
    assert {b"", b"sub", b"sub/small", b"sub/big"} <= set(one.changed)


def test_a_file_added_within_one_tick_of_the_clock_shows(
    at: Path, root: Directory, verified: Verify
) -> None:
    """Times of the directory are the same before and after, as a coarse clock leaves them."""
    (at / "file").touch()
    tree = scan_subtree(root)
    (at / "new").touch()
    found = os.stat(at)
    columns = {name: getattr(tree.columns, name).copy() for name in ("mtime_ns", "ctime_ns")}
    columns["mtime_ns"][0], columns["ctime_ns"][0] = found.st_mtime_ns, found.st_ctime_ns
    coarse = Tree(dataclasses.replace(tree.columns, **columns))
    assert verified(coarse).changed == (b"",)


def test_a_file_changed_a_moment_ago_is_read_after_the_clock_has_ticked() -> None:
    now = time.time_ns()
    reading.outlast_tick([(1, 2, 3, now, now)])
    assert time.time_ns() >= now + RACY_NS


@pytest.mark.parametrize("size", [1, 2 * MEBI], ids=["small", "big"])
def test_a_file_written_a_moment_ago_is_not_read_within_the_same_tick(
    at: Path, root: Directory, size: int
) -> None:
    (at / "file").write_bytes(b"x" * size)
    found = os.stat(at / "file")
    # As if it had been written just now: the clock of the file system is a little behind.
    now = time.time_ns()
    known = (found.st_dev, found.st_ino, size, found.st_mtime_ns, now)
    if size == 1:
        reading.Hasher(["sha256"]).hash_all(root.fd, [Group(b"", [b"file"], [known])])
    else:
        with BigFiles[int](["sha256"], 1, CancelToken()) as files:
            files.add(BigFile(1, root, b"file", known))
            select.select([files.wake], [], [])
            assert [one.changed for one in files.done()] == [True]
    assert time.time_ns() >= now + RACY_NS


class AtBlock(CancelToken):
    """Lets something happen when the third block of a big file is about to be read.

    Only the threads that read are counted: who waits for them asks as well.
    """

    def __init__(self, happen: Callable[[], object]) -> None:
        super().__init__()
        self.asked, self._happen = 0, happen

    @property
    def paused(self) -> bool:
        if threading.current_thread() is not threading.main_thread():
            self.asked += 1
            if self.asked == 3:
                self._happen()
        return super().paused


@pytest.mark.parametrize(
    "change",
    [
        lambda place: os.truncate(place, 9 * MEBI),
        lambda place: os.truncate(place, 5 * MEBI),
        rewrite,
        lambda place: place.chmod(0o700),
    ],
    ids=["grown", "cut", "rewritten", "chmod"],
)
def test_a_big_file_that_changes_while_it_is_read(
    at: Path, verified: Verify, change: Callable[[Path], object]
) -> None:
    (at / "file").write_bytes(b"x" * (8 * MEBI))
    one = verified(cancel=AtBlock(lambda: change(at / "file")))
    assert one.changed == (b"file",)
    assert one.files == {}


@pytest.mark.parametrize("change", [rewrite, lambda place: os.truncate(place, 9)])
def test_a_small_file_that_changes_while_it_is_read(
    at: Path,
    root: Directory,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], object],
) -> None:
    (at / "file").write_bytes(b"12345678")
    group = group_of(at / "file")
    read = reading._read

    def read_and_change(fd: int, size: int) -> bytes:
        content = read(fd, size)
        change(at / "file")
        return content

    monkeypatch.setattr(reading, "_read", read_and_change)
    answer = reading.Hasher(["sha256"]).hash_all(root.fd, [group])
    assert list(answer.statuses) == [Status.CHANGED]


def test_a_file_system_that_gives_less_than_it_says_is_not_believed(
    at: Path, root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (at / "file").write_bytes(b"12345678")
    monkeypatch.setattr(reading, "_read", lambda fd, size: os.read(fd, size - 1))
    answer = reading.Hasher(["sha256"]).hash_all(root.fd, [group_of(at / "file")])
    assert list(answer.statuses) == [Status.CHANGED]


def test_what_takes_a_place_just_before_it_is_opened_is_not_read(
    at: Path, root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (at / "file").write_bytes(b"12345678")
    group = group_of(at / "file")
    same, was_read = reading.same, threading.Event()

    def note(_fd: int, _size: int) -> bytes:
        was_read.set()
        return b"12345678"

    def swap_after_the_first_look(found: os.stat_result, known: Signature) -> bool:
        answer = same(found, known)
        if not (at / "file").is_fifo():
            turn_to_pipe(at / "file")
        return answer

    monkeypatch.setattr(reading, "same", swap_after_the_first_look)
    monkeypatch.setattr(reading, "_read", note)
    answer = reading.Hasher(["sha256"]).hash_all(root.fd, [group])
    assert list(answer.statuses) == [Status.CHANGED]
    assert not was_read.is_set()


def test_a_big_file_that_is_another_by_now_is_not_even_read(
    at: Path, root: Directory, verified: Verify
) -> None:
    (at / "file").write_bytes(b"x" * (8 * MEBI))
    tree = scan_subtree(root)
    replace(at / "file")
    blocks = AtBlock(lambda: None)
    assert b"file" in verified(tree, cancel=blocks).changed
    assert blocks.asked == 0


def test_a_big_file_of_which_less_comes_than_it_has_is_not_believed(
    at: Path, verified: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    (at / "file").write_bytes(b"x" * (2 * MEBI))
    whole = hash_file

    def less(*arguments: Any) -> tuple[int, dict[str, str]]:
        size, values = whole(*arguments)
        return size - 1, values

    monkeypatch.setattr(big, "hash_file", less)
    assert verified().changed == (b"file",)


WRITER = """
import select
fd = os.open(sys.argv[1], os.O_RDWR)
print("ready", flush=True)
n = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    n += 1
    os.pwrite(fd, b"%20d" % n, 0)
"""


def test_a_small_file_that_somebody_keeps_writing(
    at: Path,
    root: Directory,
    verified: Verify,
    other: Callable[..., Any],
    until: Callable[[Callable[[], object]], None],
) -> None:
    (at / "busy").write_bytes(b"x" * 4096)
    (at / "quiet").write_bytes(b"q")
    other(WRITER, at / "busy")
    for _ in range(3):
        tree = scan_subtree(root)
        row = tree.find(b"busy")
        until(lambda: os.stat(at / "busy").st_ctime_ns != tree.ctime_ns[row])  # noqa: B023
        one = verified(tree)
        assert one.changed == (b"busy",)
        assert one.files[b"quiet"].sha256 == hashlib.sha256(b"q").hexdigest()
        assert set(one.files) == {b"quiet"}


def test_a_big_file_that_somebody_begins_to_write(
    at: Path,
    verified: Verify,
    other: Callable[..., Any],
    until: Callable[[Callable[[], object]], None],
) -> None:
    (at / "busy").write_bytes(b"x" * (6 * MEBI))
    before = os.stat(at / "busy").st_ctime_ns

    def begin() -> None:
        other(WRITER, at / "busy")
        until(lambda: os.stat(at / "busy").st_ctime_ns != before)

    one = verified(cancel=AtBlock(begin))
    assert one.changed == (b"busy",)
    assert one.files == {}
