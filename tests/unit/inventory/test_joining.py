"""Several directories as one inventory: every row keeps what it is, and its place on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cachewright.inventory.joining import JoinedTree
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import Gap, Role
from cachewright.storage.anchored import Directory

NAMES = (b"fast", b"slow", b"gone")


@pytest.fixture
def roots(tmp_path: Path) -> Iterator[list[Directory]]:
    for place in ("a/x/deep", "a/y", "b"):
        (tmp_path / place).mkdir(parents=True)
    for place in ("a/x/deep/1", "a/x/2", "a/file", "b/file", "b/z"):
        (tmp_path / place).write_bytes(b"x" * len(place))
    opened = [Directory.open(os.fsencode(tmp_path / name)) for name in ("a", "b")]
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def trees(roots: list[Directory]) -> list[Tree]:
    return [scan_subtree(one, b"", Role.CONTAINER) for one in roots]


@pytest.fixture
def joined(roots: list[Directory], trees: list[Tree]) -> JoinedTree:
    return JoinedTree(NAMES, [*(one.path for one in roots), b"/nowhere"], [*trees, None])


def test_every_row_is_found_where_it_was(trees: list[Tree], joined: JoinedTree) -> None:
    assert len(joined) == 1 + 3 + sum(len(tree) - 1 for tree in trees)
    for at, tree in enumerate(trees):
        for row in range(len(tree)):
            here = joined.row_of_part(at, row)
            assert joined.path(here) == b"/".join(filter(None, (NAMES[at], tree.path(row))))
            for name in ("size", "mode", "inode", "mtime_ns", "role"):
                assert getattr(joined, name)[here] == getattr(tree, name)[row]
            assert int(joined.depth[here]) == int(tree.depth[row]) + 1
            below = [joined.row_of_part(at, one) for one in tree.children(row)]
            assert list(joined.children(here)) == below
            assert joined.find(joined.path(here)) == here
            assert joined.where(int(tree.device[row]), int(tree.inode[row])) == here
            assert joined.total_bytes[here] == tree.total_bytes[row]
    assert joined.names(joined.children(0)) == list(NAMES)
    assert list(joined.children(3)) == []
    assert joined.total_bytes[0] == sum(tree.total_bytes[0] for tree in trees)


def test_places_on_disk_are_those_of_the_parts(
    roots: list[Directory], trees: list[Tree], joined: JoinedTree
) -> None:
    for at, (root, tree) in enumerate(zip(roots, trees, strict=True)):
        for row in range(len(tree)):
            here = joined.row_of_part(at, row)
            assert joined.absolute(b"/conf", here) == tree.absolute(root.path, row)
            assert joined.row_at(b"/conf", tree.absolute(root.path, row)) == here
    assert joined.absolute(b"/conf", 0) == b"/conf"
    assert joined.row_at(b"/conf", b"/conf/fast") is None
    assert joined.row_at(b"/conf", roots[0].path + b"more") is None


def test_rows_stay_while_later_parts_grow(
    roots: list[Directory], trees: list[Tree], joined: JoinedTree
) -> None:
    paths = [*(one.path for one in roots), b"/nowhere"]
    early = JoinedTree(NAMES, paths, [trees[0], None, None])
    for row in range(len(early)):
        assert early.path(row) == joined.path(row)
    none = JoinedTree(NAMES, paths, [None, None, None])
    assert [none.path(row) for row in range(len(none))] == [b"", *NAMES]


def test_of_parts_in_each_other_the_inner_one_counts(roots: list[Directory]) -> None:
    outer = roots[0]
    with Directory.open(outer.path + b"/x") as inner:
        both = [scan_subtree(one, b"", Role.CONTAINER) for one in (outer, inner)]
        tree = JoinedTree((b"outer", b"inner"), (outer.path, inner.path), both)
        row = tree.row_at(b"", inner.path + b"/2")
        assert row is not None
        assert tree.path(row) == b"inner/2"


def test_what_could_not_be_read_stays_told(roots: list[Directory], trees: list[Tree]) -> None:
    gap = Gap(roots[1].path + b"/z", "it could not be read")
    row = trees[1].find(b"z")
    assert row is not None
    second = Tree(trees[1].columns, (gap,), (row,))
    tree = JoinedTree(NAMES[:2], [one.path for one in roots], [trees[0], second])
    found = tree.find(b"slow/z")
    assert found is not None
    assert tree.gaps_in(found) == (gap,)
    assert tree.gaps_in(1) == ()
