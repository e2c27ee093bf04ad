"""Closing while work runs: it stops, bounded, and nothing is left behind."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot


def test_closing_cancels_the_running_check_and_waits_for_it(
    opened: Any, script: Any, qtbot: QtBot
) -> None:
    script.gate = threading.Event()
    window = opened(script, wait=False)
    qtbot.waitUntil(script.reached.is_set)
    assert not script.ended.is_set()
    window.close()
    assert window.stopped_cleanly
    assert script.ended.is_set()
    assert script.closed == 1
    assert not [one for one in threading.enumerate() if one.name == "cache"]


def test_closing_stops_a_paused_check(opened: Any, script: Any, qtbot: QtBot) -> None:
    script.gate = threading.Event()
    window = opened(script, wait=False)
    qtbot.waitUntil(script.reached.is_set)
    qtbot.mouseClick(window.strip.pause, Qt.MouseButton.LeftButton)
    window.close()
    assert window.stopped_cleanly
    assert script.ended.is_set()


def test_work_that_does_not_stop_is_waited_for_only_so_long(
    opened: Any, script: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cachewright_gui.window._CLOSE_S", 0.2)
    release, entered = threading.Event(), threading.Event()

    class Deaf:
        """A file system that hangs: nothing hears the cancel."""

        def wait(self, _seconds: float) -> bool:
            entered.set()
            return release.wait()

        def set(self) -> None:
            release.set()

    script.gate = Deaf()
    window = opened(script, wait=False)
    qtbot.waitUntil(entered.is_set)
    start = time.monotonic()
    window.close()
    assert not window.stopped_cleanly
    assert time.monotonic() - start < 30
    release.set()
    assert script.ended.wait(10)


def test_nothing_is_delivered_after_the_end(opened: Any, script: Any, qtbot: QtBot) -> None:
    window = opened(script)
    window.close()
    window.jobs.post(lambda: pytest.fail("delivered to a closed window"))
    qtbot.wait(30)
