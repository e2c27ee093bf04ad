"""Findings about staging places and things that do not belong (DESIGN 6, 8)."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from cachewright.formats.base import Role
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Evidence,
    Finding,
    FindingKind,
    Gap,
    HoldVerdict,
    RepairOffer,
    Says,
    Severity,
    StagingReport,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree

TYPED_FLOOR_NS: Final = 3600 * 1_000_000_000
"""Staging younger than this is not offered even to somebody who types (reliability.md A2)."""

_NAMED_AT_MOST: Final = 50

_STAGING_KIND: Final = {
    HoldVerdict.STALE: (FindingKind.STALE_STAGING, Severity.PROBLEM),
    HoldVerdict.UNPROVEN: (FindingKind.UNPROVEN_STAGING, Severity.PROBLEM),
    HoldVerdict.HELD: (FindingKind.LIVE_STAGING, Severity.NOTICE),
}


def of_staging(place: StagingReport, now_ns: int) -> Finding:
    """What a writer left, or still fills, with the repair that its verdict allows."""
    kind, severity = _STAGING_KIND[place.verdict]
    return Finding(
        kind=kind,
        severity=severity,
        verdict=place.verdict,
        subject=place.name,
        path=place.path,
        explanation=place.explanation,
        evidence=place.evidence,
        repairs=_staging_repairs(place, now_ns),
        holders=place.holders,
        size=place.size,
        changed_ns=place.changed_ns,
    )


def _staging_repairs(place: StagingReport, now_ns: int) -> tuple[RepairOffer, ...]:
    kept = "It is moved to quarantine, outside the cache, and can be put back."
    if place.verdict is HoldVerdict.STALE:
        return (RepairOffer(StepKind.QUARANTINE_STAGING, Confirm.CLICK, kept),)
    if place.verdict is HoldVerdict.UNPROVEN and place.changed_ns < now_ns - TYPED_FLOOR_NS:
        why = f"Its writer is not proven gone, so its name must be typed. {kept}"
        return (RepairOffer(StepKind.QUARANTINE_STAGING, Confirm.TYPED, why),)
    return ()


def of_foreign(tree: Tree, root: bytes) -> tuple[Finding, ...]:
    """Names that the format does not know, gathered by directory; they are left alone.

    Pipes, sockets and devices are told apart: reading one would hang or act.
    """
    foreign = np.flatnonzero(tree.role == Role.FOREIGN)
    tops = foreign[tree.role[tree.parent[foreign]] == Role.CONTAINER]
    plain: dict[int, list[int]] = defaultdict(list)
    special: list[Finding] = []
    for row in tops.tolist():
        mode = int(tree.mode[row])
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
            plain[int(tree.parent[row])].append(row)
        else:
            special.append(_special(tree, root, row))
    return (*special, *(_left_alone(tree, root, parent, rows) for parent, rows in plain.items()))


def _special(tree: Tree, root: bytes, row: int) -> Finding:
    relative = tree.path(row)
    return Finding(
        kind=FindingKind.FOREIGN_TYPE,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNCHECKED,
        subject=display(relative),
        path=root + b"/" + relative,
        explanation=f"{_type_words(int(tree.mode[row]))} lies in the cache. "
        "No cache tool makes one here; it was not opened and is left alone.",
        changed_ns=int(tree.mtime_ns[row]),
    )


def _type_words(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "A named pipe"
    return "A socket" if stat.S_ISSOCK(mode) else "A device"


def _left_alone(tree: Tree, root: bytes, parent: int, rows: list[int]) -> Finding:
    place = tree.path(parent)
    names = tuple(tree.name(row) for row in rows[:_NAMED_AT_MOST])
    things = "1 name here is" if len(rows) == 1 else f"{len(rows)} names here are"
    return Finding(
        kind=FindingKind.FOREIGN_FILE,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNCHECKED,
        subject=display(place) or "the cache's top directory",
        path=root + b"/" + place if place else root,
        explanation=f"{things} not part of the cache's layout and left alone.",
        files=names,
        size=sum(int(tree.total_bytes[row]) for row in rows),
        changed_ns=max(int(tree.mtime_ns[row]) for row in rows),
    )


def of_gaps(gaps: Iterable[Gap], known: frozenset[bytes]) -> tuple[Finding, ...]:
    """Directories that could not be listed; ``known`` paths were told of already."""
    return tuple(
        Finding(
            kind=FindingKind.UNREADABLE,
            severity=Severity.NOTICE,
            verdict=EntryVerdict.UNREADABLE,
            subject=display(gap.path),
            path=gap.path,
            explanation=f"Could not be looked at: {gap.reason}. What lies there was not judged.",
            evidence=(Evidence("read", Says.UNKNOWN, gap.reason),),
        )
        for gap in gaps
        if gap.path not in known
    )
