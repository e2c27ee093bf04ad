"""What every step of one run shares, and what becomes of a step that is refused."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import (
    CachewrightError,
    Cancelled,
    ConditionUnheeded,
    JournalDamaged,
    NoQuarantine,
    Refused,
    StepFailed,
)
from cachewright.holders.owners import THIS_MACHINE, Machine
from cachewright.locks import kernel
from cachewright.model import Gate, Identity, Outcome, PlanStep, Progress, Result
from cachewright.repair.operations import PutBack, Running, new_id, operation
from cachewright.repair.plan import below
from cachewright.repair.records import pack
from cachewright.repair.subject import LookAround, Subject

if TYPE_CHECKING:
    from cachewright.formats.base import Format, Knowledge
    from cachewright.model import CancelToken, Plan, ProgressSink, StagingReport
    from cachewright.repair.journal import Journal
    from cachewright.repair.quarantine import Quarantine
    from cachewright.storage.anchored import Directory

Rejudge = Callable[[PlanStep], "StagingReport"]
"""Judges a staging place anew, now; raises ``Refused`` where it is gone."""


@dataclass(slots=True)
class Work:
    """One run of a plan.  ``written`` remembers record files that a step of this run rewrote:
    a later step of the same file expects what that one left.  ``machine`` is where owners of
    locks are looked for.  ``confirmations``: see ``execute``."""

    root: Directory
    form: Format
    knowledge: Knowledge
    journal: Journal
    quarantine: Quarantine | None
    no_quarantine: str
    rejudge: Rejudge
    look: LookAround
    cancel: CancelToken
    machine: Machine = THIS_MACHINE
    written: dict[bytes, Identity] = field(default_factory=dict)
    confirmations: Mapping[str, str] = field(default_factory=dict)

    def relative(self, step: PlanStep) -> bytes:
        """The subject's name below the root; ``Refused`` where it lies elsewhere."""
        relative = below(self.root.path, step.path)
        if relative is None:
            raise Refused(path=step.path, reason="it does not lie in the cache")
        return relative

    @contextmanager
    def subject(self, step: PlanStep) -> Iterator[Subject]:
        """The step's subject with its directory pinned."""
        try:
            parent, name = self.root.parent_of(self.relative(step))
        except (FileNotFoundError, NotADirectoryError):
            raise Refused(path=step.path, reason="the directory it was in is gone") from None
        with parent:
            yield Subject(parent, name, step.path, step.identity, step.signature)

    def need_quarantine(self) -> Quarantine:
        if self.quarantine is None:
            raise NoQuarantine(path=self.root.path, reason=self.no_quarantine)
        return self.quarantine

    def gates(self, relative: bytes) -> tuple[Gate, ...]:
        """The tool's own locks to be held for anything done at ``relative``."""
        gate = self.knowledge.gate(relative)
        places = [one.gates for one in self.knowledge.staging() if one.relative == relative]
        found = [*([gate] if gate else []), *(one for gates in places for one in gates)]
        return tuple(dict.fromkeys(found))

    @contextmanager
    def operation(
        self, step: PlanStep, gates: tuple[Gate, ...] = (), **fields: Any
    ) -> Iterator[Running]:
        """Journal the step; see ``operations.operation``."""
        started = {**self._about(step, gates), **fields}
        with operation(self.journal, new_id(), started) as running:
            yield running

    def _about(self, step: PlanStep, gates: tuple[Gate, ...]) -> Mapping[str, Any]:
        """All that undoing, finishing or rolling back needs to find the place again."""
        return {
            "step": step.step.value,
            "subject": step.subject,
            "path": pack(step.path),
            "root": pack(self.root.path),
            "root_identity": self.root.identity.as_json(),
            "identity": step.identity.as_json(),
            "signature": step.signature,
            "gates": [gate_as_json(gate) for gate in gates],
            "quarantine": pack(self.quarantine.path) if self.quarantine else None,
        }


@contextmanager
def held(root: Directory, gates: tuple[Gate, ...], path: bytes) -> Iterator[None]:
    """Hold all of the tool's locks for the block; ``GateHeld`` names who has one of them."""
    with ExitStack() as stack:
        for gate in gates:
            stack.enter_context(kernel.acquire(root, gate, subject=path))
        yield


def keeps_away(gates: tuple[Gate, ...]) -> bool:
    """Whether the locks that are held keep the cache's own tool away: only if it takes them
    itself whenever it works, and so makes them where they are missing."""
    return bool(gates) and all(gate.create for gate in gates)


def gate_as_json(gate: Gate) -> dict[str, Any]:
    return {
        "kind": gate.kind.value,
        "relative": pack(gate.relative),
        "create": gate.create,
        "read_only": gate.read_only,
    }


def in_turn(
    plan: Plan, perform: Callable[[PlanStep], Outcome], progress: ProgressSink, cancel: CancelToken
) -> Iterator[Outcome]:
    """What became of each step; one that ends in an error stops no other, and a cancelled run
    skips what is left."""
    for index, step in enumerate(plan.steps):
        progress(Progress("repair", index, len(plan.steps), what=step.subject))
        if cancel.cancelled:
            yield outcome(step, Result.SKIPPED, "stopped before this step")
            continue
        try:
            yield perform(step)
        except (PutBack, OSError, CachewrightError) as error:
            yield ended_by(step, error)
    progress(Progress("repair", len(plan.steps), len(plan.steps)))


def outcome(step: PlanStep, result: Result, reason: str, undo: str | None = None) -> Outcome:
    return Outcome(step.step, step.path, result, reason, undo, step.subject)


def ended_by(step: PlanStep, error: Exception) -> Outcome:
    """The outcome of a step that an error ended; see ``verdict_on``."""
    result, reason = verdict_on(error)
    wants = error.values["wants"] if isinstance(error, ConditionUnheeded) else ""
    return Outcome(step.step, step.path, result, reason, None, step.subject, wants)


_LAYER: Final = (
    "It cannot be moved on its file system: it lies in an image layer, or is a mount of its own. "
    "Nothing was changed."
)
"""What a rename says of a directory in a lower layer of an overlay (reliability.md B1)."""


def verdict_on(error: Exception) -> tuple[Result, str]:
    """What an error means for the step that it ended; a damaged journal is raised on.

    An ``OSError`` gets here only from before anything was moved: afterwards it is ``PutBack``.
    """
    if isinstance(error, JournalDamaged):
        raise error
    if isinstance(error, Cancelled):
        return Result.SKIPPED, str(error)
    if isinstance(error, PutBack):
        return Result.ROLLED_BACK, str(error)
    if isinstance(error, OSError) and error.errno == errno.EXDEV:
        return Result.REFUSED, _LAYER
    if isinstance(error, OSError):
        return Result.FAILED, f"{error.strerror or error}. Nothing was changed."
    return Result.FAILED if isinstance(error, StepFailed) else Result.REFUSED, str(error)
