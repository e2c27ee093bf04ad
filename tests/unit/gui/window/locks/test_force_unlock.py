"""No way to a release but: read the evidence, type the exact ID, press the verb (T19)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cachewright.model import (
    Access,
    Evidence,
    Holder,
    HoldVerdict,
    LockKind,
    Outcome,
    Result,
    Says,
    StepKind,
)
from cachewright.repair.releasing import unconditionally
from cachewright_gui.dialogs.force_unlock import ForceUnlock, VerbButton
from cachewright_gui.pages.cache_page import LOCKS, PROBLEMS
from cachewright_gui.store import Recent
from cachewright_gui.story import Bullet, Offer
from cachewright_gui.window import MainWindow

EVIL = "<img src='file:///etc/passwd'><h1>&amp; evil\u202e\x1b[2J"
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def select(window: MainWindow, subject: str) -> None:
    window.cache.go_to(LOCKS)
    page = window.cache.locks
    rows = range(page.model.rowCount())
    row = next(row for row in rows if page.model.item(row).subject == subject)
    page.view.setCurrentIndex(page.model.index(row, 0))


def asked(window: MainWindow, qtbot: QtBot, subject: str = "index.lock") -> ForceUnlock:
    """The dialog, as the menu opens it; nobody looks at locks but the test."""
    window._tick.stop()
    qtbot.waitUntil(lambda: not window.session.state.busy)
    select(window, subject)
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.dialog is not None)
    dialog = window.unlocks.dialog
    assert dialog is not None
    qtbot.waitUntil(dialog.isVisible)
    qtbot.waitUntil(lambda: not window.session._polling)
    return dialog


def look(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.session._polling)
    window._tick_over()
    qtbot.waitUntil(lambda: not window.session._polling)


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


@pytest.mark.parametrize("how", ["click", "space", "pasted"])
def test_the_id_and_the_verb_release_exactly_this_lock(
    how: str, opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    if how == "pasted":
        QGuiApplication.clipboard().setText("index.lock\n")
        dialog.typed.setFocus()
        dialog.typed.paste()
    else:
        qtbot.keyClicks(dialog.typed, "index.lock")
    if how == "space":
        dialog.unlock.setFocus()
        qtbot.keyClick(dialog.unlock, Qt.Key.Key_Space)
    else:
        qtbot.mouseClick(dialog.unlock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(lock_script.applied))
    plan, confirmations = lock_script.applied[0]
    (step,) = plan.steps
    assert step.step is StepKind.QUARANTINE_LOCK
    assert step.path == lock_script.root + b"/index.lock"
    assert confirmations == {step.id: "index.lock"}
    qtbot.waitUntil(lambda: not window.session.state.busy)
    assert window.messages.text.text().startswith("Unlocked: index.lock.")
    assert window.messages.action.isVisible()
    qtbot.mouseClick(window.messages.action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: lock_script.undone == [f"op-{step.id}"])


def test_a_release_that_was_refused_says_why(opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    why = "another lock is there now"
    lock_script.outcomes = (
        Outcome(StepKind.QUARANTINE_LOCK, b"/x", Result.REFUSED, why, None, "index.lock"),
    )
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    dialog.typed.setText("index.lock")
    qtbot.mouseClick(dialog.unlock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.messages.isVisible)
    assert window.messages.text.text() == f"Not unlocked: index.lock. {why}"
    assert not window.messages.action.isVisible()


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


def test_hostile_words_are_nothing_but_text(
    opened: Any, lock_script: Any, make_lock: Any, qtbot: QtBot
) -> None:
    evil = make_lock(
        EVIL,
        LockKind.OBJECT,
        path=b"s3://b/<b>x</b>\xff\x1b.tflock",
        id=EVIL,
        explanation=EVIL,
        owner={"Who": EVIL, EVIL: EVIL},
        evidence=(Evidence(EVIL, Says.UNKNOWN, EVIL),),
        etag=EVIL,
        identity=None,
    )
    held = replace(
        evil,
        kind=LockKind.POSIX,
        verdict=HoldVerdict.HELD,
        holders=(Holder(5, 0, EVIL, EVIL, (EVIL,)),),
        subject=f"held {EVIL}",
    )
    lock_script.locks = (evil, held)
    lock_script.notes = (EVIL,)
    window = opened(lock_script)
    dialog = asked(window, qtbot, EVIL)
    assert_plain(window)
    assert_plain(dialog)
    shown = dialog.wanted.text()
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    dialog.typed.setText(EVIL)
    assert not dialog.agreed, "what cannot be seen cannot be what was typed"
    dialog.typed.setText(shown)
    qtbot.mouseClick(dialog.unlock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(lock_script.applied))
    plan, confirmations = lock_script.applied[0]
    assert confirmations == {plan.steps[0].id: EVIL}, "the ID itself, not how it is shown"
    qtbot.waitUntil(lambda: not window.session.state.busy)
    assert_plain(window)
    select(window, f"held {EVIL}")
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.refusal is not None)
    assert window.unlocks.refusal is not None
    assert_plain(window.unlocks.refusal)
    window.unlocks.refusal.reject()


def assert_plain(top: QWidget) -> None:
    for widget in [top, *top.findChildren(QWidget)]:
        if isinstance(widget, QLabel):
            assert widget.textFormat() is Qt.TextFormat.PlainText, widget.text()
        words = widget.text() if isinstance(widget, QLabel | QAbstractButton | QLineEdit) else ""
        for text in (words, widget.toolTip(), widget.accessibleName()):
            assert "\u202e" not in text
            assert "\x1b" not in text
        assert "<img" not in widget.toolTip()


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


def test_the_same_can_be_copied_as_a_command(opened: Any, store_script: Any, qtbot: QtBot) -> None:
    window = opened(store_script)
    dialog = asked(window, qtbot, "web.tfstate")
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == (
        "cachewright unlock s3://infra-state/prod 54dacc76-4307-835c-38da-9ae77bb5eb7c"
    )
    assert dialog.isVisible()
    dialog.reject()


def test_the_command_says_how_the_place_is_reached_and_which_lock_is_meant(
    opened: Any, store_script: Any, make_lock: Any, qtbot: QtBot
) -> None:
    access = Access("http://127.0.0.1:9000", "ops", "eu-1", path_style=True, timeout_s=3.0)
    twin = {"kind": LockKind.OBJECT, "identity": None, "etag": "1"}
    store_script.locks = (
        make_lock("a", path=b"s3://infra-state/prod/a", id="-rf", **twin),
        make_lock("b", path=b"s3://infra-state/prod/b", id="same", **twin),
        make_lock("c", path=b"s3://infra-state/prod/c", id="same", **twin),
    )
    window = opened(store_script, wait=False)
    window.sessions.open_anew(Recent(store_script.root, format_name="terraform", access=access))
    window._front_changed()
    qtbot.waitUntil(lambda: window.session.state.rests)
    commands = {}
    for subject in "abc":
        dialog = asked(window, qtbot, subject)
        dialog._copy()
        commands[subject] = QGuiApplication.clipboard().text()
        dialog.reject()
    head = (
        "cachewright unlock s3://infra-state/prod --format terraform "
        "--endpoint-url http://127.0.0.1:9000 --profile ops --region eu-1 --path-style "
        "--timeout 3s "
    )
    assert commands["a"] == head + "-- -rf"
    assert commands["b"] == head + "s3://infra-state/prod/b"
    assert commands["c"] == head + "s3://infra-state/prod/c"


@pytest.mark.parametrize("agree", [True, False])
def test_a_store_that_ignores_conditions_is_asked_about_a_second_time(
    agree: bool, opened: Any, store_script: Any, qtbot: QtBot
) -> None:
    window = opened(store_script)
    dialog = asked(window, qtbot, "web.tfstate")
    wants = unconditionally(dialog.step)
    store_script.outcomes = (
        Outcome(dialog.step.step, dialog.step.path, Result.REFUSED, "It ignores it.", wants=wants),
    )
    dialog.typed.setText(dialog.step.wanted)
    qtbot.mouseClick(dialog.unlock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.unlocks.dialog not in {None, dialog})
    again = window.unlocks.dialog
    assert again is not None
    assert not window.messages.isVisible()
    assert again.cancel.hasFocus()
    assert again.typed.text() == ""
    words = "\n".join(one.text() for one in again.findChildren(QLabel))
    assert "not known to compare before it deletes" in words
    again._copy()
    assert "--without-condition" in QGuiApplication.clipboard().text()
    qtbot.waitUntil(lambda: not window.session.state.busy)
    assert not again.unlock.isEnabled()
    assert len(store_script.applied) == 1
    if not agree:
        again.reject()
        assert len(store_script.applied) == 1
        return
    store_script.outcomes = None
    again.typed.setText(again.step.wanted)
    qtbot.mouseClick(again.unlock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(store_script.applied) == 2)
    _plan, confirmations = store_script.applied[1]
    assert confirmations == {again.step.id: again.step.wanted, wants: again.step.wanted}
    qtbot.waitUntil(lambda: window.messages.text.text().startswith("Unlocked: web.tfstate."))


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("hashicorp/random 3.7.1", "wait for process 21877 to finish, or end it yourself"),
        ("hashicorp/google 6.20.0", "A kernel lock ends with the process that holds it"),
    ],
)
def test_a_lock_that_is_never_broken_says_why_and_has_no_verb(
    subject: str, words: str, opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    select(window, subject)
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: window.unlocks.refusal is not None)
    refusal = window.unlocks.refusal
    assert refusal is not None
    assert words in refusal.words.text()
    buttons = [one.text() for one in refusal.findChildren(QAbstractButton) if one.text()]
    assert buttons == ["Close"]
    assert refusal.close_.hasFocus()
    qtbot.keyClick(refusal.close_, Qt.Key.Key_Return)
    assert window.unlocks.refusal is None
    assert window.unlocks.dialog is None
    assert lock_script.applied == []


def test_a_failure_to_make_the_plan_is_told(
    opened: Any, lock_script: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened(lock_script)

    def fails(_lock: Any) -> Any:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(window.session._bench, "unlocking", fails)
    select(window, "index.lock")
    window.actions_["force"].trigger()
    qtbot.waitUntil(lambda: "a mistake" in window.messages.text.text())
    assert window.unlocks.refusal is None


def test_the_evidence_panes_button_asks_for_that_lock(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    window.cache.go_to(PROBLEMS)
    problems = window.cache.problems
    rows = range(problems.model.rowCount())
    row = next(row for row in rows if problems.model.item(row).title == "models/bert")
    problems.view.setCurrentIndex(problems.model.index(row, 0))
    offer = next(
        item
        for section in window.cache.evidence.story.sections
        for item in section.items
        if isinstance(item, Offer)
    )
    window.cache.evidence.wanted.emit(offer)
    qtbot.waitUntil(lambda: window.unlocks.dialog is not None)
    dialog = window.unlocks.dialog
    assert dialog is not None
    assert dialog.step.step is StepKind.RELEASE_LEASE
    assert dialog.step.wanted == "worker-3"
    dialog.reject()


def test_one_dialog_at_a_time(opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    window = opened(lock_script)
    dialog = asked(window, qtbot)
    window.unlocks.begin(window.session, lock_script.locks[-1])
    window.session.poll_locks()
    qtbot.waitUntil(lambda: not window.session._polling)
    assert window.unlocks.dialog is dialog
    dialog.reject()
