"""No way to a repair but: look at the plan, agree, press the verb (reliability.md T19)."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from cachewright.model import Confirm, Outcome, Result, StepKind
from cachewright_gui.dialogs.review_repairs import ReviewRepairs
from cachewright_gui.pages.cache_page import HISTORY, STAGING
from cachewright_gui.repair_flow import summary
from cachewright_gui.window import MainWindow


def reviewed(window: MainWindow, qtbot: QtBot) -> ReviewRepairs:
    qtbot.mouseClick(window.cache.header.review, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.repairs.dialog is not None)
    dialog = window.repairs.dialog
    assert dialog is not None
    qtbot.waitUntil(dialog.isVisible)
    return dialog


def row_of(dialog: ReviewRepairs, confirm: Confirm) -> Any:
    return next(row for row in dialog.rows if row.step.confirm is confirm)


def test_the_plan_is_shown_before_anything_is_done(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    dialog = reviewed(window, qtbot)
    assert script.applied == []
    assert dialog.heading.text() == "2 repairs of 3 chosen, 111.1 kB"
    assert dialog.apply.text() == "Apply 2 repairs"
    assert dialog.cancel.hasFocus()
    assert dialog.cancel.isDefault()
    dialog.reject()
    assert script.applied == []


def test_no_single_key_reaches_a_repair(opened: Any, script: Any, qtbot: QtBot) -> None:
    """Every focusable widget of the window and of the plan gets every key that triggers."""
    window = opened(script)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_Delete):
        for widget in [window, *window.findChildren(QWidget)]:
            if (
                isValid(widget)
                and widget.isVisible()
                and widget.focusPolicy() is not Qt.FocusPolicy.NoFocus
            ):
                qtbot.keyClick(widget, key)
                qtbot.wait(1)
                if window.repairs.dialog is not None:
                    window.repairs.dialog.reject()
        assert script.applied == []
    dialog = reviewed(window, qtbot)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        qtbot.keyClick(dialog, key)
        assert not dialog.isVisible()
        assert dialog.result() == QDialog.DialogCode.Rejected, "Enter is Cancel"
        dialog = reviewed(window, qtbot)
    typed = row_of(dialog, Confirm.TYPED)
    typed.typed.setFocus()
    qtbot.keyClick(typed.typed, Qt.Key.Key_Return)
    assert dialog.result() == QDialog.DialogCode.Rejected
    assert script.applied == []
    assert window.repairs.dialog is None


def test_an_unproven_step_needs_its_name_typed(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    dialog = reviewed(window, qtbot)
    row = row_of(dialog, Confirm.TYPED)
    assert not row.agreed
    assert not row.box.isEnabled()
    qtbot.keyClicks(row.typed, ".temp7")
    assert not row.agreed
    qtbot.keyClicks(row.typed, "7")
    assert row.agreed
    assert dialog.apply.text() == "Apply 3 repairs"
    qtbot.mouseClick(dialog.apply, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(script.applied))
    plan, confirmations = script.applied[0]
    assert len(plan.steps) == 3
    assert confirmations == {row.step.id: ".temp77"}


def test_only_what_is_ticked_is_applied(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    dialog = reviewed(window, qtbot)
    clicked = [row for row in dialog.rows if row.step.confirm is Confirm.CLICK]
    qtbot.mouseClick(clicked[0].box, Qt.MouseButton.LeftButton)
    assert dialog.apply.text() == "Apply 1 repair"
    qtbot.mouseClick(clicked[1].box, Qt.MouseButton.LeftButton)
    assert not dialog.apply.isEnabled()
    assert not dialog.copy.isEnabled()
    qtbot.mouseClick(clicked[1].box, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.apply, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(script.applied))
    plan, confirmations = script.applied[0]
    assert [step.id for step in plan.steps] == [clicked[1].step.id]
    assert confirmations == {}
    qtbot.waitUntil(lambda: not window.session.state.busy)
    assert script.calls == ["check", "repair", "check"]
    assert window.messages.text.text() == "1 repair done."
    assert window.messages.action.isVisible()
    qtbot.mouseClick(window.messages.action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: script.undone == [f"op-{clicked[1].step.id}"])


def test_the_same_can_be_copied_as_a_command(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    dialog = reviewed(window, qtbot)
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    words = QGuiApplication.clipboard().text()
    assert words.startswith(f"cachewright repair {script.root.decode()} ")
    assert words.endswith("--apply")
    assert words.count("--finding") == 2
    assert "--only quarantine-staging" in words
    assert dialog.isVisible()
    dialog.reject()


def test_clean_stale_reviews_only_what_is_proven(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    qtbot.mouseClick(window.cache.header.clean, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.repairs.dialog is not None)
    dialog = window.repairs.dialog
    assert dialog is not None
    assert [row.step.step for row in dialog.rows] == [StepKind.QUARANTINE_STAGING]
    assert script.applied == []
    dialog.reject()


def test_the_evidence_panes_button_previews_that_one_repair(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    window = opened(script)
    window.cache.go_to(STAGING)
    offer = next(
        item
        for section in window.cache.evidence.story.sections
        for item in section.items
        if type(item).__name__ == "Offer"
    )
    window.cache.evidence.wanted.emit(offer)
    qtbot.waitUntil(lambda: window.repairs.dialog is not None)
    assert window.repairs.dialog is not None
    assert [row.step.subject for row in window.repairs.dialog.rows] == [".temp8841902"]
    window.repairs.dialog.reject()


def test_refused_and_failed_steps_say_why(opened: Any, script: Any, qtbot: QtBot) -> None:
    script.outcomes = (
        Outcome(StepKind.QUARANTINE_STAGING, b"/a", Result.DONE, "", "op-1", ".temp1"),
        Outcome(StepKind.REPUBLISH_ENTRY, b"/b", Result.REFUSED, "terraform holds it", None, "aws"),
    )
    window = opened(script)
    dialog = reviewed(window, qtbot)
    qtbot.mouseClick(dialog.apply, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.messages.isVisible)
    assert window.messages.text.text() == ("2 repairs: 1 done, 1 refused.\naws: terraform holds it")


@pytest.mark.parametrize("result", list(Result))
def test_the_summary_never_claims_what_was_not_done(result: Result) -> None:
    words = summary([Outcome(StepKind.QUARANTINE_STAGING, b"/a", result, "because", None, "x")])
    assert ("done" in words) == (result is Result.DONE)
    assert ("because" in words) == (result is not Result.DONE)


def test_the_last_repair_is_named_in_the_menu_and_undone(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    window = opened(script)
    action = window.actions_["undo"]
    qtbot.waitUntil(lambda: action.text() == "Undo: Remove staging .temp100")
    action.trigger()
    qtbot.waitUntil(lambda: script.undone == ["op-2"])
    qtbot.waitUntil(lambda: not window.session.state.busy)
    assert window.messages.text.text().startswith("Undone:")
    window.cache.go_to(HISTORY)
    assert window.cache.history.model.rowCount() == 2


def test_a_dialog_that_is_closed_is_cancelled(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    dialog = reviewed(window, qtbot)
    dialog.close()
    assert dialog.result() == QDialog.DialogCode.Rejected
    assert script.applied == []
    assert window.repairs.dialog is None


@pytest.mark.parametrize("result", [Result.DONE, Result.FAILED])
def test_what_an_earlier_run_was_interrupted_in_is_told(
    opened: Any, script: Any, qtbot: QtBot, result: Result
) -> None:
    reason = "It was interrupted, and <b>this</b> became of it."
    step = StepKind.QUARANTINE_ENTRY
    script.recovered = (Outcome(step, b"/c/x", result, reason, None, "x"),) * 2
    window = opened(script)
    qtbot.waitUntil(lambda: "interrupted" in window.messages.text.text())
    told = window.messages.text.text()
    assert told == f"2 repairs of earlier runs were interrupted.\n{reason}"
