from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from cachewright_gui.store import Recent, Store
from cachewright_gui.theme import Choice


def test_roots_of_any_bytes_survive(qtbot: QtBot, settings: Path) -> None:
    del qtbot
    opened = Recent(b"/n\xff\xfe/<b>", "T", "terraform", (b"/p\x80",), (b"/s\n",))
    Store().remember(opened)
    Store().sync()
    assert Store().recent() == (opened,)
    assert list(settings.rglob("*.ini")), "settings of a test lie in its own folder"


def test_the_last_opened_comes_first_and_once(qtbot: QtBot) -> None:
    del qtbot
    store = Store()
    for root in (b"/a", b"/b", b"/a"):
        store.remember(Recent(root))
    assert [one.root for one in store.recent()] == [b"/a", b"/b"]
    for number in range(40):
        store.remember(Recent(b"/%d" % number))
    assert len(store.recent()) == 12
    store.forget_recent()
    assert store.recent() == ()


def test_damaged_settings_are_no_settings(qtbot: QtBot) -> None:
    del qtbot
    store = Store()
    settings = QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "cachewright", "window"
    )
    settings.setValue("recent", ["{", "[]", '{"root": "zz"}', "null"])
    settings.setValue("theme", "purple")
    settings.setValue("shape/window", "text")
    assert store.recent() == ()
    assert store.theme() is Choice.SYSTEM
    assert store.shape("window") is None
