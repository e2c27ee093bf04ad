"""Menus, their actions and keys, from one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from cachewright.model import LockReport
from cachewright.text import display
from cachewright_gui import icons
from cachewright_gui.models.lists import shown_path
from cachewright_gui.plain import caption, tooltip
from cachewright_gui.state import State
from cachewright_gui.store import Recent
from cachewright_gui.theme import Choice
from cachewright_gui.widgets.header import stale_locks, stale_staging


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a menu; an empty ``id`` is a separator."""

    menu: str
    id: str = ""
    words: str = ""
    key: str = ""
    icon: str = ""


MENUS: Final = ("File", "Edit", "View", "Verify", "Repair", "Help")
TABLE: Final = (
    Entry("File", "open", "Open cache…", "Ctrl+O", "open"),
    Entry("File", "places", "Projects and good copies…"),
    Entry("File"),
    Entry("File", "quit", "Quit", "Ctrl+Q"),
    Entry("Edit", "undo", "Undo", "Ctrl+Z", "undo"),
    Entry("Edit"),
    Entry("Edit", "copy", "Copy path", "Ctrl+C", "copy"),
    Entry("Edit", "copy-id", "Copy lock ID", "Ctrl+Shift+C"),
    Entry("View", "problems", "Problems", "Ctrl+1"),
    Entry("View", "contents", "Contents", "Ctrl+2"),
    Entry("View", "locks", "Locks", "Ctrl+3"),
    Entry("View", "staging", "Staging", "Ctrl+4"),
    Entry("View", "history", "History", "Ctrl+5"),
    Entry("View"),
    Entry("View", "map", "Show map", "F9"),
    Entry("Verify", "verify", "Verify all", "F5", "verify"),
    Entry("Verify"),
    Entry("Verify", "pause", "Pause", "F6", "pause"),
    Entry("Verify", "stop", "Stop", "Esc", "stop"),
    Entry("Repair", "review", "Review repairs…", "Ctrl+R", "repair"),
    Entry("Repair", "clean", "Clean all that is stale…", "Ctrl+Shift+R", "clean"),
    Entry("Repair", "locks-only", "Clean stale locks…"),
    Entry("Repair", "staging-only", "Remove stale staging…"),
    Entry("Repair"),
    Entry("Repair", "force", "Force unlock…", "Ctrl+U", "held"),
    Entry("Repair"),
    Entry("Repair", "undo-last", "Undo last", "", "undo"),
    Entry("Help", "keys", "Keyboard shortcuts", "F1"),
    Entry("Help", "stale", "What is a stale lock?"),
    Entry("Help"),
    Entry("Help", "about", "About Cachewright"),
)

OTHER_KEYS: Final = (
    ("Contents: open or close a folder", "Right, Left, Enter"),
    ("Contents: find a name", "type its beginning"),
    ("Next page", "Right, Left on the page names"),
)


class Actions:
    """The window's actions by id, and its menus."""

    def __init__(self, window: QMainWindow) -> None:
        self._by_id: dict[str, QAction] = {}
        menus = {name: window.menuBar().addMenu(f"&{name}") for name in MENUS}
        for entry in TABLE:
            self._add(window, menus[entry.menu], entry)
        self.recent = QMenu("Open &recent", window)
        menus["File"].insertMenu(self["places"], self.recent)
        self.theme = menus["View"].addMenu("&Theme")
        self._themes = QActionGroup(window)
        self.choices: dict[Choice, QAction] = {}
        for choice in Choice:
            action = self.theme.addAction(choice.value.capitalize())
            action.setCheckable(True)
            self._themes.addAction(action)
            self.choices[choice] = action
        menus["Repair"].setToolTipsVisible(True)
        self.tint()

    def __getitem__(self, name: str) -> QAction:
        return self._by_id[name]

    def tint(self) -> None:
        """Draw the icons anew, in the theme's colours."""
        for entry in TABLE:
            if entry.icon:
                self[entry.id].setIcon(icons.icon(entry.icon))

    def show_state(self, state: State | None) -> None:
        """What can be done with the cache in front, and what has to wait."""
        is_open = state is not None
        busy = state is not None and state.busy
        rests = state is not None and state.rests
        self["verify"].setEnabled(state is not None and not busy and not state.error)
        for name in ("pause", "stop"):
            self[name].setEnabled(busy)
        self["review"].setEnabled(rests)
        self._show_stale(state)
        words = "Look again" if state is not None and state.only_locks else "Verify all"
        self["verify"].setText(words)
        for name in ("places", "copy", "problems", "contents", "locks", "staging", "history"):
            self[name].setEnabled(is_open)

    def _show_stale(self, state: State | None) -> None:
        """How many are proven to be left behind, of each kind; without any there is nothing
        that one click may clean."""
        locks = len(stale_locks(state)) if state is not None else 0
        staging = len(stale_staging(state)) if state is not None else 0
        rests = state is not None and state.rests
        for name, words, count in (
            ("clean", "Clean all that is stale", locks + staging),
            ("locks-only", "Clean stale locks", locks),
            ("staging-only", "Remove stale staging", staging),
        ):
            self[name].setText(f"{words} ({count:,})…" if count else f"{words}…")
            self[name].setEnabled(rests and count > 0)
            self[name].setToolTip("" if count else "Nothing is proven to be left behind.")

    def show_lock(self, state: State | None, lock: LockReport | None) -> None:
        """What can be done with the lock that is selected, if one is."""
        rests = state is not None and state.rests
        self["force"].setEnabled(rests and lock is not None)
        self["copy-id"].setEnabled(lock is not None)
        self["force"].setToolTip("" if lock is not None else "Select a lock first.")

    def show_paused(self, *, paused: bool) -> None:
        """The pause action says what it will do."""
        words = "Resume" if paused else "Pause"
        if self["pause"].text() != words:
            self["pause"].setText(words)
            self["pause"].setIcon(icons.icon("resume" if paused else "pause"))

    def show_recent(self, recent: Sequence[Recent]) -> list[tuple[QAction, Recent]]:
        """Fill the menu; the caller wires what comes back."""
        self.recent.clear()
        self.recent.setEnabled(bool(recent))
        return [(self._line_of(one), one) for one in recent]

    def _line_of(self, opened: Recent) -> QAction:
        """With a tooltip of its own: Qt makes one of the text, and looks for markup in it."""
        words = display(f"{opened.title or 'Cache'}: {shown_path(opened.root)}")
        action = self.recent.addAction(caption(words))
        action.setToolTip(tooltip(words))
        return action

    def _add(self, window: QMainWindow, menu: QMenu, entry: Entry) -> None:
        if not entry.id:
            menu.addSeparator()
            return
        action = QAction(entry.words, window)
        if entry.key:
            action.setShortcut(QKeySequence(entry.key))
        menu.addAction(action)
        self._by_id[entry.id] = action


def keys() -> tuple[tuple[str, str], ...]:
    """Every action that has a key, and the keys that belong to no action."""
    own = ((one.words.rstrip("…"), one.key) for one in TABLE if one.key)
    return (*own, *OTHER_KEYS)
