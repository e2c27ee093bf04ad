"""Whether a tool's own lock, which a writer would hold, can be had."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cachewright.errors import GateHeld, Refused
from cachewright.holders import KernelLock, Survey
from cachewright.locks import kernel as kernel_locks
from cachewright.model import Evidence, Gate, Holder, HoldVerdict, LockPlace, LockReport, Says
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_FACT = "gate"


def ask_gate(
    root: Directory,
    gate: Gate,
    survey: Survey,
    kernel: Sequence[KernelLock],
    *,
    may_lock: bool,
) -> tuple[Evidence, tuple[Holder, ...]]:
    """Look at the lock, and with ``may_lock`` also take it for a moment; with its holders.

    ``dead`` means that it can be had, or that this process has it already.
    """
    name = display(os.path.basename(gate.relative))
    place = LockPlace(id="", kind=gate.kind, relative=gate.relative, row=-1, subject=name)
    report = kernel_locks.look(root, place, survey, kernel)
    if any(one.fact == kernel_locks.OUR_GATE for one in report.evidence):
        return Evidence(_FACT, Says.DEAD, f"Cachewright holds its lock {name} now."), ()
    if report.verdict is not HoldVerdict.FREE:
        return _not_free(report, name), report.holders
    if not gate.create and not root.exists(gate.relative):
        return Evidence(_FACT, Says.UNKNOWN, f"Its lock {name} is missing."), ()
    if may_lock:
        return _take_once(root, gate, name), ()
    return Evidence(_FACT, Says.DEAD, f"Nobody holds its lock {name}."), ()


def _not_free(report: LockReport, name: str) -> Evidence:
    if report.verdict is HoldVerdict.HELD:
        return Evidence(_FACT, Says.ALIVE, f"Its lock {name} is held. {report.explanation}")
    return Evidence(_FACT, Says.UNKNOWN, f"Its lock {name}: {report.explanation}")


def _take_once(root: Directory, gate: Gate, name: str) -> Evidence:
    try:
        with kernel_locks.acquire(root, gate):
            return Evidence(_FACT, Says.DEAD, f"Its lock {name} could be taken.")
    except GateHeld as error:
        return Evidence(_FACT, Says.ALIVE, str(error))
    except Refused as error:
        return Evidence(_FACT, Says.UNKNOWN, str(error))
