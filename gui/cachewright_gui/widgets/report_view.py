"""The table of a ``ReportModel``: chips, two-line cells, hairlines between rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from PySide6.QtCore import QPersistentModelIndex, QRect
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QHeaderView, QWidget

from cachewright_gui.models.report_model import ReportModel
from cachewright_gui.widgets.cells import Brushes, draw_chip, draw_text, draw_title
from cachewright_gui.widgets.rows_view import RowsView


class ReportView(RowsView):
    """Shows reports; the model's column of width 0 takes the room that is left."""

    def __init__(self, name: str, model: ReportModel[Any], parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.reports = model
        self.setModel(model)
        self.set_row_lines(3)
        header = self.horizontalHeader()
        for section, column in enumerate(model.columns):
            if column.width:
                header.resizeSection(section, column.width)
            else:
                header.setSectionResizeMode(section, QHeaderView.ResizeMode.Stretch)
        spare = [section for section, column in enumerate(model.columns) if column.spare]
        self.set_spare(sorted(spare, key=lambda section: -model.columns[section].spare))
        self.setSortingEnabled(True)

    @contextmanager
    def kept_in_place(self) -> Iterator[None]:
        """While rows come and go, keep the row that is looked at where it is: the selected one
        if it is in sight, else the first.  At the very top, new rows come into sight."""
        bar = self.verticalScrollBar()
        anchor = self._anchor() if bar.value() > 0 else None
        before = self.rowViewportPosition(anchor.row()) if anchor is not None else 0
        yield
        if anchor is not None and anchor.isValid():
            self.updateGeometries()
            bar.setValue(bar.value() + self.rowViewportPosition(anchor.row()) - before)

    def _anchor(self) -> QPersistentModelIndex | None:
        first, current = self.rowAt(0), self.current_row()
        last = self.rowAt(self.viewport().height() - 1)
        in_sight = first <= current and (last < 0 or current <= last)
        row = current if in_sight and current >= 0 else first
        return QPersistentModelIndex(self.reports.index(row, 0)) if row >= 0 else None

    def is_fresh(self, row: int) -> bool:
        return self.reports.fresh(row)

    def any_fresh(self) -> bool:
        return self.reports.any_fresh()

    def draw_cells(
        self, painter: QPainter, brushes: Brushes, visible: Sequence[tuple[int, QRect]]
    ) -> None:
        super().draw_cells(painter, brushes, visible)
        for row, area in visible:
            self._draw_row(painter, brushes, row, area)

    def _draw_row(self, painter: QPainter, brushes: Brushes, row: int, area: QRect) -> None:
        item = self.reports.item(row)
        for section, column in enumerate(self.reports.columns):
            if self.isColumnHidden(section):
                continue
            cell = self.cell(section, area)
            if column.chip is not None:
                draw_chip(painter, brushes, cell, column.chip(item))
            elif column.detail is not None:
                draw_title(painter, brushes, cell, column.text(item), column.detail(item))
            else:
                draw_text(painter, brushes, cell, column.text(item), right=column.right)
