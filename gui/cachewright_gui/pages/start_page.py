"""What the window shows while no cache is open: what to do, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cachewright.text import elide
from cachewright_gui import icons
from cachewright_gui.plain import PlainLabel, WrapLabel, caption, tooltip
from cachewright_gui.widgets.cells import scaled
from cachewright_gui.widgets.sidebar import Place

_SHOWN = 8


class StartPage(QWidget):
    """Its buttons ask for a cache to be opened."""

    open_wanted = Signal()
    wanted = Signal(object)
    """A ``Place``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.setAutoFillBackground(True)
        mark = PlainLabel()
        mark.setPixmap(icons.app_icon().pixmap(72, 72))
        title = PlainLabel("Open a cache")
        title.setFont(scaled(self.font(), 1.6, bold=True))
        words = WrapLabel(
            "Cachewright verifies a cache against the checksums its own tool recorded, shows who "
            "holds its locks and what crashed writers left behind, and repairs what you choose."
        )
        words.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        words.setFixedSize(440, words.heightForWidth(440))
        self.open = QPushButton("Open cache…")
        self.open.setProperty("primary", True)
        self.open.clicked.connect(self.open_wanted)
        self.found = PlainLabel()
        self.found.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._places = QVBoxLayout()
        self._places.setSpacing(6)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addStretch(2)
        for widget in (mark, title, words, self.open):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(18)
        column.addWidget(self.found, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addLayout(self._places)
        column.addStretch(3)

    def show_places(self, places: Sequence[Place], *, searching: bool) -> None:
        """Offer the caches that were found or opened before."""
        while (item := self._places.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        caches = [one for one in places if one.root is not None][:_SHOWN]
        if searching:
            self.found.setText("Looking for caches on this computer…")
        else:
            self.found.setText(
                "Or one of these" if caches else "No known cache was found on this computer."
            )
        for place in caches:
            words = f"{place.title}   {elide(place.path, 48)}"
            button = QPushButton(caption(words))
            button.setToolTip(tooltip(place.path))
            button.clicked.connect(lambda _checked=False, it=place: self.wanted.emit(it))
            button.setFixedWidth(440)
            self._places.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
