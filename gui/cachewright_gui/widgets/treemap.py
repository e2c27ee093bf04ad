"""Where the bytes are, and in what state: rectangles by size, coloured by verdict.

Drawn once into a picture when the inventory or its verdicts change, at most a few thousand
rectangles; painting is a copy of that picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from cachewright.model import Verdict
from cachewright.text import display
from cachewright_gui import wording
from cachewright_gui.inventory_view import Inventory, Marks
from cachewright_gui.plain import tooltip
from cachewright_gui.squarify import Box, squarify
from cachewright_gui.theme import TONE, Tone, mix, shade
from cachewright_gui.widgets.cells import scaled

_MOST: Final = 3000
_LEAST_SIDE: Final = 3.0
_LABEL_WIDTH: Final = 64
_LABEL_HEIGHT: Final = 20
_PACE_MS: Final = 400


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle for one inventory row; ``verdict`` is its own or what it lies in."""

    row: int
    box: Box
    verdict: Verdict | None
    inside: bool
    """Whether its parts are drawn upon it."""


def tiles(inventory: Inventory, marks: Marks, box: Box) -> Iterator[Tile]:
    """Tiles from the root down, each directory before what it holds, the biggest first."""
    pending: list[tuple[int, Box, Verdict | None]] = [(0, box, None)]
    drawn = 0
    while pending and drawn < _MOST:
        row, area, above = pending.pop(0)
        verdict = marks.verdict(row) or above
        parts = list(_parts(inventory, row, area)) if min(area[2:]) >= 4 * _LEAST_SIDE else []
        yield Tile(row, area, verdict, bool(parts))
        drawn += 1
        pending += [(child, part, verdict) for child, part in parts]


def _parts(inventory: Inventory, row: int, area: Box) -> Iterator[tuple[int, Box]]:
    children = inventory.tree.children(row)
    if not len(children):
        return
    sizes = inventory.bytes_below[children.start : children.stop]
    order = np.argsort(-sizes, kind="stable")[:_MOST]
    order = order[sizes[order] > 0]
    left, top, width, height = area
    edge = 1.0 if row else 0.0
    inner = (left + edge, top + edge, width - 2 * edge, height - 2 * edge)
    for index, part in zip(order.tolist(), squarify(sizes[order].tolist(), inner), strict=True):
        if part[2] < _LEAST_SIDE or part[3] < _LEAST_SIDE:
            continue
        yield children.start + index, part


class Treemap(QWidget):
    """A click selects; the tooltip names."""

    picked = Signal(int)
    """An inventory row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Map of the cache by size")
        self.setMinimumHeight(90)
        self._inventory: Inventory | None = None
        self._marks = Marks()
        self._tiles: list[Tile] = []
        self._picture: QPixmap | None = None
        self._chosen = -1
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_PACE_MS)
        self._late.timeout.connect(self._draw_anew)

    def sizeHint(self) -> QSize:
        return QSize(400, 180)

    def show_inventory(self, inventory: Inventory | None, marks: Marks) -> None:
        """Show this inventory; drawn soon, not at once, and not while it cannot be seen."""
        self._inventory, self._marks = inventory, marks
        if not self._late.isActive() and self.isVisible():
            self._late.start(_PACE_MS if self._picture is not None else 0)

    def choose(self, row: int) -> None:
        """Outline the tile of this row, if it is drawn."""
        if row != self._chosen:
            self._chosen = row
            self.update()

    def tile_at(self, point: QPointF) -> Tile | None:
        """The innermost tile there."""
        x, y = point.x(), point.y()
        for tile in reversed(self._tiles):
            left, top, width, height = tile.box
            if left <= x < left + width and top <= y < top + height:
                return tile
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._picture is None:
            painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        else:
            painter.drawPixmap(0, 0, self._picture)
        tile = next((one for one in self._tiles if one.row == self._chosen), None)
        if tile is not None and tile.row > 0:
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Text), 2))
            painter.drawRect(QRectF(*tile.box).adjusted(1, 1, -1, -1))
        painter.end()
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._late.start()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._late.start()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        tile = self.tile_at(event.position())
        if tile is not None and tile.row > 0:
            self.picked.emit(tile.row)
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._words_at(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def _words_at(self, point: QPointF) -> str:
        tile, inventory = self.tile_at(point), self._inventory
        if tile is None or inventory is None:
            return ""
        size = wording.size(int(inventory.bytes_below[tile.row]))
        word = wording.VERDICT_WORD[tile.verdict] if tile.verdict is not None else ""
        return tooltip("\n".join([display(inventory.tree.path(tile.row)), size, word]).strip())

    @Slot()
    def _draw_anew(self) -> None:
        if self._inventory is None or not self.isVisible() or not len(self._inventory):
            self._tiles, self._picture = [], None
            self.update()
            return
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(self.palette().color(QPalette.ColorRole.Base))
        whole = (0.0, 0.0, float(self.width()), float(self.height()))
        self._tiles = list(tiles(self._inventory, self._marks, whole))
        painter = QPainter(picture)
        self._draw_tiles(painter)
        painter.end()
        self._picture = picture
        self.update()

    def _draw_tiles(self, painter: QPainter) -> None:
        base = self.palette().color(QPalette.ColorRole.Base)
        font = scaled(self.font(), 0.85)
        painter.setFont(font)
        for tile in self._tiles[1:]:
            colour, ink = self._colours(tile, base)
            left, top, width, height = tile.box
            painter.fillRect(QRectF(left, top, width - 1, height - 1), colour)
            if tile.inside or width < _LABEL_WIDTH or height < _LABEL_HEIGHT:
                continue
            painter.setPen(ink)
            words = QRect(round(left) + 5, round(top) + 3, round(width) - 10, _LABEL_HEIGHT - 4)
            assert self._inventory is not None  # noqa: S101 - tiles are made from it
            name = display(self._inventory.tree.name(tile.row))
            shown = painter.fontMetrics().elidedText(
                name, Qt.TextElideMode.ElideMiddle, words.width()
            )
            painter.drawText(words, int(Qt.AlignmentFlag.AlignLeft), shown)

    def _colours(self, tile: Tile, base: QColor) -> tuple[QColor, QColor]:
        tone = TONE[tile.verdict] if tile.verdict is not None else Tone.FAINT
        colours = shade(tone, self.palette())
        if tile.inside:
            return mix(colours.solid, base, 0.25), colours.ink
        return mix(colours.solid, base, 0.38), self.palette().color(QPalette.ColorRole.Text)
