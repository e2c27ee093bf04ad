"""The Locks page: every kind of lock side by side, and what is known of but cannot be shown."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from cachewright.model import LockReport
from cachewright_gui.models import lock_list
from cachewright_gui.pages.list_page import ListPage
from cachewright_gui.state import State
from cachewright_gui.story import Story
from cachewright_gui.widgets.notes import Notes


class LocksPage(ListPage[LockReport]):
    """Lives while it is in front: the window has the locks looked at again and again."""

    def __init__(self, story: Callable[[LockReport], Story], parent: QWidget | None = None) -> None:
        super().__init__("Locks", lock_list.locks(), story, parent)
        self.notes = Notes("Notes")
        self.column.addWidget(self.notes)

    def show_notes(self, state: State) -> None:
        """What the bench said of locks that it cannot show, and why rows may be old."""
        old = [f"Could not look again: {state.poll_error}"] if state.poll_error else []
        self.notes.show_notes([*old, *state.notes])
