"""From an entry's digests and its holders to its report and findings (DESIGN 6.9, 6.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cachewright.holders.naming import name_of, names_of
from cachewright.model import (
    Digest,
    EntryReport,
    EntryVerdict,
    Evidence,
    ExpectedDigest,
    Finding,
    FindingKind,
    Gap,
    Holder,
    Says,
    Severity,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.base import Judgement

DOUBTFUL = frozenset({EntryVerdict.CORRUPT, EntryVerdict.INCOMPLETE, EntryVerdict.DISPUTED})
"""Verdicts that a writer between two files would cause too: looked at once more."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """An entry's report with the findings that go with it."""

    report: EntryReport
    findings: tuple[Finding, ...] = ()


_WAYS: Final = {
    "open:read": "open for reading",
    "open:write": "open for writing",
    "mmap:read": "mapped",
    "mmap:write": "mapped for writing",
    "exe": "running",
    "argv": "as the place that it was started from",
    "cwd": "as its working directory",
    "root": "as its root directory",
    "lock:read": "locked for reading",
    "lock:write": "locked",
}


def use_evidence(holders: Sequence[Holder], uninspected: int) -> tuple[Evidence, ...]:
    """Who has the entry open, and whether everybody could be asked."""
    found = [
        Evidence(
            "open-files",
            Says.ALIVE,
            f"{name_of(holder)} has it {', '.join(_WAYS.get(way, way) for way in holder.how)}",
        )
        for holder in holders
    ]
    if not found:
        found.append(
            Evidence("open-files", Says.DEAD, "No process that could be inspected has it open.")
        )
    if uninspected:
        plural = "process" if uninspected == 1 else "processes"
        found.append(
            Evidence("uninspected", Says.UNKNOWN, f"{uninspected} {plural} could not be inspected.")
        )
    return tuple(found)


def busy(
    report: EntryReport,
    holders: Sequence[Holder],
    uninspected: int,
    changed: Sequence[bytes],
    more: str = "",
) -> Weighed:
    """Somebody writes there, or it changed while it was looked at: no verdict on content.
    ``more`` is what its format has to tell of it."""
    writing = [holder for holder in holders if holder.writes]
    evidence = list(use_evidence(holders, uninspected))
    if changed:
        names = ", ".join(display(name) or "the entry itself" for name in changed[:3])
        evidence.append(
            Evidence("unchanged", Says.ALIVE, f"It changed while it was looked at: {names}.")
        )
    if writing:
        explanation = f"Being written by {names_of(writing)}."
    else:
        explanation = "It changed while it was looked at, so somebody writes there."
    explanation += " Its content is judged when the writer is done."
    explanation += f" {more}" if more else ""
    weighed = replace(
        report,
        verdict=EntryVerdict.BUSY,
        why=explanation,
        evidence=tuple(evidence),
        holders=tuple(holders),
        actual=(),
    )
    finding = Finding(
        kind=FindingKind.BUSY_ENTRY,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.BUSY,
        subject=report.name,
        path=report.path,
        explanation=explanation,
        files=tuple(changed),
        evidence=tuple(evidence),
        holders=tuple(holders),
        size=report.size,
        changed_ns=report.changed_ns,
    )
    return Weighed(weighed, (finding,))


def unreadable(report: EntryReport, gaps: Sequence[Gap]) -> Weighed:
    """Some of its files could not be read, so nothing can be said of the whole."""
    reason = gaps[0].reason
    explanation = f"Cannot be read: {reason}. Its content was not judged."
    evidence = tuple(
        Evidence("read", Says.UNKNOWN, f"{display(gap.path)}: {gap.reason}") for gap in gaps[:20]
    )
    weighed = replace(report, verdict=EntryVerdict.UNREADABLE, why=explanation, evidence=evidence)
    finding = Finding(
        kind=FindingKind.UNREADABLE,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNREADABLE,
        subject=report.name,
        path=report.path,
        explanation=explanation,
        files=tuple(gap.path for gap in gaps),
        evidence=evidence,
        size=report.size,
        changed_ns=report.changed_ns,
    )
    return Weighed(weighed, (finding,))


def judged(
    report: EntryReport,
    judgement: Judgement,
    whole: Mapping[str, str],
    holders: Sequence[Holder],
    uninspected: int,
) -> Weighed:
    """The format's verdict, with the evidence that nobody changed the entry meanwhile."""
    actual = tuple(Digest(name, value) for name, value in sorted(whole.items()))
    evidence = (
        *_content_evidence(judgement, actual),
        *use_evidence(holders, uninspected),
        Evidence("unchanged", Says.DEAD, "Same size and times before and after reading."),
    )
    weighed = replace(
        report,
        verdict=judgement.verdict,
        why=judgement.why,
        expected=judgement.expected or report.expected,
        actual=actual,
        evidence=evidence,
        holders=tuple(holders),
    )
    findings = tuple(
        replace(
            finding,
            subject=report.name,
            path=report.path,
            evidence=(*finding.evidence, *_of_files(finding, evidence), *evidence),
            expected=finding.expected or weighed.expected,
            actual=finding.actual or actual,
            holders=tuple(holders),
            size=report.size,
            changed_ns=report.changed_ns,
        )
        for finding in judgement.findings
    )
    return Weighed(weighed, findings)


def _content_evidence(judgement: Judgement, actual: Sequence[Digest]) -> tuple[Evidence, ...]:
    """What speaks for or against the content: digests of the whole, or else of its files."""
    compared = _digest_evidence(judgement.expected, actual)
    if not compared and judgement.verdict is EntryVerdict.OK:
        return (Evidence("digest", Says.GOOD, judgement.why),)
    return compared


def _of_files(finding: Finding, known: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The same of the single files that a finding is about, where it is not told yet."""
    told = {one.detail for one in known}
    compared = _digest_evidence(finding.expected, finding.actual)
    return tuple(one for one in compared if one.detail not in told)


def _digest_evidence(
    recorded: Sequence[ExpectedDigest], actual: Sequence[Digest]
) -> tuple[Evidence, ...]:
    found = {(digest.algorithm, digest.value) for digest in actual}
    comparable = {digest.algorithm for digest in actual}
    return tuple(
        _comparison(expected, (expected.algorithm, expected.value) in found)
        for expected in recorded
        if expected.algorithm in comparable
    )


def _comparison(expected: ExpectedDigest, fits: bool) -> Evidence:
    verb = "Fits" if fits else "Differs from"
    value = f"{expected.algorithm}:{expected.value}"
    return Evidence(
        "digest",
        Says.GOOD if fits else Says.BAD,
        f"{verb} {value}, recorded in {display(expected.source)}.",
    )
