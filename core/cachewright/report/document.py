"""The JSON documents other programs read: pure functions from model values (DESIGN 8).

Each document names its ``schema`` and version; fields are added, never renamed.  The JSON
Schemas lie beside this module (``report.schema``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cachewright.model import (
    CheckResult,
    EntryReport,
    EntryVerdict,
    Finding,
    Gap,
    Location,
    LockReport,
    Outcome,
    RepairOffer,
    Severity,
    StagingReport,
)
from cachewright.report.values import (
    Document,
    digest,
    evidence,
    expected_digest,
    holders,
    moment,
    optional_path_fields,
    owner,
    path_fields,
    path_list_fields,
    text,
)


def check(
    result: CheckResult, *, findings_only: bool = False, notes: Iterable[str] = ()
) -> Document:
    """``cachewright.check/1``.  ``findings_only`` leaves entries with verdict ``ok`` out of
    ``entries``; the summary still counts them.  ``notes`` are sentences about what is known of
    and cannot be shown."""
    shown = [
        one for one in result.entries if not (findings_only and one.verdict is EntryVerdict.OK)
    ]
    return {
        "schema": "cachewright.check/1",
        **path_fields("root", result.root),
        "format": result.format,
        "title": result.title,
        "complete": result.complete,
        "started": moment(result.started_ns),
        "finished": moment(result.finished_ns),
        "summary": summary(result),
        "entries": [entry(one) for one in shown],
        "locks": [lock(one) for one in result.locks],
        "staging": [staging(one) for one in result.staging],
        "findings": [finding(one) for one in result.findings],
        "gaps": [gap(one) for one in result.gaps],
        "notes": [text(one) for one in notes],
    }


def summary(result: CheckResult) -> Document:
    """Counts: ``bytes`` are the entries', ``total_bytes`` and ``total_files`` everything below
    the root; one count per verdict of entries, also where it is 0."""
    verdicts = Counter(one.verdict for one in result.entries)
    severities = Counter(one.severity for one in result.findings)
    return {
        "entries": len(result.entries),
        "bytes": sum(one.size for one in result.entries),
        **{verdict.value: verdicts[verdict] for verdict in EntryVerdict},
        "total_bytes": result.size,
        "total_files": result.files,
        "locks": len(result.locks),
        "staging": len(result.staging),
        "problems": severities[Severity.PROBLEM],
        "notices": severities[Severity.NOTICE],
        "uninspected": result.uninspected,
    }


def entry(one: EntryReport) -> Document:
    return {
        "name": text(one.name),
        "title": text(one.title),
        "subtitle": text(one.subtitle),
        **path_fields("path", one.path),
        "bytes": one.size,
        "file_count": one.files,
        "changed": moment(one.changed_ns),
        "verdict": one.verdict.value,
        "why": text(one.why),
        "expected": [expected_digest(each) for each in one.expected],
        "actual": [digest(each) for each in one.actual],
        "evidence": evidence(one.evidence),
        "holders": holders(one.holders),
        **path_list_fields("users", one.users),
        **optional_path_fields("link_target", one.link_target),
    }


def lock(one: LockReport) -> Document:
    return {
        "id": text(one.id),
        "kind": one.kind.value,
        **path_fields("path", one.path),
        "verdict": one.verdict.value,
        "subject": text(one.subject),
        "explanation": text(one.explanation),
        "holders": holders(one.holders),
        "owner": owner(one.owner),
        "evidence": evidence(one.evidence),
        "changed": moment(one.changed_ns),
        "etag": one.etag or None,
        "garbage": one.garbage,
    }


def staging(one: StagingReport) -> Document:
    return {
        "name": text(one.name),
        **path_fields("path", one.path),
        "bytes": one.size,
        "file_count": one.files,
        "verdict": one.verdict.value,
        "explanation": text(one.explanation),
        "holders": holders(one.holders),
        "evidence": evidence(one.evidence),
        "changed": moment(one.changed_ns),
    }


def _offer(one: RepairOffer) -> Document:
    return {
        "step": one.step.value,
        "confirm": one.confirm.value,
        "why": text(one.why),
        **optional_path_fields("source", one.source),
    }


def finding(one: Finding) -> Document:
    """``repair`` is the repair offered first (or null), ``repairs`` all of them."""
    return {
        "id": one.id,
        "kind": one.kind.value,
        "severity": one.severity.value,
        "verdict": one.verdict.value,
        "subject": text(one.subject),
        **path_fields("path", one.path),
        **path_list_fields("files", one.files),
        "explanation": text(one.explanation),
        "evidence": evidence(one.evidence),
        "repair": _offer(one.repair) if one.repair else None,
        "repairs": [_offer(each) for each in one.repairs],
        "expected": [expected_digest(each) for each in one.expected],
        "actual": [digest(each) for each in one.actual],
        "holders": holders(one.holders),
        "bytes": one.size,
        "changed": moment(one.changed_ns),
    }


def gap(one: Gap) -> Document:
    return {**path_fields("path", one.path), "reason": text(one.reason)}


def locks(root: bytes, found: Iterable[LockReport], notes: Iterable[str] = ()) -> Document:
    """``cachewright.locks/1``; ``notes`` are sentences about locks that cannot be shown here."""
    return {
        "schema": "cachewright.locks/1",
        **path_fields("root", root),
        "locks": [lock(one) for one in found],
        "notes": [text(one) for one in notes],
    }


def outcome(outcomes: Iterable[Outcome]) -> Document:
    """``cachewright.outcome/1``; ``undo`` is what ``cachewright undo`` takes, or null."""
    return {
        "schema": "cachewright.outcome/1",
        "outcomes": [
            {
                "step": one.step.value if one.step else None,
                "subject": text(one.subject),
                **path_fields("path", one.path),
                "result": one.result.value,
                "reason": text(one.reason),
                "undo": one.undo,
            }
            for one in outcomes
        ],
    }


def discover(locations: Iterable[Location]) -> Document:
    """``cachewright.discover/1``."""
    return {
        "schema": "cachewright.discover/1",
        "caches": [
            {"format": one.format, **path_fields("root", one.root), "name": text(one.name)}
            for one in locations
        ],
    }


def error(kind: str, message: str, exit_code: int) -> Document:
    """``cachewright.error/1``: the one object that stands on stdout when a verb failed."""
    return {
        "schema": "cachewright.error/1",
        "error": {"kind": kind, "message": text(message), "exit_code": exit_code},
    }
