"""What is known of one open cache now, for all who show it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from cachewright.model import (
    CheckResult,
    EntryVerdict,
    Finding,
    LockReport,
    Progress,
    StagingReport,
)
from cachewright_gui.inventory_view import Inventory, Marks


class Phase(StrEnum):
    """What a session is doing."""

    OPENING = "opening"
    CHECKING = "checking"
    REPAIRING = "repairing"
    IDLE = "idle"
    FAILED = "failed"


@dataclass(slots=True)
class State:
    """What is known of the cache now; read by the window, written by its session only."""

    root: bytes
    title: str = ""
    format_name: str = ""
    phase: Phase = Phase.OPENING
    paused: bool = False
    stopping: bool = False
    stopped: bool = False
    progress: Progress | None = None
    inventory: Inventory | None = None
    scan: int = 0
    marks: Marks = field(default_factory=Marks)
    locks: tuple[LockReport, ...] = ()
    staging: tuple[StagingReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    result: CheckResult | None = None
    error: str = ""
    looked_ns: int = 0

    @property
    def busy(self) -> bool:
        return self.phase in {Phase.OPENING, Phase.CHECKING, Phase.REPAIRING}

    @property
    def rests(self) -> bool:
        """Nothing runs, and there is a result to act upon."""
        return not self.busy and self.result is not None

    @property
    def counts(self) -> Counter[EntryVerdict]:
        return self.marks.counts
