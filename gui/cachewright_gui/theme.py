"""Colours of the window in light and dark, and how the person's choice is applied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from cachewright.model import EntryVerdict, HoldVerdict, Result, Says, Verdict


class Choice(StrEnum):
    """Which theme the person asked for."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Tone(StrEnum):
    """What a colour says; never said by colour alone."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    BUSY = "busy"
    NEUTRAL = "neutral"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class Shade:
    """``solid`` for bars and icons, ``ink`` for words upon ``wash``."""

    solid: QColor
    ink: QColor
    wash: QColor


def _shade(solid: str, ink: str, wash: str) -> Shade:
    return Shade(QColor(solid), QColor(ink), QColor(wash))


_LIGHT: Final = {
    Tone.GOOD: _shade("#2f9e5b", "#1d6b3c", "#e0f3e7"),
    Tone.BAD: _shade("#cf3b35", "#a3231e", "#fce3e1"),
    Tone.WARN: _shade("#c98a12", "#7d5306", "#fbf0d5"),
    Tone.BUSY: _shade("#2f6fe4", "#1d4fae", "#e0eafc"),
    Tone.NEUTRAL: _shade("#97a3b2", "#4d5967", "#e9edf2"),
    Tone.FAINT: _shade("#d3dae3", "#525d6b", "#f0f3f6"),
}
_DARK: Final = {
    Tone.GOOD: _shade("#43b373", "#7fdca6", "#1d3a2a"),
    Tone.BAD: _shade("#e5625c", "#ff9c96", "#4a2222"),
    Tone.WARN: _shade("#d9a13a", "#f2c571", "#43341a"),
    Tone.BUSY: _shade("#5b94f5", "#9cc0ff", "#20345a"),
    Tone.NEUTRAL: _shade("#7d8896", "#b8c2ce", "#323a44"),
    Tone.FAINT: _shade("#3f4853", "#a3aebb", "#2a3038"),
}

TONE: Final[dict[Verdict, Tone]] = {
    EntryVerdict.OK: Tone.GOOD,
    EntryVerdict.CORRUPT: Tone.BAD,
    EntryVerdict.INCOMPLETE: Tone.BAD,
    EntryVerdict.DISPUTED: Tone.WARN,
    EntryVerdict.UNREADABLE: Tone.WARN,
    EntryVerdict.BUSY: Tone.BUSY,
    EntryVerdict.UNVERIFIABLE: Tone.NEUTRAL,
    EntryVerdict.UNCHECKED: Tone.FAINT,
    HoldVerdict.HELD: Tone.BUSY,
    HoldVerdict.FREE: Tone.NEUTRAL,
    HoldVerdict.STALE: Tone.BAD,
    HoldVerdict.UNPROVEN: Tone.WARN,
}

SAYS_TONE: Final[dict[Says, Tone]] = {
    Says.ALIVE: Tone.BUSY,
    Says.DEAD: Tone.GOOD,
    Says.UNKNOWN: Tone.WARN,
    Says.GOOD: Tone.GOOD,
    Says.BAD: Tone.BAD,
}

RESULT_TONE: Final[dict[Result, Tone]] = {
    Result.DONE: Tone.GOOD,
    Result.SKIPPED: Tone.NEUTRAL,
    Result.REFUSED: Tone.WARN,
    Result.FAILED: Tone.BAD,
    Result.ROLLED_BACK: Tone.WARN,
}

_PALETTES: Final = {
    False: {
        QPalette.ColorRole.Window: "#f3f5f8",
        QPalette.ColorRole.WindowText: "#1b2430",
        QPalette.ColorRole.Base: "#ffffff",
        QPalette.ColorRole.AlternateBase: "#f8f9fb",
        QPalette.ColorRole.Text: "#1b2430",
        QPalette.ColorRole.PlaceholderText: "#5f6b7a",
        QPalette.ColorRole.Button: "#ffffff",
        QPalette.ColorRole.ButtonText: "#1b2430",
        QPalette.ColorRole.Highlight: "#2b68dd",
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.Link: "#1f5fd0",
        QPalette.ColorRole.Mid: "#d2d9e2",
        QPalette.ColorRole.Midlight: "#e4e9ef",
        QPalette.ColorRole.Light: "#ffffff",
        QPalette.ColorRole.Dark: "#a9b3c0",
        QPalette.ColorRole.ToolTipBase: "#ffffff",
        QPalette.ColorRole.ToolTipText: "#1b2430",
    },
    True: {
        QPalette.ColorRole.Window: "#20242a",
        QPalette.ColorRole.WindowText: "#e3e8ee",
        QPalette.ColorRole.Base: "#191c21",
        QPalette.ColorRole.AlternateBase: "#1d2126",
        QPalette.ColorRole.Text: "#e3e8ee",
        QPalette.ColorRole.PlaceholderText: "#98a4b3",
        QPalette.ColorRole.Button: "#2c323a",
        QPalette.ColorRole.ButtonText: "#e3e8ee",
        QPalette.ColorRole.Highlight: "#3d78e6",
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.Link: "#86b1ff",
        QPalette.ColorRole.Mid: "#3a424d",
        QPalette.ColorRole.Midlight: "#2d343d",
        QPalette.ColorRole.Light: "#39414c",
        QPalette.ColorRole.Dark: "#59636f",
        QPalette.ColorRole.ToolTipBase: "#2c323a",
        QPalette.ColorRole.ToolTipText: "#e3e8ee",
    },
}

_SHEET: Final = """
QPushButton {
  border: 1px solid palette(mid); border-radius: 6px; padding: 5px 13px;
  background: palette(button); color: palette(button-text);
}
QPushButton:hover { border-color: palette(highlight); }
QPushButton:pressed { background: palette(midlight); }
QPushButton:focus { border: 2px solid palette(highlight); padding: 4px 12px; }
QPushButton:disabled { color: palette(dark); background: palette(window); }
QPushButton[primary="true"]:enabled {
  background: palette(highlight); color: palette(highlighted-text);
  border-color: palette(highlight); font-weight: 600;
}
QPushButton[primary="true"]:enabled:focus { border-color: palette(window-text); }
QPushButton[danger="true"]:enabled {
  background: #c22f29; color: #ffffff; border-color: #c22f29; font-weight: 600;
}
QPushButton[danger="true"]:enabled:focus { border-color: palette(window-text); }
QHeaderView { background: palette(base); }
QHeaderView::section {
  background: palette(base); color: palette(placeholder-text); border: none;
  border-bottom: 1px solid palette(mid); padding: 6px 10px; font-weight: 600;
}
QTabBar::tab {
  border: none; border-bottom: 2px solid transparent; padding: 8px 14px 9px 14px;
  background: transparent; color: palette(placeholder-text);
}
QTabBar::tab:hover { color: palette(window-text); }
QTabBar::tab:selected {
  color: palette(window-text); border-bottom-color: palette(highlight); font-weight: 600;
}
QTabBar::tab:selected:focus { background: palette(midlight); }
QLineEdit, QListWidget, QPlainTextEdit {
  border: 1px solid palette(mid); border-radius: 6px; padding: 4px 7px; background: palette(base);
}
QLineEdit[readOnly="true"] { background: palette(window); border-color: transparent; }
QLineEdit:focus, QListWidget:focus, QPlainTextEdit:focus {
  border: 2px solid palette(highlight); padding: 3px 6px;
}
QScrollArea { border: 1px solid transparent; }
QScrollArea[frameShape="6"] { border-color: palette(mid); border-radius: 6px; }
QScrollArea:focus { border: 1px solid palette(highlight); }
QPlainTextEdit[readOnly="true"] {
  border: 1px solid transparent; padding: 0; background: palette(base);
}
QPlainTextEdit[readOnly="true"]:focus { border-color: palette(highlight); }
QSplitter::handle { background: palette(mid); }
QMenuBar { background: palette(window); }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: 12px; }
QScrollBar:horizontal { height: 12px; }
QScrollBar::handle { background: palette(mid); border-radius: 4px; margin: 2px; }
QScrollBar::handle:hover { background: palette(dark); }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QProgressBar { border: none; border-radius: 4px; background: palette(mid); }
QProgressBar::chunk { border-radius: 4px; background: palette(highlight); }
"""
"""Only upon Qt's own fallback style; a desktop's style keeps its own buttons and tabs."""


_FALLBACK: Final = "cachewright_fallback_style"


def is_dark(palette: QPalette) -> bool:
    window = palette.color(QPalette.ColorRole.Window).lightness()
    return window < palette.color(QPalette.ColorRole.WindowText).lightness()


def shade(tone: Tone, palette: QPalette) -> Shade:
    return (_DARK if is_dark(palette) else _LIGHT)[tone]


def mix(top: QColor, ground: QColor, share: float) -> QColor:
    """``share`` of ``top`` laid over ``ground``."""
    rest = 1 - share
    return QColor(
        round(top.red() * share + ground.red() * rest),
        round(top.green() * share + ground.green() * rest),
        round(top.blue() * share + ground.blue() * rest),
    )


def selection_wash(palette: QPalette, *, active: bool) -> QColor:
    """The ground of a selected row: words on it keep their own colours."""
    highlight = palette.color(QPalette.ColorRole.Highlight)
    return mix(highlight, palette.color(QPalette.ColorRole.Base), 0.20 if active else 0.11)


def apply(app: QApplication, choice: Choice) -> None:
    """Follow the system, or the person's choice."""
    scheme = {
        Choice.SYSTEM: Qt.ColorScheme.Unknown,
        Choice.LIGHT: Qt.ColorScheme.Light,
        Choice.DARK: Qt.ColorScheme.Dark,
    }[choice]
    hints = app.styleHints()
    if choice is Choice.SYSTEM:
        hints.unsetColorScheme()
    else:
        hints.setColorScheme(scheme)
    if not _has_fallback_style(app):
        return
    wanted = scheme if choice is not Choice.SYSTEM else hints.colorScheme()
    app.setPalette(_palette(dark=wanted is Qt.ColorScheme.Dark))
    app.setStyleSheet(_SHEET)


def _has_fallback_style(app: QApplication) -> bool:
    """Whether no desktop brought a style; asked before a sheet hides the style's name."""
    known = app.property(_FALLBACK)
    if known is None:
        known = app.style().name().lower() == "fusion"
        app.setProperty(_FALLBACK, known)
    return bool(known)


def _palette(*, dark: bool) -> QPalette:
    palette = QPalette()
    for role, colour in _PALETTES[dark].items():
        palette.setColor(role, QColor(colour))
    faint = QColor("#5b6570" if dark else "#9aa5b2")
    for role in (
        QPalette.ColorRole.Text,
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, faint)
    return palette
