"""Places that hold nothing but locks: stores over a network, and project folders."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cachewright.errors import BackendUnsupported
from cachewright.model import Access, HoldVerdict, LockKind
from cachewright.workbench import Options
from cachewright_gui import app, lock_words
from cachewright_gui.dialogs.open_cache import OpenCache
from cachewright_gui.pages.cache_page import CONTENTS, LOCKS, PROBLEMS, STAGING
from cachewright_gui.state import Phase
from cachewright_gui.store import Recent, Store
from cachewright_gui.window import MainWindow

REACHED = Access("http://127.0.0.1:9000", "ops", "eu-1", path_style=True, timeout_s=4.0)


def titles(window: MainWindow) -> list[str]:
    return [one.title for one in window.sidebar.place_model.places]


def test_a_store_reads_as_what_it_is(opened: Any, store_script: Any) -> None:
    window = opened(store_script)
    cache = window.cache
    assert cache.page == LOCKS
    assert cache.header.title.text() == "Terraform state locks"
    assert "s3://infra-state/prod   ·   2 locks, not proven dead" in cache.header.place.text()
    assert "entries" not in cache.header.place.text()
    assert cache.header.health.words() == "2 locks: 2 not proven dead."
    assert cache.header.verify.text() == "Look again"
    assert window.actions_["verify"].text() == "Look again"
    assert cache.header.clean.text() == "Clean stale locks"
    assert not cache.header.clean.isEnabled()
    assert not cache.header.review.isEnabled(), "what must be typed has its own dialog"
    cache.go_to(CONTENTS)
    assert cache.contents.view.empty_title == "There are no files here."
    assert cache.contents.map.isHidden()
    assert window.cache.selected_path() == store_script.root
    cache.go_to(STAGING)
    assert cache.staging.view.empty_text == "Only locks are looked for here."


def test_a_store_without_locks_says_so(opened: Any, store_script: Any) -> None:
    store_script.locks = store_script.findings = ()
    window = opened(store_script)
    assert "·   no locks   ·" in window.cache.header.place.text()
    assert not window.cache.header.health.isVisible()
    assert window.cache.locks.view.empty_title == "No locks."
    assert window.cache.locks.view.empty_text == "Nobody has left a lock here."
    place = next(one for one in window.sidebar.place_model.places if one.root is not None)
    assert (place.detail, place.icon) == ("no locks", "free")


def test_a_project_folder_has_files_and_no_entries(opened: Any, lock_script: Any) -> None:
    lock_script.entries = lock_script.staging = ()
    lock_script.holds_entries = False
    lock_script.found = ()
    window = opened(lock_script)
    assert window.cache.page == LOCKS
    assert "7 locks, 1 stale" in window.cache.header.place.text()
    assert window.cache.header.health.words() == (
        "7 locks: 1 stale, 3 not proven dead, 2 held, 1 free."
    )
    window.cache.go_to(CONTENTS)
    assert window.cache.contents.model.rowCount() > 0
    assert not window.cache.contents.map.isHidden()
    assert titles(window)[2] == "State locks"


def test_going_from_a_store_to_a_cache_and_back(
    opened: Any, store_script: Any, other_script: Any, qtbot: QtBot
) -> None:
    window = opened(store_script, other_script)
    window.open_root(Recent(other_script.root))
    qtbot.waitUntil(lambda: window.session.state.rests)
    assert window.cache.header.health.isVisible()
    assert "4 entries" in window.cache.header.health.words()
    assert window.cache.header.verify.text() == "Verify all"
    window.cache.go_to(CONTENTS)
    assert not window.cache.contents.map.isHidden()
    window.cache.go_to(PROBLEMS)
    window.open_root(Recent(store_script.root))
    assert window.cache.page == PROBLEMS, "led to the locks once"
    assert window.cache.contents.model.rowCount() == 0
    window.actions_["map"].trigger()
    window.actions_["map"].trigger()
    assert window.cache.contents.map.isHidden()


def test_the_sidebar_keeps_places_of_locks_apart(opened: Any, store_script: Any) -> None:
    Store().remember(Recent(b"/srv/website", "Terraform state locks", only_locks=True))
    Store().remember(Recent(b"/srv/cache", "Terraform providers"))
    Store().remember(Recent(b"dynamodb://locks", only_locks=True))
    Store().remember(Recent(b"/etc/glance/glance-api.conf", "Glance images", in_database=True))
    Store().remember(Recent(b"sqlite:////srv/glance.sqlite", in_database=True))
    window = opened(store_script)
    assert titles(window) == [
        "On this computer",
        "None found",
        "State locks",
        "s3://infra-state/prod",
        "dynamodb://locks",
        "/srv/website",
        "Databases",
        "sqlite:////srv/glance.sqlite",
        "Glance images",
        "Recent",
        "Terraform providers",
    ]
    store, table, folder = window.sidebar.place_model.places[3:6]
    assert (store.detail, store.badge) == ("2 locks, not proven dead", 1)
    assert (table.detail, folder.detail) == ("Store of locks", "Project folder")


def test_how_a_store_is_reached_is_remembered(opened: Any, store_script: Any, qtbot: QtBot) -> None:
    window = opened(store_script)
    window.open_anew(Recent(store_script.root, access=REACHED, only_locks=True))
    qtbot.waitUntil(lambda: window.session.state.rests)
    assert window.session.options.access == REACHED
    (kept,) = Store().recent()
    assert (kept.root, kept.access, kept.only_locks) == (store_script.root, REACHED, True)


@pytest.mark.parametrize(
    "damaged",
    [
        {"profile": 5},
        {"path_style": "yes"},
        {"timeout_s": "soon"},
        {"password": "x"},
        [],
    ],
)
def test_damaged_access_is_no_access(damaged: Any, qtbot: QtBot) -> None:
    del qtbot
    text = Recent(b"s3://b", access=REACHED).as_text()
    assert Recent.from_text(text) == Recent(b"s3://b", access=REACHED)
    data = json.loads(text)
    data["access"] = damaged
    assert Recent.from_text(json.dumps(data)) is None
    del data["access"], data["only_locks"]
    assert Recent.from_text(json.dumps(data)) == Recent(b"s3://b"), "as older versions wrote it"


def test_a_backend_that_is_not_supported_says_what_it_is(
    opened: Any, store_script: Any, qtbot: QtBot
) -> None:
    sentence = "Its locks are blob leases, which are not supported yet."
    store_script.open_error = BackendUnsupported(path=store_script.root, sentence=sentence)
    window = opened(store_script, wait=False)
    qtbot.waitUntil(lambda: window.session.state.phase is Phase.FAILED)
    assert sentence in window.session.state.error
    assert window.cache.header.title.text() == "State locks"
    assert window.strip.stage.text() == "Could not open the cache."


def dialog_on(text: str, qtbot: QtBot, start: Recent | None = None) -> OpenCache:
    dialog = OpenCache((("terraform", "Terraform providers"),), start)
    qtbot.addWidget(dialog)
    dialog.show()
    if text:
        dialog.path.setText(text)
    return dialog


def test_an_address_asks_for_how_it_is_reached_and_nothing_else(qtbot: QtBot) -> None:
    dialog = dialog_on("s3://infra-state/prod", qtbot)
    assert dialog.access.isVisible()
    for widget in (dialog.kind, dialog.projects, dialog.sources, dialog.browse):
        assert not widget.isVisible()
    assert dialog.go.isEnabled()
    qtbot.keyClicks(dialog.access.endpoint, "http://127.0.0.1:9000")
    qtbot.keyClicks(dialog.access.profile, "ops")
    dialog.access.region.setText(" eu-1 ")
    dialog.access.bucket.setCurrentIndex(1)
    assert dialog.picked == Recent(
        b"s3://infra-state/prod",
        access=replace(REACHED, timeout_s=Access().timeout_s),
        only_locks=True,
    )
    dialog.path.setText("/")
    assert not dialog.access.isVisible()
    assert dialog.kind.isVisible()
    assert dialog.picked == Recent(b"/")


def test_what_was_said_before_stands_there_again(qtbot: QtBot) -> None:
    start = Recent(b"s3://b/n\xff", access=REACHED, only_locks=True)
    dialog = dialog_on("", qtbot, start)
    assert dialog.picked == start


@pytest.mark.parametrize(
    ("address", "endpoint", "problem"),
    [
        ("s3://", "", "The address names nothing yet."),
        ("dynamodb:///", "", "The address names nothing yet."),
        ("s3://b", "localhost:9000", "begins with http:// or https://"),
        ("s3://b", "ftp://host", "begins with http:// or https://"),
        ("s3://b", "http://", "begins with http:// or https://"),
        ("s3://b", "http://[::1", "is no web address"),
        ("s3://b", "http://me:secret@host", "must not hold a password"),
        ("s3://b", "http://host?token=secret", "must not hold a password"),
        ("s3://b", "https://[::1]:9000", ""),
        ("gcs://b", "", ""),
    ],
)
def test_only_what_can_be_asked_can_be_opened(
    address: str, endpoint: str, problem: str, qtbot: QtBot
) -> None:
    dialog = dialog_on(address, qtbot)
    dialog.access.endpoint.setText(endpoint)
    assert problem in dialog.problem.text()
    assert bool(dialog.problem.text()) == bool(problem)
    assert dialog.go.isEnabled() == (not problem)


def test_every_field_has_a_name(qtbot: QtBot) -> None:
    dialog = dialog_on("s3://b", qtbot)
    fields = (
        dialog.access.endpoint,
        dialog.access.profile,
        dialog.access.region,
        dialog.access.bucket,
    )
    assert [one.accessibleName() for one in fields] == [
        "Endpoint",
        "Profile",
        "Region",
        "Bucket name",
    ]
    for one in fields:
        assert one.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_the_command_line_counts_before_what_was_remembered() -> None:
    plain = Options(environment={})
    assert not app._says_where(plain)
    assert app._says_where(replace(plain, access=Access(profile="ops")))
    assert app._says_where(replace(plain, projects=(b"/p",)))


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ((), "no locks"),
        ((HoldVerdict.HELD,), "1 lock, held"),
        ((HoldVerdict.FREE, HoldVerdict.FREE), "2 locks, free"),
        ((HoldVerdict.FREE, HoldVerdict.UNPROVEN), "2 locks, 1 not proven dead"),
        ((HoldVerdict.HELD, HoldVerdict.STALE, HoldVerdict.STALE), "3 locks, 2 stale"),
    ],
)
def test_the_worst_of_some_locks_in_words(
    verdicts: tuple[HoldVerdict, ...], words: str, make_lock: Any
) -> None:
    locks = [make_lock(f"l{n}", LockKind.LEASE, one) for n, one in enumerate(verdicts)]
    assert lock_words.summary(locks) == words
