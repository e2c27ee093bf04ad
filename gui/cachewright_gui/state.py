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
from cachewright.text import is_address, is_database
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
    """What is known of the cache now; read by the window, written by its session only.

    ``only_locks``: no content can lie here, only locks.  ``in_database``: its records are in a
    database.  ``notes`` are sentences about locks
    that cannot be shown; ``poll_error`` says why the locks could not be looked at again.
    """

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
    notes: tuple[str, ...] = ()
    poll_error: str = ""
    staging: tuple[StagingReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    result: CheckResult | None = None
    error: str = ""
    looked_ns: int = 0
    only_locks: bool = False
    in_database: bool = False

    def __post_init__(self) -> None:
        self.in_database = self.in_database or is_database(self.root)
        self.only_locks = self.only_locks or self.is_store

    @property
    def is_store(self) -> bool:
        """Whether this is reached over a network, and has no files of its own."""
        return is_address(self.root) and not self.in_database

    @property
    def busy(self) -> bool:
        return self.phase in {Phase.OPENING, Phase.CHECKING, Phase.REPAIRING}

    @property
    def rests(self) -> bool:
        """Nothing runs, and there is a result to act upon."""
        return not self.busy and self.result is not None

    def lock_at(self, path: bytes, id_: str | None = None) -> LockReport | None:
        """The lock at that place, with that ID where one is given."""
        fitting = (one for one in self.locks if one.path == path and id_ in {None, one.id})
        return next(fitting, None)

    @property
    def counts(self) -> Counter[EntryVerdict]:
        return self.marks.counts
