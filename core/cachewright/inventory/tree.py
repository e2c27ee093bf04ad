"""The inventory: what lies under a root, as columns that are asked by row."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from cachewright.inventory.answers import frame_of
from cachewright.inventory.assembly import Assembly, compiled
from cachewright.inventory.columns import Columns, Int64, path_of, slices
from cachewright.inventory.reading import Reader
from cachewright.inventory.wire import TYPE_BITS, TYPE_DIRECTORY, TYPE_FILE, Settings
from cachewright.model import CancelToken, Gap, Role, Rule
from cachewright.storage.anchored import Directory

SortColumn = Literal["name", "size", "mtime_ns", "files"]

_ROWS: Final = 16384
_SECONDS: Final = 0.1
"""How often a cancelled look is noticed."""

_FACTS: Final = struct.Struct("=IqqqQ")


class Tree:
    """What lay under a root when it was looked at; never changes.

    Row 0 is the root (or the subtree's top), with an empty name.  Columns are numpy arrays with
    one element per row: ``size`` ``mtime_ns`` ``ctime_ns`` ``inode`` ``device`` ``mode``
    ``nlink`` ``parent`` (0 for the root) ``depth`` ``first`` ``count`` ``role``.  The children
    of a directory are the rows ``first`` to ``first + count``, and come after it.  A partial
    tree, given while a scan runs, has directories that were not read yet: their count is 0.

    ``errors`` are the places that could not be looked at, by absolute path, ``gap_rows`` their
    rows.  Every other path here is relative to row 0.
    """

    def __init__(
        self, columns: Columns, gaps: tuple[Gap, ...] = (), gap_rows: Sequence[int] = ()
    ) -> None:
        self.columns = columns
        self.errors = gaps
        self.gap_rows = np.array(gap_rows, np.int64)
        self.size, self.nlink = columns.size, columns.nlink
        self.mtime_ns, self.ctime_ns = columns.mtime_ns, columns.ctime_ns
        self.inode, self.device, self.mode = columns.inode, columns.device, columns.mode
        self.parent, self.depth = columns.parent, columns.depth
        self.first, self.count, self.role = columns.first, columns.count, columns.role

    def gaps_in(self, row: int) -> tuple[Gap, ...]:
        """Those of ``errors`` that lie in or below the row."""
        if not self.errors:
            return ()
        inside = np.isin(self.gap_rows, self.subtree_rows(row)).nonzero()[0]
        return tuple(self.errors[index] for index in inside.tolist())

    def __len__(self) -> int:
        return len(self.mode)

    def name(self, row: int) -> bytes:
        """The last component; ``b""`` for row 0."""
        offsets = self.columns.offsets
        return self.columns.names[offsets[row] : offsets[row + 1] - 1].tobytes()

    def names(self, rows: range) -> list[bytes]:
        """Names of a run of rows, e.g. of ``children(row)``, in one step."""
        if not rows:
            return []
        offsets = self.columns.offsets
        text = self.columns.names[offsets[rows.start] : offsets[rows.stop] - 1].tobytes()
        return text.split(b"/")

    def path(self, row: int) -> bytes:
        """Components from row 0 down, joined by ``/``; ``b""`` for row 0."""
        return path_of(self.parent, self.columns.offsets, self.columns.names, row)

    def absolute(self, root: bytes, row: int) -> bytes:
        """The absolute path of a row of the cache at ``root``."""
        relative = self.path(row)
        return os.path.join(root, relative) if relative else root

    def row_at(self, root: bytes, path: bytes) -> int | None:
        """The row that has this absolute path in the cache at ``root``; None for none."""
        inside = root.rstrip(b"/") + b"/"
        if path == root:
            return 0
        return self.find(path[len(inside) :]) if path.startswith(inside) else None

    def parent_of(self, row: int) -> int | None:
        """The row of the directory that holds it; None for row 0."""
        return int(self.parent[row]) if row else None

    def is_directory(self, row: int) -> bool:
        return int(self.mode[row]) & TYPE_BITS == TYPE_DIRECTORY

    def is_file(self, row: int) -> bool:
        """Whether it is a regular file."""
        return int(self.mode[row]) & TYPE_BITS == TYPE_FILE

    def children(self, row: int) -> range:
        first = int(self.first[row])
        return range(first, first + int(self.count[row]))

    def subtree(self, row: int) -> Iterator[int]:
        """The row and everything below it, each directory before what it holds."""
        pending = [iter((row,))]
        while pending:
            for at in pending[-1]:
                yield at
                if self.count[at]:
                    pending.append(iter(self.children(at)))
                    break
            else:
                pending.pop()

    def subtree_rows(self, row: int) -> Int64:
        """The same rows as ``subtree`` in one array, level by level."""
        level = np.array([row], np.int64)
        levels = [level]
        while len(level):
            counts = self.count[level].astype(np.int64)
            level = slices(self.first[level].astype(np.int64), counts)
            levels.append(level)
        return np.concatenate(levels)

    def find(self, relative: bytes) -> int | None:
        """The row of a relative path; None where the inventory has none."""
        row = 0
        for component in relative.split(b"/") if relative else ():
            child = self._child(row, component)
            if child is None:
                return None
            row = child
        return row

    def _child(self, row: int, name: bytes) -> int | None:
        children = self.children(row)
        found = self._named(name, children.start, children.stop)
        return int(found[0]) if len(found) else None

    def rows_named(self, name: bytes) -> Int64:
        """Every row whose last component is ``name``, which is not empty."""
        return self._named(name, 1, len(self))

    def rows_ending(self, suffix: bytes) -> Int64:
        """Every row whose last component ends in ``suffix``, row 0 left out."""
        offsets, names = self.columns.offsets, self.columns.names
        rows: Int64 = (np.flatnonzero(np.diff(offsets[1:]) > len(suffix)) + 1).astype(np.int64)
        for back, byte in enumerate(reversed(suffix), 2):
            rows = rows[names[offsets[rows + 1] - back] == byte]
        return rows

    def _named(self, name: bytes, start: int, stop: int) -> Int64:
        """Rows from ``start`` up to ``stop`` that have the name."""
        offsets = self.columns.offsets[start : stop + 1]
        # Byte by byte over all candidates at once: a million siblings take milliseconds.
        starts = offsets[:-1][np.diff(offsets) == len(name) + 1]
        for index, byte in enumerate(name):
            starts = starts[self.columns.names[starts + index] == byte]
        if not name:
            return np.empty(0, np.int64)
        rows: Int64 = np.searchsorted(offsets, starts).astype(np.int64) + start
        return rows

    def where(self, device: int, inode: int) -> int | None:
        """The first row with this identity; None where the inventory has none."""
        order, inodes = self._by_inode
        at = int(np.searchsorted(inodes, np.uint64(inode)))
        while at < len(order) and int(inodes[at]) == inode:
            if int(self.device[order[at]]) == device:
                return int(order[at])
            at += 1
        return None

    @cached_property
    def _by_inode(self) -> tuple[Int64, npt.NDArray[np.uint64]]:
        order = np.argsort(self.inode, kind="stable")
        return order, self.inode[order]

    @cached_property
    def _totals(self) -> tuple[Int64, Int64]:
        kinds = self.mode & TYPE_BITS
        plain = kinds == TYPE_FILE
        sizes, files = np.where(plain, self.size, 0), plain.astype(np.int64)
        inner = np.flatnonzero(kinds != TYPE_DIRECTORY)
        inner = inner[inner > 0]
        np.add.at(sizes, self.parent[inner], sizes[inner])
        np.add.at(files, self.parent[inner], files[inner])
        directories = np.flatnonzero(kinds == TYPE_DIRECTORY)
        depths = self.depth[directories]
        directories = directories[np.argsort(depths, kind="stable")]
        borders = np.searchsorted(np.sort(depths), np.arange(1, int(depths.max(initial=0)) + 2))
        for start, stop in zip(borders[-2::-1], borders[:0:-1], strict=True):
            level = directories[start:stop]
            np.add.at(sizes, self.parent[level], sizes[level])
            np.add.at(files, self.parent[level], files[level])
        return sizes, files

    @property
    def total_bytes(self) -> Int64:
        """Sizes of the regular files in and below each row (its own, if it is one)."""
        return self._totals[0]

    @property
    def total_files(self) -> Int64:
        """Number of regular files in and below each row (1, if it is one)."""
        return self._totals[1]

    def totals(self) -> tuple[Int64, Int64]:
        """``total_bytes`` and ``total_files``; a hard link counts each time."""
        return self._totals

    def sorted_children(self, row: int, column: SortColumn, reverse: bool = False) -> Int64:
        """Rows of a directory's children; directories sort by their totals.  Names sort
        bytewise; equal values stay in the order in which they were read."""
        children = self.children(row)
        if column == "name":
            names = self.names(children)
            by_name = sorted(range(len(names)), key=names.__getitem__, reverse=reverse)
            return np.array(by_name, np.int64) + children.start
        columns: dict[str, Int64] = {
            "size": self.total_bytes,
            "files": self.total_files,
            "mtime_ns": self.mtime_ns,
        }
        part = columns[column][children.start : children.stop]
        order: Int64 = np.argsort(-part if reverse else part, kind="stable") + children.start
        return order

    def rows_with_role(self, role: Role) -> Int64:
        """Rows that were given this role by a rule, not by what they lie in: children of
        containers, and row 0."""
        rows = np.flatnonzero(self.role == role)
        tops: Int64 = rows[(self.role[self.parent[rows]] == Role.CONTAINER) | (rows == 0)]
        return tops

    def signature(self, row: int) -> str:
        """SHA-256 over name, type, mode, size, times and inode of everything in and below the
        row; the sizes of directories are left out.

        The row's own name and change time are left out too, and the modification time of a
        directory (xfs sets it when two are exchanged), so moving the whole to another place
        does not change it; any other change in it does.
        """
        whole = hashlib.sha256()
        pending: list[tuple[int, list[int]]] = [(0, [row])]
        while pending:
            depth, rows = pending[-1]
            if not rows:
                pending.pop()
                continue
            at = rows.pop()
            name = self.name(at) if depth else b""
            whole.update(struct.pack("=II", depth, len(name)) + name)
            whole.update(self._facts(at, top=not depth))
            if self.count[at]:
                below: list[Any] = self.sorted_children(at, "name", reverse=True).tolist()
                pending.append((depth + 1, below))
        return whole.hexdigest()

    def _facts(self, row: int, *, top: bool) -> bytes:
        directory = self.is_directory(row)
        return _FACTS.pack(
            int(self.mode[row]),
            0 if directory else int(self.size[row]),
            0 if directory and top else int(self.mtime_ns[row]),
            0 if top else int(self.ctime_ns[row]),
            int(self.inode[row]),
        )

    def newest_ns(self, row: int) -> int:
        """The latest modification or change of any file in or below the row; of its
        directories, where there is no file."""
        if not self.is_directory(row):
            return int(max(self.mtime_ns[row], self.ctime_ns[row]))
        rows = self.subtree_rows(row)
        files = rows[self.mode[rows] & TYPE_BITS != TYPE_DIRECTORY]
        chosen = files if len(files) else rows
        return int(max(self.mtime_ns[chosen].max(), self.ctime_ns[chosen].max()))


def scan_subtree(
    root: Directory,
    relative: bytes = b"",
    role: Role = Role.FOREIGN,
    rules: tuple[Rule, ...] = (),
    *,
    base: bytes = b"",
    cancel: CancelToken | None = None,
) -> Tree:
    """A small part of a cache, read in this process: for second looks and for linked entries.

    Row 0 is ``relative`` itself (any type of file), paths are relative to it, ``role`` is its
    role.  ``base`` is where ``rules`` take it to lie below their root.  ``OSError``
    (``FileNotFoundError`` ...) or ``Escapes`` where it is not there; the rest is as
    ``walker.scan`` does it.
    """
    found = root.stat(relative)
    if found.st_mode & TYPE_BITS != TYPE_DIRECTORY:
        return Tree(Assembly(root, found, role).columns())
    with root.open_directory(relative) as top:
        assembly = Assembly(top, os.fstat(top.fd), role)
        reader = Reader(top.fd, Settings(assembly.device, _SECONDS, compiled(rules), base))
        while assembly.waiting:
            if cancel is not None:
                cancel.check()
            rows, requests = assembly.next(len(assembly))
            assembly.take(frame_of(reader.read(requests, _ROWS)), rows)
        return Tree(assembly.columns(), tuple(assembly.gaps), assembly.gap_rows)
