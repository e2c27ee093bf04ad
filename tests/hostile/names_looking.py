"""Every text and every picture that a widget shows, and what must not be among them."""

from __future__ import annotations

import html.parser
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, Qt
from PySide6.QtGui import QAction, QColor, QImage
from PySide6.QtGui import Qt as markup  # noqa: N813 - the same name holds two halves
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QErrorMessage,
    QGroupBox,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QProgressDialog,
    QTabBar,
    QTextEdit,
    QWidget,
)
from tests.hostile.names_terminal import escapes

RED: Final = QColor("#ff00ff")
"""The colour of ``canary.png``, which no theme has."""

_READ_AS_MARKUP: Final = (QTextEdit, QMessageBox, QErrorMessage, QInputDialog, QProgressDialog)
_ROLES: Final = (
    Qt.ItemDataRole.DisplayRole,
    Qt.ItemDataRole.ToolTipRole,
    Qt.ItemDataRole.AccessibleTextRole,
    Qt.ItemDataRole.AccessibleDescriptionRole,
    Qt.ItemDataRole.StatusTipRole,
    Qt.ItemDataRole.WhatsThisRole,
)
_FAKED: Final = "All is well."
"""A line of its own that only the name with a line break in it can make."""
_TAGS: Final = frozenset({"qt", "br"})

Text = tuple[str, str]
"""Where it stands, and what it says."""


class Tooltip(html.parser.HTMLParser):
    """What a tooltip says, if it is nothing but lines of text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.said = ""
        self.odd: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS or attrs:
            self.odd.append(tag)
        self.said += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.said += data


def texts(top: QWidget) -> Iterator[Text]:
    """All that this widget and those in it say, seen or only heard; tooltips as marked up."""
    for one in [top, *top.findChildren(QWidget)]:
        name = type(one).__name__
        for where, said in _own(one):
            if said:
                yield f"{name} {where}", said
    for action in top.findChildren(QAction):
        for said in (action.text(), action.iconText(), action.statusTip(), action.whatsThis()):
            yield "QAction", said
        if action.toolTip():
            yield "QAction tooltip", action.toolTip()


def _own(one: QWidget) -> Iterator[Text]:
    yield "tooltip", one.toolTip()
    yield "title", one.windowTitle()
    yield "accessible", one.accessibleName()
    yield "accessible", one.accessibleDescription()
    yield "status", one.statusTip()
    yield "what is this", one.whatsThis()
    if isinstance(one, QLabel | QAbstractButton | QLineEdit):
        yield "text", one.text()
    if isinstance(one, QLineEdit):
        yield "placeholder", one.placeholderText()
    if isinstance(one, QPlainTextEdit):
        yield "text", one.toPlainText()
    if isinstance(one, QMenu | QGroupBox):
        yield "title", one.title()
    if isinstance(one, QComboBox):
        for row in range(one.count()):
            yield "item", one.itemText(row)
    if isinstance(one, QTabBar):
        for tab in range(one.count()):
            yield "tab", one.tabText(tab)
            yield "tooltip", one.tabToolTip(tab)
    if isinstance(one, QAbstractItemView) and (model := one.model()) is not None:
        yield from cells(model)


def cells(model: QAbstractItemModel) -> Iterator[Text]:
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount()
    for row in range(model.rowCount()):
        for column in range(columns):
            index = model.index(row, column)
            for role in _ROLES:
                said = index.data(role)
                if isinstance(said, str):
                    tip = role is Qt.ItemDataRole.ToolTipRole
                    yield ("tooltip" if tip else f"column {column}"), said


def faults(top: QWidget) -> list[str]:
    """Texts that could be read as more than text, and widgets that would read them so."""
    found = [f"{type(one).__name__} reads markup" for one in _markup_readers(top)]
    for where, said in texts(top):
        if "tooltip" in where:
            found += [f"{where}: {one}" for one in _in_tooltip(said)]
        else:
            found += [f"{where}: {one!r}" for one in _unsafe(said)]
    return found


def _markup_readers(top: QWidget) -> list[QWidget]:
    every = [top, *top.findChildren(QWidget)]
    labels = [
        one
        for one in every
        if isinstance(one, QLabel)
        and one.text()
        and one.textFormat() is not Qt.TextFormat.PlainText
    ]
    return [*labels, *(one for one in every if isinstance(one, _READ_AS_MARKUP))]


def _in_tooltip(said: str) -> list[str]:
    if not said.startswith("<qt>"):
        rich = ["markup is read"] if markup.mightBeRichText(said) else []
        return [*rich, *_unsafe(said)]
    read = Tooltip(said)
    return [*read.odd, *_unsafe(read.said)]


def _unsafe(said: str) -> list[str]:
    faked = [line for line in said.split("\n") if line.startswith(_FAKED)]
    return [*escapes(said.encode("utf-8", "surrogatepass"))[:2], *faked]


def whole(top: QWidget) -> str:
    """All texts one after the other, as a person reads them: ``&&`` is one ``&``."""
    said = []
    for where, one in texts(top):
        if "tooltip" in where:
            said.append(Tooltip(one).said)
        else:
            said += [one, one.replace("&&", "&")]
    return "\n".join(said)


def canaries(widget: QWidget) -> int:
    """How many pixels have the colour that only the canary has."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    wanted = RED.rgb() & 0xFFFFFF
    pixels = memoryview(image.constBits()).cast("I")
    return sum(one & 0xFFFFFF == wanted for one in pixels) if _has(pixels, wanted) else 0


def _has(pixels: memoryview, wanted: int) -> bool:
    return (wanted | 0xFF000000).to_bytes(4, "little") in bytes(pixels)
