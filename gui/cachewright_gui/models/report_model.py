"""A table over a tuple of reports; rows keep their identity when the tuple is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from cachewright.text import display
from cachewright_gui.plain import tooltip
from cachewright_gui.theme import Tone

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()

TINT_S: Final = 1.6
"""How long a new or changed row stays tinted."""

RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Chip:
    """A verdict as a small label: its word and icon say it, the tone repeats it."""

    word: str
    icon: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: what is read, what is added in small below it, what it is sorted by.

    ``width`` 0 takes the room that is left.  Where that gets too little, the columns with the
    highest ``spare`` are hidden first; 0 never.
    """

    title: str
    text: Callable[[T], str]
    order: Callable[[T], Any]
    width: int = 0
    detail: Callable[[T], str] | None = None
    hint: Callable[[T], str] | None = None
    chip: Callable[[T], Chip] | None = None
    right: bool = False
    spare: int = 0


class ReportModel(QAbstractTableModel, Generic[T]):
    """Reports in rows; ``key`` tells which report is the same one after a refresh, and
    ``glance`` what of it a person would notice to have changed."""

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], Hashable],
        default_order: Callable[[T], Any],
        glance: Callable[[T], Hashable],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self._key = key
        self._default_order = default_order
        self._glance = glance
        self._items: list[T] = []
        self._keys: list[Hashable] = []
        self._fresh: dict[Hashable, float] = {}
        self._sorted_by: tuple[int, bool] | None = None

    def item(self, row: int) -> T:
        return self._items[row]

    def row_of(self, key: Hashable) -> int | None:
        """The row of the report with that key."""
        try:
            return self._keys.index(key)
        except ValueError:
            return None

    def fresh(self, row: int) -> bool:
        """Whether the row is new or changed since a moment."""
        return self._fresh.get(self._keys[row], 0) > time.monotonic()

    def any_fresh(self) -> bool:
        now = time.monotonic()
        self._fresh = {key: until for key, until in self._fresh.items() if until > now}
        return bool(self._fresh)

    def set_items(self, items: Sequence[T], *, tint: bool = True) -> None:
        """Show these reports instead: vanished rows go, new ones come, the rest stay."""
        ordered = self._ordered(items)
        keys = [self._key(item) for item in ordered]
        wanted = dict(zip(keys, ordered, strict=True))
        keys = list(wanted)
        tint = tint and bool(self._keys)
        self._remove_vanished(wanted)
        here = set(self._keys)
        self._reorder([key for key in keys if key in here])
        changed = self._replace_changed(wanted)
        added = self._insert_new(keys, wanted)
        if tint:
            self._fresh.update(dict.fromkeys(changed | added, time.monotonic() + TINT_S))

    def clear(self) -> None:
        self.set_items(())

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._items)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        item, column = self._items[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return display(column.text(item))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            detail = column.detail(item) if column.detail is not None else ""
            return display(f"{column.text(item)}. {detail}" if detail else column.text(item))
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(self._hint(column, item))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if column.right else LEFT
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
            return self.columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if self.columns[section].right else LEFT
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; a negative one is the order that a person wants by itself."""
        reverse = order is Qt.SortOrder.DescendingOrder
        self._sorted_by = (column, reverse) if 0 <= column < len(self.columns) else None
        self._reorder([self._key(item) for item in self._ordered(self._items)])

    def _ordered(self, items: Sequence[T]) -> list[T]:
        ordered = sorted(items, key=self._default_order)
        if self._sorted_by is not None:
            column, reverse = self._sorted_by
            ordered.sort(key=self.columns[column].order, reverse=reverse)
        return ordered

    @staticmethod
    def _hint(column: Column[T], item: T) -> str:
        if column.hint is not None:
            return column.hint(item)
        if column.detail is not None:
            return f"{column.text(item)}\n{column.detail(item)}"
        return ""

    def _remove_vanished(self, wanted: dict[Hashable, T]) -> None:
        row = len(self._keys)
        while row > 0:
            row -= 1
            if self._keys[row] in wanted:
                continue
            last = row
            while row > 0 and self._keys[row - 1] not in wanted:
                row -= 1
            self.beginRemoveRows(QModelIndex(), row, last)
            del self._keys[row : last + 1]
            del self._items[row : last + 1]
            self.endRemoveRows()

    def _reorder(self, keys: list[Hashable]) -> None:
        if keys == self._keys:
            return
        self.layoutAboutToBeChanged.emit()
        items = dict(zip(self._keys, self._items, strict=True))
        places = {key: row for row, key in enumerate(keys)}
        before = self.persistentIndexList()
        after = [self.index(places[self._keys[one.row()]], one.column()) for one in before]
        self._keys = keys
        self._items = [items[key] for key in keys]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _replace_changed(self, wanted: dict[Hashable, T]) -> set[Hashable]:
        rows = [row for row, key in enumerate(self._keys) if wanted[key] != self._items[row]]
        seen: set[Hashable] = set()
        for row in rows:
            key = self._keys[row]
            if self._glance(wanted[key]) != self._glance(self._items[row]):
                seen.add(key)
            self._items[row] = wanted[key]
        if rows:
            last = len(self.columns) - 1
            self.dataChanged.emit(self.index(rows[0], 0), self.index(rows[-1], last))
        return seen

    def _insert_new(self, keys: list[Hashable], wanted: dict[Hashable, T]) -> set[Hashable]:
        """``keys`` are all rows in their new order; those that are here are in it already."""
        here = set(self._keys)
        row = 0
        while row < len(keys):
            if keys[row] in here:
                row += 1
                continue
            last = row
            while last + 1 < len(keys) and keys[last + 1] not in here:
                last += 1
            self.beginInsertRows(QModelIndex(), row, last)
            run = keys[row : last + 1]
            self._keys[row:row] = run
            self._items[row:row] = [wanted[key] for key in run]
            self.endInsertRows()
            row = last + 1
        return set(keys) - here
