"""Which cache to open, as what, and where records and good copies lie."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cachewright.text import display, is_text
from cachewright_gui.models.lists import shown_path
from cachewright_gui.plain import PlainLabel, WrapLabel
from cachewright_gui.store import Recent


class PathList(QWidget):
    """Some directories, kept as bytes; the list only shows them."""

    def __init__(self, name: str, paths: Sequence[bytes], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._paths: list[bytes] = []
        self.list = QListWidget()
        self.list.setAccessibleName(name)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setFixedHeight(76)
        self.add = QPushButton("Add…")
        self.remove = QPushButton("Remove")
        for button in (self.add, self.remove):
            button.setAutoDefault(False)
        self.add.clicked.connect(self._add_clicked)
        self.remove.clicked.connect(self._remove_clicked)
        buttons = QVBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.list, 1)
        row.addLayout(buttons)
        for path in paths:
            self.append(path)

    @property
    def paths(self) -> tuple[bytes, ...]:
        return tuple(self._paths)

    def append(self, path: bytes) -> None:
        if path not in self._paths:
            self._paths.append(path)
            self.list.addItem(QListWidgetItem(shown_path(path)))

    @Slot()
    def _add_clicked(self) -> None:
        picked = QFileDialog.getExistingDirectory(self, self._name)
        if picked:
            self.append(os.fsencode(picked))

    @Slot()
    def _remove_clicked(self) -> None:
        row = self.list.currentRow()
        if row >= 0:
            self.list.takeItem(row)
            del self._paths[row]


class OpenCache(QDialog):
    """Accepted only with a directory that exists; ``picked`` is then what to open."""

    def __init__(
        self,
        formats: Sequence[tuple[str, str]],
        start: Recent | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open cache")
        self._start = start
        self.path = QLineEdit()
        self.path.setPlaceholderText("The cache's top directory")
        self.path.setMinimumWidth(380)
        self.browse = QPushButton("Browse…")
        self.browse.setAutoDefault(False)
        self.kind = QComboBox()
        self.kind.addItem("Recognise by itself", None)
        for name, title in formats:
            self.kind.addItem(title, name)
        self.problem = WrapLabel()
        self.projects = PathList("Projects whose lock files vouch", start.projects if start else ())
        self.sources = PathList(
            "Mirrors and other places of good copies", start.sources if start else ()
        )
        self.go = QPushButton("Open")
        self.go.setDefault(True)
        self.go.setProperty("primary", True)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAutoDefault(False)
        self.browse.clicked.connect(self._browse_clicked)
        self.path.textChanged.connect(self._look)
        self.go.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        if start is not None:
            # A path that text cannot carry stays in ``start`` as long as its text is untouched.
            self.path.setText(display(start.root))
            self.kind.setCurrentIndex(max(self.kind.findData(start.format_name), 0))
        self._lay_out()
        self._look()

    @property
    def root(self) -> bytes:
        """The directory as bytes; empty where nothing was entered."""
        text = self.path.text().strip()
        if self._start is not None and text == display(self._start.root):
            return self._start.root
        return os.fsencode(os.path.expanduser(text))

    @property
    def picked(self) -> Recent:
        return Recent(
            os.path.abspath(self.root),
            "",
            self.kind.currentData(),
            self.projects.paths,
            self.sources.paths,
        )

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(10)
        top = Qt.AlignmentFlag.AlignTop
        line = QHBoxLayout()
        line.addWidget(self.path, 1)
        line.addWidget(self.browse)
        rows: list[tuple[str, QWidget | None]] = [
            ("Directory", None),
            ("Kind", self.kind),
            ("Projects", self.projects),
            ("Good copies", self.sources),
        ]
        for row, (words, widget) in enumerate(rows):
            label = PlainLabel(words)
            if widget is None:
                label.setBuddy(self.path)
                grid.addLayout(line, row, 1)
            else:
                label.setBuddy(widget)
                grid.addWidget(widget, row, 1)
            grid.addWidget(label, row, 0, top if row > 1 else Qt.AlignmentFlag.AlignVCenter)
        hint = WrapLabel(
            "Projects: where lock files lie that say what the content should be. "
            "Good copies: mirrors, archives or other caches to repair from."
        )
        hint.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        grid.addWidget(hint, len(rows), 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.problem, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(16)
        column.addLayout(grid)
        column.addLayout(buttons)

    @Slot()
    def _look(self) -> None:
        root = self.root
        there = bool(root) and os.path.isdir(root)
        self.go.setEnabled(there)
        self.problem.setText("" if there or not root else "There is no such directory.")

    @Slot()
    def _browse_clicked(self) -> None:
        start = os.fsdecode(self.root) if is_text(self.root) else ""
        picked = QFileDialog.getExistingDirectory(self, "Open cache", start)
        if picked:
            self.path.setText(picked)
