from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cachewright.errors import Changed, Escapes, Refused
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.storage.copying import copy_tree
from cachewright.storage.reading_back import hash_tree, sync_tree
from cachewright.storage.removal import remove_tree
from cachewright.storage.walking import Cursor, names_in, walk

DEPTH = 5000
FEW = 8


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Not many more than are open already."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd"))) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + FEW, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """In memory, if that can be: a journal takes its time for each of thousands of directories."""
    if not os.path.isdir("/dev/shm"):  # noqa: S108 - only because it is quick
        yield tmp_path
        return
    place = tempfile.mkdtemp(dir="/dev/shm")
    yield Path(place)
    subprocess.run(["rm", "-rf", place], check=True)  # Python's own gives up at such a depth


def deepen(root: Directory, levels: int, name: bytes = b"d") -> None:
    at = root.make_directory(b"deep")
    for level in range(levels):
        below = at.make_directory(name)
        if level % 100 == 0:
            os.close(at.create_file(b"f", 0o600))
        at.close()
        at = below
    at.close()


@pytest.mark.usefixtures("few_descriptors")
def test_every_walk_reaches_any_depth_with_few_descriptors(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also far below the depth of calls, and of the longest path that the kernel takes."""
    monkeypatch.setattr(os, "fsync", os.fstat)  # 5,000 real ones take a minute
    token = CancelToken()
    with Directory.open(os.fsencode(quick)) as root:
        deepen(root, DEPTH)
        assert sys.getrecursionlimit() < DEPTH
        with root.open_directory(b"deep") as deep, root.make_directory(b"copy") as copy:
            copied = copy_tree(deep, copy, token)
            sync_tree(copy)
            assert len(copied) == DEPTH // 100
            assert max(map(len, copied)) > 4096 * 2
            assert dict(hash_tree(copy, token)) == dict(copied)
        remove_tree(root, b"deep")
        remove_tree(root, b"copy")
        assert root.names() == []


def test_long_names_at_depth(root: Directory) -> None:
    deepen(root, 60, b"n" * 250)
    with root.open_directory(b"deep") as deep, root.make_directory(b"copy") as copy:
        assert copy_tree(deep, copy, CancelToken()).keys() == {b"f"}
        assert len(hash_tree(copy, CancelToken())) == 1
    remove_tree(root, b"deep")
    remove_tree(root, b"copy")
    assert root.names() == []


def test_order_and_what_each_call_sees(root: Directory) -> None:
    for place in (b"a/x", b"a/y", b"b"):
        os.makedirs(os.path.join(root.path, place))
    seen: list[tuple[str, bytes]] = []

    def enter(cursor: Cursor) -> list[bytes]:
        seen.append(("in", cursor.relative))
        return names_in(cursor.here).directories

    def leave(cursor: Cursor) -> None:
        seen.append(("out", cursor.relative))

    walk(
        root, enter, leave, above=lambda cursor, name: seen.append((cursor.relative.decode(), name))
    )
    assert seen == [
        ("in", b""),
        ("in", b"a"),
        ("in", b"a/x"),
        ("out", b"a/x"),
        ("a", b"x"),
        ("in", b"a/y"),
        ("out", b"a/y"),
        ("a", b"y"),
        ("out", b"a"),
        ("", b"a"),
        ("in", b"b"),
        ("out", b"b"),
        ("", b"b"),
        ("out", b""),
    ]


def test_what_vanishes_while_it_is_listed_is_left_out(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (b"a", b"b"):
        os.close(root.create_file(name, 0o600))
    listed = Directory.names

    def then_gone(self: Directory, relative: bytes = b"") -> list[bytes]:
        names = listed(self, relative)
        os.unlink(b"a", dir_fd=self.fd)
        return names

    monkeypatch.setattr(Directory, "names", then_gone)
    assert names_in(root).others == [b"b"]


def test_a_directory_moved_away_ends_every_walk(root: Directory, outside: Path) -> None:
    os.makedirs(os.path.join(root.path, b"a/b"))

    def enter(cursor: Cursor) -> list[bytes]:
        if cursor.relative == b"a/b":
            os.rename(os.path.join(root.path, b"a/b"), os.fsencode(outside / "b"))
        return names_in(cursor.here).directories

    with pytest.raises(Changed, match="moved"):
        walk(root, enter)


def test_a_link_that_takes_a_directorys_place_is_not_followed(
    root: Directory, outside: Path
) -> None:
    root.make_directory(b"a").close()

    def enter(cursor: Cursor) -> list[bytes]:
        names = names_in(cursor.here).directories
        if names:
            os.rmdir(b"a", dir_fd=cursor.here.fd)
            os.symlink(os.fsencode(outside), b"a", dir_fd=cursor.here.fd)
        return names

    with pytest.raises(Escapes):
        walk(root, enter)


def test_another_device_is_not_entered(root: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a btrfs subvolume is: no mount, but another device number."""
    root.make_directory(b"a").close()
    opened = Directory.open_directory

    def elsewhere(self: Directory, name: bytes, **more: bool) -> Directory:
        below = opened(self, name, **more)
        if name == b"a":
            object.__setattr__(below.identity, "device", 1)
        return below

    monkeypatch.setattr(Directory, "open_directory", elsewhere)
    with pytest.raises(Escapes):
        walk(root, lambda at: names_in(at.here).directories)


def test_a_copy_into_itself_is_refused(root: Directory) -> None:
    with (
        root.make_directory(b"in") as inner,
        inner.make_directory(b"staging") as staging,
        pytest.raises(Refused, match="in itself"),
    ):
        copy_tree(root, staging, CancelToken())


def test_no_descriptor_is_left_open(root: Directory) -> None:
    os.makedirs(os.path.join(root.path, b"a/b"))
    before = len(os.listdir("/proc/self/fd"))
    walk(root, lambda at: names_in(at.here).directories)
    with pytest.raises(FileNotFoundError):
        walk(root, lambda at: [b"a"] if not at.relative else [b"gone"])
    assert len(os.listdir("/proc/self/fd")) == before
