"""A session over the scripted backend: partial results, pause, stop, failures, a second check."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from cachewright.errors import NotACache, RootVanished
from cachewright.model import EntryVerdict, FindingKind
from cachewright.workbench import Options
from cachewright_gui.collector import Part
from cachewright_gui.failures import Failure
from cachewright_gui.jobs import Jobs
from cachewright_gui.session import Session
from cachewright_gui.state import Phase


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    del qtbot
    made = Jobs()
    yield made
    assert made.close(5)


@pytest.fixture
def session(script: Any, jobs: Jobs, backend_of: Any) -> Iterator[Session]:
    made = Session(
        script.root, None, Options(environment={}), backend=backend_of(script), jobs=jobs
    )
    yield made
    if script.gate is not None:
        script.gate.set()
    made.shut()


def opened(session: Session, qtbot: QtBot) -> None:
    session.open()
    qtbot.waitUntil(lambda: not session.state.busy)


def test_it_checks_what_it_opened_by_itself(session: Session, script: Any, qtbot: QtBot) -> None:
    opened(session, qtbot)
    state = session.state
    assert script.calls == ["check"]
    assert state.title == "Terraform providers"
    assert state.result is not None
    assert state.findings == script.findings
    assert state.counts[EntryVerdict.CORRUPT] == 1
    assert state.inventory is not None
    assert state.looked_ns > 0


def test_results_arrive_while_the_work_runs(session: Session, script: Any, qtbot: QtBot) -> None:
    script.gate = threading.Event()
    parts: set[Part] = set()
    session.changed.connect(parts.update)
    session.open()
    qtbot.waitUntil(lambda: session.state.counts[EntryVerdict.CORRUPT] == 1)
    state = session.state
    assert state.phase is Phase.CHECKING
    assert state.result is None
    assert state.counts[EntryVerdict.UNCHECKED] == 2
    assert [one.kind for one in state.findings] == [FindingKind.CORRUPT_ENTRY]
    assert state.inventory is not None
    assert state.progress is not None
    assert {Part.TREE, Part.ENTRIES, Part.FINDINGS, Part.LOCKS, Part.PROGRESS} <= parts
    script.gate.set()
    qtbot.waitUntil(lambda: not state.busy)
    assert state.counts[EntryVerdict.UNCHECKED] == 0


def test_stopping_keeps_what_was_seen(session: Session, script: Any, qtbot: QtBot) -> None:
    script.gate = threading.Event()
    told: list[Failure] = []
    session.failed.connect(told.append)
    session.open()
    qtbot.waitUntil(script.reached.is_set)
    session.stop()
    assert session.state.stopping
    qtbot.waitUntil(lambda: not session.state.busy)
    assert session.state.stopped
    assert session.state.result is None
    assert session.state.counts[EntryVerdict.CORRUPT] == 1
    assert told == [], "what was asked for is no failure"


def test_a_paused_check_waits_and_goes_on(session: Session, script: Any, qtbot: QtBot) -> None:
    script.gate = threading.Event()
    session.open()
    qtbot.waitUntil(script.reached.is_set)
    session.pause()
    assert session.state.paused
    script.gate.set()
    with qtbot.assertNotEmitted(session.checked, wait=100):
        pass
    session.resume()
    qtbot.waitUntil(lambda: not session.state.busy)
    assert session.state.result is not None


def test_a_paused_check_can_be_stopped(session: Session, script: Any, qtbot: QtBot) -> None:
    script.gate = threading.Event()
    session.open()
    qtbot.waitUntil(script.reached.is_set)
    session.pause()
    session.stop()
    qtbot.waitUntil(lambda: session.state.stopped)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RootVanished(path=b"/x"), "/x went away"),
        (ZeroDivisionError("a mistake"), "in the program itself (ZeroDivisionError: a mistake)"),
    ],
)
def test_a_failing_check_is_told_and_the_next_one_runs(
    error: BaseException, words: str, session: Session, script: Any, qtbot: QtBot
) -> None:
    script.check_error = error
    with qtbot.waitSignal(session.failed) as told:
        session.open()
    assert words in told.args[0].text
    assert bool(told.args[0].detail) == (not isinstance(error, RootVanished))
    qtbot.waitUntil(lambda: not session.state.busy)
    script.check_error = None
    session.check()
    qtbot.waitUntil(lambda: session.state.result is not None)


def test_what_cannot_be_opened_says_why(session: Session, script: Any, qtbot: QtBot) -> None:
    script.open_error = NotACache(path=script.root, why="no provider in it")
    session.open()
    qtbot.waitUntil(lambda: session.state.phase is Phase.FAILED)
    assert "does not look like a cache" in session.state.error
    session.check()
    assert session.state.phase is Phase.FAILED


def test_a_second_check_keeps_what_is_shown_until_it_knows_better(
    session: Session, script: Any, qtbot: QtBot
) -> None:
    opened(session, qtbot)
    findings = session.state.findings
    script.gate = threading.Event()
    script.entries = script.entries[1:]
    script.findings = script.findings[1:]
    session.check()
    qtbot.waitUntil(script.reached.is_set)
    qtbot.waitUntil(lambda: session.state.progress is not None)
    assert {one.id for one in session.state.findings} == {one.id for one in findings}
    script.gate.set()
    qtbot.waitUntil(lambda: not session.state.busy)
    assert session.state.findings == script.findings
    assert session.state.counts[EntryVerdict.CORRUPT] == 0


def test_a_second_check_while_one_runs_is_not_begun(
    session: Session, script: Any, qtbot: QtBot
) -> None:
    script.gate = threading.Event()
    session.open()
    qtbot.waitUntil(script.reached.is_set)
    session.check()
    script.gate.set()
    qtbot.waitUntil(lambda: not session.state.busy)
    assert script.calls == ["check"]


def test_locks_are_looked_at_again_only_at_rest(
    session: Session, script: Any, qtbot: QtBot
) -> None:
    opened(session, qtbot)
    script.locks = (replace(script.locks[0], explanation="another"), *script.locks[1:])
    session.poll_locks()
    qtbot.waitUntil(lambda: session.state.locks == script.locks)


def test_after_a_repair_the_cache_is_looked_at_again(
    session: Session, script: Any, qtbot: QtBot
) -> None:
    opened(session, qtbot)
    plans: list[Any] = []
    session.plan(plans.append)
    qtbot.waitUntil(lambda: bool(plans))
    outcomes: list[Any] = []
    session.repair(plans[0], {}, outcomes.append)
    assert session.state.phase is Phase.REPAIRING
    qtbot.waitUntil(lambda: bool(outcomes) and not session.state.busy)
    assert script.calls == ["check", "repair", "check"]


def test_shutting_stops_the_work_and_closes_the_cache(
    session: Session, script: Any, jobs: Jobs, qtbot: QtBot
) -> None:
    script.gate = threading.Event()
    session.open()
    qtbot.waitUntil(script.reached.is_set)
    session.shut()
    assert jobs.close(5)
    assert script.ended.is_set()
    assert script.closed == 1
