"""How sound a cache is, or how its locks stand, in words and in one bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from cachewright.model import EntryVerdict, HoldVerdict, Verdict
from cachewright_gui import icons, lock_words, wording
from cachewright_gui.plain import PlainLabel, tooltip
from cachewright_gui.theme import TONE, shade

_HEIGHT: Final = 10
_LEAST: Final = 7.0
"""Narrowest segment: one corrupt entry among thousands must be seen."""

_PHRASE: Final = dict[Verdict, str](chain(wording.HEALTH_PHRASE.items(), lock_words.PHRASE.items()))
"""In the order of the bar."""


class _Bar(QWidget):
    """Segments in the order of the phrases."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.counts: Mapping[Verdict, int] = {}
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


def segments(counts: Mapping[Verdict, int], width: int) -> list[tuple[Verdict, float]]:
    """Widths that fill the bar: in proportion, but none so narrow that it cannot be seen."""
    present = [(one, counts[one]) for one in _PHRASE if counts.get(one, 0) > 0]
    total = sum(count for _, count in present)
    if not total:
        return []
    spare = max(width - _LEAST * len(present), 0.0)
    return [(one, _LEAST + spare * count / total) for one, count in present]


class _Legend(QWidget):
    """An icon in the verdict's colour and its words."""

    def __init__(self, verdict: Verdict, parent: QWidget) -> None:
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
        self._count = 0

    def show_count(self, count: int) -> None:
        self._count = count
        self.setVisible(count > 0)
        self._words.setText(f"{count:,} {_PHRASE[self._verdict]}")
        colour = shade(TONE[self._verdict], self.palette()).ink
        if colour.name() != self._colour:
            self._colour = colour.name()
            name = icons.VERDICT_ICON[self._verdict]
            self._mark.setPixmap(icons.pixmap(name, colour, 14, self.devicePixelRatioF()))

    def changeEvent(self, event: QEvent) -> None:
        """Its own: the parent's palette changes before this one's does."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self.show_count(self._count)


class HealthBar(QWidget):
    """The bar and, below it, what its segments are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = _Bar(self)
        self._legends = {one: _Legend(one, self) for one in _PHRASE}
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

    def show_counts(self, counts: Mapping[EntryVerdict, int] | Mapping[HoldVerdict, int]) -> None:
        """Show entries by their verdicts, or locks by theirs."""
        self._bar.counts = dict[Verdict, int](counts.items())
        self._bar.update()
        for verdict, legend in self._legends.items():
            legend.show_count(self._bar.counts.get(verdict, 0))
        words = self.words()
        self.setToolTip(tooltip(words))
        self.setAccessibleName("Health")
        self.setAccessibleDescription(words)

    def words(self) -> str:
        """All of it in one sentence, exact."""
        counts = self._bar.counts
        total = sum(counts.values())
        if not total:
            return "Nothing seen yet."
        parts = [f"{counts[one]:,} {phrase}" for one, phrase in _PHRASE.items() if counts.get(one)]
        are_locks = all(isinstance(one, HoldVerdict) for one in counts)
        nouns = ("lock", "locks") if are_locks else ("entry", "entries")
        return f"{wording.plural(total, *nouns)}: {', '.join(parts)}."
