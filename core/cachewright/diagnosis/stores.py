"""Findings about a store of locks: its locks, what lies beside them, what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cachewright.diagnosis.findings import of_gaps
from cachewright.diagnosis.locks import of_locks
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.locks.object_store import Looked
    from cachewright.locks.store import Stored

_NAMED_AT_MOST: Final = 50


def of_store(root: bytes, looked: Looked) -> tuple[Finding, ...]:
    """Everything that one look at a store tells, problems first."""
    beside = (of_beside(root, looked.beside),) if looked.beside else ()
    found = (*of_locks(looked.locks), *beside, *of_gaps(looked.gaps, frozenset()))
    return tuple(
        sorted(found, key=lambda one: (one.severity is not Severity.PROBLEM, one.kind, one.subject))
    )


def of_beside(root: bytes, beside: Sequence[Stored]) -> Finding:
    """All records that are no locks, in one notice: nothing is to be done about them."""
    return Finding(
        kind=FindingKind.NOT_A_LOCK,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNCHECKED,
        subject=display(root),
        path=root,
        explanation=beside_words(beside),
        files=tuple(one.key.encode() for one in beside[:_NAMED_AT_MOST]),
        size=sum(one.size for one in beside),
        changed_ns=max(one.changed_ns for one in beside),
    )


def beside_words(beside: Sequence[Stored]) -> str:
    """What lies beside locks, in one or two plain sentences."""
    first = f"{display(beside[0].key)} is {beside[0].what}"
    if len(beside) == 1:
        return f"1 record here is no lock and is left alone: {first}."
    return f"{len(beside)} records here are no locks and are left alone. {first}."
