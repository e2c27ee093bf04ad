"""Scanning and verifying what an enemy could put into a cache: names and depths."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.inventory.walker import scan
from cachewright.model import CancelToken, no_progress
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles, verify

DEPTH = 5000

HOSTILE = [
    *(b"\xff\xfe", b"n\xff", b"caf\xc3\xa9", b"cafe\xcc\x81", b"\xc3", b"\xed\xa0\x80", b"\x80"),
    *(b"new\nline", b"\n", b"cr\rx", b"tab\tx", b"\x01", b"\x7f", b"\x1b[31mred", b"\x1b]0;t\x07"),
    *(b" ", b"  lead", b"trail ", b"-rf", b"--help", b"-", b"*", b"?", b"[a]", b"$(id)", b"`id`"),
    *(b"a;b", b"a|b", b"a&b", b"'", b'"', b"\\", b"\\x41", b"%s%n", b"{0}", b"~", b"#", b"!x"),
    *(b"<img src=x>", b"<s>gone", b"&amp;", b"=1+1", b"+1", b"@x", b"\t=2", b"...", b".hidden"),
    *(b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xc2\x85", b"\xe2\x80\x8b", b"x" * 255, b"CON", b"a:b"),
]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / "cache").mkdir()
    with Directory.open(os.fsencode(tmp_path / "cache")) as opened:
        yield opened


@pytest.fixture
def deep(root: Directory) -> Iterator[bytes]:
    """The path of a file far longer than the kernel takes in one piece."""
    fd = os.dup(root.fd)
    for _ in range(DEPTH):
        os.mkdir(b"d", dir_fd=fd)
        below = os.open(b"d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    bottom = os.open(b"bottom", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
    os.write(bottom, b"deep")
    os.close(bottom)
    os.close(fd)
    yield b"d/" * DEPTH + b"bottom"
    # From the top: what clears temporary directories away would go as deep as they are.
    top = root.path
    while os.path.isdir(top + b"/d/d"):
        os.rename(top + b"/d/d", top + b"/e")
        os.rmdir(top + b"/d")
        os.rename(top + b"/e", top + b"/d")
    os.unlink(top + b"/d/bottom")


def both(root: Directory) -> list[Tree]:
    """The same by workers and in this process."""
    return [
        scan(root, (), progress=no_progress, cancel=CancelToken()),
        scan_subtree(root),
    ]


def test_hostile_names_are_kept_byte_by_byte(root: Directory) -> None:
    for name in HOSTILE:
        place = os.path.join(root.path, name)
        os.mkdir(place)
        for inner in HOSTILE[:5]:
            with open(os.path.join(place, inner), "wb") as file:
                file.write(name)
    assert len(HOSTILE) >= 50
    for tree in both(root):
        assert {tree.name(row) for row in tree.children(0)} == set(HOSTILE)
        jobs = [EntryFiles(row, root, tree.path(row), tree, row) for row in tree.children(0)]
        seen = list(verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken()))
        assert len(seen) == len(HOSTILE)
        for one in seen:
            assert set(one.files) == set(HOSTILE[:5])
            wanted = hashlib.sha256(tree.name(one.key)).hexdigest()
            assert {digest.sha256 for digest in one.files.values()} == {wanted}
            assert (one.changed, one.strange, one.unreadable) == ((), (), ())


def test_a_tree_of_five_thousand_floors_is_scanned_and_verified(
    root: Directory, deep: bytes
) -> None:
    for tree in both(root):
        assert len(tree) == DEPTH + 2
        assert tree.errors == ()
        row = tree.find(deep)
        assert row is not None
        assert tree.path(row) == deep
        assert int(tree.depth[row]) == DEPTH + 1
        assert int(tree.total_bytes[0]) == 4
        assert sum(1 for _ in tree.subtree(0)) == len(tree)
        assert len(tree.signature(0)) == 64
    jobs = [EntryFiles(1, root, b"", tree, 0)]
    (one,) = verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken())
    assert one.files[deep].sha256 == hashlib.sha256(b"deep").hexdigest()
    assert (one.changed, one.unreadable) == ((), ())
