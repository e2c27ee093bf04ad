"""A check box whose frame can be seen in a dark theme too."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QCheckBox

from cachewright_gui import icons

_EXTENT = 18


class TickBox(QCheckBox):
    """Without words of its own; its accessible name says what it is for."""

    def sizeHint(self) -> QSize:
        return QSize(_EXTENT, _EXTENT)

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        group = QPalette.ColorGroup.Normal if self.isEnabled() else QPalette.ColorGroup.Disabled
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(1.5, 1.5, _EXTENT - 3, _EXTENT - 3)
        ticked = self.isChecked()
        ring = (
            QPalette.ColorRole.Highlight if ticked or self.hasFocus() else QPalette.ColorRole.Dark
        )
        ground = QPalette.ColorRole.Highlight if ticked else QPalette.ColorRole.Base
        painter.setPen(QPen(palette.color(group, ring), 1.2))
        painter.setBrush(palette.color(group, ground))
        painter.drawRoundedRect(box, 4, 4)
        if ticked:
            ink = palette.color(QPalette.ColorRole.HighlightedText)
            painter.drawPixmap(2, 2, icons.pixmap("check-mark", ink, 14, self.devicePixelRatioF()))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(palette.color(QPalette.ColorRole.WindowText), 1))
            painter.drawRoundedRect(box.adjusted(-1, -1, 1, 1), 5, 5)
        painter.end()
        event.accept()
