"""Name, place and health of the open cache, and the three things done with it most."""

from __future__ import annotations

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cachewright.model import HoldVerdict, Severity
from cachewright_gui import wording
from cachewright_gui.models.lists import shown_path
from cachewright_gui.plain import ElideLabel, caption, tooltip
from cachewright_gui.state import State
from cachewright_gui.widgets.cells import scaled
from cachewright_gui.widgets.health_bar import HealthBar


class Header(QWidget):
    """Shows a session's state; its buttons are wired by the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = ElideLabel()
        self.title.setFont(scaled(self.font(), 1.5, bold=True))
        self.place = ElideLabel()
        self.place.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        for label in (self.title, self.place):
            label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.health = HealthBar()
        self.verify = QPushButton("Verify all")
        self.clean = QPushButton("Clean stale")
        self.review = QPushButton("Review repairs")
        self.review.setProperty("primary", True)
        self._lay_out(self.title, self.place)

    def _lay_out(self, title: QLabel, place: QLabel) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(title)
        words.addWidget(place)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addLayout(words, 1)
        for button in (self.verify, self.clean, self.review):
            top.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 10)
        column.setSpacing(14)
        column.addLayout(top)
        column.addWidget(self.health)

    def show_state(self, state: State) -> None:
        self.title.setText(state.title or "Cache")
        self.show_place(state)
        self.health.show_counts(state.counts)
        stale, repairable = count_stale(state), count_repairable(state)
        self.clean.setText(caption(f"Clean stale ({stale})" if stale else "Clean stale"))
        self.review.setText(
            caption(f"Review repairs ({repairable})" if repairable else "Review repairs")
        )
        resting = state.rests
        self.verify.setEnabled(not state.busy and not state.error)
        self.clean.setEnabled(resting and stale > 0)
        self.review.setEnabled(resting and repairable > 0)
        waits = "Waits until the running work has ended." if state.busy else ""
        self.verify.setToolTip(tooltip(waits or "Scan and verify everything again (F5)"))
        self.clean.setToolTip(
            tooltip(waits or "Preview the removal of what is proven to be left behind")
        )
        self.review.setToolTip(tooltip(waits or "Preview every repair before anything is done"))

    def show_place(self, state: State) -> None:
        """Path, numbers and how long ago it was looked at; called each second."""
        parts = [shown_path(state.root)]
        exact = [shown_path(state.root)]
        entries = sum(state.counts.values())
        if entries or state.result is not None:
            parts.append(wording.plural(entries, "entry", "entries"))
        if state.inventory is not None and len(state.inventory):
            whole = int(state.inventory.bytes_below[0])
            parts.append(wording.size(whole))
            exact.append(wording.exact_size(whole))
            exact.append(wording.plural(int(state.inventory.files_below[0]), "file", "files"))
        if state.looked_ns and not state.busy:
            parts.append(f"scanned {wording.age(state.looked_ns)}")
            exact.append(f"scanned {wording.exact_time(state.looked_ns)}")
        self.place.setText("   ·   ".join(parts))
        self.place.setToolTip(tooltip("\n".join(exact)))


def count_stale(state: State) -> int:
    """Findings that one click may clean."""
    return sum(one.verdict is HoldVerdict.STALE and bool(one.repairs) for one in state.findings)


def count_repairable(state: State) -> int:
    return sum(bool(one.repairs) for one in state.findings)


def count_problems(state: State) -> int:
    return sum(one.severity is Severity.PROBLEM for one in state.findings)
