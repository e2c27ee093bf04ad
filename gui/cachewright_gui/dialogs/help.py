"""Words of help: the shortcuts, what a stale lock is, and what this program is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cachewright_gui import icons
from cachewright_gui.plain import PlainLabel, WrapLabel
from cachewright_gui.widgets.cells import scaled

STALE_LOCK: Final = (
    "A lock says: somebody is at work here. It is stale when that somebody is gone for good.",
    (
        "Most locks are kernel locks. The kernel lets go of them by itself when their holder "
        "ends, whatever happened to it. The empty file that stays behind is only a place to "
        "lock: nobody holds it, and there is nothing to clean. Removing it can do harm, so it "
        "is never removed."
    ),
    (
        "Some tools write a note, or make a file whose mere existence is the lock. Those can "
        "stay behind. Such a lock is called stale only when its owner is proven gone: by the "
        "number of the process together with its start time, on this computer, since it was "
        "last started."
    ),
    (
        "Age proves nothing: a stopped process holds its locks for weeks. Where something "
        "cannot be seen, on a network or in another container, the verdict is Unproven, and a "
        "repair asks you to type the name of what it is about."
    ),
)


class HelpText(QDialog):
    """A heading and paragraphs."""

    def __init__(
        self, title: str, paragraphs: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(12)
        heading = PlainLabel(title)
        heading.setFont(scaled(self.font(), 1.3, bold=True))
        column.addWidget(heading)
        for words in paragraphs:
            column.addWidget(WrapLabel(words))
        column.addStretch(1)
        column.addLayout(_close_row(self))
        self.resize(520, self.sizeHint().height())


class Shortcuts(QDialog):
    """All keys in a table."""

    def __init__(self, keys: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        grid = QGridLayout()
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(7)
        for row, (what, key) in enumerate(keys):
            grid.addWidget(PlainLabel(what), row, 0)
            shown = PlainLabel(key)
            shown.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            grid.addWidget(shown, row, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(16)
        column.addLayout(grid)
        column.addStretch(1)
        column.addLayout(_close_row(self))


class About(QDialog):
    """Name, version and licence."""

    def __init__(self, version: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About Cachewright")
        mark = PlainLabel()
        mark.setPixmap(icons.app_icon().pixmap(64, 64))
        name = PlainLabel("Cachewright")
        name.setFont(scaled(self.font(), 1.5, bold=True))
        words = QVBoxLayout()
        words.addWidget(name)
        words.addWidget(PlainLabel(f"Version {version}"))
        words.addWidget(
            WrapLabel("Opens developer caches, explains what is wrong and repairs them safely.")
        )
        words.addWidget(PlainLabel("Apache License 2.0"))
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(mark)
        row.addLayout(words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(16)
        column.addLayout(row)
        column.addLayout(_close_row(self))


def _close_row(dialog: QDialog) -> QHBoxLayout:
    close = QPushButton("Close")
    close.setDefault(True)
    close.clicked.connect(dialog.accept)
    row = QHBoxLayout()
    row.addStretch(1)
    row.addWidget(close)
    return row
