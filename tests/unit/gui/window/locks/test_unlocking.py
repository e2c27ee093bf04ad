"""What becomes of a release: done, refused, asked about once more, or never offered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lock_hands import EVIL, asked, assert_plain, look, select
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QLabel
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
from cachewright_gui.pages.cache_page import PROBLEMS
from cachewright_gui.store import Recent
from cachewright_gui.story import Offer


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
    window.unlocks.begin(window.session, lock_script.locks[-1])
    look(window, qtbot)
    assert window.unlocks.dialog is None, "one thing after the other"
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
