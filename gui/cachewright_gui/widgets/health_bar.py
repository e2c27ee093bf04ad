"""How sound a cache is, in words and in one bar."""

from __future__ import annotations

from collections import Counter
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from cachewright.model import EntryVerdict
from cachewright_gui import icons, wording
from cachewright_gui.plain import PlainLabel, tooltip
from cachewright_gui.theme import TONE, shade

_HEIGHT: Final = 10
_LEAST: Final = 7.0
"""Narrowest segment: one corrupt entry among thousands must be seen."""


class _Bar(QWidget):
    """Segments in the order of ``HEALTH_PHRASE``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.counts: Counter[EntryVerdict] = Counter()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(200, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), _HEIGHT / 2, _HEIGHT / 2)
        painter.setClipPath(outline)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Midlight))
        x = 0.0
        for verdict, width in segments(self.counts, self.width()):
            painter.fillRect(
                QRectF(x, 0, width, _HEIGHT), shade(TONE[verdict], self.palette()).solid
            )
            x += width
        painter.end()
        event.accept()


def segments(counts: Counter[EntryVerdict], width: int) -> list[tuple[EntryVerdict, float]]:
    """Widths that fill the bar: in proportion, but none so narrow that it cannot be seen."""
    present = [(one, counts[one]) for one in wording.HEALTH_PHRASE if counts[one] > 0]
    total = sum(count for _, count in present)
    if not total:
        return []
    spare = max(width - _LEAST * len(present), 0.0)
    return [(one, _LEAST + spare * count / total) for one, count in present]


class _Legend(QWidget):
    """An icon in the verdict's colour and its words."""

    def __init__(self, verdict: EntryVerdict, parent: QWidget) -> None:
        super().__init__(parent)
        self._verdict = verdict
        self._mark = PlainLabel()
        self._words = PlainLabel()
        self._words.setForegroundRole(QPalette.ColorRole.WindowText)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(self._mark)
        row.addWidget(self._words)
        self._colour = ""

    def show_count(self, count: int) -> None:
        self.setVisible(count > 0)
        self._words.setText(f"{count:,} {wording.HEALTH_PHRASE[self._verdict]}")
        colour = shade(TONE[self._verdict], self.palette()).ink
        if colour.name() != self._colour:
            self._colour = colour.name()
            name = icons.VERDICT_ICON[self._verdict]
            self._mark.setPixmap(icons.pixmap(name, colour, 14, self.devicePixelRatioF()))


class HealthBar(QWidget):
    """The bar and, below it, what its segments are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = _Bar(self)
        self._legends = {one: _Legend(one, self) for one in wording.HEALTH_PHRASE}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._bar)
        row = QHBoxLayout()
        row.setSpacing(18)
        for legend in self._legends.values():
            row.addWidget(legend)
        row.addStretch(1)
        column.addLayout(row)
        self.show_counts(Counter())

    def show_counts(self, counts: Counter[EntryVerdict]) -> None:
        self._bar.counts = Counter(counts)
        self._bar.update()
        for verdict, legend in self._legends.items():
            legend.show_count(counts[verdict])
        words = self.words()
        self.setToolTip(tooltip(words))
        self.setAccessibleName("Health of the cache")
        self.setAccessibleDescription(words)

    def words(self) -> str:
        """All of it in one sentence, exact."""
        counts = self._bar.counts
        total = sum(counts.values())
        if not total:
            return "No entries seen yet."
        parts = [
            f"{counts[one]:,} {phrase}"
            for one, phrase in wording.HEALTH_PHRASE.items()
            if counts[one]
        ]
        return f"{wording.plural(total, 'entry', 'entries')}: {', '.join(parts)}."

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            for verdict, legend in self._legends.items():
                legend.show_count(self._bar.counts[verdict])
