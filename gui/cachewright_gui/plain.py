"""Text from outside, shown as nothing but text (reliability.md T7, T8).

Qt takes a string that looks like HTML for HTML, and ``&`` for a shortcut mark.  Every label,
tooltip, button and menu of the window takes its words through here.
"""

from __future__ import annotations

import html

from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel, QWidget

from cachewright.text import display


def tooltip(text: str) -> str:
    """The text as a tooltip: escaped, its line breaks kept."""
    if not text:
        return ""
    lines = "<br>".join(html.escape(display(line)) for line in text.split("\n"))
    return f"<qt>{lines}</qt>"


def caption(text: str) -> str:
    """The text for a button, menu or tab, where ``&`` would mark a shortcut."""
    return display(text).replace("&", "&&")


class PlainLabel(QLabel):
    """A label that shows its text as it is, control characters made visible."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText("\n".join(display(line) for line in text.split("\n")))


class ElideLabel(PlainLabel):
    """A plain label on one line that is cut with an ellipsis where there is no room."""

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area = self.contentsRect()
        shown = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideMiddle, area.width()
        )
        painter.drawText(area, self.alignment(), shown)
        painter.end()
        event.accept()


class WrapLabel(PlainLabel):
    """A plain label that breaks anywhere if it must, so that a long path or digest never
    widens its pane."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        policy.setVerticalPolicy(policy.Policy.Minimum)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return round(sum(layout.boundingRect().height() for layout in self._lay_out(width)))

    def sizeHint(self) -> QSize:
        natural = super().sizeHint()
        width = max(min(natural.width(), 320), self.minimumWidth())
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area = QRect(self.contentsRect())
        layouts = self._lay_out(area.width())
        y = float(area.top())
        if self.alignment() & Qt.AlignmentFlag.AlignVCenter:
            whole = sum(layout.boundingRect().height() for layout in layouts)
            y += max((area.height() - whole) / 2, 0.0)
        for layout in layouts:
            layout.draw(painter, QPointF(area.left(), y))
            y += layout.boundingRect().height()
        painter.end()
        event.accept()

    def _lay_out(self, width: int) -> list[QTextLayout]:
        layouts = []
        for text in self.text().split("\n"):
            layout = QTextLayout(text or " ", self.font())
            option = QTextOption()
            option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
            layout.setTextOption(option)
            layout.beginLayout()
            height = 0.0
            while (line := layout.createLine()).isValid():
                line.setLineWidth(max(width, 1))
                line.setPosition(QPointF(0, height))
                height += line.height()
            layout.endLayout()
            layouts.append(layout)
        return layouts
