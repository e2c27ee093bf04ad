"""The Contents page: everything in the cache, as a tree with sizes and verdicts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from cachewright_gui import lock_story, story
from cachewright_gui.jobs import Jobs
from cachewright_gui.models.contents_model import ContentsModel
from cachewright_gui.models.ordering import Orders
from cachewright_gui.state import State
from cachewright_gui.story import Story
from cachewright_gui.widgets.contents_view import ContentsView
from cachewright_gui.widgets.treemap import Treemap


class ContentsPage(QWidget):
    """Follows one session at a time."""

    chosen = Signal()

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: State | None = None
        self._map_wanted = True
        self.model = ContentsModel(Orders(jobs), self)
        self.view = ContentsView(self.model, self)
        self.view.chosen.connect(self._chosen)
        self.map = Treemap(jobs, self)
        self.map.picked.connect(self.view.select_inventory_row)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.map)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setSizes([430, 180])
        self.splitter.setHandleWidth(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.splitter)

    def select_first(self) -> None:
        """Select the first row where none is."""
        if self.view.current_row() < 0 and self.model.rowCount():
            self.view.setCurrentIndex(self.model.index(0, 0))

    def show_state(self, state: State) -> None:
        """Show the inventory as it is now."""
        if state is not self._state:
            self._state = state
            self.model.forget()
        self.model.show(state.inventory, state.marks)
        self.map.show_inventory(state.inventory, state.marks)
        self._show_map()
        self.view.viewport().update()

    def show_marks(self) -> None:
        """Verdicts changed: what is visible is painted anew."""
        if self._state is not None:
            self.model.take_marks(self._state.marks)
            self.map.show_inventory(self.model.inventory, self._state.marks)
        self.view.viewport().update()

    def story(self) -> Story | None:
        row, state = self.view.current_inventory_row(), self._state
        inventory = self.model.inventory
        if row is None or state is None or inventory is None:
            return None
        path = inventory.tree.absolute(state.root, row)
        entry = state.marks.by_row.get(row)
        if entry is not None:
            return story.of_entry(entry, [one for one in state.findings if one.path == path])
        for lock in state.locks:
            if lock.path == path:
                about = next((one for one in state.findings if one.path == path), None)
                return lock_story.of_lock(lock, about)
        for place in state.staging:
            if place.path == path:
                about = next((one for one in state.findings if one.path == path), None)
                return story.of_staging(place, about)
        return story.of_path(
            path,
            int(inventory.bytes_below[row]),
            int(inventory.files_below[row]),
            int(inventory.tree.mtime_ns[row]),
        )

    def show_map(self, wanted: bool) -> None:
        """Show or hide the map below the tree; there is none of what has no files."""
        self._map_wanted = wanted
        self._show_map()

    def _show_map(self) -> None:
        has_files = self._state is None or not self._state.is_store
        self.map.setVisible(self._map_wanted and has_files)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._state is not None:
            self.map.show_inventory(self.model.inventory, self._state.marks)

    @Slot()
    def _chosen(self) -> None:
        row = self.view.current_inventory_row()
        self.map.choose(row if row is not None else -1)
        self.chosen.emit()
