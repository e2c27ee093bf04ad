"""Where the bytes are, and in what state: rectangles by size, coloured by verdict.

Laid out and drawn into a picture on a worker's thread when the inventory or its verdicts change;
painting is a copy of that picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFont,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from cachewright.model import Verdict
from cachewright.text import display
from cachewright_gui import wording
from cachewright_gui.inventory_view import Inventory, Marks
from cachewright_gui.jobs import Jobs
from cachewright_gui.plain import tooltip
from cachewright_gui.squarify import Box, squarify
from cachewright_gui.theme import TONE, Tone, mix, shade
from cachewright_gui.widgets.cells import scaled

_MOST: Final = 3000
_LEAST_SIDE: Final = 3.0
_LABEL_WIDTH: Final = 64
_LINE: Final = 16
_PACE_MS: Final = 700


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
    """What lies in a directory and is big enough to be seen in this area."""
    children = inventory.tree.children(row)
    whole = int(inventory.bytes_below[row])
    if not len(children) or not whole:
        return
    left, top, width, height = area
    edge = 1.0 if row else 0.0
    inner = (left + edge, top + edge, width - 2 * edge, height - 2 * edge)
    sizes = inventory.bytes_below[children.start : children.stop]
    least = max(whole * _LEAST_SIDE**2 / max(inner[2] * inner[3], 1.0), 1.0)
    seen = np.flatnonzero(sizes >= least)
    order = seen[np.argsort(-sizes[seen], kind="stable")]
    for index, part in zip(order.tolist(), squarify(sizes[order].tolist(), inner), strict=True):
        if part[2] >= _LEAST_SIDE and part[3] >= _LEAST_SIDE:
            yield children.start + index, part


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a picture is drawn for: logical size, pixels for each, colours and font."""

    width: int
    height: int
    ratio: float
    palette: QPalette
    font: QFont


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn map."""

    image: QImage
    tiles: tuple[Tile, ...]
    inventory: Inventory


def draw(inventory: Inventory, marks: Marks, canvas: Canvas) -> Picture:
    """Lay the map out and draw it; on any thread."""
    size = QSize(round(canvas.width * canvas.ratio), round(canvas.height * canvas.ratio))
    image = QImage(size, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(canvas.ratio)
    base = canvas.palette.color(QPalette.ColorRole.Base)
    image.fill(base)
    whole = (0.0, 0.0, float(canvas.width), float(canvas.height))
    made = tuple(tiles(inventory, marks, whole))
    painter = QPainter(image)
    painter.setFont(canvas.font)
    for tile in made[1:]:
        colour, ink = _colours(tile, canvas.palette, base)
        left, top, width, height = tile.box
        painter.fillRect(QRectF(left, top, width - 1, height - 1), colour)
        if not tile.inside and width >= _LABEL_WIDTH and height >= _LINE + 4:
            painter.setPen(ink)
            _draw_words(painter, inventory, tile)
    painter.end()
    return Picture(image, made, inventory)


def _draw_words(painter: QPainter, inventory: Inventory, tile: Tile) -> None:
    """The name and, where there is room, the verdict's word: colour is never alone."""
    left, top, width, height = tile.box
    words = [display(inventory.tree.name(tile.row))]
    if tile.verdict is not None and height >= 2 * _LINE + 4:
        words.append(wording.VERDICT_WORD[tile.verdict])
    for line, text in enumerate(words):
        place = QRect(round(left) + 5, round(top) + 2 + line * _LINE, round(width) - 10, _LINE)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, place.width())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignLeft), shown)


def _colours(tile: Tile, palette: QPalette, base: QColor) -> tuple[QColor, QColor]:
    tone = TONE[tile.verdict] if tile.verdict is not None else Tone.FAINT
    solid = shade(tone, palette).solid
    share = 0.25 if tile.inside else 0.38
    return mix(solid, base, share), palette.color(QPalette.ColorRole.Text)


class Treemap(QWidget):
    """A click selects; the tooltip names."""

    picked = Signal(int)
    """An inventory row."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Map of the cache by size")
        self.setMinimumHeight(90)
        self._jobs = jobs
        self._lane = jobs.lane("map")
        self._inventory: Inventory | None = None
        self._marks = Marks()
        self._picture: Picture | None = None
        self._drawing = False
        self._chosen = -1
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_PACE_MS)
        self._late.timeout.connect(self._draw_anew)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """What is drawn now."""
        return self._picture.tiles if self._picture is not None else ()

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
        for tile in reversed(self.tiles):
            left, top, width, height = tile.box
            if left <= x < left + width and top <= y < top + height:
                return tile
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        if self._picture is not None:
            painter.drawImage(0, 0, self._picture.image)
        tile = next((one for one in self.tiles if one.row == self._chosen), None)
        if tile is not None and tile.row > 0:
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Text), 2))
            painter.drawRect(QRectF(*tile.box).adjusted(1, 1, -1, -1))
        painter.end()
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._late.start(0)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._late.start(0)

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
        tile, picture = self.tile_at(point), self._picture
        if tile is None or picture is None:
            return ""
        size = wording.size(int(picture.inventory.bytes_below[tile.row]))
        word = wording.VERDICT_WORD[tile.verdict] if tile.verdict is not None else ""
        path = display(picture.inventory.tree.path(tile.row))
        return tooltip("\n".join(part for part in (path, size, word) if part))

    @Slot()
    def _draw_anew(self) -> None:
        inventory, marks = self._inventory, self._marks
        if inventory is None or not len(inventory):
            self._picture = None
            self.update()
            return
        if not self.isVisible():
            return
        if self._drawing:
            self._late.start(_PACE_MS)
            return
        self._drawing = True
        font = scaled(self.font(), 0.85)
        canvas = Canvas(
            self.width(), self.height(), self.devicePixelRatioF(), QPalette(self.palette()), font
        )
        self._jobs.run(
            lambda: draw(inventory, marks, canvas), self._drawn, self._draw_failed, self._lane
        )

    def _drawn(self, picture: Picture) -> None:
        self._drawing = False
        self._picture = picture
        self.update()

    def _draw_failed(self, error: BaseException) -> None:
        self._drawing = False
        self._jobs.failed.emit(error)
