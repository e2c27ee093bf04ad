"""Judges one file by every digest that is recorded for it (reliability.md T16)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.formats.base import Entry, GoodCopy, Judgement, Verification
from cachewright.formats.checksums_lists import WEAK, spelled
from cachewright.model import (
    Confirm,
    EntryVerdict,
    ExpectedDigest,
    Finding,
    FindingKind,
    RepairOffer,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.digests import FileDigest
    from cachewright.formats.checksums_claims import Claim

_NAMED_AT_MOST: Final = 3
_NOBODY_FETCHES: Final = (
    "No tool is known that brings it back by itself, so its name must be typed; it can be put "
    "back from quarantine."
)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the judgement is made from.  ``where`` gives the absolute path of a record;
    ``copies`` looks for good copies when called."""

    entry: Entry
    path: bytes
    claims: Sequence[Claim]
    seen: Verification
    where: Callable[[bytes], bytes]
    copies: Callable[[], Sequence[GoodCopy]]


def expected_of(
    claims: Sequence[Claim], where: Callable[[bytes], bytes]
) -> tuple[ExpectedDigest, ...]:
    """The recorded digests with the lists that record them."""
    return tuple(
        ExpectedDigest(one.algorithm, one.value, where(one.source))
        for one in claims
        if one.algorithm
    )


def only_file(seen: Verification) -> FileDigest | None:
    """What hashing a single file gave, under whatever name it was written."""
    return next(iter(seen.files.values())) if len(seen.files) == 1 else None


def judge(case: Case) -> Judgement | None:
    """The verdict by digests; None where no recorded digest can be compared."""
    digest = only_file(case.seen)
    if digest is None:
        return None
    compared = [one for one in case.claims if one.algorithm in digest.values]
    fitting = [one for one in compared if digest.values[one.algorithm] == one.value]
    contrary = [one for one in compared if one not in fitting]
    if not compared:
        return None
    expected = expected_of(case.claims, case.where)
    if not contrary:
        return Judgement(EntryVerdict.OK, ok_words(fitting), (), expected)
    strong = [one for one in fitting if one.algorithm not in WEAK]
    outweighed = not strong and any(one.algorithm not in WEAK for one in contrary)
    if fitting and not outweighed:
        words = (
            f"The lists disagree: its content is what {named(fitting)} {_records(fitting)}, "
            f"but not what {named(contrary)} {_records(contrary)}."
        )
        return _told(case, FindingKind.DISPUTED_DIGEST, EntryVerdict.DISPUTED, words, expected)
    words = f"Its content is not what {named(contrary)} {_records(contrary)}."
    if fitting:
        words += f" That {named(fitting)} fits proves nothing against a stronger digest."
    return _told(case, FindingKind.CORRUPT_ENTRY, EntryVerdict.CORRUPT, words, expected)


def repairs(case: Case) -> tuple[RepairOffer, ...]:
    """A good copy in its place, or else quarantine."""
    offers = [
        RepairOffer(
            StepKind.REPUBLISH_ENTRY,
            Confirm.CLICK,
            f"A good copy is at hand in {display(copy.path)}: {copy.proof}.",
            source=copy.path,
        )
        for copy in case.copies()[:1]
    ]
    return (*offers, RepairOffer(StepKind.QUARANTINE_ENTRY, Confirm.TYPED, _NOBODY_FETCHES))


def _told(
    case: Case,
    kind: FindingKind,
    verdict: EntryVerdict,
    explanation: str,
    expected: tuple[ExpectedDigest, ...],
) -> Judgement:
    finding = Finding(
        kind=kind,
        severity=Severity.PROBLEM,
        verdict=verdict,
        subject=case.entry.name,
        path=case.path,
        explanation=explanation,
        repairs=repairs(case),
        expected=expected,
    )
    return Judgement(verdict, explanation, (finding,), expected)


def named(claims: Sequence[Claim]) -> str:
    """Some lists with their lines, safe to show; the rest by number."""
    shown = [f"{display(one.source)} ({one.unit} {one.line})" for one in claims[:_NAMED_AT_MOST]]
    more = len(claims) - _NAMED_AT_MOST
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def _records(claims: Sequence[Claim]) -> str:
    return "records" if len(claims) == 1 else "record"


def ok_words(fitting: Sequence[Claim]) -> str:
    """Why a file is as it should be, and how much that is worth."""
    every = dict.fromkeys(spelled(one.algorithm) for one in fitting)
    verb = "is" if len(every) == 1 else "are"
    said = f"Its {' and its '.join(every)} {verb} as recorded in {named(fitting)}."
    if all(one.algorithm in WEAK for one in fitting):
        said += " That shows accidents, but not a change that somebody made on purpose."
    return said
