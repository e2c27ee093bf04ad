"""The plan before anything is done: what, why, where things go; then the verb on the button.

No single key or click gets from here to an act: Cancel is the default and has the focus, and the
verb's button is not reached by Enter unless it was chosen (reliability.md T19).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cachewright.model import Confirm, Plan, PlanStep
from cachewright.text import display
from cachewright_gui import wording
from cachewright_gui.models.lists import shown_path
from cachewright_gui.plain import PlainLabel, WrapLabel, caption, tooltip
from cachewright_gui.widgets.cells import scaled
from cachewright_gui.widgets.tick_box import TickBox


class StepRow(QWidget):
    """One step: a box to tick, or a line in which its subject must be typed."""

    changed = Signal()

    def __init__(self, step: PlanStep, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.step = step
        title = display(f"{wording.STEP_TITLE[step.step]}: {step.subject}")
        self.box = TickBox()
        self.box.setAccessibleName(title)
        self.typed = QLineEdit()
        words = WrapLabel(title)
        words.setFont(scaled(self.font(), 1.0, bold=True))
        size = PlainLabel(wording.size(step.size) if step.size else "")
        size.setToolTip(tooltip(wording.exact_size(step.size)))
        details = [display(step.why)]
        if display(step.subject) not in display(step.path):
            details.append(shown_path(step.path))
        if step.source is not None and display(step.source) not in step.why:
            details.append(f"from {shown_path(step.source)}")
        words.setToolTip(tooltip(shown_path(step.path)))
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 10, 12, 10)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.addWidget(self.box, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(words, 0, 1)
        grid.addWidget(size, 0, 2, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        for row, text in enumerate(details, start=1):
            label = WrapLabel(text)
            label.setFont(scaled(self.font(), 0.92))
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            grid.addWidget(label, row, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        if step.confirm is Confirm.TYPED:
            self._ask_to_type(grid)
        else:
            self.box.setChecked(True)
            self.box.toggled.connect(self._tell)

    @property
    def agreed(self) -> bool:
        return self.box.isChecked()

    def _ask_to_type(self, grid: QGridLayout) -> None:
        self.box.setEnabled(False)
        self.box.setToolTip(tooltip("Type the name to include this step."))
        ask = WrapLabel(f"Not proven. To include it, type: {display(self.step.wanted)}")
        self.typed.setAccessibleName(f"Type {display(self.step.wanted)} to include this step")
        self.typed.textChanged.connect(self._compare)
        grid.addWidget(ask, 4, 1, 1, 2)
        grid.addWidget(self.typed, 5, 1, 1, 2)

    @Slot(str)
    def _compare(self, typed: str) -> None:
        self.box.setChecked(typed.strip() == display(self.step.wanted).strip())
        self.changed.emit()

    @Slot(bool)
    def _tell(self, _on: bool) -> None:
        self.changed.emit()


class ReviewRepairs(QDialog):
    """Accepted only by the verb's button; ``chosen`` is then the plan of the agreed steps."""

    def __init__(
        self,
        plan: Plan,
        command: Callable[[Plan], str],
        *,
        left_out: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.plan = plan
        self._command = command
        self.setWindowTitle("Review repairs")
        self.rows = [StepRow(step) for step in plan.steps]
        self.heading = PlainLabel()
        self.heading.setFont(scaled(self.font(), 1.25, bold=True))
        self.apply = QPushButton()
        self.apply.setAutoDefault(False)
        self.apply.setProperty("primary", True)
        self.cancel = QPushButton("Cancel")
        self.cancel.setDefault(True)
        self.copy = QPushButton("Copy as command")
        self.copy.setAutoDefault(False)
        self.apply.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        self.copy.clicked.connect(self._copy)
        self.left_out = WrapLabel(left_out)
        self.left_out.setVisible(bool(left_out))
        self._lay_out()
        for row in self.rows:
            row.changed.connect(self._count)
        self._count()
        self.resize(680, min(240 + 104 * len(self.rows), 640))
        self.cancel.setFocus()

    @property
    def chosen(self) -> Plan:
        return replace(self.plan, steps=tuple(row.step for row in self.rows if row.agreed))

    @property
    def confirmations(self) -> dict[str, str]:
        """For each agreed step that had to be typed: its ID and what was asked for."""
        return {
            row.step.id: row.step.wanted
            for row in self.rows
            if row.agreed and row.step.confirm is Confirm.TYPED
        }

    def _lay_out(self) -> None:
        note = WrapLabel(
            "Nothing is deleted: what is removed goes to quarantine on the same file system and "
            "can be put back with Undo. Each step checks again, at the moment of acting, that "
            "its subject is still what is shown here and that nobody uses it."
        )
        note.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        inner = QWidget()
        inner.setBackgroundRole(QPalette.ColorRole.Base)
        inner.setAutoFillBackground(True)
        steps = QVBoxLayout(inner)
        steps.setContentsMargins(0, 0, 0, 0)
        steps.setSpacing(0)
        for row in self.rows:
            steps.addWidget(row)
            line = QFrame()
            line.setFrameShape(QFrame.Shape.HLine)
            line.setForegroundRole(QPalette.ColorRole.Midlight)
            line.setFrameShadow(QFrame.Shadow.Plain)
            steps.addWidget(line)
        steps.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.apply)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        column.addWidget(self.heading)
        column.addWidget(note)
        column.addWidget(scroll, 1)
        column.addWidget(self.left_out)
        column.addLayout(buttons)

    @Slot()
    def _count(self) -> None:
        steps = self.chosen.steps
        amount = sum(step.size for step in steps)
        of_bytes = f", {wording.size(amount)}" if amount else ""
        count = wording.plural(len(steps), "repair", "repairs")
        self.heading.setText(
            f"{count} of {len(self.rows):,} chosen{of_bytes}" if self.rows else "Nothing to repair"
        )
        self.apply.setText(caption(f"Apply {count}" if steps else "Apply"))
        self.apply.setEnabled(bool(steps))
        self.copy.setEnabled(bool(steps))

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._command(self.chosen))
