"""The inventory's columns as the window reads them, and verdicts by row.

The window never imports the inventory package; it is handed a tree by the workbench and uses it
through this protocol.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cachewright.model import EntryReport, EntryVerdict, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Column = NDArray[Any]


class Names(Protocol):
    """All names one after the other; row n's lies at ``offsets[n]`` to ``offsets[n + 1] - 1``."""

    @property
    def names(self) -> Column: ...
    @property
    def offsets(self) -> Column: ...


class Tree(Protocol):
    """Row 0 is the root; a directory's children are contiguous rows."""

    @property
    def size(self) -> Column: ...
    @property
    def mtime_ns(self) -> Column: ...
    @property
    def mode(self) -> Column: ...
    @property
    def parent(self) -> Column: ...
    @property
    def depth(self) -> Column: ...
    @property
    def first(self) -> Column: ...
    @property
    def count(self) -> Column: ...

    @property
    def columns(self) -> Names: ...

    def __len__(self) -> int: ...
    def is_directory(self, row: int) -> bool: ...
    def name(self, row: int) -> bytes: ...
    def path(self, row: int) -> bytes: ...
    def totals(self) -> tuple[Column, Column]: ...
    def absolute(self, root: bytes, row: int) -> bytes: ...
    def find(self, relative: bytes) -> int | None: ...
    def row_at(self, root: bytes, path: bytes) -> int | None: ...
    def children(self, row: int) -> range: ...
    def sorted_children(self, row: int, column: Any, reverse: bool = False) -> Column: ...


@dataclass(frozen=True, slots=True)
class Inventory:
    """A tree and the bytes and files below each row, computed off the window's thread.

    Inventories of one ``scan`` number their rows alike: a later one only has more of them.
    """

    scan: int
    tree: Tree
    bytes_below: NDArray[np.int64]
    files_below: NDArray[np.int64]

    @classmethod
    def of(cls, scan: int, tree: Tree) -> Inventory:
        bytes_below, files_below = tree.totals()
        return cls(scan, tree, bytes_below, files_below)

    def __len__(self) -> int:
        return len(self.bytes_below)


class Marks:
    """Verdicts by row.  Filled on the worker's thread while the window reads: every single
    read is one dictionary access, and what is shown catches up with the next repaint."""

    def __init__(self) -> None:
        self.entries: dict[str, EntryReport] = {}
        self.by_path: dict[bytes, EntryReport] = {}
        self.by_row: dict[int, EntryReport] = {}
        self.holds: dict[int, Verdict] = {}
        self.below: dict[int, Counter[EntryVerdict]] = {}
        self.counts: Counter[EntryVerdict] = Counter()

    def verdict(self, row: int) -> Verdict | None:
        """The verdict of the entry, lock or staging place that this row itself is."""
        entry = self.by_row.get(row)
        return entry.verdict if entry is not None else self.holds.get(row)

    def put(self, entry: EntryReport, tree: Tree | None) -> None:
        """Take one report; the same name again replaces the former."""
        former = self.entries.get(entry.name)
        self.entries[entry.name] = entry
        self.by_path[entry.path] = entry
        self.by_row[entry.row] = entry
        if former is not None and former.verdict is entry.verdict:
            return
        self._count(self.counts, former, entry)
        if tree is None or entry.row >= len(tree):
            return
        row = entry.row
        while row > 0:
            row = int(tree.parent[row])
            self._count(self.below.setdefault(row, Counter()), former, entry)

    @staticmethod
    def _count(
        counts: Counter[EntryVerdict], former: EntryReport | None, entry: EntryReport
    ) -> None:
        if former is not None:
            counts[former.verdict] -= 1
        counts[entry.verdict] += 1
