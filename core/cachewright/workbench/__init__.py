"""The one object both faces talk to: it owns one open cache and runs the stages (DESIGN 3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachewright.workbench.watching import Options, Watcher

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import (
        CancelToken,
        CheckResult,
        LockReport,
        Outcome,
        Plan,
        StepKind,
    )

__all__ = [
    "HistoryItem",
    "KeptItem",
    "Options",
    "Watcher",
    "Workbench",
    "history",
    "known_formats",
    "quarantine_list",
    "quarantine_purge",
    "quarantine_restore",
    "undo",
    "verify_journal",
]


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One repair of the journal, for a person."""

    id: str
    at_ns: int
    step: StepKind
    subject: str
    path: bytes
    result: str
    reason: str
    undone: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class KeptItem:
    """Something in quarantine."""

    id: str
    at_ns: int
    original: bytes
    kept: bytes
    size: int
    step: StepKind


class Workbench:
    """One open cache."""

    root: bytes
    format_name: str
    title: str
    options: Options
    tree: Tree | None
    result: CheckResult | None

    @classmethod
    def open(
        cls, root: bytes, *, format_name: str | None = None, options: Options | None = None
    ) -> Workbench:
        """Pin ``root`` and recognise its format; raises ``RootMissing``, ``NotACache`` …"""
        raise RuntimeError

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult:
        """Scan, look at locks and staging, verify and diagnose; remembers the result."""
        raise RuntimeError

    def locks(self) -> tuple[LockReport, ...]:
        """Every lock as it is now; cheap enough to repeat each second once scanned."""
        raise RuntimeError

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        """The repairs that the last check's findings allow; ``findings`` are finding IDs."""
        raise RuntimeError

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        """Run the plan's steps; ``confirmations`` maps a typed step's ID to what was typed."""
        raise RuntimeError

    def publish(
        self, entry_name: str, source: bytes | None = None, cancel: CancelToken | None = None
    ) -> Outcome:
        """Re-publish one entry from ``source``, or from the first good copy known."""
        raise RuntimeError

    def close(self) -> None:
        raise RuntimeError

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def known_formats() -> tuple[tuple[str, str], ...]:
    """Name and title of each registered format."""
    raise RuntimeError


def undo(operation: str | None = None) -> Outcome:
    """Put back one journaled repair (the last one that can be, without an ID)."""
    raise RuntimeError


def history() -> tuple[HistoryItem, ...]:
    """Journaled repairs, the newest first; raises ``JournalDamaged``."""
    raise RuntimeError


def verify_journal() -> int:
    """Number of records, every hash checked; raises ``JournalDamaged``."""
    raise RuntimeError


def quarantine_list(root: bytes | None = None) -> tuple[KeptItem, ...]:
    """What is kept, of one cache or of all that the journal knows."""
    raise RuntimeError


def quarantine_restore(kept: str) -> Outcome:
    """Put a kept item back where it was."""
    raise RuntimeError


def quarantine_purge(older_than_s: float, root: bytes | None = None) -> tuple[Outcome, ...]:
    """Delete kept items older than that, for good."""
    raise RuntimeError
