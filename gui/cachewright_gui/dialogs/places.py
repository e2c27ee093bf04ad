"""Where the directories of a cache lie whose root is only a database's address."""

from __future__ import annotations

import os

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from cachewright.model import Directories
from cachewright.text import display
from cachewright_gui.dialogs.fields import lay_out


class PlaceFields(QWidget):
    """Stores by name, staging and image cache; what is left empty is not looked at."""

    changed = Signal()

    def __init__(self, start: Directories | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        known = start or Directories()
        self.stores = QPlainTextEdit(
            "\n".join(f"{name}={display(path)}" for name, path in known.stores)
        )
        self.stores.setPlaceholderText("fast=/srv/glance/fast, one on each line")
        self.stores.setTabChangesFocus(True)
        self.stores.setFixedHeight(76)
        self.staging = QLineEdit(display(known.staging or b""))
        self.image_cache = QLineEdit(display(known.image_cache or b""))
        lay_out(
            self,
            (
                ("Stores", self.stores),
                ("Staging", self.staging),
                ("Image cache", self.image_cache),
            ),
            "A configuration file names all of these by itself. A password in the address is used "
            "to ask, and is never kept.",
        )
        self.stores.textChanged.connect(self.changed)
        for line in (self.staging, self.image_cache):
            line.textChanged.connect(self.changed)

    def directories(self, address: str = "") -> Directories:
        """What was entered; ``address`` is the root as typed, where that holds a password."""
        named = (line.partition("=") for line in self._lines())
        stores = tuple((name.strip(), _absolute(path)) for name, _sign, path in named)
        return Directories(
            stores, _place(self.staging.text()), _place(self.image_cache.text()), address
        )

    def _lines(self) -> list[str]:
        return [line for line in self.stores.toPlainText().splitlines() if line.strip()]

    @property
    def problem(self) -> str:
        """Why these cannot be used, in one sentence; empty where they can."""
        for line in self._lines():
            name, sign, path = (one.strip() for one in line.partition("="))
            if not (name and sign and path) or "/" in name:
                return "Each store is a name, an equals sign and a directory."
        said = self.directories()
        places = [*(path for _name, path in said.stores), said.staging, said.image_cache]
        missing = next((one for one in places if one is not None and not os.path.isdir(one)), None)
        return "" if missing is None else f"There is no directory {display(missing)}."


def _place(text: str) -> bytes | None:
    return _absolute(text) if text.strip() else None


def _absolute(text: str) -> bytes:
    return os.fsencode(os.path.abspath(os.path.expanduser(text.strip())))
