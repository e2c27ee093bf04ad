"""``stats.txt`` and ``config.txt``, and what the statistics say against what lies on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import humanize

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats.clcache_layout import CONFIGURATION, STATISTICS
from cachewright.formats.clcache_records import (
    PASSED_OVER,
    RECORD_LIMIT,
    SLOW,
    Damaged,
    Statistics,
    configuration,
    statistics,
)
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Evidence,
    Finding,
    FindingKind,
    RepairOffer,
    Says,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_Record = TypeVar("_Record")

_KEPT: Final = "The old one is kept and can be put back."


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Published entries that hold an object, the bytes of those objects, and the bytes of the
    manifests that can be used."""

    entries: int
    objects: int
    manifests: int

    def fits(self, counted: Statistics) -> bool:
        """By either of clcache's two accountings (glance-clcache-uv.md 2.2): it adds up objects
        alone until it cleans for the first time; from then on the manifests of that time are in
        the sum too, which only ever grow."""
        sizes = range(self.objects, self.objects + self.manifests + 1)
        return counted.entries == self.entries and counted.size in sizes

    @property
    def words(self) -> str:
        return _words(self.entries, self.objects)


def _words(entries: int, size: int) -> str:
    things = "1 entry" if entries == 1 else f"{entries:,} entries"
    return f"{things} of {humanize.naturalsize(size)} ({size:,} bytes)"


def findings(
    root: Directory, now: OnDisk, left: OnDisk, once_more: Callable[[], OnDisk | None]
) -> Iterator[Finding]:
    """What is wrong with the two records.  ``left`` is what lies there once everything that is
    offered for quarantine is gone; ``once_more`` counts again, since a build that is under way
    stores an object before it counts it."""
    yield from _of_configuration(root)
    try:
        counted = _counted(root)
        if not now.fits(counted):
            later = once_more()
            counted = _counted(root)
            if later is None or later.fits(counted):
                return
            now = later
    except Damaged as damage:
        effect = "clcache counts from 0 again." if damage.effect == PASSED_OVER else damage.effect
        why = f"The statistics cannot be used: {damage.reason}. {effect}"
        yield _finding(root, STATISTICS, FindingKind.DAMAGED_METADATA, why, (_recount(left),))
        return
    except (OSError, CachewrightError) as error:
        yield _unreadable(root, STATISTICS, error)
        return
    told = _words(counted.entries, counted.size)
    if not now.fits(counted):
        why = f"clcache has counted {told}, but {now.words} lie here: its size limit is not kept."
        repairs: tuple[RepairOffer, ...] = (_recount(left),)
        if left.fits(counted):
            why += " The count is right once the ones that are offered for quarantine are gone."
            repairs = ()
        yield _finding(root, STATISTICS, FindingKind.ACCOUNTING, why, repairs, evidence=_both(now))
    elif not left.fits(counted):
        why = (
            f"clcache has counted {told}, which is right. Once the ones that are offered for "
            "quarantine are gone it has to be counted anew."
        )
        kind, notice = FindingKind.ACCOUNTING, Severity.NOTICE
        yield _finding(root, STATISTICS, kind, why, (_recount(left),), severity=notice)


def _counted(root: Directory) -> Statistics:
    """What clcache counted; nothing where there are no statistics."""
    return _read(root, STATISTICS, statistics) or Statistics(0, 0)


def _of_configuration(root: Directory) -> Iterator[Finding]:
    try:
        _read(root, CONFIGURATION, configuration)
    except Damaged as damage:
        effect = "The default size holds." if damage.effect == PASSED_OVER else damage.effect
        why = f"The configuration cannot be used: {damage.reason}. {effect}"
        offer = RepairOffer(
            StepKind.QUARANTINE_ENTRY,
            Confirm.CLICK,
            "It is moved to quarantine and can be put back; clcache's default size holds then.",
        )
        yield _finding(root, CONFIGURATION, FindingKind.DAMAGED_METADATA, why, (offer,))
    except (OSError, CachewrightError) as error:
        yield _unreadable(root, CONFIGURATION, error)


def _read(root: Directory, name: bytes, parse: Callable[[bytes], _Record]) -> _Record | None:
    """The record; None where there is none."""
    try:
        return parse(root.read(name, RECORD_LIMIT))
    except FileNotFoundError:
        return None
    except TooLarge:
        raise Damaged("it is far larger than clcache writes it", SLOW) from None


def _recount(left: OnDisk) -> RepairOffer:
    return RepairOffer(
        StepKind.RECOUNT_STATISTICS,
        Confirm.CLICK,
        f"{display(STATISTICS)} is written anew with what lies on disk; its other counters stay. "
        f"{_KEPT}",
        detail={"entries": left.entries, "bytes": left.objects},
    )


def _both(now: OnDisk) -> tuple[Evidence, ...]:
    """What would have fitted."""
    alone = f"Objects alone, as clcache counts until it cleans: {now.objects:,} bytes."
    both = now.objects + now.manifests
    cleaned = f"With manifests, as clcache counts once it has cleaned: up to {both:,} bytes."
    return (Evidence("objects", Says.BAD, alone), Evidence("manifests", Says.BAD, cleaned))


def _unreadable(root: Directory, name: bytes, error: Exception) -> Finding:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Finding(
        kind=FindingKind.UNREADABLE,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNREADABLE,
        subject=display(name),
        path=root.where(name),
        explanation=f"It could not be read: {reason}. It was not judged.",
    )


def _finding(
    root: Directory,
    name: bytes,
    kind: FindingKind,
    why: str,
    repairs: tuple[RepairOffer, ...],
    *,
    severity: Severity = Severity.PROBLEM,
    evidence: tuple[Evidence, ...] = (),
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        verdict=EntryVerdict.CORRUPT if severity is Severity.PROBLEM else EntryVerdict.UNCHECKED,
        subject=display(name),
        path=root.where(name),
        explanation=why,
        evidence=evidence,
        repairs=repairs,
    )
