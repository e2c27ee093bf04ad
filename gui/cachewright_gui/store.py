"""What the window remembers: caches opened, theme, geometry.

Roots are kept as hexadecimal, so that no byte of them passes through a QString's encoding.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from PySide6.QtCore import QByteArray, QSettings

from cachewright.model import Access, Directories
from cachewright_gui.theme import Choice

_KEPT: Final = 12


@dataclass(frozen=True, slots=True)
class Recent:
    """A cache or store opened before, and what it was opened with."""

    root: bytes
    title: str = ""
    format_name: str | None = None
    projects: tuple[bytes, ...] = ()
    sources: tuple[bytes, ...] = ()
    access: Access = field(default_factory=Access)
    only_locks: bool = False
    in_database: bool = False
    directories: Directories = field(default_factory=Directories)

    def as_text(self) -> str:
        return json.dumps(
            {
                "root": self.root.hex(),
                "title": self.title,
                "format": self.format_name,
                "projects": [one.hex() for one in self.projects],
                "sources": [one.hex() for one in self.sources],
                "access": asdict(self.access),
                "only_locks": self.only_locks,
                "in_database": self.in_database,
                "directories": _spelled(self.directories),
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Recent | None:
        """None where the text is not what ``as_text`` wrote."""
        try:
            data: dict[str, Any] = json.loads(text)
            return cls(
                bytes.fromhex(data["root"]),
                str(data["title"]),
                None if data["format"] is None else str(data["format"]),
                tuple(bytes.fromhex(one) for one in data["projects"]),
                tuple(bytes.fromhex(one) for one in data["sources"]),
                _access(data.get("access", {})),
                bool(data.get("only_locks", False)),
                bool(data.get("in_database", False)),
                _directories(data.get("directories", {})),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def _spelled(directories: Directories) -> dict[str, Any]:
    """All but the address, which may hold a password."""
    places = {"staging": directories.staging, "image_cache": directories.image_cache}
    return {
        "stores": [[name, path.hex()] for name, path in directories.stores],
        **{name: path.hex() for name, path in places.items() if path is not None},
    }


def _directories(data: Any) -> Directories:
    stores = tuple((str(name), bytes.fromhex(path)) for name, path in data.get("stores", []))
    staging, image_cache = (
        bytes.fromhex(data[one]) if one in data else None for one in ("staging", "image_cache")
    )
    return Directories(stores, staging, image_cache)


def _access(data: Any) -> Access:
    """Settings of an older version name nothing; damaged ones are no settings."""
    if not isinstance(data, dict):
        raise TypeError("access")
    for name in ("endpoint_url", "profile", "region"):
        if not isinstance(data.get(name), str | None):
            raise TypeError(name)
    if not isinstance(data.get("path_style"), bool | None):
        raise TypeError("path_style")
    return Access(**{**data, "timeout_s": float(data.get("timeout_s", Access().timeout_s))})


class Store:
    """Reads and writes the person's settings."""

    def __init__(self) -> None:
        self._settings = QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "cachewright", "window"
        )

    def recent(self) -> tuple[Recent, ...]:
        """The caches opened before, the last one first."""
        value = self._settings.value("recent", [])
        texts = value if isinstance(value, list) else [value]
        read = (Recent.from_text(text) for text in texts if isinstance(text, str))
        return tuple(one for one in read if one is not None)

    def remember(self, opened: Recent) -> None:
        """Put a cache first among the recent ones."""
        others = [one for one in self.recent() if one.root != opened.root]
        kept = [opened, *others][:_KEPT]
        self._settings.setValue("recent", [one.as_text() for one in kept])

    def forget_recent(self) -> None:
        self._settings.remove("recent")

    def theme(self) -> Choice:
        value = self._settings.value("theme", Choice.SYSTEM.value)
        return next((one for one in Choice if one.value == value), Choice.SYSTEM)

    def set_theme(self, choice: Choice) -> None:
        self._settings.setValue("theme", choice.value)

    def shape(self, name: str) -> QByteArray | None:
        """A saved geometry, or state of a splitter or header."""
        value = self._settings.value(f"shape/{name}")
        return value if isinstance(value, QByteArray) else None

    def set_shape(self, name: str, shape: QByteArray) -> None:
        self._settings.setValue(f"shape/{name}", shape)

    def sync(self) -> None:
        self._settings.sync()
