"""The Contents table: a tree drawn flat, with size bars and verdicts."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPoint, QRect, Qt, Slot
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPalette, QPen
from PySide6.QtWidgets import QHeaderView, QWidget

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
from cachewright_gui.widgets.cells import Brushes, draw_text
from cachewright_gui.widgets.rows_view import RowsView

_INDENT: Final = 18
_DEEPEST: Final = 24
"""Levels beyond this are indented no further, so that a name stays in sight."""

_WIDTHS: Final = {VERDICT: 150, SIZE: 112, FILES: 70, CHANGED: 118}


class ContentsView(RowsView):
    """Left and Right close and open, Enter turns, typing finds."""

    def __init__(self, model: ContentsModel, parent: QWidget | None = None) -> None:
        super().__init__("Contents of the cache", parent)
        self.contents = model
        self._kept_path: bytes | None = None
        self._kept_scroll = 0
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

    def draw_row(self, painter: QPainter, brushes: Brushes, row: int, area: QRect) -> None:
        item = int(self.contents.rows[row])
        self._draw_name(painter, brushes, item, self.cell(NAME, area))
        self._draw_verdict(painter, brushes, item, self.cell(VERDICT, area))
        self._draw_size(painter, brushes, item, self.cell(SIZE, area))
        for section in (FILES, CHANGED):
            if self.isColumnHidden(section):
                continue
            draw_text(
                painter,
                brushes,
                self.cell(section, area),
                self.contents.text(item, section),
                right=section == FILES,
                faint=True,
            )

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
        start = max(self.current_row(), 0) + (1 if len(search) == 1 else 0)
        place = self.contents.find_prefix(search.encode("utf-8", "surrogateescape"), start)
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

    def _draw_name(self, painter: QPainter, brushes: Brushes, row: int, cell: QRect) -> None:
        left = cell.left() + self._left_of(row)
        is_directory = self.contents.can_open(row)
        middle = cell.center().y()
        if is_directory:
            _draw_expander(painter, brushes, left, middle, is_open=self.contents.is_open(row))
        mark = icons.pixmap(
            "folder" if is_directory else "file",
            brushes.highlight if is_directory else brushes.faint,
            14,
            brushes.ratio,
        )
        painter.drawPixmap(left + 16, middle - 7, mark)
        words = QRect(left + 36, cell.top(), max(cell.right() - left - 36, 12), cell.height())
        draw_text(painter, brushes, words, self.contents.text(row, NAME), right=False)

    def _draw_verdict(self, painter: QPainter, brushes: Brushes, row: int, cell: QRect) -> None:
        own = self.contents.marks.verdict(row)
        verdict: Verdict | None = own or self.contents.worst_below(row)
        if verdict is None:
            return
        colours = shade(TONE[verdict], brushes.palette)
        tone: QColor = colours.ink if own is not None else brushes.faint
        name = icons.VERDICT_ICON[verdict]
        mark = icons.pixmap(name, colours.ink, 14, brushes.ratio)
        painter.drawPixmap(cell.left(), cell.center().y() - 7, mark)
        painter.setPen(tone)
        words = self.contents.verdict_words(row)
        inside = cell.adjusted(20, 0, 0, 0)
        shown = brushes.metrics.elidedText(words, Qt.TextElideMode.ElideRight, inside.width())
        painter.setFont(brushes.font)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inside, int(flags), shown)

    def _draw_size(self, painter: QPainter, brushes: Brushes, row: int, cell: QRect) -> None:
        inventory = self.contents.inventory
        if inventory is None:
            return
        whole = int(inventory.bytes_below[int(inventory.tree.parent[row])])
        share = int(inventory.bytes_below[row]) / whole if whole else 0.0
        bar = QRect(cell.left() - 4, cell.top() + 4, 0, cell.height() - 8)
        bar.setWidth(round((cell.width() + 8) * share))
        painter.fillRect(bar, mix(brushes.highlight, brushes.base, 0.16))
        draw_text(painter, brushes, cell, self.contents.text(row, SIZE), right=True)

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


def _draw_expander(
    painter: QPainter, brushes: Brushes, left: int, middle: int, *, is_open: bool
) -> None:
    path = QPainterPath()
    if is_open:
        path.moveTo(left + 2, middle - 2)
        path.lineTo(left + 6, middle + 2.5)
        path.lineTo(left + 10, middle - 2)
    else:
        path.moveTo(left + 4, middle - 4)
        path.lineTo(left + 8.5, middle)
        path.lineTo(left + 4, middle + 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(brushes.palette.color(QPalette.ColorRole.PlaceholderText), 1.6))
    painter.drawPath(path)
