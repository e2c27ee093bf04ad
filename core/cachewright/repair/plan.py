"""From findings to a plan: ordered steps, each with the identity of what was judged.

A plan is made of what a check saw, never of what lies there by the time it is made: whatever
changed in between is refused when the plan is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from cachewright.diagnosis.locks import RELEASES
from cachewright.errors import CachewrightError
from cachewright.model import (
    CheckResult,
    Confirm,
    EntryVerdict,
    Finding,
    HoldVerdict,
    Identity,
    Plan,
    PlanStep,
    RepairOffer,
    StepKind,
)
from cachewright.repair.plan_file import document, load, save
from cachewright.repair.unlocking import lock_step
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree

__all__ = ["MISSING", "below", "document", "load", "make_plan", "save"]

ORDER: Final = (
    StepKind.QUARANTINE_STAGING,
    StepKind.QUARANTINE_LOCK,
    StepKind.RELEASE_LEASE,
    StepKind.RELEASE_OBJECT_LOCK,
    StepKind.REPUBLISH_ENTRY,
    StepKind.QUARANTINE_ENTRY,
    StepKind.RESTORE_EXEC_BIT,
    StepKind.DROP_POISONED_CHECKSUM,
    StepKind.RECOUNT_STATISTICS,
)
"""Residue goes first, so that what follows finds quiet; records are mended last, when the
entries they speak of are right."""

_REPLACES: Final = frozenset({StepKind.REPUBLISH_ENTRY, StepKind.QUARANTINE_ENTRY})
_MAKES: Final = frozenset({StepKind.REPUBLISH_ENTRY, StepKind.RECOUNT_STATISTICS})
"""Steps whose subject may be missing."""
_IN_USE: Final = frozenset({HoldVerdict.HELD, EntryVerdict.BUSY})


def make_plan(
    result: CheckResult,
    root: Directory,
    tree: Tree,
    *,
    only: Collection[StepKind] | None = None,
    stale_only: bool = False,
    findings: Collection[str] | None = None,
) -> Plan:
    """The repairs that the findings of one check allow.

    ``tree`` is the inventory that the check judged: identities and signatures come from there.
    ``only`` keeps steps of these kinds, ``findings`` those of findings with these IDs;
    ``stale_only`` keeps what one click may clean: locks and staging proven to be left behind.
    What is held or busy is never in a plan.  Of several repairs that would replace one entry
    the best stays, and it makes smaller ones of that entry needless.
    """
    chosen: dict[str, PlanStep] = {}
    locks = {lock.path: lock for lock in result.locks}
    for finding in result.findings:
        if findings is not None and finding.id not in findings:
            continue
        if finding.verdict in _IN_USE or (stale_only and finding.verdict is not HoldVerdict.STALE):
            continue
        offer = _offer(finding, only)
        if offer is None or (stale_only and offer.confirm is not Confirm.CLICK):
            continue
        lock = locks.get(finding.path)
        if lock is not None and offer.step in RELEASES.values():
            step: PlanStep | None = lock_step(lock, offer)
        else:
            step = _step(finding, offer, root, tree)
        if step is not None:
            chosen.setdefault(step.id, step)
    return Plan(root.path, result.format, tuple(_ordered(chosen.values())))


def _offer(finding: Finding, only: Collection[StepKind] | None) -> RepairOffer | None:
    """The best repair that is offered and wanted."""
    return next((one for one in finding.repairs if only is None or one.step in only), None)


def _ordered(steps: Iterable[PlanStep]) -> list[PlanStep]:
    by_order = sorted(steps, key=lambda step: (ORDER.index(step.step), step.path))
    replaced: set[bytes] = set()
    kept: list[PlanStep] = []
    for step in by_order:
        if step.step in _REPLACES | {StepKind.RESTORE_EXEC_BIT}:
            if step.path in replaced:
                continue
            if step.step in _REPLACES:
                replaced.add(step.path)
        kept.append(step)
    return kept


def _step(finding: Finding, offer: RepairOffer, root: Directory, tree: Tree) -> PlanStep | None:
    """None where the subject is gone: then there is nothing to repair."""
    relative = below(root.path, finding.path)
    row = None if relative is None else tree.find(relative)
    if row is not None:
        seen, signature = _as_judged(tree, row)
    elif relative is None:
        outside = _identity_outside(finding.path)
        if outside is None:
            return None
        seen, signature = outside, None
    elif offer.step in _MAKES:
        seen, signature = MISSING, None
    else:
        return None
    return PlanStep(
        id=_step_id(finding, offer),
        step=offer.step,
        subject=finding.subject,
        path=finding.path,
        identity=seen,
        confirm=offer.confirm,
        why=offer.why,
        signature=signature,
        source=offer.source,
        size=finding.size,
        detail=offer.detail,
    )


MISSING: Final = Identity(device=0, inode=0, mode=0, size=0, mtime_ns=0, ctime_ns=0)
"""The identity of an entry or record that is not there, in a plan that makes it."""


def below(root: bytes, path: bytes) -> bytes | None:
    """``path`` relative to ``root``; None where it lies elsewhere or is the root itself."""
    inside = root.rstrip(b"/") + b"/"
    return path[len(inside) :] if path.startswith(inside) and path != inside else None


def _as_judged(tree: Tree, row: int) -> tuple[Identity, str | None]:
    seen = Identity(
        device=int(tree.device[row]),
        inode=int(tree.inode[row]),
        mode=int(tree.mode[row]),
        size=int(tree.size[row]),
        mtime_ns=int(tree.mtime_ns[row]),
        ctime_ns=int(tree.ctime_ns[row]),
    )
    return seen, tree.signature(row) if stat.S_ISDIR(seen.mode) else None


def _identity_outside(path: bytes) -> Identity | None:
    """A record file outside the cache: there is no inventory of it to take this from, and its
    own step proves that its content is still what it was judged by."""
    try:
        with Directory.open(os.path.dirname(path)) as parent:
            return parent.identity_of(os.path.basename(path))
    except (CachewrightError, OSError):
        return None


def _step_id(finding: Finding, offer: RepairOffer) -> str:
    detail = json.dumps(dict(offer.detail), sort_keys=True)
    parts = [offer.step.value.encode(), finding.path, offer.source or b"", detail.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
