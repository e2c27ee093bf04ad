"""The whole window over the scripted backend."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from cachewright.errors import JournalDamaged
from cachewright.model import EntryVerdict, Finding, FindingKind, Location, Severity
from cachewright_gui import theme
from cachewright_gui.pages.cache_page import CONTENTS, HISTORY, LOCKS, PROBLEMS, STAGING
from cachewright_gui.session import ALL
from cachewright_gui.store import Store
from cachewright_gui.theme import Choice
from cachewright_gui.widgets.health_bar import HealthBar
from cachewright_gui.window import MainWindow

EVIL = "<img src='file:///etc/passwd'><h1>&amp; evil\u202e"


def tab_words(window: MainWindow) -> list[str]:
    return [window.cache.tabs.tabText(tab) for tab in range(5)]


def test_it_shows_the_cache_its_health_and_its_problems(opened: Any, script: Any) -> None:
    window = opened(script)
    assert window.cache.header.title.text() == "Terraform providers"
    assert "4 entries" in window.cache.header.place.text()
    assert window.cache.header.health.words() == (
        "4 entries: 1 verified, 1 corrupt, 1 being written, 1 without a recorded checksum."
    )
    assert tab_words(window) == ["Problems  3", "Contents", "Locks  1", "Staging  1", "History"]
    shown = window.cache.problems.model
    assert [shown.item(row).finding.severity for row in range(4)] == [
        Severity.PROBLEM,
        Severity.PROBLEM,
        Severity.PROBLEM,
        Severity.NOTICE,
    ]
    assert shown.item(0).title == "hashicorp/aws 1.0.0 linux_amd64"
    assert window.cache.header.clean.text() == "Remove stale staging (1)"
    assert window.cache.header.review.text() == "Review repairs (3)"
    assert window.windowTitle() == "Terraform providers — Cachewright"


def test_the_worst_problem_is_explained_at_once(opened: Any, script: Any) -> None:
    window = opened(script)
    story = window.cache.evidence.story
    assert story is not None
    assert story.title == "hashicorp/aws 1.0.0 linux_amd64"
    assert [one.title for one in story.sections] == [
        "Why",
        "Checksums",
        "Files",
        "Vouched for by",
        "Used by",
        "Repair",
        "Where",
    ]


def test_the_worst_stays_selected_until_a_person_selects(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    worst, notice = script.findings[0], script.findings[-1]
    script.findings = (notice,)
    window = opened(script)
    page = window.cache.problems
    assert page.current().finding.id == notice.id
    script.findings = (notice, worst)
    window.commands.verify()
    qtbot.waitUntil(lambda: page.current().finding.id == worst.id)
    page.view.setCurrentIndex(page.model.index(1, 0))
    script.findings = (notice, worst, replace(worst, path=b"/another"))
    window.commands.verify()
    qtbot.waitUntil(lambda: page.model.rowCount() == 3)
    assert page.current().finding.id == notice.id


@pytest.mark.parametrize("page", [PROBLEMS, CONTENTS, LOCKS, STAGING, HISTORY])
def test_every_page_has_rows_that_tell_their_story(page: int, opened: Any, script: Any) -> None:
    window = opened(script)
    window.cache.go_to(page)
    assert window.focusWidget() is window.cache._pages()[page].view
    story = window.cache.evidence.story
    assert story is not None
    assert story.title
    assert story.path.startswith(script.root)


def test_the_entries_are_in_sight_in_the_contents(opened: Any, script: Any) -> None:
    window = opened(script)
    model = window.cache.contents.model
    shown = {model.path(int(row)) for row in model.rows}
    assert {one.path[len(script.root) + 1 :] for one in script.entries} <= shown


def test_the_contents_are_walked_with_keys(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    window.cache.go_to(CONTENTS)
    view, model = window.cache.contents.view, window.cache.contents.model
    qtbot.keyClicks(view, "registry")
    assert model.text(int(model.rows[view.current_row()]), 0) == "registry.terraform.io"
    place, before = view.current_row(), len(model.rows)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert len(model.rows) < before
    assert view.current_row() == place
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert len(model.rows) == before
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.current_row() == place + 1
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert len(model.rows) < before
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert view.current_row() == place


def test_the_contents_are_turned_by_their_marks(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    window.cache.go_to(CONTENTS)
    view, model = window.cache.contents.view, window.cache.contents.model
    before = len(model.rows)
    place = next(p for p in range(before) if model.is_open(int(model.rows[p])))
    y = view.rowViewportPosition(place) + 8
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(14, y))
    assert len(model.rows) < before


def test_a_click_on_the_map_selects_in_the_tree(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    window.cache.go_to(CONTENTS)
    treemap = window.cache.contents.map
    qtbot.waitUntil(lambda: len(treemap.tiles) > 3)
    tile = max((one for one in treemap.tiles if not one.inside), key=lambda one: one.box[2])
    left, top, width, height = tile.box
    middle = QPoint(round(left + width / 2), round(top + height / 2))
    qtbot.mouseClick(treemap, Qt.MouseButton.LeftButton, pos=middle)
    assert window.cache.contents.view.current_inventory_row() == tile.row


def test_while_work_runs_it_can_be_paused_and_cancelled_and_nothing_repaired(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    script.gate = threading.Event()
    window = opened(script, wait=False)
    qtbot.waitUntil(lambda: "of 4" in window.strip.amounts.text())
    assert window.strip.stage.text() == "Verifying"
    assert not window.cache.header.review.isEnabled()
    assert not window.cache.header.verify.isEnabled()
    for name in ("review", "clean", "staging-only", "verify", "undo"):
        assert not window.actions_[name].isEnabled(), name
    qtbot.mouseClick(window.strip.pause, Qt.MouseButton.LeftButton)
    assert window.strip.pause.text() == "Resume"
    assert window.strip.stage.text() == "Verifying (paused)"
    assert window.actions_["pause"].text() == "Resume"
    qtbot.mouseClick(window.strip.pause, Qt.MouseButton.LeftButton)
    assert window.strip.pause.text() == "Pause"
    qtbot.mouseClick(window.strip.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.strip.stage.text().startswith("Stopped."))
    assert window.cache.header.verify.isEnabled()


def test_escape_stops_the_work_and_never_the_window(opened: Any, script: Any, qtbot: QtBot) -> None:
    script.gate = threading.Event()
    window = opened(script, wait=False)
    qtbot.waitUntil(script.reached.is_set)
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: window.session.state.stopped)
    assert window.isVisible()


def test_a_workers_mistake_is_shown_in_plain_words(opened: Any, script: Any, qtbot: QtBot) -> None:
    script.check_error = RuntimeError(EVIL)
    window = opened(script)
    qtbot.waitUntil(window.messages.isVisible)
    text = window.messages.text.text()
    assert "RuntimeError" in text
    assert "<img" in text
    assert "\\u202e" in text
    qtbot.mouseClick(window.messages.details, Qt.MouseButton.LeftButton)
    assert "Traceback" in QGuiApplication.clipboard().text()
    window.messages.next()
    assert not window.messages.isVisible()


def test_two_failures_are_both_told(opened: Any, script: Any, qtbot: QtBot) -> None:
    script.check_error = RuntimeError("first")
    script.history_error = JournalDamaged(path=b"/j", record=3, reason="a torn line")
    window = opened(script)
    qtbot.waitUntil(lambda: "(1 more)" in window.messages.text.text())
    first = window.messages.text.text()
    window.messages.next()
    second = window.messages.text.text()
    assert first != second
    assert "torn line" in first + second
    assert "first" in first + second


def test_a_mistake_in_a_slot_reaches_the_person(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    window.jobs.post([].pop)
    qtbot.waitUntil(lambda: "IndexError" in window.messages.text.text())


def walk(widget: QWidget) -> list[QWidget]:
    return [widget, *widget.findChildren(QWidget)]


def test_hostile_names_are_nothing_but_text_everywhere(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    path = script.root + b"/<b>x</b>\xff\xfe"
    script.findings += (
        Finding(
            kind=FindingKind.UNREADABLE,
            severity=Severity.PROBLEM,
            verdict=EntryVerdict.UNREADABLE,
            subject=EVIL,
            path=path,
            explanation=EVIL,
            files=(b"<i>\x1b[2J",),
        ),
    )
    script.found = (Location("terraform", path, EVIL),)
    script.history = (replace(script.history[0], subject=EVIL, path=path),)
    script.findings = tuple(
        replace(one, subject=EVIL) if one.repairs else one for one in script.findings
    )
    window = opened(script)
    for page in range(5):
        window.cache.go_to(page)
        for row in range(window.cache._pages()[page].model.rowCount()):
            model = window.cache._pages()[page].model
            window.cache._pages()[page].view.setCurrentIndex(model.index(row, 0))
            assert_plain(window)
    window.commands.review_all()
    qtbot.waitUntil(lambda: window.repairs.dialog is not None)
    assert window.repairs.dialog is not None
    assert_plain(window.repairs.dialog)
    window.repairs.dialog.reject()


def assert_plain(top: QWidget) -> None:
    for widget in walk(top):
        if isinstance(widget, QLabel):
            assert widget.textFormat() is Qt.TextFormat.PlainText, widget.text()
            assert "\u202e" not in widget.text()
            assert "\x1b" not in widget.text()
        hint = widget.toolTip()
        assert "<img" not in hint, hint
        assert "<b>" not in hint, hint
        if isinstance(widget, QAbstractButton):
            assert "\u202e" not in widget.text()


def test_every_button_and_list_has_a_name_for_screen_readers(opened: Any, script: Any) -> None:
    window = opened(script)
    for widget in walk(window):
        if isinstance(widget, QAbstractButton) and not widget.objectName().startswith("qt_"):
            assert widget.text() or widget.accessibleName(), widget
    for view in [page.view for page in window.cache._pages()]:
        assert view.accessibleName()
    assert window.sidebar.accessibleName()
    assert window.cache.evidence.accessibleName()


def test_a_path_is_copied_in_a_form_that_a_shell_reads(opened: Any, script: Any) -> None:
    window = opened(script)
    window.actions_["copy"].trigger()
    assert QGuiApplication.clipboard().text() == script.findings[0].path.decode()
    script.findings = (replace(script.findings[0], path=b"/n\xff"),)
    window.session.state.findings = script.findings
    window.session._tell(*ALL)
    window.actions_["copy"].trigger()
    assert QGuiApplication.clipboard().text() == "$'/n\\xff'"


def test_the_health_is_drawn_anew_in_another_theme(qtbot: QtBot, qapp: QApplication) -> None:
    theme.apply(qapp, Choice.LIGHT)
    bar = HealthBar()
    qtbot.addWidget(bar)
    bar.show_counts(Counter({EntryVerdict.OK: 2, EntryVerdict.CORRUPT: 1}))
    bar.show()
    shown = [one for one in bar._legends.values() if one.isVisible()]
    light = {one._colour for one in shown}
    theme.apply(qapp, Choice.DARK)
    QApplication.processEvents()
    dark = {one._colour for one in shown}
    theme.apply(qapp, Choice.LIGHT)
    assert len(light) == len(dark) == 2
    assert not light & dark


def test_theme_and_places_are_remembered(opened: Any, script: Any) -> None:
    window = opened(script)
    window.commands.choose_theme(Choice.DARK)
    dark = window.palette().window().color().lightness()
    window.commands.choose_theme(Choice.LIGHT)
    assert window.palette().window().color().lightness() > dark
    window.resize(1000, 600)
    window.close()
    store = Store()
    assert store.theme() is Choice.LIGHT
    assert store.recent()[0].root == script.root
    assert store.recent()[0].title == "Terraform providers"
    assert store.shape("window") is not None


def test_the_sidebar_lists_found_and_recent_caches_and_opens_them(
    opened: Any, script: Any, other_script: Any, qtbot: QtBot
) -> None:
    script.found = (Location("terraform", other_script.root, "Terraform providers"),)
    window = opened(script, other_script)
    titles = [one.title for one in window.sidebar.place_model.places]
    assert titles[:2] == ["On this computer", "Terraform providers"]
    assert "Recent" in titles
    place = window.sidebar.place_model.places[1]
    window._place_wanted(place)
    qtbot.waitUntil(lambda: other_script.calls == ["check"])
    assert window.session.state.root == other_script.root
    assert script.closed == 0, "the first cache stays open behind"


def test_narrow_windows_drop_columns_before_they_clip(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    window = opened(script)
    view = window.cache.problems.view
    window.resize(1500, 700)
    qtbot.waitUntil(lambda: not any(view.isColumnHidden(section) for section in range(5)))
    window.resize(900, 600)
    qtbot.waitUntil(lambda: view.isColumnHidden(2))
    assert not view.isColumnHidden(1)
    qtbot.waitUntil(lambda: not view.horizontalScrollBar().maximum())
    window.resize(1500, 700)
    qtbot.waitUntil(lambda: not any(view.isColumnHidden(section) for section in range(5)))


def test_opening_anew_while_work_runs_lets_the_old_work_go_in_silence(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    script.gate = threading.Event()
    window = opened(script, wait=False)
    qtbot.waitUntil(script.reached.is_set)
    first = window.session
    window.open_anew(replace(first.as_recent(), projects=(b"/p",)))
    assert window.session is not first
    assert window.session.options.projects == (b"/p",)
    qtbot.waitUntil(lambda: script.closed == 1)
    script.gate.set()
    qtbot.waitUntil(lambda: window.session.state.result is not None)
    assert not window.messages.isVisible()
    assert script.closed == 1


def test_a_repair_that_can_be_undone_is_named_as_text_in_menus(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    """A menu that shows tooltips takes a tooltip that looks like markup for markup."""
    name = "<img src='x'> & co"
    script.history = (replace(script.history[0], subject=name, can_undo=True),)
    window = opened(script)
    qtbot.waitUntil(lambda: window.undoable() is not None)
    action = window.actions_["undo-last"]
    qtbot.waitUntil(lambda: "img" in action.text())
    assert "&&" in action.text()
    assert "&lt;img" in action.toolTip()
    assert "<img" not in action.toolTip()
