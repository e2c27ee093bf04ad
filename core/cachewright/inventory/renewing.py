"""An inventory made new where it changed: only containers that changed are read again.

Locks, entries and staging places come and go in containers, and each change of a directory's
names changes its times.  What lies in an entry is not looked at, and stays as it was seen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cachewright.errors import CachewrightError
from cachewright.inventory.answers import Unpacked, frame_of, unpack
from cachewright.inventory.assembly import compiled
from cachewright.inventory.columns import Columns, Int64, slices
from cachewright.inventory.reading import Reader
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.inventory.wire import TYPE_BITS, TYPE_DIRECTORY, Request, Settings, clamped
from cachewright.model import Gap, Role, Rule
from cachewright.storage.anchored import Directory

_YOUNG_NS: Final = 2_000_000_000
"""A directory that was read so soon after a change may change again without another time."""
_SECONDS: Final = 0.1
_PATH_MAX: Final = 4096
_NAMES_AT_ONCE: Final = 1 << 16

_Arrays = dict[str, list[npt.NDArray[Any]]]


class Containers:
    """The directories of one inventory whose names have roles."""

    def __init__(self, root: Directory, tree: Tree) -> None:
        self._root = root
        self._tree = tree
        own = (tree.role == Role.CONTAINER) & (tree.mode & TYPE_BITS == TYPE_DIRECTORY)
        rows = np.flatnonzero(own & (tree.device == tree.device[0])).tolist()
        self._paths: list[tuple[int, bytes]] = [(row, tree.path(row)) for row in rows]

    def changed(self, since_ns: int) -> list[int]:
        """Rows of those that are not as they were read, or were read too soon after a change
        to tell: ``since_ns`` is when the last look at them began."""
        return [row for row, path in self._paths if self._is_changed(row, path, since_ns)]

    def _is_changed(self, row: int, path: bytes, since_ns: int) -> bool:
        tree = self._tree
        try:
            found = self._stat(path)
        except (OSError, CachewrightError):
            return False  # it went: the directory that held it has changed
        if found.st_ctime_ns >= since_ns - _YOUNG_NS:
            return True
        now = (found.st_ino, clamped(found.st_mtime_ns), clamped(found.st_ctime_ns))
        return now != (int(tree.inode[row]), int(tree.mtime_ns[row]), int(tree.ctime_ns[row]))

    def _stat(self, path: bytes) -> os.stat_result:
        if len(path) >= _PATH_MAX:
            return self._root.stat(path)
        return os.stat(path or b".", dir_fd=self._root.fd, follow_symlinks=False)


def renewed(
    root: Directory, tree: Tree, rows: Sequence[int], rules: tuple[Rule, ...]
) -> tuple[Tree, bool]:
    """``tree`` with the containers at ``rows`` read again, and whether a name, or what has it,
    differs.

    New directories are read whole; what was there before is taken over with all below it.
    """
    work = _Renewing(root, tree, rules)
    for row in sorted(rows):
        work.read_again(row)
    return (work.tree() if work.differs or work.later else tree), work.differs


class _Renewing:
    """A table of the old rows and, after them, new ones; ``first`` and ``count`` of some rows
    are written anew, and what no directory leads to any more is left out in the end.

    ``differs``: a name, or what has it, is another; ``later``: a container has other times.
    """

    def __init__(self, root: Directory, tree: Tree, rules: tuple[Rule, ...]) -> None:
        self.differs = False
        self.later = False
        self._root = root
        self._old = tree
        self._rules = rules
        device = int(tree.device[0])
        self._reader = Reader(root.fd, Settings(device, _SECONDS, compiled(rules)))
        self._rows = len(tree)
        self._added: _Arrays = {name: [] for name in _SCALARS}
        self._names: list[bytes] = []
        self._written: dict[str, dict[int, int]] = {name: {} for name in _WRITTEN}
        self._moved: dict[int, int] = {}
        self._gaps: list[tuple[Gap, int]] = []

    def read_again(self, row: int) -> None:
        """List one container of the old inventory; of one that went nothing is kept anyway."""
        old = self._old
        path, depth = old.path(row), int(old.depth[row])
        answer = self._reader.read([Request(path, depth, int(Role.CONTAINER))], 0)
        seen = unpack(frame_of(answer))
        if not len(seen.directory_inodes) or not int(seen.directory_inodes[0]):
            return  # it went, or may not be opened; what was known of it stands
        start = self._add(seen)
        now = {
            "inode": int(seen.directory_inodes[0]),
            "mtime_ns": int(seen.directory_mtimes[0]),
            "ctime_ns": int(seen.directory_ctimes[0]),
        }
        self.later |= any(int(getattr(old, name)[row]) != value for name, value in now.items())
        self._write(self._moved.get(row, row), first=start, count=len(seen.modes), **now)
        self._take_over(row, path, seen, start)

    def _add(self, seen: Unpacked) -> int:
        """Append the children of one directory; returns the row of the first."""
        start, count = self._rows, len(seen.modes)
        device = np.full(count, self._old.device[0], np.uint64)
        device[seen.abroad] = seen.abroad_devices
        columns: dict[str, npt.NDArray[Any]] = {
            "size": seen.sizes,
            "mtime_ns": seen.mtimes,
            "ctime_ns": seen.ctimes,
            "inode": seen.inodes,
            "device": device,
            "mode": seen.modes,
            "nlink": seen.links,
            "first": np.zeros(count, np.int32),
            "count": np.zeros(count, np.int32),
            "role": seen.roles,
        }
        self._append(columns, seen.names.tobytes(), count)
        return start

    def _append(self, columns: dict[str, npt.NDArray[Any]], names: bytes, count: int) -> None:
        for name, part in columns.items():
            self._added[name].append(part)
        self._names.append(names)
        self._rows += count

    def _write(self, row: int, **values: int) -> None:
        for name, value in values.items():
            self._written[name][row] = value

    def _take_over(self, row: int, path: bytes, seen: Unpacked, start: int) -> None:
        """Give each child that was there before what lies below it; read what is new."""
        old = self._old
        children = old.children(row)
        before = dict(zip(old.names(children), children, strict=True))
        names = seen.names.tobytes().split(b"/")[:-1]
        abroad = set(seen.abroad.tolist())
        for index, name in enumerate(names):
            known = before.pop(name, None)
            mode = int(seen.modes[index])
            if known is not None and self._same(known, seen, index):
                self._moved[known] = start + index
                if old.is_directory(known):
                    # With the times at which its own names were read: a later change must show.
                    kept = {one: int(getattr(old, one)[known]) for one in _KEPT}
                    self._write(start + index, **kept)
                continue
            self.differs = True
            if mode & TYPE_BITS == TYPE_DIRECTORY and index not in abroad:
                where = path + b"/" + name if path else name
                self._read_whole(where, start + index, int(seen.roles[index]))
        self.differs = self.differs or bool(before)

    def _same(self, row: int, seen: Unpacked, index: int) -> bool:
        """Whether the child is what it was.  A directory that took over another's name may have
        got its inode as well; of a container that tells when it is listed itself."""
        old = self._old
        if int(old.inode[row]) != int(seen.inodes[index]):
            return False
        if (int(old.mode[row]) ^ int(seen.modes[index])) & TYPE_BITS:
            return False
        times = (int(old.mtime_ns[row]), int(old.ctime_ns[row]))
        return (
            not old.is_directory(row)
            or int(old.role[row]) == Role.CONTAINER
            or times == (int(seen.mtimes[index]), int(seen.ctimes[index]))
        )

    def _read_whole(self, path: bytes, at: int, role: int) -> None:
        """All below a directory that is new."""
        try:
            below = scan_subtree(self._root, path, Role(role), self._rules, base=path)
        except (OSError, CachewrightError):
            return  # it went again
        base = self._rows - 1  # its own row is there already
        columns = {name: getattr(below, name)[1:] for name in _SCALARS}
        columns["first"] = columns["first"] + np.int32(base)
        names = below.columns.names[1:].tobytes()
        self._write(at, first=int(below.first[0]) + base, count=int(below.count[0]))
        self._append(columns, names, len(below) - 1)
        for gap, row in zip(below.errors, below.gap_rows.tolist(), strict=True):
            self._gaps.append((gap, base + row if row else at))

    def tree(self) -> Tree:
        """The new inventory, in the order of levels."""
        old = self._old
        table = {
            name: np.concatenate([getattr(old, name), *parts])
            for name, parts in self._added.items()
        }
        for name, values in self._written.items():
            for row, value in values.items():
                table[name][row] = value
        names = np.concatenate(
            [
                old.columns.names,
                np.frombuffer(b"".join(self._names), np.uint8),
            ]
        )
        ends = np.flatnonzero(names == ord("/")) + 1
        order, parent, first, depth = _levels(table["first"], table["count"])
        columns = Columns(
            **{name: _frozen(table[name][order]) for name in _SCALARS if name != "first"},
            parent=_frozen(parent),
            depth=_frozen(depth),
            first=_frozen(first),
            **_names(names, ends, order),
        )
        gaps = self._surviving(order)
        return Tree(columns, tuple(gap for gap, _row in gaps), [row for _gap, row in gaps])

    def _surviving(self, order: Int64) -> list[tuple[Gap, int]]:
        """Gaps of what is still there, with their new rows."""
        old = zip(self._old.errors, self._old.gap_rows.tolist(), strict=True)
        every = [*((gap, self._moved.get(row, row)) for gap, row in old), *self._gaps]
        if not every:
            return []
        place = np.full(self._rows, -1, np.int64)
        place[order] = np.arange(len(order))
        return [(gap, int(place[row])) for gap, row in every if place[row] >= 0]


_SCALARS: Final = (
    "size", "mtime_ns", "ctime_ns", "inode", "device", "mode", "nlink", "first", "count", "role",
)  # fmt: skip
_KEPT: Final = ("first", "count", "mtime_ns", "ctime_ns")
_WRITTEN: Final = (*_KEPT, "inode")


def _levels(
    first: npt.NDArray[Any], count: npt.NDArray[Any]
) -> tuple[Int64, npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Rows that row 0 leads to, each directory's children together and after it; with each
    one's parent, first child and depth in that order."""
    level = np.zeros(1, np.int64)
    orders, parents = [level], [level]
    firsts: list[Int64] = []
    depths: list[Int64] = []
    at = 0
    while len(level):
        counts = count[level].astype(np.int64)
        below = at + len(level)
        firsts.append(below + np.cumsum(counts) - counts)
        depths.append(np.full(len(level), len(depths), np.int64))
        parents.append(np.repeat(np.arange(at, below), counts))
        level = slices(first[level].astype(np.int64), counts)
        orders.append(level)
        at = below
    whole = [np.concatenate(one).astype(np.int32) for one in (parents, firsts, depths)]
    return np.concatenate(orders), whole[0], whole[1], whole[2]


def _names(names: npt.NDArray[np.uint8], ends: Int64, order: Int64) -> dict[str, Any]:
    """Names in another order; some at a time, since the places of all bytes take eight times
    their room."""
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[order]
    lengths = ends[order] - starts
    parts = [
        names[slices(starts[at : at + _NAMES_AT_ONCE], lengths[at : at + _NAMES_AT_ONCE])]
        for at in range(0, len(order), _NAMES_AT_ONCE)
    ]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return {"offsets": _frozen(offsets), "names": _frozen(np.concatenate(parts))}


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
