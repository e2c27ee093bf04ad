"""The caches of this computer and those opened before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QPainter, QPalette, QPen
from PySide6.QtWidgets import (
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from cachewright.text import display
from cachewright_gui import icons
from cachewright_gui.models.report_model import Index
from cachewright_gui.plain import tooltip
from cachewright_gui.theme import Tone, selection_wash, shade
from cachewright_gui.widgets.cells import Brushes

_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True)
class Place:
    """One line: a cache, or, where ``root`` is None, a heading or a ``note`` below one."""

    title: str
    root: bytes | None = None
    format_name: str | None = None
    detail: str = ""
    icon: str = "unchecked"
    tone: Tone = Tone.NEUTRAL
    state_word: str = ""
    badge: int = 0
    path: str = ""
    note: bool = False


class PlaceModel(QAbstractListModel):
    """Lines of the sidebar; replaced in place, so that the selection stays."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.places: list[Place] = []

    def set_places(self, places: Sequence[Place]) -> None:
        old, new = len(self.places), len(places)
        if new < old:
            self.beginRemoveRows(QModelIndex(), new, old - 1)
            del self.places[new:]
            self.endRemoveRows()
        kept = len(self.places)
        changed = [row for row in range(kept) if self.places[row] != places[row]]
        for row in changed:
            self.places[row] = places[row]
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))
        if new > kept:
            self.beginInsertRows(QModelIndex(), kept, new - 1)
            self.places.extend(places[kept:])
            self.endInsertRows()

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.places)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        place = self.places[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return display(place.title)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parts = (place.title, place.state_word, place.detail)
            return ", ".join(display(part) for part in parts if part)
        if role == Qt.ItemDataRole.ToolTipRole and place.root is not None:
            return tooltip("\n".join(part for part in (place.path, place.state_word) if part))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or self.places[index.row()].root is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class _PlaceDelegate(QStyledItemDelegate):
    """Draws a heading, or a cache with its state and how many problems it has."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        del option
        view = self.parent()
        assert isinstance(view, QListView)  # noqa: S101 - set by the only maker below
        brushes = Brushes(view)
        model = index.model()
        assert isinstance(model, PlaceModel)  # noqa: S101 - likewise
        if model.places[index.row()].root is None:
            first = index.row() == 0 or model.places[index.row()].note
            return QSize(100, brushes.small_metrics.height() + (14 if first else 24))
        return QSize(100, brushes.metrics.height() + brushes.small_metrics.height() + 16)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        view, model = self.parent(), index.model()
        if not isinstance(view, QListView) or not isinstance(model, PlaceModel):
            return
        place = model.places[index.row()]
        brushes = Brushes(view)
        area: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if place.root is None:
            painter.setFont(brushes.small if place.note else brushes.bold)
            painter.setPen(brushes.faint)
            words = area.adjusted(12, 0, -8, -5)
            flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
            painter.drawText(words, int(flags), place.title)
        else:
            state: QStyle.StateFlag = option.state
            self._paint_cache(painter, brushes, area, place, state, has_focus=view.hasFocus())
        painter.restore()

    @staticmethod
    def _paint_cache(
        painter: QPainter,
        brushes: Brushes,
        area: QRect,
        place: Place,
        state: QStyle.StateFlag,
        *,
        has_focus: bool,
    ) -> None:
        box = area.adjusted(6, 1, -6, -1)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(brushes.highlight, 1) if has_focus else Qt.PenStyle.NoPen)
            painter.setBrush(selection_wash(brushes.palette, active=True))
            painter.drawRoundedRect(box, 6, 6)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(brushes.palette.color(QPalette.ColorRole.Midlight))
            painter.drawRoundedRect(box, 6, 6)
        ink = shade(place.tone, brushes.palette).ink
        mark = icons.pixmap(place.icon, ink, 14, brushes.ratio)
        painter.drawPixmap(box.left() + 7, box.center().y() - 6, mark)
        right = 10
        if place.badge:
            right = _draw_badge(painter, brushes, box, place.badge) + 14
        words = box.adjusted(29, 5, -right, -5)
        painter.setFont(brushes.font)
        painter.setPen(brushes.text)
        elide = Qt.TextElideMode.ElideMiddle
        title = brushes.metrics.elidedText(display(place.title), elide, words.width())
        painter.drawText(words, int(Qt.AlignmentFlag.AlignTop), title)
        painter.setFont(brushes.small)
        painter.setPen(brushes.faint)
        detail = brushes.small_metrics.elidedText(display(place.detail), elide, words.width())
        painter.drawText(words, int(Qt.AlignmentFlag.AlignBottom), detail)


def _draw_badge(painter: QPainter, brushes: Brushes, box: QRect, count: int) -> int:
    words = f"{count:,}"
    width = max(brushes.bold_metrics.horizontalAdvance(words) + 12, 20)
    pill = QRect(box.right() - width - 6, box.center().y() - 8, width, 18)
    colours = shade(Tone.BAD, brushes.palette)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colours.wash)
    painter.drawRoundedRect(pill, 9, 9)
    painter.setFont(brushes.bold)
    painter.setPen(colours.ink)
    painter.drawText(pill, int(Qt.AlignmentFlag.AlignCenter), words)
    return width


class Sidebar(QListView):
    """A click or Enter asks for a cache to be opened."""

    wanted = Signal(object)
    """A ``Place``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Caches")
        self.place_model = PlaceModel(self)
        self.setModel(self.place_model)
        self.setItemDelegate(_PlaceDelegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(170)
        self.viewport().setBackgroundRole(QPalette.ColorRole.Window)
        self.setBackgroundRole(QPalette.ColorRole.Window)
        self.clicked.connect(self._picked)
        self.activated.connect(self._picked)

    def show_places(self, places: Sequence[Place], current: bytes | None) -> None:
        self.place_model.set_places(places)
        row = next(
            (row for row, one in enumerate(places) if one.root == current and one.root), None
        )
        selection = self.selectionModel()
        if row is None:
            selection.clear()
        elif self.currentIndex().row() != row or not selection.hasSelection():
            index = self.place_model.index(row)
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    @Slot(QModelIndex)
    def _picked(self, index: QModelIndex) -> None:
        place = self.place_model.places[index.row()]
        if place.root is not None:
            self.wanted.emit(place)
