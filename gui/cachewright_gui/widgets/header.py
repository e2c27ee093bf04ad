"""Name, place and health of the open cache, and the three things done with it most."""

from __future__ import annotations

from collections import Counter

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cachewright.model import Confirm, Finding, FindingKind, HoldVerdict, Severity
from cachewright_gui import lock_words, wording
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
        self.title.setText(state.title or ("State locks" if state.only_locks else "Cache"))
        self.show_place(state)
        if state.only_locks:
            self.health.show_counts(Counter(one.verdict for one in state.locks))
        else:
            self.health.show_counts(state.counts)
        self.health.setVisible(not state.only_locks or bool(state.locks))
        locks, staging = stale_locks(state), stale_staging(state)
        stale, repairable = len(locks) + len(staging), count_repairable(state)
        self.clean.setText(caption(_clean_words(state, len(locks), len(staging))))
        self.verify.setText("Look again" if state.only_locks else "Verify all")
        self.review.setText(
            caption(f"Review repairs ({repairable})" if repairable else "Review repairs")
        )
        resting = state.rests
        self.verify.setEnabled(not state.busy and not state.error)
        self.clean.setEnabled(resting and stale > 0)
        self.review.setEnabled(resting and repairable > 0)
        waits = "Waits until the running work has ended." if state.busy else ""
        again = "Look at every lock again (F5)"
        everything = "Scan and verify everything again (F5)"
        self.verify.setToolTip(tooltip(waits or (again if state.only_locks else everything)))
        self.clean.setToolTip(
            tooltip(waits or "Preview the removal of what is proven to be left behind")
        )
        self.review.setToolTip(tooltip(waits or "Preview every repair before anything is done"))

    def show_place(self, state: State) -> None:
        """Path, numbers and how long ago it was looked at; called each second."""
        parts = [shown_path(state.root)]
        exact = [shown_path(state.root)]
        if state.only_locks:
            if state.locks or state.result is not None:
                parts.append(lock_words.summary(state.locks))
        else:
            _add_amounts(state, parts, exact)
        if state.looked_ns and not state.busy:
            looked = "looked at" if state.only_locks else "scanned"
            parts.append(f"{looked} {wording.age(state.looked_ns)}")
            exact.append(f"{looked} {wording.exact_time(state.looked_ns)}")
        self.place.setText("   ·   ".join(parts))
        self.place.setToolTip(tooltip("\n".join(exact)))


def _add_amounts(state: State, parts: list[str], exact: list[str]) -> None:
    entries = sum(state.counts.values())
    if entries or state.result is not None:
        parts.append(wording.plural(entries, "entry", "entries"))
    if state.inventory is not None and len(state.inventory):
        whole = int(state.inventory.bytes_below[0])
        parts.append(wording.size(whole))
        exact.append(wording.exact_size(whole))
        exact.append(wording.plural(int(state.inventory.files_below[0]), "file", "files"))


def _clean_words(state: State, locks: int, staging: int) -> str:
    """What a press would clean, and how many of them are proven to be left behind."""
    if locks and staging:
        return f"Clean stale ({locks + staging:,})"
    if locks:
        return f"Clean stale locks ({locks:,})"
    if staging:
        return f"Remove stale staging ({staging:,})"
    return "Clean stale locks" if state.only_locks else "Clean stale"


def stale_locks(state: State) -> tuple[Finding, ...]:
    """Locks that are proven dead, and that one click may clean; one that was seen to be held or
    gone since the check is none of them any more."""
    return tuple(
        one
        for one in state.findings
        if one.kind is FindingKind.STALE_LOCK and one.repairs and _still_there(state, one)
    )


def _still_there(state: State, finding: Finding) -> bool:
    lock = state.lock_at(finding.path)
    return lock is not None and lock.verdict is not HoldVerdict.HELD


def stale_staging(state: State) -> tuple[Finding, ...]:
    """Staging places that are proven dead, and that one click may remove."""
    return tuple(
        one
        for one in state.findings
        if one.verdict is HoldVerdict.STALE
        and one.kind is not FindingKind.STALE_LOCK
        and one.repairs
    )


def count_repairable(state: State) -> int:
    """Findings whose repair is reviewed; what must be typed for a lock has its own dialog."""
    return sum(
        any(
            offer.step not in wording.LOCK_STEPS or offer.confirm is Confirm.CLICK
            for offer in one.repairs
        )
        for one in state.findings
    )


def count_problems(state: State) -> int:
    return sum(one.severity is Severity.PROBLEM for one in state.findings)
