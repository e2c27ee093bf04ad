"""Every verdict on content says what it rests on, be it a digest of the whole or of one file."""

from __future__ import annotations

from cachewright.diagnosis.entries import Weighed, judged
from cachewright.formats.base import Judgement
from cachewright.model import (
    Digest,
    EntryReport,
    EntryVerdict,
    ExpectedDigest,
    Finding,
    FindingKind,
    Says,
    Severity,
)

REPORT = EntryReport("toy", "toy 1.0", "", b"/c/toy", 1, 1, 1, 0, EntryVerdict.UNCHECKED)
RECORDED = ExpectedDigest("sha256", "aa", b"/c/RECORD")


def weighed(judgement: Judgement, **whole: str) -> Weighed:
    return judged(REPORT, judgement, whole, (), 0)


def of_content(weighed: Weighed) -> list[tuple[Says, str]]:
    told = weighed.findings[0].evidence if weighed.findings else weighed.report.evidence
    return [(one.says, one.detail) for one in told if one.fact == "digest"]


def finding(**more: object) -> Finding:
    corrupt = EntryVerdict.CORRUPT
    kind, problem = FindingKind.CORRUPT_ENTRY, Severity.PROBLEM
    return Finding(kind, problem, corrupt, "", b"", "One file differs.", **more)  # type: ignore[arg-type]


def test_what_fits_as_a_whole_says_by_which_digest() -> None:
    found = weighed(Judgement(EntryVerdict.OK, "Good.", expected=(RECORDED,)), sha256="aa")
    assert of_content(found) == [(Says.GOOD, "Fits sha256:aa, recorded in /c/RECORD.")]


def test_what_fits_file_by_file_says_so() -> None:
    found = weighed(Judgement(EntryVerdict.OK, "20 files fit their digests in RECORD."))
    assert of_content(found) == [(Says.GOOD, "20 files fit their digests in RECORD.")]


def test_a_file_that_differs_says_from_what() -> None:
    about = finding(expected=(RECORDED,), actual=(Digest("sha256", "bb"),))
    found = weighed(Judgement(EntryVerdict.CORRUPT, "One file differs.", (about,)))
    assert of_content(found) == [(Says.BAD, "Differs from sha256:aa, recorded in /c/RECORD.")]


def test_nothing_is_told_twice() -> None:
    about = finding(expected=(RECORDED,), actual=(Digest("sha256", "bb"),))
    judgement = Judgement(EntryVerdict.CORRUPT, "It differs.", (about,), (RECORDED,))
    assert len(of_content(weighed(judgement, sha256="bb"))) == 1


def test_what_nothing_vouches_for_has_no_such_evidence() -> None:
    assert of_content(weighed(Judgement(EntryVerdict.UNVERIFIABLE, "No digest."))) == []
