"""Hands on a window's locks: select one, have them looked at, ask for one to be released."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cachewright_gui.dialogs.force_unlock import ForceUnlock
from cachewright_gui.pages.cache_page import LOCKS
from cachewright_gui.window import MainWindow

EVIL = "<img src='file:///etc/passwd'><h1>&amp; evil\u202e\x1b[2J"


def stilled(window: MainWindow) -> MainWindow:
    """Nobody looks at the locks but the test."""
    window._tick.stop()
    return window


def row_of(window: MainWindow, subject: str) -> int:
    model = window.cache.locks.model
    return next(row for row in range(model.rowCount()) if model.item(row).subject == subject)


def select(window: MainWindow, subject: str) -> None:
    window.cache.go_to(LOCKS)
    page = window.cache.locks
    page.view.setCurrentIndex(page.model.index(row_of(window, subject), 0))


def settled(window: MainWindow, qtbot: QtBot) -> None:
    """No look is under way."""
    qtbot.waitUntil(lambda: not window.session._polling)


def look(window: MainWindow, qtbot: QtBot) -> None:
    """What happens each second, and its end."""
    settled(window, qtbot)
    window._tick_over()
    settled(window, qtbot)


def asked(window: MainWindow, qtbot: QtBot, subject: str = "index.lock") -> ForceUnlock:
    """The dialog, as the menu opens it."""
    stilled(window)
    qtbot.waitUntil(lambda: not window.session.state.busy)
    select(window, subject)
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.dialog is not None)
    dialog = window.unlocks.dialog
    assert dialog is not None
    qtbot.waitUntil(dialog.isVisible)
    settled(window, qtbot)
    return dialog


def items_of(story: Any, title: str) -> list[Any]:
    return [item for one in story.sections if one.title == title for item in one.items]


def assert_plain(top: QWidget) -> None:
    for widget in [top, *top.findChildren(QWidget)]:
        if isinstance(widget, QLabel):
            assert widget.textFormat() is Qt.TextFormat.PlainText, widget.text()
        words = widget.text() if isinstance(widget, QLabel | QAbstractButton | QLineEdit) else ""
        for text in (words, widget.toolTip(), widget.accessibleName()):
            assert "\u202e" not in text
            assert "\x1b" not in text
        assert "<img" not in widget.toolTip()
