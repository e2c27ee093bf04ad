"""How the Locks page lives while it is in front."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from lock_hands import look, row_of, select, settled, stilled
from PySide6.QtCore import QPersistentModelIndex
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cachewright.errors import StoreUnreadable
from cachewright.model import (
    HoldVerdict,
)
from cachewright_gui import session
from cachewright_gui.pages.cache_page import CONTENTS, LOCKS, PROBLEMS, STAGING


def test_locks_are_looked_at_while_the_page_is_in_front(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = stilled(opened(lock_script))
    for page in (PROBLEMS, CONTENTS, STAGING):
        window.cache.go_to(page)
        look(window, qtbot)
    assert lock_script.polls == 0
    window.cache.go_to(LOCKS)
    qtbot.waitUntil(lambda: lock_script.polls == 1)
    qtbot.waitUntil(lambda: not window.session._polling)
    window._tick_over()
    qtbot.waitUntil(lambda: lock_script.polls == 2)
    qtbot.waitUntil(lambda: not window.session._polling)
    window.showMinimized()
    look(window, qtbot)
    assert lock_script.polls == 2


def test_looks_never_overlap(opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    window = stilled(opened(lock_script))
    going, go_on = threading.Event(), threading.Event()
    bench = window.session._bench

    def slow() -> Any:
        going.set()
        go_on.wait(10)
        lock_script.polls += 1
        return lock_script.locks

    bench.locks = slow
    window.session.poll_locks()
    qtbot.waitUntil(going.is_set)
    for _ in range(5):
        window.session.poll_locks()
    go_on.set()
    qtbot.waitUntil(lambda: not window.session._polling)
    assert lock_script.polls == 1


def test_a_store_is_asked_only_now_and_then(
    opened: Any, store_script: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = stilled(opened(store_script))
    look(window, qtbot)
    window.cache.go_to(PROBLEMS)
    window.cache.go_to(LOCKS)
    settled(window, qtbot)
    assert store_script.polls == 0, "the check has just asked"
    monkeypatch.setattr(session, "STORE_PAUSE_S", 0.0)
    window.session._pause_polls()
    window._tick_over()
    qtbot.waitUntil(lambda: store_script.polls == 1)


def test_a_failing_look_is_told_once(opened: Any, lock_script: Any, qtbot: QtBot) -> None:
    window = stilled(opened(lock_script))
    window.cache.go_to(LOCKS)
    told: list[Any] = []
    window.session.failed.connect(told.append)
    lock_script.locks_error = StoreUnreadable(
        path=b"s3://b", reason="no answer within 10 seconds", left="Nothing was changed."
    )
    for count in range(4):
        look(window, qtbot)
        lock_script.locks_error = StoreUnreadable(
            path=b"s3://b", reason=f"no answer, {count} times", left=""
        )
    assert len(told) == 1
    assert window.cache.locks.notes.isVisible()
    assert "Could not look again: s3://b: no answer, 2 times." in (
        window.cache.locks.notes.words.toPlainText()
    )
    assert window.cache.locks.model.rowCount() == len(lock_script.locks), "what was seen stays"
    lock_script.locks_error = None
    look(window, qtbot)
    assert not window.cache.locks.notes.isVisible()


def test_notes_stand_below_the_table_as_nothing_but_text(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    lock_script.notes = ("The state of <b>prod</b> is kept in gcs.", "A note\x1b[2J\u202e.")
    lock_script.locks = ()
    window = stilled(opened(lock_script))
    window.cache.go_to(LOCKS)
    notes = window.cache.locks.notes
    qtbot.waitUntil(notes.isVisible)
    assert notes.words.toPlainText() == (
        "The state of <b>prod</b> is kept in gcs.\nA note\\x1b[2J\\u202e."
    )
    assert notes.words.accessibleName() == "Notes"
    assert window.cache.locks.view.empty_title == "No locks."
    assert notes.words.height() < 80
    lock_script.notes = ()
    look(window, qtbot)
    assert not notes.isVisible()


def many(make_lock: Any, numbers: range, **others: Any) -> tuple[Any, ...]:
    return tuple(make_lock(f"lock-{number:03}", **others) for number in numbers)


def test_rows_that_come_and_go_leave_selection_and_place(
    opened: Any, lock_script: Any, make_lock: Any, qtbot: QtBot
) -> None:
    lock_script.locks = many(make_lock, range(100, 160))
    window = stilled(opened(lock_script))
    window.cache.go_to(LOCKS)
    page = window.cache.locks
    qtbot.waitUntil(lambda: page.view.verticalScrollBar().maximum() > 0)
    row = row_of(window, "lock-130")
    page.view.setCurrentIndex(page.model.index(row, 0))
    page.view.scrollTo(page.model.index(row, 0), page.view.ScrollHint.PositionAtCenter)
    before = page.view.rowViewportPosition(row)
    assert 0 < before < page.view.viewport().height()
    held = QPersistentModelIndex(page.model.index(row, 0))
    for locks in (
        (*many(make_lock, range(10)), *lock_script.locks),
        (*many(make_lock, range(5)), *lock_script.locks[3:]),
        (make_lock("lock-1295"), *lock_script.locks),
        lock_script.locks,
    ):
        lock_script.locks = locks
        look(window, qtbot)
        assert page.model.rowCount() == len(locks)
        assert page.current().subject == "lock-130"
        assert page.view.current_row() == held.row()
        assert page.view.rowViewportPosition(page.view.current_row()) == before


def test_at_the_top_new_rows_come_into_sight(
    opened: Any, lock_script: Any, make_lock: Any, qtbot: QtBot
) -> None:
    lock_script.locks = many(make_lock, range(100, 160))
    window = stilled(opened(lock_script))
    window.cache.go_to(LOCKS)
    page = window.cache.locks
    page.view.setCurrentIndex(page.model.index(2, 0))
    lock_script.locks = (*many(make_lock, range(2)), *lock_script.locks)
    look(window, qtbot)
    assert page.model.rowCount() == 62
    assert page.view.verticalScrollBar().value() == 0
    assert page.current().subject == "lock-102"


def test_what_changed_is_tinted_and_nothing_else(
    opened: Any, lock_script: Any, make_lock: Any, qtbot: QtBot
) -> None:
    lock_script.locks = many(make_lock, range(4))
    window = stilled(opened(lock_script))
    window.cache.go_to(LOCKS)
    model = window.cache.locks.model
    assert not model.any_fresh()
    first, second, third, fourth = lock_script.locks
    lock_script.locks = (
        first,
        replace(second, id="taken anew", fingerprint="other"),
        replace(third, verdict=HoldVerdict.HELD),
        replace(fourth, explanation="said in other words"),
        make_lock("lock-new"),
    )
    look(window, qtbot)
    assert model.rowCount() == 5
    fresh = {model.item(row).subject for row in range(5) if model.fresh(row)}
    assert fresh == {"lock-001", "lock-002", "lock-new"}


def test_a_button_of_the_pane_keeps_the_focus_while_the_evidence_changes(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = stilled(opened(lock_script))
    select(window, "web.tfstate")
    buttons = window.cache.evidence.findChildren(QPushButton)
    assert [one.text() for one in buttons] == ["Force unlock…"]
    buttons[0].setFocus()
    lock_script.locks = tuple(
        replace(one, explanation="Said a moment later.") for one in lock_script.locks
    )
    look(window, qtbot)
    focused = window.focusWidget()
    assert isinstance(focused, QPushButton)
    assert focused is not buttons[0]
    assert focused.text() == "Force unlock…"
    select(window, "terraform.tfstate")
    assert window.focusWidget() is window.cache.locks.view
