from __future__ import annotations

import configparser
import subprocess
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColor
from PySide6.QtSvg import QSvgRenderer
from pytestqt.qtbot import QtBot

from cachewright_assets import APP_ID, desktop_entry, icon_svg, metainfo
from cachewright_gui import icons
from cachewright_gui.actions import TABLE

ICONS = sorted(
    one.name.removesuffix(".svg")
    for one in files("cachewright_assets").joinpath("icons").iterdir()
    if one.name.endswith(".svg")
)


@pytest.mark.parametrize("name", ICONS)
def test_every_icon_draws_something(name: str, qtbot: QtBot) -> None:
    del qtbot
    assert QSvgRenderer(QByteArray(icon_svg(name).encode())).isValid()
    image = icons.pixmap(name, QColor("#ff0000"), 32).toImage()
    drawn = sum(image.pixelColor(x, y).alpha() > 0 for x in range(32) for y in range(32))
    assert drawn > 20
    if name != APP_ID:
        tinted = {
            image.pixelColor(x, y).red()
            for x in range(32)
            for y in range(32)
            if image.pixelColor(x, y).alpha() == 255
        }
        assert tinted == {255}


def test_every_icon_that_is_asked_for_is_there() -> None:
    asked = {
        *icons.VERDICT_ICON.values(),
        *icons.SAYS_ICON.values(),
        *icons.RESULT_ICON.values(),
        *(entry.icon for entry in TABLE if entry.icon),
        "problem",
        "notice",
        "folder",
        "file",
        "collapsed",
        "expanded",
        "check-mark",
        "close",
    }
    assert asked <= set(ICONS)


def test_no_icon_is_shipped_for_nothing() -> None:
    used = Path(icons.__file__).parent
    text = "".join(one.read_text() for one in used.rglob("*.py"))
    verdicts = set(icons.VERDICT_ICON.values())
    unused = [one for one in ICONS if f'"{one}"' not in text and one not in verdicts]
    assert unused == [APP_ID]


def test_desktop_entry_and_metainfo_agree_on_the_name() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read_string(desktop_entry())
    group = entry["Desktop Entry"]
    assert group["Exec"] == "cachewright %F"
    assert group["Terminal"] == "false"
    assert group["StartupWMClass"] == group["Icon"] == APP_ID
    root = ET.fromstring(metainfo())  # noqa: S314 - our own file
    assert root.findtext("id") == APP_ID
    assert root.findtext("launchable") == f"{APP_ID}.desktop"


def test_appstream_accepts_the_metainfo(tmp_path: Path) -> None:
    file = tmp_path / f"{APP_ID}.metainfo.xml"
    file.write_text(metainfo())
    ran = subprocess.run(
        ["appstreamcli", "validate", "--no-net", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
