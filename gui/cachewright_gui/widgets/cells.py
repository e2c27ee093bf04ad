"""What the tables paint into a row: words, chips, grounds.  Used inside one paintEvent."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QWidget

from cachewright.text import display
from cachewright_gui import icons
from cachewright_gui.models.report_model import Chip
from cachewright_gui.theme import mix, selection_wash, shade

PAD: Final = 10
ICON: Final = 14

_LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def scaled(font: QFont, factor: float, *, bold: bool = False) -> QFont:
    """The font in another size, whichever unit the desktop set it in."""
    made = QFont(font)
    if font.pointSizeF() > 0:
        made.setPointSizeF(font.pointSizeF() * factor)
    else:
        made.setPixelSize(max(8, round(font.pixelSize() * factor)))
    if bold:
        made.setWeight(QFont.Weight.DemiBold)
    return made


class Brushes:
    """Fonts and colours of one widget for one frame."""

    def __init__(self, widget: QWidget) -> None:
        palette = widget.palette()
        self.palette = palette
        self.font = widget.font()
        self.small = scaled(self.font, 0.9)
        self.bold = scaled(self.font, 0.9, bold=True)
        self.metrics = QFontMetrics(self.font)
        self.broad = self.metrics.horizontalAdvance("W")
        self.small_metrics = QFontMetrics(self.small)
        self.bold_metrics = QFontMetrics(self.bold)
        self.text = palette.color(QPalette.ColorRole.Text)
        self.faint = palette.color(QPalette.ColorRole.PlaceholderText)
        self.line = palette.color(QPalette.ColorRole.Midlight)
        self.highlight = palette.color(QPalette.ColorRole.Highlight)
        self.base = palette.color(QPalette.ColorRole.Base)
        self.ratio = widget.devicePixelRatioF()

    def ground(self, *, selected: bool, active: bool, hovered: bool, fresh: bool) -> QColor | None:
        """The ground of a row, or None for the plain one."""
        if selected:
            return selection_wash(self.palette, active=active)
        if fresh:
            return mix(QColor("#e8b93c"), self.base, 0.22)
        if hovered:
            return mix(self.text, self.base, 0.045)
        return None


def draw_text(
    painter: QPainter, brushes: Brushes, area: QRect, text: str, *, right: bool, faint: bool = False
) -> None:
    painter.setFont(brushes.font)
    painter.setPen(brushes.faint if faint else brushes.text)
    shown = brushes.metrics.elidedText(display(text), Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, _RIGHT if right else _LEFT, shown)


def draw_title(painter: QPainter, brushes: Brushes, area: QRect, text: str, detail: str) -> None:
    upper, lower = brushes.metrics.height(), brushes.small_metrics.height()
    gap = 2
    lines = _two_lines(brushes.small_metrics, display(detail), area.width())
    top = area.top() + (area.height() - upper - lower * len(lines) - gap) // 2
    painter.setFont(brushes.font)
    painter.setPen(brushes.text)
    first = QRect(area.left(), top, area.width(), upper)
    shown = brushes.metrics.elidedText(display(text), Qt.TextElideMode.ElideMiddle, area.width())
    painter.drawText(first, _LEFT, shown)
    painter.setFont(brushes.small)
    painter.setPen(brushes.faint)
    for row, line in enumerate(lines):
        second = QRect(area.left(), top + upper + gap + row * lower, area.width(), lower)
        painter.drawText(second, _LEFT, line)


def _two_lines(metrics: QFontMetrics, text: str, width: int) -> list[str]:
    """The text on one line, or broken at a space and cut with an ellipsis on the second."""
    if metrics.horizontalAdvance(text) <= width:
        return [text] if text else []
    fits = len(text)
    while fits and metrics.horizontalAdvance(text, fits) > width:
        fits = min(fits - 1, fits * width // metrics.horizontalAdvance(text, fits) + 1)
    cut = text.rfind(" ", 0, fits + 1)
    if cut <= 0:
        return [metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)]
    rest = metrics.elidedText(text[cut + 1 :], Qt.TextElideMode.ElideRight, width)
    return [text[:cut], rest]


def draw_chip(painter: QPainter, brushes: Brushes, area: QRect, chip: Chip) -> None:
    colours = shade(chip.tone, brushes.palette)
    metrics = brushes.bold_metrics
    height = metrics.height() + 6
    width = min(area.width(), metrics.horizontalAdvance(chip.word) + ICON + 20)
    box = QRect(area.left(), area.top() + (area.height() - height) // 2, width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colours.wash)
    painter.drawRoundedRect(box, 5, 5)
    mark = icons.pixmap(chip.icon, colours.ink, ICON, brushes.ratio)
    painter.drawPixmap(box.left() + 6, box.top() + (height - ICON) // 2, mark)
    painter.setFont(brushes.bold)
    painter.setPen(colours.ink)
    words = box.adjusted(ICON + 10, 0, -4, 0)
    painter.drawText(
        words, _LEFT, metrics.elidedText(chip.word, Qt.TextElideMode.ElideRight, words.width())
    )
