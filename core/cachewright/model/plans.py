"""What repairs speak in: plans, their steps, and how each ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cachewright.model.evidence import Identity
from cachewright.model.verdicts import Confirm, Result, StepKind


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of a plan, with the identity of its subject as it was judged.

    ``signature`` covers every file of a tree (see ``inventory.tree.signature``); ``None`` for
    a subject that is no tree.  Where ``confirm`` is typed, ``wanted`` must be typed: ``typed``
    (a lock's ID), or else the subject.
    """

    id: str
    step: StepKind
    subject: str
    path: bytes
    identity: Identity
    confirm: Confirm
    why: str
    signature: str | None = None
    source: bytes | None = None
    size: int = 0
    detail: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    typed: str = ""

    @property
    def wanted(self) -> str:
        """What a person types to confirm this step."""
        return self.typed or self.subject


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps for one cache; both faces run the same."""

    root: bytes
    format: str
    steps: tuple[PlanStep, ...]
    made_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step.  ``undo`` is the journal's ID to undo it by, if it was done.
    ``wants`` is a further key of the confirmations, without which the step was refused."""

    step: StepKind | None
    path: bytes
    result: Result
    reason: str
    undo: str | None = None
    subject: str = ""
    wants: str = ""
