"""A flat table painted by one Python call per frame.

Qt's own delegates call back into Python for every cell and role, and each call may wait for a
worker that holds the interpreter (performance.md 4).  Here ``paintEvent`` runs once and draws the
visible rows; selection, keys, headers and accessibility stay Qt's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from cachewright_gui.models.report_model import Index
from cachewright_gui.widgets.cells import Brushes

_TINT_TICK_MS: Final = 400
_LEAST_STRETCH: Final = 215


class RowsView(QTableView):
    """Whole rows, one height, one selected at a time.  Subclasses draw the cells."""

    chosen = Signal()
    """Another row is current, or none."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setMinimumSectionSize(56)
        self.empty_title = ""
        self.empty_text = ""
        self._hovered = -1
        self._tint = QTimer(self)
        self._tint.setInterval(_TINT_TICK_MS)
        self._tint.timeout.connect(self._tint_tick)
        self.last_paint_s = 0.0
        self._spare: list[int] = []
        self._widths: dict[int, int] = {}
        self.set_row_lines(1)

    def set_row_lines(self, lines: int) -> None:
        """Fix the height of every row: one line of text, and small ones below it."""
        brushes = Brushes(self)
        height = brushes.metrics.height() + 10
        if lines > 1:
            height += (lines - 1) * brushes.small_metrics.height() + 6
        vertical = self.verticalHeader()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setMinimumSectionSize(height)
        vertical.setDefaultSectionSize(height)
        self.verticalScrollBar().setSingleStep(height)

    def set_spare(self, sections: Sequence[int]) -> None:
        """Columns that are hidden, in this order, before the stretching one gets too narrow."""
        self._spare = list(sections)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        header = self.horizontalHeader()
        fixed = sum(
            header.sectionSize(section)
            for section in range(header.count())
            if header.sectionResizeMode(section) is not QHeaderView.ResizeMode.Stretch
            and section not in self._spare
        )
        room = self.viewport().width() - fixed - _LEAST_STRETCH
        for section in reversed(self._spare):
            width = self._widths.setdefault(section, header.sectionSize(section))
            self.setColumnHidden(section, room < width)
            room -= width

    def set_empty(self, title: str, text: str = "") -> None:
        """What stands where rows would be."""
        if (title, text) != (self.empty_title, self.empty_text):
            self.empty_title, self.empty_text = title, text
            self.viewport().update()

    def watch_tint(self) -> None:
        """Repaint until no row is tinted any more."""
        self._tint.start()
        self.viewport().update()

    def current_row(self) -> int:
        return self.currentIndex().row()

    def draw_cells(
        self, painter: QPainter, brushes: Brushes, visible: Sequence[tuple[int, QRect]]
    ) -> None:
        """Draw the cells of the visible rows upon their grounds; here only hairlines."""
        del self
        painter.setPen(QPen(brushes.line, 1))
        for _row, area in visible:
            painter.drawLine(area.left(), area.bottom(), area.right(), area.bottom())

    def is_fresh(self, row: int) -> bool:
        """Whether the row is tinted as new or changed."""
        del row
        return False

    def any_fresh(self) -> bool:
        return False

    def cell(self, column: int, area: QRect) -> QRect:
        """The inside of a row's cell."""
        left = self.columnViewportPosition(column)
        return QRect(left + 10, area.top(), self.columnWidth(column) - 20, area.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        start = time.perf_counter()
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        brushes = Brushes(self)
        count = self.model().rowCount()
        if count == 0:
            self._paint_empty(painter, brushes)
        else:
            self._paint_rows(painter, brushes, event.rect(), count)
        painter.end()
        self.last_paint_s = time.perf_counter() - start

    def _paint_rows(self, painter: QPainter, brushes: Brushes, dirty: QRect, count: int) -> None:
        height = self.verticalHeader().defaultSectionSize()
        width = self.viewport().width()
        top = self.rowAt(max(dirty.top(), 0))
        if top < 0:
            return
        current = self.current_row()
        selected = {index.row() for index in self.selectionModel().selectedRows()}
        active = self.hasFocus()
        visible: list[tuple[int, QRect]] = []
        y = self.rowViewportPosition(top)
        for row in range(top, min(count, top + (dirty.bottom() - y) // height + 1)):
            area = QRect(0, y, width, height)
            ground = brushes.ground(
                selected=row in selected,
                active=active,
                hovered=row == self._hovered,
                fresh=self.is_fresh(row),
            )
            if ground is not None:
                painter.fillRect(area, ground)
            if row in selected:
                painter.fillRect(QRect(0, y, 3, height), brushes.highlight)
            visible.append((row, area))
            y += height
        self.draw_cells(painter, brushes, visible)
        if active:
            for row, area in visible:
                if row == current:
                    painter.setPen(QPen(brushes.highlight, 1))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRect(area.adjusted(0, 0, -1, -1))

    def _paint_empty(self, painter: QPainter, brushes: Brushes) -> None:
        area = self.viewport().rect().adjusted(24, 0, -24, 0)
        middle = area.top() + min(area.height() // 3, 160)
        painter.setPen(brushes.text)
        font = brushes.font
        painter.setFont(font)
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        painter.drawText(QRect(area.left(), middle, area.width(), 24), flags, self.empty_title)
        painter.setPen(brushes.faint)
        painter.setFont(brushes.small)
        lower = QRect(area.left(), middle + 26, area.width(), 80)
        painter.drawText(lower, flags | int(Qt.TextFlag.TextWordWrap), self.empty_text)

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()
        if current.row() != previous.row():
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Home and End go to the first and last row: Qt would go along the columns."""
        if event.key() in {Qt.Key.Key_Home, Qt.Key.Key_End} and self.model().rowCount():
            row = 0 if event.key() == Qt.Key.Key_Home else self.model().rowCount() - 1
            self.setCurrentIndex(self.model().index(row, 0))
            return
        if event.key() in {Qt.Key.Key_Left, Qt.Key.Key_Right} and not self.turn(event.key()):
            event.ignore()
            return
        super().keyPressEvent(event)

    def turn(self, key: int) -> bool:
        """Handle Left or Right in a list: rows have nothing to turn to."""
        del key
        return False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(event.position().toPoint())
        super().mouseMoveEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Leave:
            self._hover(QPoint(-1, -1))
        return super().viewportEvent(event)

    def _hover(self, point: QPoint) -> None:
        row = self.rowAt(point.y()) if self.viewport().rect().contains(point) else -1
        if row != self._hovered:
            self._hovered = row
            self.viewport().update()

    @Slot()
    def _tint_tick(self) -> None:
        if not self.any_fresh():
            self._tint.stop()
        self.viewport().update()
