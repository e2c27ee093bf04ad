"""No way to a release but: read the evidence, type the exact ID, press the verb (T19)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lock_hands import asked, look
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

from cachewright.model import (
    Evidence,
    HoldVerdict,
    Says,
)
from cachewright_gui.dialogs.force_unlock import VerbButton
from cachewright_gui.pages.cache_page import LOCKS, PROBLEMS
from cachewright_gui.story import Bullet

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
CHANGES = {
    "gone": lambda _: None,
    "held": lambda lock: replace(lock, verdict=HoldVerdict.HELD, explanation="git holds it."),
    "another record": lambda lock: replace(lock, fingerprint="other"),
    "another file": lambda lock: replace(lock, identity=replace(lock.identity, inode=5)),
    "another version": lambda lock: replace(lock, etag="other"),
    "another ID": lambda lock: replace(lock, id="other"),
    "free": lambda lock: replace(lock, verdict=HoldVerdict.FREE),
}
SAID = {"gone": "This lock is gone", "held": "git holds it."}


def test_the_evidence_is_on_top_as_the_pane_tells_it(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    dialog = asked(window, qtbot)

    def bullets(story: Any) -> list[Bullet]:
        return [item for one in story.sections for item in one.items if isinstance(item, Bullet)]

    assert bullets(dialog.evidence.story) == bullets(window.cache.evidence.story)
    assert len(bullets(dialog.evidence.story)) == 6
    assert dialog.cancel.hasFocus()
    assert dialog.cancel.isDefault()
    assert not dialog.unlock.isDefault()
    assert not dialog.unlock.autoDefault()
    assert not dialog.unlock.isEnabled()
    assert dialog.unlock.text() == "Force unlock"
    words = "\n".join(one.text() for one in dialog.findChildren(QLabel))
    assert "moved to quarantine" in words
    assert "Process 4711 may still be at work" in words
    assert lock_script.applied == []
    dialog.reject()


@pytest.mark.parametrize("key", ENTER)
def test_no_chain_of_enters_unlocks(
    key: Qt.Key, opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    """Not from any widget, not with the ID typed, not however often."""
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    for number in range(len(dialog.findChildren(QWidget))):
        if not dialog.isVisible():
            dialog = asked(window, qtbot)
        dialog.typed.setText("index.lock")
        assert dialog.unlock.isEnabled()
        widget = dialog.findChildren(QWidget)[number]
        if widget.focusPolicy() is Qt.FocusPolicy.NoFocus:
            continue
        widget.setFocus()
        for _ in range(4):
            if dialog.isVisible():
                qtbot.keyClick(dialog.focusWidget() or dialog, key)
        assert dialog.result() == QDialog.DialogCode.Rejected
        assert window.unlocks.dialog is dialog or not dialog.isVisible()
    assert lock_script.applied == []
    if dialog.isVisible():
        dialog.reject()
    window.cache.go_to(LOCKS)
    for _ in range(4):
        qtbot.keyClick(window.cache.locks.view, key)
    assert lock_script.applied == []


@pytest.mark.parametrize("key", ENTER)
def test_the_verb_ignores_enter_even_where_a_desktop_has_it_press_buttons(
    key: Qt.Key, qtbot: QtBot
) -> None:
    button = VerbButton("Force unlock")
    qtbot.addWidget(button)
    button.setAutoDefault(True)
    button.show()
    with qtbot.assertNotEmitted(button.clicked):
        qtbot.keyClick(button, key)
    with qtbot.waitSignal(button.clicked):
        qtbot.keyClick(button, Qt.Key.Key_Space)


def test_enter_cancels_as_long_as_nothing_else_was_chosen(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    assert not dialog.isVisible()
    assert dialog.result() == QDialog.DialogCode.Rejected
    assert window.unlocks.dialog is None


def test_what_was_typed_is_not_lost_by_enter(opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    dialog = asked(opened(lock_script), qtbot)
    dialog.typed.setFocus()
    qtbot.keyClicks(dialog.typed, "index.lock")
    qtbot.keyClick(dialog.typed, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert dialog.unlock.hasFocus()
    assert dialog.status.words.text() == "This is its ID. Enter does not unlock."
    qtbot.keyClick(dialog.unlock, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert lock_script.applied == []
    dialog.reject()


@pytest.mark.parametrize("how", ["escape", "close"])
def test_leaving_is_cancelling(how: str, opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    dialog.typed.setText("index.lock")
    if how == "escape":
        qtbot.keyClick(dialog.typed, Qt.Key.Key_Escape)
    else:
        dialog.close()
    assert dialog.result() == QDialog.DialogCode.Rejected
    assert lock_script.applied == []
    assert window.unlocks.dialog is None


@pytest.mark.parametrize(
    "typed", ["", " ", "index", "index.loc", "index.lock2", "Index.lock", "staging.tfstate", "yes"]
)
def test_anything_but_the_id_opens_nothing(
    typed: str, opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    dialog = asked(opened(lock_script), qtbot)
    dialog.typed.setText(typed)
    assert not dialog.agreed
    assert not dialog.unlock.isEnabled()
    is_beginning = "index.lock".startswith(typed.strip())
    assert dialog.status.words.text() == (
        "" if is_beginning else "This is not the ID of this lock."
    )
    qtbot.mouseClick(dialog.unlock, Qt.MouseButton.LeftButton)
    assert dialog.isVisible()
    assert lock_script.applied == []
    dialog.reject()


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_lock_that_changes_while_it_is_read_cannot_be_released(
    change: str, opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    """Also where the dialog was opened from another page, and even if it changes back."""
    window = opened(lock_script)
    before = lock_script.locks
    dialog = asked(window, qtbot)
    window.cache.go_to(PROBLEMS)
    dialog.typed.setText("index.lock")
    look(window, qtbot)
    assert dialog.unlock.isEnabled(), "the same lock, seen again"
    index = next(lock for lock in before if lock.subject == "index.lock")
    now = CHANGES[change](index)
    lock_script.locks = tuple(
        one for lock in before if (one := now if lock is index else lock) is not None
    )
    look(window, qtbot)
    assert not dialog.unlock.isEnabled()
    assert not dialog.typed.isEnabled()
    assert SAID.get(change, "Another lock is here now.") in dialog.status.words.text()
    lock_script.locks = before
    look(window, qtbot)
    assert not dialog.unlock.isEnabled()
    assert lock_script.applied == []
    dialog.reject()


def test_new_evidence_of_the_same_lock_is_shown(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    seen = Evidence("open-files", Says.UNKNOWN, "Three processes cannot be looked into.")
    lock_script.locks = tuple(
        replace(one, evidence=(seen,)) if one.subject == "index.lock" else one
        for one in lock_script.locks
    )
    look(window, qtbot)
    told = [one.text() for one in dialog.evidence.findChildren(QLabel)]
    assert "Three processes cannot be looked into." in told
    dialog.typed.setText("index.lock")
    assert dialog.unlock.isEnabled()
    dialog.reject()


def test_it_waits_while_other_work_runs(opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    dialog = asked(opened(lock_script), qtbot)
    dialog.typed.setText("index.lock")
    dialog.watch(dialog.lock, busy=True)
    assert not dialog.unlock.isEnabled()
    assert "Waits until the running work has ended." in dialog.status.words.text()
    dialog.watch(dialog.lock, busy=False)
    assert dialog.unlock.isEnabled()
    dialog.reject()


def test_every_part_is_reached_by_keys_and_seen_to_have_the_focus(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    dialog = asked(opened(lock_script), qtbot)
    dialog.typed.setText("index.lock")
    chain = [
        dialog.evidence,
        dialog.wanted,
        dialog.typed,
        dialog.unlock,
        dialog.cancel,
        dialog.copy,
    ]
    dialog.evidence.setFocus()
    for widget in chain:
        assert dialog.focusWidget() is widget
        assert widget.accessibleName() or widget.text()
        focused = dialog.grab().toImage()
        other = chain[0] if widget is not chain[0] else chain[-1]
        other.setFocus()
        QApplication.processEvents()
        place = widget.geometry().adjusted(-2, -2, 2, 2)
        assert focused.copy(place) != dialog.grab().toImage().copy(place), widget
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert dialog.focusWidget() is dialog.evidence
    dialog.reject()
