"""The binding must not lose references of the constants it returns.

PySide6 6.12.0 did on Python 3.11 and older: one reference of ``None`` or ``True`` per call, until
the process aborted.  From Python 3.12 on those objects are immortal and the count stands still.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

CALLS = 3000
TOLERATED = 200
"""Other threads and caches move the counts a little; the fault moves them by ``CALLS``."""


class Sender(QObject):
    told = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0

    @Slot(object)
    def hear(self, _what: object) -> None:
        self.heard += 1


def test_signals_and_void_calls_keep_the_references_of_constants(qtbot: QtBot) -> None:
    sender, label = Sender(), QLabel()
    qtbot.addWidget(label)
    sender.told.connect(sender.hear)
    before = [sys.getrefcount(one) for one in (None, True, False)]
    for _ in range(CALLS):
        sender.told.emit(None)
        sender.told.emit(True)
        label.setEnabled(False)
        label.isEnabled()
        label.update()
    for _ in range(CALLS):
        sender.told.connect(sender.hear)
        sender.told.disconnect(sender.hear)
        sender.told.connect(sender.hear)
        sender.told.disconnect(sender.hear)
    after = [sys.getrefcount(one) for one in (None, True, False)]
    assert sender.heard == 2 * CALLS
    fallen = [old - new for old, new in zip(before, after, strict=True)]
    assert max(fallen) < TOLERATED, f"references of None, True, False fell by {fallen}"
