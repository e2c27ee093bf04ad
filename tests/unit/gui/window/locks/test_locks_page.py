"""The Locks page: what it says of every kind of lock, and what it offers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lock_hands import items_of, select
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from cachewright.model import (
    Holder,
    HoldVerdict,
    LockKind,
    StepKind,
)
from cachewright_gui import lock_story, lock_words
from cachewright_gui.models import lock_list
from cachewright_gui.pages.cache_page import CONTENTS, LOCKS, PROBLEMS, STAGING
from cachewright_gui.story import Bullet, Fact, Offer, Story, Words


def test_every_column_tells_something_of_every_kind(lock_script: Any) -> None:
    model = lock_list.locks()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_items(lock_script.locks)
    assert tester.model() is model
    assert {one.kind for one in lock_script.locks} >= {
        LockKind.POSIX,
        LockKind.EXISTENCE,
        LockKind.INFO_FILE,
        LockKind.LEASE,
        LockKind.OBJECT,
    }
    for row in range(model.rowCount()):
        words = [model.data(model.index(row, column)) for column in range(model.columnCount())]
        assert all(words), words
    told = {one.subject: (lock_words.kind(one), lock_words.who(one)) for one in lock_script.locks}
    assert told["index.lock"] == (
        ("Lock file", "locked while it exists"),
        ("Process 4711", "the lock says so"),
    )
    assert told["hashicorp/random 3.7.1"] == (
        ("Kernel lock", "POSIX"),
        ("tofu", "pid 21877, ci, stopped"),
    )
    assert told["hashicorp/google 6.20.0"][1] == ("Nobody", "")
    assert told["web.tfstate"] == (
        ("Stored lock", "object in a bucket"),
        ("ci@build-07", "the lock says so"),
    )
    assert told["staging.tfstate"][1] == ("ci@build-07", "gone")


@pytest.mark.parametrize(
    ("mode", "word"), [(0o100600, "Lock file"), (0o120777, "Lock link"), (0o040700, "Lock folder")]
)
def test_what_makes_a_lock_by_being_there_is_named(mode: int, word: str, make_lock: Any) -> None:
    assert lock_words.kind(make_lock("x", LockKind.EXISTENCE, mode=mode)).text == word


def test_a_holder_is_told_in_words(make_lock: Any) -> None:
    holder = Holder(
        77,
        1_700_000_000_000_000_000,
        "dev",
        "/usr/bin/tofu init",
        ("lock:write", "open:read", "cwd", "open:write (deleted)"),
        "stopped",
    )
    lock = make_lock("x", LockKind.POSIX, HoldVerdict.HELD, holders=(holder,))
    (bullet,) = items_of(lock_story.of_lock(lock, None), "Held by")
    assert isinstance(bullet, Bullet)
    assert bullet.headline == "tofu (pid 77, stopped)"
    command, who, how = bullet.detail.split("\n")
    assert command == "/usr/bin/tofu init"
    assert who.startswith("dev, since 2023-11-1")
    assert how == (
        "Has the lock for writing, has it open for reading, is working in it and has it open for "
        "writing (deleted)."
    )
    assert lock_words.ways(("something:new",)) == "Something for new."


def test_the_locks_own_words_and_what_must_be_typed_are_facts(lock_script: Any) -> None:
    lock = lock_script.locks[-1]
    story = lock_story.of_lock(lock, None)
    said = {item.label: item.value for item in items_of(story, "The lock says")}
    assert list(said) == ["ID", "Operation", "Who", "Version", "Created", "Path"]
    where = {item.label: item.value for item in items_of(story, "Where") if isinstance(item, Fact)}
    assert where["Lock ID"] == lock.id
    assert where["ETag"] == lock.etag
    assert where["Kind"] == "Stored lock, object in a bucket"


def repair_words(story: Story) -> tuple[str, list[str]]:
    found = items_of(story, "Repair")
    words = " ".join(one.text for one in found if isinstance(one, Words))
    return words, [one.label for one in found if isinstance(one, Offer)]


@pytest.mark.parametrize(
    "case",
    [
        (LockKind.EXISTENCE, HoldVerdict.UNPROVEN, {}, ["Force unlock…"], "must be typed"),
        (LockKind.OBJECT, HoldVerdict.UNPROVEN, {"garbage": True}, ["Force unlock…"], "typed"),
        (LockKind.EXISTENCE, HoldVerdict.HELD, {}, [], "None while it is held. Only its holder"),
        (LockKind.POSIX, HoldVerdict.UNPROVEN, {}, [], "A kernel lock ends with the process"),
        (LockKind.POSIX, HoldVerdict.FREE, {}, [], "Nothing to clean"),
        (
            LockKind.INFO_FILE,
            HoldVerdict.UNPROVEN,
            {"no_release": "the state file is not there"},
            [],
            "The state file is not there.",
        ),
    ],
)
def test_force_is_offered_only_where_it_may_be_used(case: Any, make_lock: Any) -> None:
    kind, verdict, others, labels, words = case
    told, offered = repair_words(lock_story.of_lock(make_lock("x", kind, verdict, **others), None))
    assert offered == labels
    assert words in told


def test_what_is_proven_dead_goes_through_the_review(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    select(window, "staging.tfstate")
    _words, offered = repair_words(window.cache.evidence.story)
    assert offered == ["Remove lock…"]
    window.actions_["locks-only"].trigger()
    qtbot.waitUntil(lambda: window.repairs.dialog is not None)
    assert window.repairs.dialog is not None
    assert [row.step.subject for row in window.repairs.dialog.rows] == ["staging.tfstate"]
    window.repairs.dialog.reject()


def test_only_what_is_proven_is_counted_and_cleaned(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    assert window.cache.header.clean.text() == "Clean stale (2)"
    assert window.actions_["locks-only"].text() == "Clean stale locks (1)…"
    assert window.actions_["staging-only"].text() == "Remove stale staging (1)…"
    taken = tuple(
        replace(one, verdict=HoldVerdict.HELD) if one.verdict is HoldVerdict.STALE else one
        for one in lock_script.locks
    )
    lock_script.locks = taken
    window.cache.go_to(LOCKS)
    qtbot.waitUntil(lambda: window.cache.header.clean.text() == "Remove stale staging (1)")
    assert window.actions_["locks-only"].text() == "Clean stale locks…"
    assert not window.actions_["locks-only"].isEnabled()
    assert window.actions_["locks-only"].toolTip() == "Nothing is proven to be left behind."


def test_the_review_leaves_out_what_nobody_proved(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    window.commands.review_all()
    qtbot.waitUntil(lambda: window.repairs.dialog is not None)
    dialog = window.repairs.dialog
    assert dialog is not None
    of_locks = [row.step for row in dialog.rows if row.step.step is StepKind.QUARANTINE_LOCK]
    assert [one.subject for one in of_locks] == ["staging.tfstate"]
    assert window.cache.header.review.text() == "Review repairs (4)"
    assert len(dialog.rows) == 4
    assert dialog.left_out.text() == (
        "3 locks are not proven dead and left out here: select one and use Force unlock…"
    )
    dialog.reject()


def test_a_review_of_nothing_but_unproven_locks_says_what_to_use(
    opened: Any, store_script: Any, qtbot: QtBot
) -> None:
    window = opened(store_script)
    window.commands.review_all()
    qtbot.waitUntil(window.messages.isVisible)
    assert window.repairs.dialog is None
    assert window.messages.text.text().startswith("2 locks are not proven dead")


def test_the_id_is_copied_from_every_page_that_shows_the_lock(
    opened: Any, lock_script: Any
) -> None:
    window = opened(lock_script)
    copied = QGuiApplication.clipboard()
    select(window, "terraform.tfstate")
    window.actions_["copy-id"].trigger()
    assert copied.text() == "54dacc76-4307-835c-38da-9ae77bb5eb7c"
    window.cache.go_to(PROBLEMS)
    problems = window.cache.problems
    for row in range(problems.model.rowCount()):
        problems.view.setCurrentIndex(problems.model.index(row, 0))
        is_lock = "lock" in problems.model.item(row).finding.kind
        assert window.actions_["copy-id"].isEnabled() is is_lock
        assert window.actions_["force"].isEnabled() is is_lock
    window.cache.go_to(STAGING)
    assert not window.actions_["copy-id"].isEnabled()
    assert window.actions_["force"].toolTip() == "Select a lock first."


def test_the_right_button_offers_it_too(opened: Any, lock_script: Any) -> None:
    window = opened(lock_script)
    for page in (window.cache.locks, window.cache.problems):
        words = [one.text() for one in page.view.actions()]
        assert "Copy lock ID" in words
        assert "Force unlock…" in words
        assert page.view.contextMenuPolicy() is Qt.ContextMenuPolicy.ActionsContextMenu


def test_staging_that_is_worked_in_reads_alike_everywhere(opened: Any, script: Any) -> None:
    script.staging = (replace(script.staging[0], verdict=HoldVerdict.HELD),)
    window = opened(script)
    window.cache.go_to(STAGING)
    assert window.cache.staging.model.data(window.cache.staging.model.index(0, 0)) == "In use"
    window.cache.go_to(CONTENTS)
    model = window.cache.contents.model
    row = model.inventory.tree.find(b".temp8841902")
    assert model.verdict_words(row) == "In use"


def test_home_and_end_go_to_the_first_and_last_row(
    opened: Any, lock_script: Any, qtbot: QtBot
) -> None:
    window = opened(lock_script)
    window.cache.go_to(LOCKS)
    view = window.cache.locks.view
    qtbot.keyClick(view, Qt.Key.Key_End)
    assert view.current_row() == len(lock_script.locks) - 1
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert view.current_row() == 0


@pytest.mark.parametrize(
    ("created", "taken_ns"),
    [
        ("2026-11-20T10:02:07.525143475Z", 1_795_168_927_525_143_000),
        ("", 77),
        ("yesterday", 77),
        ("0001-01-01T00:00:00+14:00", 77),
        ("9999-12-31T23:59:59-14:00", 77),
        ("1960-01-01T00:00:00Z", 77),
    ],
)
def test_a_lock_is_as_old_as_it_says_if_that_can_be(
    created: str, taken_ns: int, make_lock: Any
) -> None:
    lock = make_lock("x", owner={"Created": created}, changed_ns=77)
    assert lock_words.taken_ns(lock) // 10**6 == taken_ns // 10**6
    model = lock_list.locks()
    model.set_items([lock])
    assert model.data(model.index(0, 4))
    assert model.data(model.index(0, 4), Qt.ItemDataRole.ToolTipRole)


def test_who_is_named_as_far_as_the_lock_tells() -> None:
    named = lock_words.owner_named
    assert named({"Who": "ci@b", "pid": "5"}) == "ci@b"
    assert named({"pid": "5", "host": "build-07"}) == "Process 5 on build-07"
    assert named({"pid": "5"}) == "Process 5"
    assert named({"hostname": "build-07"}) == "build-07"
    assert named({"id": "x", "machine": "0f0f"}) == ""
