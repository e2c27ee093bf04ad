from __future__ import annotations

import itertools

import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cachewright.model import EntryVerdict, HoldVerdict, Result, Says
from cachewright_gui import icons, theme, wording

READABLE = 4.5
"""WCAG AA for text."""


def luminance(colour: QColor) -> float:
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: QColor, other: QColor) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("tone", list(theme.Tone))
def test_words_can_be_read_on_every_ground(tone: theme.Tone, dark: bool, qtbot: QtBot) -> None:
    del qtbot
    palette = theme._palette(dark=dark)
    assert theme.is_dark(palette) is dark
    colours = theme.shade(tone, palette)
    base = palette.color(QPalette.ColorRole.Base)
    grounds = [colours.wash, base, theme.selection_wash(palette, active=True)]
    for ground in grounds:
        assert contrast(colours.ink, ground) >= READABLE, (tone, ground.name())


@pytest.mark.parametrize("dark", [False, True])
def test_plain_and_faint_words_can_be_read(dark: bool, qtbot: QtBot) -> None:
    del qtbot
    palette = theme._palette(dark=dark)
    grounds = [
        palette.color(QPalette.ColorRole.Base),
        palette.color(QPalette.ColorRole.Window),
        theme.selection_wash(palette, active=False),
    ]
    inks = [
        palette.color(QPalette.ColorRole.Text),
        palette.color(QPalette.ColorRole.PlaceholderText),
    ]
    for ink, ground in itertools.product(inks, grounds):
        assert contrast(ink, ground) >= READABLE, (ink.name(), ground.name())
    button = palette.color(QPalette.ColorRole.Highlight)
    assert contrast(palette.color(QPalette.ColorRole.HighlightedText), button) >= 4.0


def test_every_verdict_has_a_word_an_icon_and_a_tone_of_its_own() -> None:
    verdicts = [*EntryVerdict, *HoldVerdict]
    for verdict in verdicts:
        assert verdict in theme.TONE
        assert verdict in icons.VERDICT_ICON
    words = [wording.VERDICT_WORD[one] for one in verdicts]
    assert len(set(words)) == len(words), "no two verdicts are told apart by colour alone"
    assert len({icons.VERDICT_ICON[one] for one in verdicts}) == len(verdicts)
    assert set(wording.HEALTH_PHRASE) == set(EntryVerdict) == set(wording.WORST_FIRST)
    assert set(theme.SAYS_TONE) == set(Says) == set(wording.SAYS_WORD) == set(icons.SAYS_ICON)
    assert set(theme.RESULT_TONE) == set(Result) == set(wording.RESULT_WORD)


def test_a_choice_can_be_changed_again_and_again(qtbot: QtBot, qapp: QApplication) -> None:
    del qtbot
    for choice, dark in (
        (theme.Choice.DARK, True),
        (theme.Choice.LIGHT, False),
        (theme.Choice.DARK, True),
        (theme.Choice.LIGHT, False),
    ):
        theme.apply(qapp, choice)
        assert theme.is_dark(qapp.palette()) is dark
