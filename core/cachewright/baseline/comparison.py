"""What a later look at a cache finds against its baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cachewright.baseline.record import Baseline, FileRecord
from cachewright.diagnosis.entries import Weighed
from cachewright.digests import FileDigest
from cachewright.model import (
    EntryVerdict,
    Evidence,
    Finding,
    FindingKind,
    Says,
    Severity,
)

_FACT: Final = "baseline"
_NAMED_AT_MOST: Final = 50


@dataclass(slots=True)
class Comparison:
    """One check's look at one baseline, taken of a cache of the same format.

    ``inode`` is that of the root as it is now.
    """

    baseline: Baseline
    inode: int
    algorithms: frozenset[str] = frozenset({"sha256"})
    _seen: set[str] = field(default_factory=set)

    def saw(self, name: str, files: Mapping[bytes, FileDigest], weighed: Weighed) -> Weighed:
        """The same verdict with what the baseline says beside it; only for an entry that nothing
        else vouches for, whose verdict stays ``unverifiable``."""
        if weighed.report.verdict is not EntryVerdict.UNVERIFIABLE:
            return weighed
        recorded = self.baseline.entries.get(name)
        date = self.baseline.date
        if recorded is None:
            said = f"It is not in the baseline of {date}."
            return _with(weighed, Evidence(_FACT, Says.UNKNOWN, said))
        other = tuple(_differing(recorded, files))
        if not other:
            return _with(weighed, Evidence(_FACT, Says.GOOD, f"As in the baseline of {date}."))
        said = f"It differs from the baseline of {date}."
        weighed = _with(weighed, Evidence(_FACT, Says.BAD, said))
        return replace(weighed, findings=(*weighed.findings, _finding(weighed, said, other)))

    def findings(self, names: Collection[str], path: bytes) -> Iterator[Finding]:
        """What is new, what is gone, and whether the root itself is another; notices all."""
        date = self.baseline.date
        if self.inode != self.baseline.inode:
            why = f"The baseline of {date} was taken of another directory at this path."
            yield _notice(path, f"{why} It was compared all the same.")
        known = {*self.baseline.entries, *(one.name for one in self.baseline.left_out)}
        new = sorted(set(names) - known)
        gone = sorted(self.baseline.entries.keys() - set(names))
        for which, what in ((new, "new since"), (gone, "gone since")):
            if which:
                things = "1 entry is" if len(which) == 1 else f"{len(which):,} entries are"
                yield _notice(path, f"{things} {what} the baseline of {date}.", which)


def not_compared(path: bytes, why: str) -> Finding:
    """There is a baseline, and it could not be used."""
    return _notice(path, f"No entry was compared with the baseline: {why}")


def _differing(
    recorded: Mapping[bytes, FileRecord], files: Mapping[bytes, FileDigest]
) -> Iterator[bytes]:
    for name in sorted({*recorded, *files}):
        was, now = recorded.get(name), files.get(name)
        if was is None or now is None or (was.size, was.sha256) != (now.size, now.sha256):
            yield name


def _with(weighed: Weighed, evidence: Evidence) -> Weighed:
    report = weighed.report
    why = f"{report.why} {evidence.detail}".lstrip()
    return replace(weighed, report=replace(report, why=why, evidence=(evidence, *report.evidence)))


def _finding(weighed: Weighed, said: str, other: tuple[bytes, ...]) -> Finding:
    """Without any digest as *expected*: the cache itself records none."""
    report = weighed.report
    return Finding(
        kind=FindingKind.DIFFERS_FROM_BASELINE,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.UNVERIFIABLE,
        subject=report.name,
        path=report.path,
        explanation=f"{said} Nothing in the cache tells which of the two is right.",
        files=other,
        evidence=report.evidence,
        holders=report.holders,
        size=report.size,
        changed_ns=report.changed_ns,
    )


def _notice(path: bytes, why: str, names: Collection[str] = ()) -> Finding:
    return Finding(
        kind=FindingKind.DIFFERS_FROM_BASELINE,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNCHECKED,
        subject="the baseline",
        path=path,
        explanation=why,
        files=tuple(name.encode() for name in list(names)[:_NAMED_AT_MOST]),
    )
