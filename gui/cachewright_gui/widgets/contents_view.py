"""The Contents table: a tree drawn flat, with size bars and verdicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QModelIndex, QPoint, QRect, Qt, Slot
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication, QHeaderView, QWidget

from cachewright.model import Verdict
from cachewright_gui import icons
from cachewright_gui.models.contents_model import (
    CHANGED,
    FILES,
    NAME,
    SIZE,
    VERDICT,
    ContentsModel,
)
from cachewright_gui.theme import TONE, mix, shade
from cachewright_gui.widgets.cells import Brushes
from cachewright_gui.widgets.rows_view import RowsView

_INDENT: Final = 18
_DEEPEST: Final = 24
"""Levels beyond this are indented no further, so that a name stays in sight."""

_LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

_WIDTHS: Final = {VERDICT: 150, SIZE: 112, FILES: 70, CHANGED: 118}


class ContentsView(RowsView):
    """Left and Right close and open, Enter turns, typing finds."""

    def __init__(self, model: ContentsModel, parent: QWidget | None = None) -> None:
        super().__init__("Contents of the cache", parent)
        self.contents = model
        self._kept_path: bytes | None = None
        self._kept_scroll = 0
        self._typed = ""
        self._typed_at = 0.0
        self.setModel(model)
        self.set_row_lines(1)
        header = self.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for section, width in _WIDTHS.items():
            header.resizeSection(section, width)
        self.set_spare((CHANGED, FILES))
        header.setSortIndicatorClearable(False)
        header.setSortIndicator(NAME, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.activated.connect(self._turn_index)
        model.modelAboutToBeReset.connect(self._keep_place)
        model.modelReset.connect(self._restore_place)

    def current_inventory_row(self) -> int | None:
        place = self.current_row()
        return int(self.contents.rows[place]) if 0 <= place < len(self.contents.rows) else None

    @Slot(int)
    def select_inventory_row(self, row: int) -> None:
        """Open what leads to a row and make it current."""
        place = self.contents.reveal(row)
        if place is not None:
            self._go(place)

    def draw_cells(
        self, painter: QPainter, brushes: Brushes, visible: Sequence[tuple[int, QRect]]
    ) -> None:
        """Column by column: few changes of pen and font for many words."""
        items = [(int(self.contents.rows[place]), area) for place, area in visible]
        painter.setFont(brushes.font)
        self._draw_names(painter, brushes, items)
        self._draw_verdicts(painter, brushes, items)
        self._draw_sizes(painter, brushes, items)
        painter.setPen(brushes.faint)
        for section, flags in ((FILES, _RIGHT), (CHANGED, _LEFT)):
            if self.isColumnHidden(section):
                continue
            column = self.cell(section, QRect())
            for row, area in items:
                text = self.contents.text(row, section)
                if text:
                    painter.drawText(_at(column, area), flags, text)

    def turn(self, key: int) -> bool:
        """Left closes or goes to the parent; Right opens or goes to the first child."""
        place = self.current_row()
        if not 0 <= place < len(self.contents.rows):
            return False
        row = int(self.contents.rows[place])
        if key == Qt.Key.Key_Right:
            if not self.contents.is_open(row):
                self.contents.expand(place)
            elif self.contents.can_open(row):
                self._go(place + 1)
        elif self.contents.is_open(row) and self.contents.can_open(row):
            self.contents.collapse(place)
        else:
            parent = self.contents.parent_place(place)
            if parent is not None:
                self._go(parent)
        return True

    def keyboardSearch(self, search: str) -> None:
        """Go to the next name that begins with what was typed."""
        now = time.monotonic()
        pause = QApplication.keyboardInputInterval() / 1000
        self._typed = search if now - self._typed_at > pause else self._typed + search
        self._typed_at = now
        start = max(self.current_row(), 0) + (1 if self._typed == search else 0)
        place = self.contents.find_prefix(self._typed.encode("utf-8", "surrogateescape"), start)
        if place is not None:
            self._go(place)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        place = self.rowAt(point.y())
        if place >= 0 and self._on_expander(point, int(self.contents.rows[place])):
            self._go(place)
            self._turn_place(place)
            event.accept()
            return
        super().mousePressEvent(event)

    def _go(self, place: int) -> None:
        self.setCurrentIndex(self.contents.index(place, NAME))

    @Slot(QModelIndex)
    def _turn_index(self, index: QModelIndex) -> None:
        self._turn_place(index.row())

    def _turn_place(self, place: int) -> None:
        if self.contents.is_open(int(self.contents.rows[place])):
            self.contents.collapse(place)
        else:
            self.contents.expand(place)

    def _left_of(self, row: int) -> int:
        """Where the row's expander begins, from the left of its cell."""
        inventory = self.contents.inventory
        depth = int(inventory.tree.depth[row]) - 1 if inventory is not None else 0
        return min(max(depth, 0), _DEEPEST) * _INDENT

    def _on_expander(self, point: QPoint, row: int) -> bool:
        if not self.contents.can_open(row):
            return False
        left = self.columnViewportPosition(NAME) + self._left_of(row)
        return left <= point.x() <= left + 24

    def _draw_names(
        self, painter: QPainter, brushes: Brushes, items: Sequence[tuple[int, QRect]]
    ) -> None:
        column = self.cell(NAME, QRect())
        ratio, contents = brushes.ratio, self.contents
        closed = icons.pixmap("collapsed", brushes.faint, 14, ratio)
        opened = icons.pixmap("expanded", brushes.faint, 14, ratio)
        folder = icons.pixmap("folder", brushes.highlight, 14, ratio)
        file = icons.pixmap("file", brushes.faint, 14, ratio)
        painter.setPen(brushes.text)
        for row, area in items:
            left = column.left() + self._left_of(row)
            top = area.top() + (area.height() - 14) // 2
            if contents.can_open(row):
                painter.drawPixmap(left, top, opened if contents.is_open(row) else closed)
            painter.drawPixmap(left + 17, top, folder if contents.is_directory(row) else file)
            room = max(column.right() - left - 37, 12)
            words = QRect(left + 37, area.top(), room, area.height())
            # What a person knows comes first and stays; names are told apart by both their ends.
            cut = Qt.TextElideMode
            mode = cut.ElideRight if contents.title(row) else cut.ElideMiddle
            painter.drawText(words, _LEFT, _fitted(brushes, contents.text(row, NAME), room, mode))

    def _draw_verdicts(
        self, painter: QPainter, brushes: Brushes, items: Sequence[tuple[int, QRect]]
    ) -> None:
        column = self.cell(VERDICT, QRect())
        contents = self.contents
        for row, area in items:
            own = contents.marks.verdict(row)
            verdict: Verdict | None = own or contents.worst_below(row)
            if verdict is None:
                continue
            ink = shade(TONE[verdict], brushes.palette).ink
            mark = icons.pixmap(icons.VERDICT_ICON[verdict], ink, 14, brushes.ratio)
            painter.drawPixmap(column.left(), area.top() + (area.height() - 14) // 2, mark)
            painter.setPen(ink if own is not None else brushes.faint)
            words = _at(column, area).adjusted(20, 0, 0, 0)
            text = _fitted(brushes, contents.verdict_words(row), words.width())
            painter.drawText(words, _LEFT, text)

    def _draw_sizes(
        self, painter: QPainter, brushes: Brushes, items: Sequence[tuple[int, QRect]]
    ) -> None:
        inventory = self.contents.inventory
        if inventory is None:
            return
        column = self.cell(SIZE, QRect())
        tint = mix(brushes.highlight, brushes.base, 0.16)
        below, parents = inventory.bytes_below, inventory.tree.parent
        for row, area in items:
            whole = int(below[parents[row]])
            width = round((column.width() + 8) * int(below[row]) / whole) if whole else 0
            if width:
                painter.fillRect(column.left() - 4, area.top() + 4, width, area.height() - 8, tint)
        painter.setPen(brushes.text)
        for row, area in items:
            painter.drawText(_at(column, area), _RIGHT, self.contents.text(row, SIZE))

    @Slot()
    def _keep_place(self) -> None:
        row = self.current_inventory_row()
        self._kept_path = self.contents.path(row) if row is not None else None
        self._kept_scroll = self.verticalScrollBar().value()

    @Slot()
    def _restore_place(self) -> None:
        inventory, path = self.contents.inventory, self._kept_path
        if inventory is not None and path:
            row = inventory.tree.find(path)
            place = self.contents.place_of(row) if row is not None else None
            if place is not None:
                self._go(place)
        self.verticalScrollBar().setValue(self._kept_scroll)


def _at(column: QRect, row: QRect) -> QRect:
    """The cell where a column and a row meet."""
    return QRect(column.left(), row.top(), column.width(), row.height())


def _fitted(
    brushes: Brushes,
    text: str,
    room: int,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
) -> str:
    """The text, cut with an ellipsis if it is too long; measured only where it may be."""
    if len(text) * brushes.broad <= room:
        return text
    return brushes.metrics.elidedText(text, mode, room)
