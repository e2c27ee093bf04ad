"""Progress on stderr: a moving line on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cachewright.cli import output
from cachewright.model import EntryReport, Finding, LockReport, Progress, StagingReport
from cachewright.text import brief, display

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from cachewright.inventory.tree import Tree
    from cachewright.workbench import Watcher

QUIET_S: Final = 2.0
"""Runs shorter than this say nothing; plain lines are at least this far apart."""

_REDRAW_S: Final = 0.05


_STAGES: Final = {
    "scan": "Looking through the cache",
    "records": "Reading what vouches for entries",
    "holders": "Asking who has what open",
    "locks": "Reading the store's locks",
    "verify": "Verifying",
    "settle": "Looking again at what just changed",
    "watch": "Watching staging places (seconds)",
    "repair": "Repairing",
    "publish": "Publishing",
}


def stage_words(stage: str) -> str:
    """What a stage does, for a person."""
    return _STAGES.get(stage) or display(stage).capitalize()


class OnlyProgress:
    """The rest of a watcher to whom only progress matters; the result is told when whole."""

    def tree(self, tree: Tree) -> None:
        """Not shown on the command line."""

    def entries(self, entries: Sequence[EntryReport]) -> None:
        """Not shown before the end."""

    def locks(self, locks: Sequence[LockReport]) -> None:
        """Not shown before the end."""

    def staging(self, staging: Sequence[StagingReport]) -> None:
        """Not shown before the end."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """Not shown before the end."""


def share(progress: Progress) -> tuple[int, int, bool]:
    """Done, total and whether they are bytes: bytes tell the time left better than counts."""
    if progress.total_bytes:
        return progress.done_bytes, progress.total_bytes, True
    return progress.done, progress.total, False


class PlainLines(OnlyProgress):
    """One line at most every two seconds, for logs."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._stage = ""

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage, self._began = progress.stage, now
        if now - self._told < QUIET_S:
            return
        self._told = now
        output.tell(sentence(progress, now - self._began))


def sentence(progress: Progress, elapsed_s: float) -> str:
    """``Verifying: 1,204 of 8,310, 31 %, about 4 minutes left``."""
    words = f"{stage_words(progress.stage)}: {progress.done:,}"
    if progress.total:
        words += f" of {progress.total:,}"
    done, total, _ = share(progress)
    if not total or not done:
        return words
    words += f", {done * 100 // total} %"
    left_s = elapsed_s * (total - done) / done
    return words if left_s < 1 else f"{words}, about {left(left_s)} left"


def left(seconds: float) -> str:
    """A time still to wait, as roughly as it is known."""
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004  # two hours


class MovingLine(OnlyProgress):
    """Stage, bar, counts, rate and time left on a terminal; gone when the stage is over."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._stage = ""
        self._task: TaskID | None = None
        self._drawn = 0.0

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        fresh = progress.stage != self._stage
        if not fresh and now - self._drawn < _REDRAW_S:
            return
        self._drawn = now
        done, total, of_bytes = share(progress)
        if fresh or self._task is None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._stage = progress.stage
            self._task = self._bars.add_task("", total=None, speed="", counts="", what="")
        self._bars.update(
            self._task,
            description=stage_words(progress.stage),
            completed=done,
            total=total or None,
            counts=_counts(progress),
            what=brief(progress.what, 40),
        )
        self._bars.update(self._task, speed=self._speed(self._task, of_bytes=of_bytes))

    def _speed(self, task: TaskID, *, of_bytes: bool) -> str:
        rate = next((one.speed for one in self._bars.tasks if one.id == task), None)
        if not rate:
            return ""
        if not of_bytes:
            return f"{rate:,.0f}/s"
        import humanize

        return f"{humanize.naturalsize(rate)}/s"


def _counts(progress: Progress) -> str:
    total = f" of {progress.total:,}" if progress.total else ""
    return f"{progress.done:,}{total}"


@contextmanager
def shown() -> Iterator[Watcher]:
    """A watcher that shows progress on stderr while the block runs."""
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[counts]}", markup=False),
        TextColumn("{task.fields[speed]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[what]}", markup=False),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield MovingLine(bars)
