"""Takes what a running check tells, on the worker's thread, and hands the window the newest.

The window asks at its own pace: whatever a stage tells meanwhile replaces what it told before,
so a fast stage can never flood the event loop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cachewright.model import (
    CheckResult,
    EntryReport,
    EntryVerdict,
    Finding,
    HoldVerdict,
    LockReport,
    Progress,
    StagingReport,
    Verdict,
)
from cachewright_gui.inventory_view import Inventory, Marks, Tree

_TOTALS_SHARE: Final = 10
"""Totals of a growing tree may take one part in this many of the scan's time."""


class Part(StrEnum):
    """What changed, so that only those who show it look."""

    PHASE = "phase"
    PROGRESS = "progress"
    TREE = "tree"
    ENTRIES = "entries"
    LOCKS = "locks"
    STAGING = "staging"
    FINDINGS = "findings"


@dataclass(slots=True)
class News:
    """The newest of everything that was told since the last look."""

    parts: set[Part] = field(default_factory=set)
    progress: Progress | None = None
    inventory: Inventory | None = None
    locks: tuple[LockReport, ...] = ()
    staging: tuple[StagingReport, ...] = ()
    findings: tuple[Finding, ...] = ()


def merged(newer: Sequence[Finding], former: Sequence[Finding]) -> tuple[Finding, ...]:
    """What a stage tells now, and what was known of places that it does not speak of.

    A stage tells what it found itself; the whole comes with the result.
    """
    spoken_of = {one.path for one in newer}
    return (*newer, *(one for one in former if one.path not in spoken_of))


def _shown(report: LockReport | StagingReport) -> Verdict:
    """A staging place that somebody works in is in use; only a lock is held."""
    if isinstance(report, StagingReport) and report.verdict is HoldVerdict.HELD:
        return EntryVerdict.BUSY
    return report.verdict


class Collector:
    """A ``workbench.Watcher``; ``told`` is called, on the worker's thread, whenever there is
    news and none was waiting."""

    def __init__(self, root: bytes, scan: int, told: Callable[[], None]) -> None:
        self.marks = Marks()
        self.inventory: Inventory | None = None
        self.entries_seen = False
        self._root = root
        self._scan = scan
        self._told = told
        self._lock = threading.Lock()
        self._news = News()
        self._next_totals = 0.0
        self._found: tuple[Finding, ...] = ()

    def take(self) -> News:
        """What is new, once."""
        with self._lock:
            news, self._news = self._news, News()
        return news

    def progress(self, progress: Progress) -> None:
        self._tell(Part.PROGRESS, progress=progress)

    def tree(self, tree: Tree) -> None:
        start = time.monotonic()
        if start < self._next_totals:
            return
        self.full_tree(tree)
        self._next_totals = start + _TOTALS_SHARE * (time.monotonic() - start)

    def full_tree(self, tree: Tree) -> None:
        """Like ``tree``, never left out: for the tree a check ends with."""
        self.inventory = Inventory.of(self._scan, tree)
        self._tell(Part.TREE, inventory=self.inventory)

    def entries(self, entries: Sequence[EntryReport]) -> None:
        tree = self.inventory.tree if self.inventory is not None else None
        for entry in entries:
            self.marks.put(entry, tree)
        self.entries_seen = True
        self._tell(Part.ENTRIES)

    def locks(self, locks: Sequence[LockReport]) -> None:
        self._mark_holds(locks)
        self._tell(Part.LOCKS, locks=tuple(locks))

    def staging(self, staging: Sequence[StagingReport]) -> None:
        self._mark_holds(staging)
        self._tell(Part.STAGING, staging=tuple(staging))

    def findings(self, findings: Sequence[Finding]) -> None:
        self._found = merged(findings, self._found)
        self._tell(Part.FINDINGS, findings=self._found)

    def finish(self, result: CheckResult, tree: Tree | None) -> None:
        """Take the whole result: what is gone from it is gone from the marks."""
        if tree is not None:
            self.full_tree(tree)
        self.marks = Marks()
        self.entries(result.entries)
        self._mark_holds(result.locks)
        self._mark_holds(result.staging)

    def _mark_holds(self, reports: Sequence[LockReport] | Sequence[StagingReport]) -> None:
        if self.inventory is None:
            return
        for report in reports:
            row = self.inventory.tree.row_at(self._root, report.path)
            if row is not None:
                self.marks.holds[row] = _shown(report)

    def _tell(self, part: Part, **values: object) -> None:
        with self._lock:
            waiting = bool(self._news.parts)
            self._news.parts.add(part)
            for name, value in values.items():
                setattr(self._news, name, value)
        if not waiting:
            self._told()
