"""The inventory's tree as a flat table of visible rows.

A million rows cost an array of their numbers; to expand is to insert a run of them
(performance.md 4).  What a row shows is read from the inventory's columns when it is painted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from cachewright.model import EntryVerdict
from cachewright.text import display
from cachewright_gui import wording
from cachewright_gui.inventory_view import Inventory, Marks
from cachewright_gui.models.ordering import Order, Orders
from cachewright_gui.models.report_model import LEFT, RIGHT, Index
from cachewright_gui.plain import tooltip

Rows = NDArray[np.int64]
NAME, VERDICT, SIZE, FILES, CHANGED = range(5)
_TITLES: Final = ("Name", "Verdict", "Size", "Files", "Changed")
_SORT_BY: Final = {NAME: "name", SIZE: "size", FILES: "files", CHANGED: "mtime_ns"}
_ROOT: Final = QModelIndex()
_NONE: Final = np.empty(0, np.int64)
_LOWER: Final = np.frombuffer(bytes(range(256)).lower(), np.uint8)
_AT_ONCE: Final = 60
"""Rows that may be opened by themselves, so that the entries are in sight."""


class ContentsModel(QAbstractTableModel):
    """Visible rows over one inventory; ``show`` brings the next one without losing the place."""

    def __init__(self, orders: Orders | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: Rows = _NONE
        self.inventory: Inventory | None = None
        self.marks = Marks()
        self._open: set[int] = {0}
        self._unread: set[int] = {0}
        self._touched = False
        self._orders = orders or Orders()
        self._orders.ready = self._order_ready

    def show(self, inventory: Inventory | None, marks: Marks) -> None:
        """Show this inventory.  In one of the same scan rows have kept their numbers and only
        new ones are added; in another's, places are found again by their paths."""
        self.marks = marks
        before = self.inventory
        if inventory is before:
            return
        if inventory is None or before is None:
            self._reset(inventory, set())
        elif inventory.scan == before.scan:
            self._grow(inventory)
        else:
            found = (inventory.tree.find(self.path(row)) for row in self._open)
            self._reset(inventory, {row for row in found if row is not None})
        if inventory is not None and not self._touched:
            self._open_to_entries()

    def forget(self) -> None:
        """Begin anew, for another cache."""
        self._touched = False
        self._open = {0}
        self._reset(None, set())

    def take_marks(self, marks: Marks) -> None:
        """Verdicts have changed; the first ones show where the entries are."""
        self.marks = marks
        if not self._touched:
            self._open_to_entries()

    def is_open(self, row: int) -> bool:
        return row in self._open

    def can_open(self, row: int) -> bool:
        return self.inventory is not None and bool(self.inventory.tree.count[row])

    def is_directory(self, row: int) -> bool:
        """Whether it is one, be there anything in it or not."""
        return self.inventory is not None and self.inventory.tree.is_directory(row)

    def path(self, row: int) -> bytes:
        """Relative to the cache's root."""
        return self.inventory.tree.path(row) if self.inventory is not None else b""

    def place_of(self, row: int) -> int | None:
        """Where an inventory row is shown now."""
        places = np.flatnonzero(self.rows == row)
        return int(places[0]) if len(places) else None

    def expand(self, place: int) -> None:
        """Open the directory at a visible place, and the chain of only directories in it."""
        row = int(self.rows[place])
        if row in self._open or self.inventory is None or not self.can_open(row):
            return
        self._touched = True
        tree = self.inventory.tree
        self._open.add(row)
        inner = row
        while int(tree.count[inner]) == 1 and self.can_open(int(tree.first[inner])):
            inner = int(tree.first[inner])
            self._open.add(inner)
        self._insert(place + 1, self._below(row))

    def collapse(self, place: int) -> None:
        row = int(self.rows[place])
        if row not in self._open or self.inventory is None:
            return
        self._touched = True
        self._open.discard(row)
        depth = self.inventory.tree.depth
        deeper = depth[self.rows[place + 1 :]] > depth[row]
        last = place + (len(deeper) if deeper.all() else int(np.argmin(deeper)))
        if last > place:
            self.beginRemoveRows(QModelIndex(), place + 1, last)
            self.rows = np.concatenate((self.rows[: place + 1], self.rows[last + 1 :]))
            self.endRemoveRows()

    def reveal(self, row: int) -> int | None:
        """Open every directory above an inventory row; where it is shown then."""
        if self.inventory is None or not 0 < row < len(self.inventory):
            return None
        above = []
        at = int(self.inventory.tree.parent[row])
        while at:
            above.append(at)
            at = int(self.inventory.tree.parent[at])
        for directory in reversed(above):
            place = self.place_of(directory)
            if place is not None:
                self.expand(place)
        return self.place_of(row)

    def parent_place(self, place: int) -> int | None:
        if self.inventory is None:
            return None
        return self.place_of(int(self.inventory.tree.parent[self.rows[place]]))

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort siblings; a column without an order of its own leaves things as they are."""
        if column in _SORT_BY:
            descending = order is Qt.SortOrder.DescendingOrder
            self._orders.by(Order(_SORT_BY[column], descending))
            self._reorder()

    def text(self, row: int, column: int) -> str:
        """What a cell says."""
        inventory = self.inventory
        if inventory is None:
            return ""
        if column == NAME:
            name, title = display(inventory.tree.name(row)), self.title(row)
            return f"{title} ({name})" if title else name
        if column == VERDICT:
            return self.verdict_words(row)
        if column == SIZE:
            return wording.size(int(inventory.bytes_below[row]))
        if column == FILES:
            return f"{int(inventory.files_below[row]):,}" if self.can_open(row) else ""
        return wording.age(int(inventory.tree.mtime_ns[row]))

    def title(self, row: int) -> str:
        """What a person calls the entry that this row is, where no name on the way to it says
        so; else empty."""
        entry = self.marks.by_row.get(row)
        if entry is None or not entry.title:
            return ""
        said = display(self.path(row))
        return "" if any(word in said for word in entry.title.split()) else display(entry.title)

    def verdict_words(self, row: int) -> str:
        """The verdict of what the row is, or of what lies below it in numbers."""
        verdict = self.marks.verdict(row)
        if verdict is not None:
            return wording.VERDICT_WORD[verdict]
        worst = self.worst_below(row)
        if worst is None:
            return ""
        counts = self.marks.below[row]
        total = sum(counts.values())
        phrase = wording.HEALTH_SHORT[worst]
        if total == 1:
            return phrase
        of_all = "" if counts[worst] == total else f" of {total:,}"
        return f"{counts[worst]:,}{of_all} {phrase}"

    def worst_below(self, row: int) -> EntryVerdict | None:
        counts = self.marks.below.get(row)
        if not counts:
            return None
        return next((one for one in wording.WORST_FIRST if counts[one] > 0), None)

    def find_prefix(self, prefix: bytes, start: int) -> int | None:
        """The next visible row, from ``start`` on and round, whose name begins so; ASCII
        letters match either case."""
        if self.inventory is None or not len(self.rows) or not prefix:
            return None
        columns = self.inventory.tree.columns
        starts = columns.offsets[self.rows]
        match = columns.offsets[self.rows + 1] - 1 - starts >= len(prefix)
        candidates = np.flatnonzero(match)
        for at, byte in enumerate(prefix.lower()):
            letters = columns.names[starts[candidates] + at]
            candidates = candidates[_LOWER[letters] == byte]
        if not len(candidates):
            return None
        after = candidates[candidates >= start]
        return int(after[0] if len(after) else candidates[0])

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(_TITLES)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row, column = int(self.rows[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == NAME:
            return f"{self.text(row, NAME)}, level {self._level(row)}{self._openness(row)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(self._hint(row, column))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if column in {SIZE, FILES} else LEFT
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if section in {SIZE, FILES} else LEFT
        return None

    @property
    def _size(self) -> int:
        return len(self.inventory) if self.inventory is not None else 0

    def _level(self, row: int) -> int:
        return int(self.inventory.tree.depth[row]) if self.inventory is not None else 0

    def _openness(self, row: int) -> str:
        if not self.can_open(row):
            return ""
        return ", expanded" if row in self._open else ", collapsed"

    def _hint(self, row: int, column: int) -> str:
        inventory = self.inventory
        if inventory is None:
            return ""
        if column == SIZE:
            return wording.exact_size(int(inventory.bytes_below[row]))
        if column == CHANGED:
            return wording.exact_time(int(inventory.tree.mtime_ns[row]))
        if column == VERDICT:
            entry = self.marks.by_row.get(row)
            return entry.why if entry is not None else ""
        return display(inventory.tree.path(row))

    def _reset(self, inventory: Inventory | None, opened: set[int]) -> None:
        self.beginResetModel()
        self.inventory = inventory
        self._open = opened | {0}
        self._orders.of(inventory)
        self._unread = self._without_rows(self._open)
        self.rows = self._below(0) if inventory is not None else _NONE
        self.endResetModel()

    def _grow(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._orders.of(inventory)
        for row in sorted(self._unread):
            if not int(inventory.tree.count[row]):
                continue
            self._unread.discard(row)
            place = -1 if row == 0 else self.place_of(row)
            if place is not None:
                self._insert(place + 1, self._below(row))
        if self._orders.by_totals:
            self._reorder()

    def _without_rows(self, rows: set[int]) -> set[int]:
        return {row for row in rows if not self.can_open(row)}

    def _insert(self, place: int, new: Rows) -> None:
        if not len(new):
            return
        self.beginInsertRows(QModelIndex(), place, place + len(new) - 1)
        self.rows = np.concatenate((self.rows[:place], new, self.rows[place:]))
        self.endInsertRows()

    def _below(self, row: int) -> Rows:
        """What is visible below a row: its children in order, each with what is open in it."""
        parts: list[Rows] = []
        is_open = np.zeros(self._size, np.bool_)
        is_open[np.fromiter(self._open, np.int64, len(self._open))] = True
        pending = [self._orders.children(row)]
        while pending:
            rows = pending.pop()
            hits = np.flatnonzero(is_open[rows])
            if not len(hits):
                parts.append(rows)
                continue
            cut = int(hits[0]) + 1
            parts.append(rows[:cut])
            pending.append(rows[cut:])
            pending.append(self._orders.children(int(rows[cut - 1])))
        return np.concatenate(parts) if parts else _NONE

    def _order_ready(self) -> None:
        self._reorder()

    def _reorder(self) -> None:
        if self.inventory is None:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        held = [int(self.rows[one.row()]) for one in before]
        self.rows = self._below(0)
        places: Callable[[int], int | None] = self.place_of
        after = [
            self.index(place, one.column()) if (place := places(row)) is not None else _ROOT
            for row, one in zip(held, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _open_to_entries(self) -> None:
        """Open what leads to the entries, as long as that stays a short list."""
        inventory = self.inventory
        if inventory is None or not self.marks.by_row:
            return
        above: set[int] = set()
        for row in tuple(self.marks.below):
            above.add(row)
            if len(above) > _AT_ONCE:
                return
        shown = sum(int(inventory.tree.count[row]) for row in above)
        if shown > _AT_ONCE or above <= self._open:
            return
        self._open |= above
        self.beginResetModel()
        self.rows = self._below(0)
        self.endResetModel()
