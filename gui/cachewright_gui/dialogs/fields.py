"""Labelled fields of a dialog, one below the other, with a hint at the end."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QPlainTextEdit, QWidget

from cachewright_gui.plain import PlainLabel, WrapLabel


def lay_out(parent: QWidget, rows: Sequence[tuple[str, QWidget]], hint: str) -> None:
    """Fill ``parent``: every field has its words beside it and as its accessible name."""
    grid = QGridLayout(parent)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setColumnMinimumWidth(0, 84)
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(10)
    grid.setColumnStretch(1, 1)
    for row, (words, widget) in enumerate(rows):
        label = PlainLabel(words)
        label.setBuddy(widget)
        widget.setAccessibleName(words)
        high = isinstance(widget, QPlainTextEdit)
        place = Qt.AlignmentFlag.AlignTop if high else Qt.AlignmentFlag.AlignVCenter
        grid.addWidget(label, row, 0, place)
        grid.addWidget(widget, row, 1)
    told = WrapLabel(hint)
    told.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    grid.addWidget(told, len(rows), 1)
