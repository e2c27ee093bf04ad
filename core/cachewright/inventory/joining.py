"""One inventory of several directories that belong to one cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np

from cachewright.inventory.columns import Columns
from cachewright.inventory.tree import Tree
from cachewright.model import Role

_DIRECTORY: Final = 0o040000
_OF_ROWS: Final = ("size", "mtime_ns", "ctime_ns", "inode", "device", "mode", "nlink", "role")
"""Columns that are the same wherever a row stands."""


class JoinedTree(Tree):
    """Several trees below a root that is nowhere on disk.

    Their tops are rows 1, 2 ... in the order given, by the names given; row ``r`` of tree
    ``n`` is row ``row_of_part(n, r)``.  The rows of a part stay the same while later parts come
    or grow.
    """

    def __init__(
        self, names: Sequence[bytes], paths: Sequence[bytes], trees: Sequence[Tree | None]
    ) -> None:
        self._paths = tuple(paths)
        lengths = [0 if tree is None else len(tree) - 1 for tree in trees]
        self._bases = [1 + len(trees) + sum(lengths[:at]) for at in range(len(trees))]
        gaps = [gap for tree in trees if tree is not None for gap in tree.errors]
        rows = [
            self.row_of_part(at, row)
            for at, tree in enumerate(trees)
            if tree is not None
            for row in tree.gap_rows.tolist()
        ]
        super().__init__(self._joined(names, trees), tuple(gaps), rows)

    def row_of_part(self, part: int, row: int) -> int:
        """Where a part's row stands here."""
        return self._bases[part] + row - 1 if row else 1 + part

    def absolute(self, root: bytes, row: int) -> bytes:
        """As ``Tree.absolute``; below the part that the row is in, whatever ``root`` is."""
        first, _, rest = self.path(row).partition(b"/")
        if not first:
            return root
        part = next(at for at in range(len(self._paths)) if self.name(1 + at) == first)
        return os.path.join(self._paths[part], rest) if rest else self._paths[part]

    def row_at(self, root: bytes, path: bytes) -> int | None:
        """As ``Tree.row_at``; of parts that lie in each other, the inner one."""
        del root
        inside = [
            (len(top), at)
            for at, top in enumerate(self._paths)
            if path == top or path.startswith(top.rstrip(b"/") + b"/")
        ]
        if not inside:
            return None
        length, part = max(inside)
        relative = path[length:].strip(b"/")
        return self.find(self.name(1 + part) + (b"/" + relative if relative else b""))

    def _joined(self, names: Sequence[bytes], trees: Sequence[Tree | None]) -> Columns:
        count = len(trees)
        tops = {name: self._of_tops(name, trees) for name in _OF_ROWS}
        inner = [(at, tree) for at, tree in enumerate(trees) if tree is not None]
        joined: dict[str, Any] = {
            name: np.concatenate([tops[name], *(getattr(tree, name)[1:] for _at, tree in inner)])
            for name in _OF_ROWS
        }
        depth = [np.array([0] + [1] * count), *(tree.depth[1:] + 1 for _at, tree in inner)]
        parent = [np.zeros(1 + count), *(self._moved(at, tree.parent[1:]) for at, tree in inner)]
        first = [self._firsts(trees), *(self._moved(at, tree.first[1:]) for at, tree in inner)]
        counts = [np.array([count, *(0 if one is None else int(one.count[0]) for one in trees)])]
        counts += [tree.count[1:] for _at, tree in inner]
        for name, parts in (("depth", depth), ("parent", parent), ("first", first)):
            joined[name] = np.concatenate(parts).astype(np.int32)
        joined["count"] = np.concatenate(counts).astype(np.int32)
        joined |= _names(names, [tree for _at, tree in inner])
        return Columns(**{field.name: joined[field.name] for field in fields(Columns)})

    @staticmethod
    def _of_tops(name: str, trees: Sequence[Tree | None]) -> Any:
        """The root's value, and that of each part's top."""
        kind = {"mode": _DIRECTORY, "role": int(Role.CONTAINER)}.get(name, 0)
        values = [kind, *(kind if one is None else getattr(one, name)[0] for one in trees)]
        like = next((getattr(one, name).dtype for one in trees if one is not None), None)
        return np.array(values, like)

    def _moved(self, part: int, rows: Any) -> Any:
        """A part's rows as they are numbered here."""
        return np.where(rows == 0, 1 + part, rows.astype(np.int64) + self._bases[part] - 1)

    def _firsts(self, trees: Sequence[Tree | None]) -> Any:
        """Where the root's children and those of each top begin."""
        tops = [
            0 if tree is None else self.row_of_part(at, int(tree.first[0]))
            for at, tree in enumerate(trees)
        ]
        return np.array([1, *tops])


def _names(tops: Sequence[bytes], trees: Sequence[Tree]) -> dict[str, Any]:
    """The columns ``names`` and ``offsets``."""
    text = b"/" + b"".join(name + b"/" for name in tops)
    names = [np.frombuffer(text, np.uint8)]
    ends = [np.cumsum([1, *(len(name) + 1 for name in tops)])]
    at = len(text)
    for tree in trees:
        offsets = tree.columns.offsets[: len(tree) + 1]
        names.append(tree.columns.names[offsets[1] : offsets[-1]])
        ends.append(offsets[2:] - offsets[1] + at)
        at += int(offsets[-1] - offsets[1])
    offsets = np.concatenate([np.zeros(1, np.int64), *ends]).astype(np.int64)
    return {"names": np.concatenate(names), "offsets": offsets}
