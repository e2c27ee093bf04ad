"""Pictures of what there is to see of locks, in both themes, with ``--screenshots DIR``.

Real windows over the real core are pictured by tests/real/test_window_xvfb.py; kinds that no
one place has side by side are pictured here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from cachewright.model import HoldVerdict, LockKind, LockReport
from cachewright_gui import theme
from cachewright_gui.pages.cache_page import LOCKS
from cachewright_gui.window import MainWindow

CHOICES = [theme.Choice.LIGHT, theme.Choice.DARK]


def select(window: MainWindow, wanted: LockReport) -> None:
    page = window.cache.locks
    for row in range(page.model.rowCount()):
        if page.model.item(row).path == wanted.path:
            page.view.setCurrentIndex(page.model.index(row, 0))
            return
    raise AssertionError(wanted.subject)


def picture(widget: QWidget, folder: Path | None, name: str, choice: theme.Choice) -> None:
    """What is drawn fills the widget: every picture has more than a few colours."""
    QApplication.processEvents()
    image = widget.grab().toImage()
    across, down = range(0, image.width(), 3), range(0, image.height(), 3)
    colours = {image.pixel(x, y) for x in across for y in down}
    assert len(colours) > 20
    if folder is not None:
        assert image.save(str(folder / f"{name}-{choice.value}.png"))


@pytest.mark.parametrize("choice", CHOICES)
def test_every_kind_and_verdict_side_by_side(
    choice: theme.Choice,
    opened: Any,
    lock_script: Any,
    screenshots: Path | None,
    qtbot: QtBot,
) -> None:
    window = opened(lock_script)
    window.commands.choose_theme(choice)
    window.cache.go_to(LOCKS)
    shown = {(one.verdict, one.kind) for one in lock_script.locks}
    assert {verdict for verdict, _kind in shown} == set(HoldVerdict)
    assert {LockKind.POSIX, LockKind.EXISTENCE, LockKind.INFO_FILE, LockKind.LEASE} < {
        kind for _verdict, kind in shown
    }
    for verdict in HoldVerdict:
        lock = next(one for one in lock_script.locks if one.verdict is verdict)
        select(window, lock)
        picture(window, screenshots, f"locks-{verdict.value}", choice)
    unproven = next(one for one in lock_script.locks if one.kind is LockKind.EXISTENCE)
    select(window, unproven)
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.dialog is not None)
    dialog = window.unlocks.dialog
    assert dialog is not None
    picture(dialog, screenshots, "unlock-file", choice)
    dialog.typed.setText(unproven.id)
    picture(dialog, screenshots, "unlock-file-typed", choice)
    dialog.reject()
    select(window, next(one for one in lock_script.locks if one.verdict is HoldVerdict.HELD))
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.refusal is not None)
    refusal = window.unlocks.refusal
    assert refusal is not None
    picture(refusal, screenshots, "unlock-held", choice)
    refusal.reject()


@pytest.mark.parametrize("choice", CHOICES)
def test_a_store_of_locks(
    choice: theme.Choice,
    opened: Any,
    store_script: Any,
    screenshots: Path | None,
    qtbot: QtBot,
) -> None:
    window = opened(store_script)
    window.commands.choose_theme(choice)
    picture(window, screenshots, "store", choice)
    select(window, store_script.locks[0])
    picture(window, screenshots, "store-lock", choice)
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.dialog is not None)
    dialog = window.unlocks.dialog
    assert dialog is not None
    picture(dialog, screenshots, "unlock-object", choice)
    dialog.reject()
    window.actions_["contents"].trigger()
    picture(window, screenshots, "store-contents", choice)
    window.commands.ask_for_places()
    picture(window.findChildren(QWidget, "open-cache")[0], screenshots, "open-store", choice)
