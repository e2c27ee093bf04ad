"""Which cache or store to open, as what, and where records and good copies lie."""

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

from cachewright.text import display, is_address, is_database, is_text, public_address
from cachewright_gui.dialogs.access import AccessFields
from cachewright_gui.dialogs.places import PlaceFields
from cachewright_gui.models.lists import shown_path
from cachewright_gui.plain import PlainLabel, WrapLabel, tooltip
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
    """Accepted only with a directory or file that exists, or an address; ``picked`` is then
    what to open.  What a directory needs is shown for directories, what a store or a database
    needs for addresses."""

    def __init__(
        self,
        formats: Sequence[tuple[str, str]],
        start: Recent | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open cache")
        self.setObjectName("open-cache")
        self._named: dict[str, bytes] = {}
        """What a text stands for that could not carry it: a line edit changes some characters."""
        self._of_directories: list[QWidget] = []
        self.path = QLineEdit()
        self.path.setPlaceholderText("A directory, a configuration file, or an address")
        self.path.setToolTip(
            tooltip(
                "A cache's directory or a project folder, glance-api.conf, s3://bucket/prefix, "
                "dynamodb://table, or a database such as sqlite:////path"
            )
        )
        self.path.setMinimumWidth(380)
        self.browse = QPushButton("Browse…")
        self.browse.setAutoDefault(False)
        self._of_directories.append(self.browse)
        self.kind = QComboBox()
        self.kind.addItem("Recognise by itself", None)
        for name, title in formats:
            self.kind.addItem(title, name)
        self.problem = WrapLabel()
        self.projects = PathList("Projects whose lock files vouch", start.projects if start else ())
        self.sources = PathList(
            "Mirrors and other places of good copies", start.sources if start else ()
        )
        self.access = AccessFields(start.access if start else None)
        self.places = PlaceFields(start.directories if start else None)
        self.go = QPushButton("Open")
        self.go.setDefault(True)
        self.go.setProperty("primary", True)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAutoDefault(False)
        self.browse.clicked.connect(self._browse_clicked)
        self.path.textChanged.connect(self._look)
        self.access.changed.connect(self._look)
        self.places.changed.connect(self._look)
        self.go.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        if start is not None:
            self._name(start.root)
            self.kind.setCurrentIndex(max(self.kind.findData(start.format_name), 0))
        self._lay_out()
        self._look()

    @property
    def root(self) -> bytes:
        """The directory as bytes; empty where nothing was entered."""
        text = self.path.text()
        if text in self._named:
            return self._named[text]
        raw = os.fsencode(text.strip())
        if is_address(raw):
            return raw
        exact = os.fsencode(os.path.expanduser(text))
        # Blanks around it are part of a name only where something has that name.
        return exact if os.path.lexists(exact) else os.path.expanduser(raw)

    def _name(self, root: bytes) -> None:
        """Show this place, and know it again as it is as long as its text is untouched."""
        self._named[display(root)] = root
        self.path.setText(display(root))

    @property
    def picked(self) -> Recent:
        root = self.root
        if is_database(root):
            return self._picked_database(root)
        if is_address(root):
            return Recent(root, access=self.access.access, only_locks=True)
        return Recent(
            os.path.abspath(root),
            "",
            self.kind.currentData(),
            self.projects.paths,
            self.sources.paths,
        )

    def _picked_database(self, root: bytes) -> Recent:
        shown = public_address(root)
        secret = os.fsdecode(root) if shown != root else ""
        return Recent(shown, in_database=True, directories=self.places.directories(secret))

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setColumnMinimumWidth(0, 84)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(10)
        top = Qt.AlignmentFlag.AlignTop
        line = QHBoxLayout()
        line.addWidget(self.path, 1)
        line.addWidget(self.browse)
        rows: list[tuple[str, QWidget | None]] = [
            ("Open", None),
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
                self._of_directories += [label, widget]
            grid.addWidget(label, row, 0, top if row > 1 else Qt.AlignmentFlag.AlignVCenter)
        hint = WrapLabel(
            "Projects: where lock files lie that say what the content should be. "
            "Good copies: mirrors, archives or other caches to repair from."
        )
        hint.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        grid.addWidget(hint, len(rows), 1)
        self._of_directories.append(hint)
        buttons = QHBoxLayout()
        buttons.addWidget(self.problem, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(16)
        column.addLayout(grid)
        column.addWidget(self.access)
        column.addWidget(self.places)
        column.addStretch(1)
        column.addLayout(buttons)

    @Slot()
    def _look(self) -> None:
        root = self.root
        is_store, in_database = is_address(root), is_database(root)
        for widget in self._of_directories:
            widget.setVisible(not is_store)
        self.access.setVisible(is_store and not in_database)
        self.places.setVisible(in_database)
        problem = self._problem_with(root)
        self.go.setEnabled(bool(root) and not problem)
        self.problem.setText(problem)

    def _problem_with(self, root: bytes) -> str:
        if is_address(root):
            if not root.partition(b"://")[2].strip(b"/"):
                return "The address names nothing yet."
            return self.places.problem if is_database(root) else self.access.problem
        return "" if not root or os.path.exists(root) else "There is no such directory or file."

    @Slot()
    def _browse_clicked(self) -> None:
        start = os.fsdecode(self.root) if is_text(self.root) else ""
        picked = QFileDialog.getExistingDirectory(self, "Open cache", start)
        if picked:
            self._name(os.fsencode(picked))
