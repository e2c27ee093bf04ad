"""Icons from the asset package, tinted for the theme and drawn sharp on any screen."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from cachewright.model import EntryVerdict, HoldVerdict, Result, Says, Verdict
from cachewright_assets import APP_ID, icon_svg

VERDICT_ICON: Final[dict[Verdict, str]] = {
    verdict: verdict.value for verdict in (*EntryVerdict, *HoldVerdict)
}
SAYS_ICON: Final[dict[Says, str]] = {
    Says.ALIVE: "alive",
    Says.DEAD: "quiet",
    Says.UNKNOWN: "unknown",
    Says.GOOD: "ok",
    Says.BAD: "corrupt",
}
RESULT_ICON: Final[dict[Result, str]] = {
    Result.DONE: "done",
    Result.SKIPPED: "skipped",
    Result.REFUSED: "held",
    Result.FAILED: "failed",
    Result.ROLLED_BACK: "undo",
}


@lru_cache(maxsize=1024)
def _drawn(name: str, colour: str, extent: int, ratio: float) -> QPixmap:
    renderer = QSvgRenderer(QByteArray(icon_svg(name).replace("currentColor", colour).encode()))
    pixmap = QPixmap(round(extent * ratio), round(extent * ratio))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, pixmap.width(), pixmap.height()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def pixmap(name: str, colour: QColor, extent: int = 16, ratio: float = 1.0) -> QPixmap:
    """The icon in one colour, ``extent`` logical pixels wide."""
    return _drawn(name, colour.name(), extent, ratio)


def icon(name: str, colour: QColor | None = None) -> QIcon:
    """The icon for a button or menu, in the theme's text colour unless another is asked for."""
    palette = QApplication.palette()
    ink = colour or palette.color(QPalette.ColorRole.ButtonText)
    made = QIcon()
    for extent in (16, 24, 32, 48):
        made.addPixmap(pixmap(name, ink, extent))
    if colour is None:
        faint = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
        made.addPixmap(pixmap(name, faint, 16), QIcon.Mode.Disabled)
    return made


def warm(ratio: float) -> None:
    """Draw the icons that tables need, so that the first scroll does not read files."""
    palette = QApplication.palette()
    inks = [QPalette.ColorRole.PlaceholderText, QPalette.ColorRole.Highlight]
    for name in ("collapsed", "expanded", "folder", "file"):
        for ink in inks:
            pixmap(name, palette.color(ink), 14, ratio)


def app_icon() -> QIcon:
    made = QIcon()
    for extent in (16, 24, 32, 48, 64, 128, 256):
        made.addPixmap(pixmap(APP_ID, QColor("#000000"), extent))
    return made
