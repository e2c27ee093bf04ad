"""What is running, how far it is, and the buttons that pause and stop it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QWidget

from cachewright.model import Progress
from cachewright_gui import wording
from cachewright_gui.plain import ElideLabel, PlainLabel
from cachewright_gui.state import Phase, State

_STAGE_WORDS: Final = {
    "scan": "Scanning",
    "locks": "Looking at locks",
    "holders": "Looking for holders",
    "watch": "Watching staging for changes",
    "records": "Reading records",
    "verify": "Verifying",
    "settle": "Looking once more at what changed",
    "copies": "Looking for good copies",
    "repair": "Repairing",
    "publish": "Publishing",
}
_WINDOW_S: Final = 4.0
_SCALE: Final = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """Bytes and items per second over the last seconds."""

    bytes_per_s: float = 0.0
    items_per_s: float = 0.0


class Speedometer:
    """Derives the pace of a stage from its progress; the clock is monotonic seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()
        self._stage = ""

    def add(self, progress: Progress, now: float) -> Pace:
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._seen.clear()
        self._seen.append((now, progress.done_bytes, progress.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:  # noqa: PLR2004
            self._seen.popleft()
        start, first_bytes, first_items = self._seen[0]
        past = now - start
        if past <= 0:
            return Pace()
        return Pace(
            max(progress.done_bytes - first_bytes, 0) / past,
            max(progress.done - first_items, 0) / past,
        )

    def forget(self) -> None:
        """A pause is no slow work."""
        self._seen.clear()


def share(progress: Progress) -> float | None:
    """How much is done, from 0 to 1; None while the whole is not known."""
    if progress.total_bytes > 0:
        return min(progress.done_bytes / progress.total_bytes, 1.0)
    if progress.total > 0:
        return min(progress.done / progress.total, 1.0)
    return None


def amounts(progress: Progress, pace: Pace) -> str:
    """Done of total, the rate and the time left, as far as each is known."""
    if progress.stage == "watch":
        return f"{max(progress.total - progress.done, 0)} s left"
    parts = []
    if progress.total:
        parts.append(f"{progress.done:,} of {progress.total:,}")
    elif progress.done:
        parts.append(f"{progress.done:,}")
    if progress.done_bytes:
        of_whole = f" of {wording.size(progress.total_bytes)}" if progress.total_bytes else ""
        parts.append(f"{wording.size(progress.done_bytes)}{of_whole}")
    if pace.bytes_per_s >= 1:
        parts.append(f"{wording.size(round(pace.bytes_per_s))}/s")
    elif pace.items_per_s >= 1 and not progress.done_bytes:
        parts.append(f"{round(pace.items_per_s):,}/s")
    left = seconds_left(progress, pace)
    if left is not None:
        parts.append(f"{wording.duration(left)} left")
    return "   ".join(parts)


def seconds_left(progress: Progress, pace: Pace) -> float | None:
    if progress.total_bytes and pace.bytes_per_s >= 1:
        return (progress.total_bytes - progress.done_bytes) / pace.bytes_per_s
    if progress.total and pace.items_per_s > 0 and not progress.total_bytes:
        return (progress.total - progress.done) / pace.items_per_s
    return None


class ProgressStrip(QWidget):
    """The bottom line of the window."""

    pause_wanted = Signal(bool)
    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._speed = Speedometer()
        self._paused = False
        self.stage = PlainLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setMinimumWidth(120)
        self.bar.setMaximumWidth(320)
        self.bar.setAccessibleName("Progress")
        self.amounts = ElideLabel()
        self.amounts.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.amounts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.pause = QPushButton("Pause")
        self.stop = QPushButton("Cancel")
        self.pause.clicked.connect(self._pause_clicked)
        self.stop.clicked.connect(self.stop_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 7, 16, 7)
        row.setSpacing(12)
        row.addWidget(self.stage)
        row.addWidget(self.bar, 1)
        row.addWidget(self.amounts, 2)
        row.addWidget(self.pause)
        row.addWidget(self.stop)
        self.setFixedHeight(self.pause.sizeHint().height() + 14)
        self.show_state(None)

    def show_state(self, state: State | None) -> None:
        busy = state is not None and state.busy
        for widget in (self.bar, self.amounts, self.pause, self.stop):
            widget.setVisible(busy)
        if state is None or not busy:
            self._speed.forget()
            self.stage.setText(resting_words(state))
            return
        self.pause.setEnabled(state.phase is not Phase.OPENING and not state.stopping)
        self.stop.setEnabled(not state.stopping)
        self._paused = state.paused
        self.pause.setText("Resume" if state.paused else "Pause")
        self.stage.setText(running_words(state))
        if state.paused:
            self._speed.forget()
        self._show_progress(state.progress)

    def _show_progress(self, progress: Progress | None) -> None:
        done = share(progress) if progress is not None else None
        if progress is None or done is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, _SCALE)
            self.bar.setValue(round(done * _SCALE))
        if progress is None:
            self.amounts.setText("")
        else:
            pace = Pace() if self._paused else self._speed.add(progress, time.monotonic())
            self.amounts.setText(amounts(progress, pace))

    @Slot()
    def _pause_clicked(self) -> None:
        self.pause_wanted.emit(not self._paused)


def running_words(state: State) -> str:
    """What is being done now."""
    if state.stopping:
        return "Stopping…"
    if state.phase is Phase.OPENING:
        return "Opening…"
    if state.progress is None:
        words = "Repairing" if state.phase is Phase.REPAIRING else "Checking"
    else:
        stage = state.progress.stage
        words = _STAGE_WORDS.get(stage, wording.in_words(stage))
    return f"{words} (paused)" if state.paused else words


def resting_words(state: State | None) -> str:
    """What stands at the bottom while nothing runs."""
    if state is None:
        return "No cache is open."
    if state.phase is Phase.FAILED:
        return "Could not open the cache."
    if state.stopped:
        return "Stopped. What was seen so far is shown; Verify all begins again."
    result = state.result
    if result is None:
        return ""
    words = "Done."
    if result.gaps:
        words = (
            f"Done, but {wording.plural(len(result.gaps), 'place', 'places')} could not be read."
        )
    if result.uninspected:
        hidden = wording.plural(result.uninspected, "process", "processes")
        words += f" {hidden} could not be looked into."
    return words
