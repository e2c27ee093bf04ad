"""A page that is one table of reports; all but Contents are such pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from cachewright_gui.models.report_model import ReportModel
from cachewright_gui.story import Story
from cachewright_gui.widgets.report_view import ReportView

T = TypeVar("T")


class ListPage(QWidget, Generic[T]):
    """Shows reports and tells the story of the selected one."""

    chosen = Signal()

    def __init__(
        self,
        name: str,
        model: ReportModel[T],
        story: Callable[[T], Story],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self._story = story
        self._shown: object = None
        self._by_itself = True
        self._selecting = False
        self.view = ReportView(name, model, self)
        self.view.chosen.connect(self._chosen)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)
        self.column.addWidget(self.view, 1)

    def show_items(self, items: Sequence[T], *, of: object, tint: bool = True) -> None:
        """Show these; ``of`` is whose they are: rows of another are not tinted as new, nor
        are those of a first look."""
        same = of == self._shown
        self._shown = of
        self._by_itself = self._by_itself or not same
        with self.view.kept_in_place():
            self.model.set_items(items, tint=same and tint)
        self.view.watch_tint()

    def select_first(self) -> None:
        """Keep the first row selected until the person selects another."""
        if self.view.current_row() < 0:
            self._by_itself = True
        if self._by_itself and self.view.current_row() != 0 and self.model.rowCount():
            self._selecting = True
            self.view.setCurrentIndex(self.model.index(0, 0))
            self._selecting = False

    def current(self) -> T | None:
        row = self.view.current_row()
        return self.model.item(row) if 0 <= row < self.model.rowCount() else None

    def story(self) -> Story | None:
        """Of the selected row."""
        item = self.current()
        return self._story(item) if item is not None else None

    @Slot()
    def _chosen(self) -> None:
        if not self._selecting:
            self._by_itself = False
        self.chosen.emit()
