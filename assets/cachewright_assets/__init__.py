"""Icons and desktop files, read through ``importlib.resources``; drawn for Cachewright."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

APP_ID: Final = "io.github.cachewright.Cachewright"
"""Name of the ``.desktop`` file and of the window on Wayland; the two must be equal."""


def icon_svg(name: str) -> str:
    """An icon's SVG text; strokes and fills use ``currentColor``, except the product's own."""
    return files(__name__).joinpath("icons", f"{name}.svg").read_text(encoding="utf-8")


def desktop_entry() -> str:
    """The freedesktop.org desktop entry."""
    return files(__name__).joinpath(f"{APP_ID}.desktop").read_text(encoding="utf-8")


def metainfo() -> str:
    """The AppStream description."""
    return files(__name__).joinpath(f"{APP_ID}.metainfo.xml").read_text(encoding="utf-8")
