from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from cachewright_gui.plain import ElideLabel, PlainLabel, WrapLabel, caption, tooltip

HOSTILE = (
    "<b>bold</b>",
    "<img src='/etc/passwd'>",
    "<s>deleted</s> &amp; &lt;",
    "a & b",
    "line\nbreak",
    "\x1b[31mred",
    "evil\u202egnp.exe",
    "tab\there",
)


def picture(widget: QWidget) -> QImage:
    widget.resize(300, 60)
    return widget.grab().toImage()


def plain_picture(text: str, kind: type[PlainLabel], qtbot: QtBot) -> QImage:
    """The same letters in a label that is told to be plain and holds nothing to interpret."""
    label = kind()
    qtbot.addWidget(label)
    label.setTextFormat(Qt.TextFormat.PlainText)
    QLabel.setText(label, text)
    return picture(label)


@pytest.mark.parametrize("kind", [PlainLabel, WrapLabel, ElideLabel])
@pytest.mark.parametrize("text", HOSTILE)
def test_labels_draw_hostile_text_letter_by_letter(
    kind: type[PlainLabel], text: str, qtbot: QtBot
) -> None:
    label = kind(text)
    qtbot.addWidget(label)
    assert label.textFormat() is Qt.TextFormat.PlainText
    assert all(char.isprintable() or char == "\n" for char in label.text())
    assert picture(label) == plain_picture(label.text(), kind, qtbot)
    if "<" in text:
        assert "<" in label.text()


def test_a_rich_label_would_look_different(qtbot: QtBot) -> None:
    """What the test above would miss if it compared nothing."""
    rich = QLabel("<b>bold</b>")
    qtbot.addWidget(rich)
    label = PlainLabel("<b>bold</b>")
    qtbot.addWidget(label)
    assert picture(rich) != picture(label)


def test_a_tooltip_is_escaped_and_keeps_its_lines() -> None:
    assert tooltip("<b>x</b>\ny") == "<qt>&lt;b&gt;x&lt;/b&gt;<br>y</qt>"
    assert tooltip("\x1b[0m") == "<qt>\\x1b[0m</qt>"
    assert tooltip("") == ""


def test_captions_double_the_shortcut_mark() -> None:
    assert caption("R&D (2)") == "R&&D (2)"


def test_a_wrapping_label_never_widens_its_pane(qtbot: QtBot) -> None:
    label = WrapLabel("x" * 500)
    qtbot.addWidget(label)
    assert label.minimumSizeHint().width() < 100
    lines = label.heightForWidth(100) // label.fontMetrics().height()
    assert lines > 20
    assert label.heightForWidth(100_000) < label.heightForWidth(100) / 10


def test_an_eliding_label_gives_way(qtbot: QtBot) -> None:
    label = ElideLabel("y" * 500)
    qtbot.addWidget(label)
    assert label.minimumSizeHint().width() < 100
