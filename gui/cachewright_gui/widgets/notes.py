"""Some plain sentences below a table: what cannot be shown in it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QVBoxLayout, QWidget

from cachewright.text import display
from cachewright_gui.plain import PlainLabel
from cachewright_gui.widgets.cells import scaled

_LINES_SHOWN: Final = 5
"""More than these are scrolled to."""


class Notes(QWidget):
    """Hidden while there is nothing to say; reachable and scrolled by keys."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        heading = PlainLabel(title)
        heading.setFont(scaled(self.font(), 0.9, bold=True))
        heading.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.words = QPlainTextEdit()
        self.words.setAccessibleName(title)
        self.words.setReadOnly(True)
        self.words.setTabChangesFocus(True)
        self.words.setFrameShape(QFrame.Shape.NoFrame)
        self.words.setFont(scaled(self.font(), 0.92))
        self.words.document().setDocumentMargin(2)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 8, 10, 8)
        column.setSpacing(2)
        column.addWidget(heading)
        column.addWidget(self.words)
        self._shown: tuple[str, ...] = ()
        self.hide()

    def show_notes(self, notes: Sequence[str]) -> None:
        """Say these, one a paragraph."""
        if tuple(notes) == self._shown:
            return
        self._shown = tuple(notes)
        self.words.setPlainText("\n".join(display(one) for one in notes))
        self.setVisible(bool(notes))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as the words, up to some lines."""
        lines = max(round(self.words.document().size().height()), 1)
        height = min(lines, _LINES_SHOWN) * self.words.fontMetrics().lineSpacing() + 10
        if self.words.height() != height:
            self.words.setFixedHeight(height)
