"""Releasing a lock whose owner is not proven gone: evidence first, then its ID is typed.

No single key or click gets from here to an act: Cancel is the default and has the focus, the
verb's button waits for the exact ID, and Enter never presses it (reliability.md T19).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QFontDatabase, QGuiApplication, QKeyEvent, QPalette
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cachewright.model import HoldVerdict, LockReport, PlanStep
from cachewright.text import display
from cachewright_gui import icons, lock_story, lock_words
from cachewright_gui.models import lists
from cachewright_gui.models.lists import shown_path
from cachewright_gui.plain import PlainLabel, WrapLabel
from cachewright_gui.theme import Tone, shade
from cachewright_gui.widgets.cells import scaled
from cachewright_gui.widgets.evidence import ChipLabel, EvidencePane

_ENTER = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})


class VerbButton(QPushButton):
    """Pressed by a click or the space bar; some desktops would have Enter press it too."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER:
            event.ignore()
            return
        super().keyPressEvent(event)


class ForceUnlock(QDialog):
    """Accepted only by the verb's button, which needs ``step.wanted`` typed exactly.

    ``watch`` is told what becomes of the lock while this is open: once it is another one, held
    or gone, there is no way to accept any more.  ``warning`` is what has to be known besides.
    """

    def __init__(
        self,
        lock: LockReport,
        step: PlanStep,
        command: Callable[[], str],
        *,
        warning: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.lock = lock
        self.step = step
        self._command = command
        self._over = ""
        self._busy = False
        self._shown_id = display(step.wanted)
        self.setWindowTitle("Force unlock")
        self.evidence = EvidencePane()
        self.evidence.show_story(lock_story.of_evidence(lock), can_act=False)
        self.wanted = QLineEdit(self._shown_id)
        self.typed = QLineEdit()
        self.status = _Status()
        self.unlock = VerbButton("Force unlock")
        self.cancel = QPushButton("Cancel")
        self.copy = QPushButton("Copy as command")
        self._set_up()
        self._lay_out(warning)
        self._compare()
        self.resize(640, 700)
        self.cancel.setFocus()

    @property
    def agreed(self) -> bool:
        """Whether the ID was typed, of a lock that is still the one that is shown."""
        typed = self.typed.text().strip()
        return bool(typed) and typed == self._shown_id.strip() and not self._over

    def watch(self, now: LockReport | None, *, busy: bool) -> None:
        """Compare with the lock as it is now; what happened once is not forgotten."""
        self._busy = busy
        self._over = self._over or _what_happened(self.lock, now)
        if now is not None and not self._over:
            self.evidence.show_story(lock_story.of_evidence(now), can_act=False)
        self._compare()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter cancels where Cancel has the focus, and does nothing elsewhere."""
        if event.key() in _ENTER and not self.cancel.hasFocus():
            if self.copy.hasFocus():
                self._copy()
            elif self.agreed:
                self.unlock.setFocus()
            event.accept()
            return
        super().keyPressEvent(event)

    def _set_up(self) -> None:
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        for line in (self.wanted, self.typed):
            line.setFont(scaled(fixed, 1.0))
        self.wanted.setReadOnly(True)
        self.wanted.setCursorPosition(0)
        self.wanted.setAccessibleName("ID of this lock")
        self.typed.setAccessibleName("Type the ID of this lock")
        self.typed.setPlaceholderText("Type or paste the ID")
        self.typed.textChanged.connect(self._compare)
        self.unlock.setAutoDefault(False)
        self.unlock.setProperty("danger", True)
        self.unlock.clicked.connect(self.accept)
        self.cancel.setDefault(True)
        self.cancel.clicked.connect(self.reject)
        self.copy.setAutoDefault(False)
        self.copy.clicked.connect(self._copy)

    def _lay_out(self, warning: str) -> None:
        heading = WrapLabel(display(f"Force unlock {self.lock.subject}?"))
        heading.setFont(scaled(self.font(), 1.25, bold=True))
        place = WrapLabel(shown_path(self.lock.path))
        place.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(8)
        column.addWidget(heading)
        column.addWidget(place)
        column.addWidget(ChipLabel(lists.chip(self.lock.verdict)))
        column.addWidget(WrapLabel(display(self.lock.explanation)))
        column.addWidget(_framed(self.evidence), 1)
        _paragraph(column, "What will happen", lock_words.effect(self.lock))
        _paragraph(column, "What it means", display(lock_words.meaning(self.lock)))
        if warning:
            note = _Status()
            note.say(warning, Tone.WARN, "notice")
            column.addWidget(note)
        column.addSpacing(4)
        column.addWidget(WrapLabel("To unlock, type this ID:"))
        column.addWidget(self.wanted)
        column.addWidget(self.typed)
        column.addWidget(self.status)
        column.addSpacing(4)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.unlock)
        column.addLayout(buttons)
        order = (self.evidence, self.wanted, self.typed, self.unlock, self.cancel, self.copy)
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)

    @Slot()
    def _compare(self) -> None:
        self.typed.setEnabled(not self._over)
        self.unlock.setEnabled(self.agreed and not self._busy)
        if self._over:
            self.status.say(self._over, Tone.BAD, "problem")
        elif self._busy:
            self.status.say("Waits until the running work has ended.", Tone.NEUTRAL, "notice")
        elif self.agreed:
            self.status.say("This is its ID. Enter does not unlock.", Tone.GOOD, "ok")
        elif self._shown_id.startswith(self.typed.text().strip()):
            self.status.say("", Tone.NEUTRAL, "notice")
        else:
            self.status.say("This is not the ID of this lock.", Tone.WARN, "notice")

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._command())


class CannotUnlock(QDialog):
    """Who holds the lock, and that only ending that process lets it go; there is no verb."""

    def __init__(self, lock: LockReport, why: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("This lock is not released by force")
        is_held = lock.verdict is HoldVerdict.HELD
        title = f"{lock.subject} is held" if is_held else lock.subject
        heading = WrapLabel(display(title))
        heading.setFont(scaled(self.font(), 1.25, bold=True))
        place = WrapLabel(shown_path(lock.path))
        place.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.words = WrapLabel(why)
        self.evidence = EvidencePane()
        self.evidence.show_story(lock_story.of_evidence(lock), can_act=False)
        self.close_ = QPushButton("Close")
        self.close_.setDefault(True)
        self.close_.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.close_)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(8)
        column.addWidget(heading)
        column.addWidget(place)
        column.addWidget(ChipLabel(lists.chip(lock.verdict)))
        column.addWidget(WrapLabel(display(lock.explanation)))
        column.addWidget(self.words)
        column.addWidget(_framed(self.evidence), 1)
        column.addLayout(row)
        self.resize(560, 520)
        self.close_.setFocus()


class _Status(QWidget):
    """A sentence with a mark; takes no room while it says nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark = PlainLabel()
        self._mark.setFixedWidth(18)
        self._mark.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.words = WrapLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.words, 1)

    def say(self, text: str, tone: Tone, icon: str) -> None:
        ink = shade(tone, self.palette()).ink
        self._mark.setPixmap(icons.pixmap(icon, ink, 14, self.devicePixelRatioF()))
        self._mark.setVisible(bool(text))
        self.words.setText(text)
        palette = self.words.palette()
        palette.setColor(QPalette.ColorRole.WindowText, ink)
        self.words.setPalette(palette)


def _framed(pane: EvidencePane) -> EvidencePane:
    pane.setFrameShape(QFrame.Shape.StyledPanel)
    pane.setMinimumHeight(120)
    return pane


def _paragraph(column: QVBoxLayout, title: str, text: str) -> None:
    heading = PlainLabel(title)
    heading.setFont(scaled(heading.font(), 0.9, bold=True))
    heading.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    column.addSpacing(4)
    column.addWidget(heading)
    column.addWidget(WrapLabel(text))


def _what_happened(before: LockReport, now: LockReport | None) -> str:
    """Why the lock that was shown cannot be released any more; empty while it can."""
    if now is None:
        return "This lock is gone: somebody released it. There is nothing left to unlock."
    if now.verdict is HoldVerdict.HELD:
        return f"{display(now.explanation)} A lock that is held is never released by force."
    same = (now.kind, now.id, now.fingerprint, now.etag, now.identity) == (
        (before.kind, before.id, before.fingerprint, before.etag, before.identity)
    )
    if not same or now.verdict is HoldVerdict.FREE:
        return "Another lock is here now. Close this, and look at the new one first."
    return ""
