"""Failures and outcomes in a line above the pages; stays until it is dismissed."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QWidget

from cachewright_gui import icons
from cachewright_gui.failures import Failure
from cachewright_gui.plain import PlainLabel, WrapLabel, caption
from cachewright_gui.theme import Tone, shade


class MessageBar(QWidget):
    """The newest message; how many wait behind it is said, and each is shown in its turn."""

    action_wanted = Signal(str)
    """The message's button was pressed; carries what was given with it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[Failure] = []
        self._detail = ""
        self._action = ""
        self._tone = Tone.BAD
        self._mark = PlainLabel()
        self.text = WrapLabel()
        self.action = QPushButton("Undo")
        self.details = QPushButton("Copy details")
        self.dismiss = QToolButton()
        self.dismiss.setAutoRaise(True)
        self.dismiss.setAccessibleName("Dismiss message")
        self.action.clicked.connect(self._act)
        self.details.clicked.connect(self._copy)
        self.dismiss.clicked.connect(self.next)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 10, 8)
        row.setSpacing(10)
        row.addWidget(self._mark)
        row.addWidget(self.text, 1)
        row.addWidget(self.action)
        row.addWidget(self.details)
        row.addWidget(self.dismiss)
        self.setAutoFillBackground(True)
        self.hide()

    def show_failure(self, failure: Failure) -> None:
        """Show a failure, or have it wait until those before it were dismissed."""
        if failure in self._waiting:
            return
        self._waiting.append(failure)
        if len(self._waiting) == 1:
            self._show(failure, Tone.BAD, "problem")
        self._say_count()

    def show_outcome(
        self, text: str, *, good: bool, action: tuple[str, str] | None, detail: str = ""
    ) -> None:
        """Say how something ended; ``action`` is a button's caption and what it stands for,
        ``detail`` all that can be copied of it."""
        tone, icon = (Tone.GOOD, "ok") if good else (Tone.WARN, "problem")
        self._show(Failure(text, detail), tone, icon)
        if action is not None:
            self.action.setText(caption(action[0]))
            self._action = action[1]
            self.action.show()

    def clear(self) -> None:
        """Put away an outcome; failures stay until they are dismissed."""
        if not self._waiting:
            self.hide()

    @Slot()
    def next(self) -> None:
        """Dismiss what is shown; the next one takes its place."""
        if self._waiting:
            self._waiting.pop(0)
        if self._waiting:
            self._show(self._waiting[0], Tone.BAD, "problem")
            self._say_count()
        else:
            self.hide()

    def _show(self, failure: Failure, tone: Tone, icon: str) -> None:
        self._tone, self._detail = tone, failure.detail
        colours = shade(tone, self.palette())
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, colours.wash)
        self.setPalette(palette)
        self._mark.setPixmap(icons.pixmap(icon, colours.ink, 16, self.devicePixelRatioF()))
        self.dismiss.setIcon(icons.icon("close"))
        self.text.setText(failure.text)
        self.setAccessibleName("Message")
        self.setAccessibleDescription(self.text.text())
        self.details.setVisible(bool(failure.detail))
        self.action.hide()
        self.show()

    def _say_count(self) -> None:
        more = len(self._waiting) - 1
        shown = self._waiting[0].text
        self.text.setText(f"{shown} ({more} more)" if more else shown)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._detail)

    @Slot()
    def _act(self) -> None:
        self.hide()
        self.action_wanted.emit(self._action)
