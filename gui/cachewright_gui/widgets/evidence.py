"""The pane that says why: evidence, checksums, who vouches, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontDatabase, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cachewright_gui import icons
from cachewright_gui.models.report_model import Chip
from cachewright_gui.plain import PlainLabel, WrapLabel, caption, tooltip
from cachewright_gui.story import Bullet, Fact, Offer, Section, Story, Words
from cachewright_gui.theme import shade
from cachewright_gui.widgets.cells import Brushes, draw_chip, scaled


class ChipLabel(QWidget):
    """A verdict chip as a widget of its own."""

    def __init__(self, chip: Chip, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chip = chip
        self.setAccessibleName(f"Verdict: {chip.word}")
        metrics = Brushes(self).bold_metrics
        self.setFixedHeight(metrics.height() + 6)
        self.setMinimumWidth(metrics.horizontalAdvance(chip.word) + 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_chip(painter, Brushes(self), self.rect(), self._chip)
        painter.end()
        event.accept()


class EvidencePane(QScrollArea):
    """Shows one ``Story``; its buttons only ask, they never act."""

    wanted = Signal(object)
    """An ``Offer`` was pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Evidence")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(240)
        self.story: Story | None = None
        self._can_act = True
        self._blank = ("", "")
        self.show_blank("Nothing is selected", "Select a row to see why it has its verdict.")

    def show_blank(self, title: str, text: str) -> None:
        """What stands here while nothing is selected."""
        if self.story is None and self._blank == (title, text):
            return
        self.story, self._blank = None, (title, text)
        body, column = self._new_body()
        heading = WrapLabel(title)
        heading.setFont(scaled(self.font(), 1.05, bold=True))
        words = WrapLabel(text)
        words.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        column.addWidget(heading)
        column.addWidget(words)
        column.addStretch(1)
        self.setWidget(body)

    def show_story(self, story: Story, *, can_act: bool) -> None:
        """Show the story; while work runs its buttons say that they wait."""
        if story == self.story and can_act == self._can_act:
            return
        kept = self.verticalScrollBar().value() if self.story is not None else 0
        focused = self.focusWidget()
        pressed = focused.text() if isinstance(focused, QPushButton) and focused.hasFocus() else ""
        same = self.story is not None and self.story.path == story.path
        self.story, self._can_act = story, can_act
        body, column = self._new_body()
        if story.title:
            title = WrapLabel(story.title)
            title.setFont(scaled(self.font(), 1.18, bold=True))
            column.addWidget(title)
        if story.chip is not None:
            column.addWidget(ChipLabel(story.chip))
        if story.lead:
            column.addWidget(WrapLabel(story.lead))
        for section in story.sections:
            column.addWidget(self._section(section))
        if not story.title:
            column.setContentsMargins(14, 4, 14, 12)
        column.addStretch(1)
        self.setWidget(body)
        if same:
            self.verticalScrollBar().setValue(kept)
            self._focus_again(pressed)

    def _focus_again(self, caption: str) -> None:
        """The button that had the focus has it again, though all was built anew."""
        for button in self.findChildren(QPushButton):
            if caption and button.text() == caption:
                button.setFocus()

    def _new_body(self) -> tuple[QWidget, QVBoxLayout]:
        body = QWidget()
        body.setAutoFillBackground(True)
        body.setBackgroundRole(QPalette.ColorRole.Base)
        body.setForegroundRole(QPalette.ColorRole.Text)
        column = QVBoxLayout(body)
        column.setContentsMargins(18, 16, 18, 18)
        column.setSpacing(8)
        return body, column

    def _section(self, section: Section) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(7)
        heading = PlainLabel(section.title)
        heading.setFont(scaled(self.font(), 0.9, bold=True))
        heading.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        column.addWidget(heading)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for item in section.items:
            if isinstance(item, Offer):
                buttons.addWidget(self._button(item))
            elif isinstance(item, Bullet):
                column.addLayout(self._bullet(item))
            elif isinstance(item, Fact):
                column.addLayout(self._fact(item))
            elif isinstance(item, Words):
                column.addWidget(WrapLabel(item.text))
        if buttons.count():
            buttons.addStretch(1)
            column.addSpacing(2)
            column.addLayout(buttons)
        return box

    def _bullet(self, bullet: Bullet) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(1)
        mark = PlainLabel()
        ink = shade(bullet.tone, self.palette()).ink
        mark.setPixmap(icons.pixmap(bullet.icon, ink, 14, self.devicePixelRatioF()))
        mark.setToolTip(tooltip(f"Speaks for: {bullet.icon_word}"))
        mark.setAccessibleName(bullet.icon_word)
        mark.setFixedWidth(16)
        grid.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(WrapLabel(bullet.headline), 0, 1)
        if bullet.detail:
            detail = WrapLabel(bullet.detail)
            detail.setFont(scaled(self.font(), 0.92))
            detail.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            grid.addWidget(detail, 1, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _fact(self, fact: Fact) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        value = WrapLabel(fact.value)
        value.setAlignment(Qt.AlignmentFlag.AlignTop)
        if fact.mono:
            fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
            value.setFont(scaled(fixed, 0.92))
        value.setToolTip(tooltip(fact.hint))
        column = 0
        if fact.label:
            label = PlainLabel(fact.label)
            label.setFont(scaled(self.font(), 0.92))
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            label.setMinimumWidth(58)
            label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
            grid.addWidget(label, 0, 0, Qt.AlignmentFlag.AlignTop)
            column = 1
        grid.addWidget(value, 0, column)
        grid.setColumnStretch(column, 1)
        return grid

    def _button(self, offer: Offer) -> QPushButton:
        button = QPushButton(caption(offer.label))
        button.setProperty("primary", offer.primary)
        button.setEnabled(self._can_act)
        if not self._can_act:
            button.setToolTip(tooltip("Waits until the running work has ended."))
        button.clicked.connect(lambda _checked=False, wanted=offer: self.wanted.emit(wanted))
        return button
