from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QtMsgType, qInstallMessageHandler

from cachewright.errors import RootMissing
from cachewright_gui import hooks
from cachewright_gui.failures import failure


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = qInstallMessageHandler(None)
    heard: list[BaseException] = []
    hooks.install(heard.append)
    yield heard
    qInstallMessageHandler(before)


def test_what_escapes_anywhere_is_told(
    told: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    error = ValueError("from a slot")
    sys.excepthook(ValueError, error, None)

    def fail() -> None:
        raise OSError("from a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    handler = qInstallMessageHandler(None)
    assert handler is not None
    handler(QtMsgType.QtWarningMsg, None, "only a warning")
    handler(QtMsgType.QtCriticalMsg, None, "a critical one")
    assert [str(one) for one in told] == ["from a slot", "from a thread", "a critical one"]
    printed = capsys.readouterr().err
    assert "from a slot" in printed
    assert "only a warning" in printed


def test_an_interrupt_ends_the_program_as_ever(
    told: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert told == []
    assert "KeyboardInterrupt" in capsys.readouterr().err


def test_failures_are_plain_sentences() -> None:
    assert failure(RootMissing(path=b"/x\x1b")).text.startswith("/x\\x1b does not exist.")
    assert failure(RootMissing(path=b"/x")).detail == ""
    said = failure(FileNotFoundError(2, "No such file or directory", b"/n\xff"))
    assert said.text == "/n\\xff: No such file or directory."
    assert (
        "Traceback" in failure(KeyError("k")).detail or "KeyError" in failure(KeyError("k")).detail
    )
