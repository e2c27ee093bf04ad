"""Judges one entry of a uv cache by its RECORD; one finding per cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cachewright.formats.base import Entry, GoodCopy, Judgement, Verification
from cachewright.formats.uv_compare import Compared, compare
from cachewright.formats.uv_record import Record, RecordDamaged
from cachewright.formats.uv_titles import Form, Kind
from cachewright.formats.uv_words import (
    BUILT_AGAIN,
    FAILS,
    FETCHED_AGAIN,
    RUN,
    consequence,
    listed,
    ok_words,
    shared_words,
    unvouched,
    wrong_words,
)
from cachewright.model import (
    Confirm,
    Digest,
    EntryVerdict,
    ExpectedDigest,
    Finding,
    FindingKind,
    RepairOffer,
    Severity,
    StepKind,
)
from cachewright.text import display

_DIGESTS_TOLD: Final = 50
_FAULTS_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the judgement is made from.

    ``record`` reads and joins the RECORDs of what was hashed, raising ``RecordDamaged``;
    ``links`` tells how many names the files have, ``copies`` looks for good copies.
    """

    entry: Entry
    path: bytes
    form: Form
    seen: Verification
    expected: tuple[ExpectedDigest, ...]
    record: Callable[[], Record]
    links: Callable[[Sequence[bytes]], int]
    copies: Callable[[], Sequence[GoodCopy]]

    @property
    def places(self) -> tuple[bytes, ...]:
        return tuple(info + b"/RECORD" for info in self.form.infos)


def judge_wheel(case: Case) -> Judgement:
    """An unpacked wheel: all of its files must be in its RECORD, as they are there."""
    spoilt = _without_record(case)
    if spoilt is not None:
        return spoilt
    try:
        record = case.record()
    except RecordDamaged as error:
        return _damaged_record(case, f"its RECORD cannot be used: {error}.")
    compared = compare(case.seen.files, record, case.places, strange=case.seen.strange)
    if compared.extra and not record.lists_itself:
        names = listed(compared.extra)
        words = f"its RECORD lists neither itself nor {names}: it was cut short."
        return _damaged_record(case, words)
    return _with_strange(case, _with_faults(case, record, _compared(case, record, compared)))


def judge_environment(case: Case) -> Judgement:
    """A tool's environment: each package in it has a RECORD; launchers and links have none."""
    if not case.seen.files:
        return _empty(case, "the environment")
    if not case.form.infos:
        why = "No package is installed in this environment, so no RECORD vouches for anything."
        return Judgement(EntryVerdict.UNVERIFIABLE, why)
    missing = tuple(place for place in case.places if place not in case.seen.files)
    if missing:
        return _record_missing(case, missing)
    try:
        record = case.record()
    except RecordDamaged as error:
        return _damaged_record(case, f"a RECORD in it cannot be used: {error}.")
    compared = compare(
        case.seen.files, record, case.places, strange=case.seen.strange, extras=False
    )
    return _with_faults(case, record, _compared(case, record, compared))


def finding(
    case: Case,
    kind: FindingKind,
    verdict: EntryVerdict,
    explanation: str,
    *,
    files: tuple[bytes, ...] = (),
    severity: Severity = Severity.PROBLEM,
    repairs: tuple[RepairOffer, ...] | None = None,
) -> Finding:
    """About the entry, with all repairs that fit unless others are given."""
    return Finding(
        kind=kind,
        severity=severity,
        verdict=verdict,
        subject=case.entry.name,
        path=case.path,
        explanation=f"{case.entry.title}: {explanation}",
        files=files,
        repairs=offers(case) if repairs is None else repairs,
        expected=case.expected,
    )


def single(case: Case, one: Finding) -> Judgement:
    return Judgement(EntryVerdict(one.verdict), one.explanation, (one,), case.expected)


def offers(case: Case) -> tuple[RepairOffer, ...]:
    """Publish a good copy where there is one, else (or if that is preferred) move it away."""
    again = FETCHED_AGAIN if case.form.kind is Kind.WHEEL else BUILT_AGAIN
    copies = [
        RepairOffer(
            StepKind.REPUBLISH_ENTRY,
            Confirm.CLICK,
            f"A good copy is at hand in {display(copy.path)}: {copy.proof}.",
            source=copy.path,
        )
        for copy in case.copies()[:1]
    ]
    return (*copies, RepairOffer(StepKind.QUARANTINE_ENTRY, Confirm.CLICK, again))


def _without_record(case: Case) -> Judgement | None:
    """What is so incomplete that there is no RECORD to ask."""
    if not case.seen.files and not case.seen.strange:
        return _empty(case, "the wheel")
    if not case.form.infos:
        words = f"the archive has no .dist-info directory. {FAILS}"
        verdict = EntryVerdict.INCOMPLETE
        return single(case, finding(case, FindingKind.INCOMPLETE_ENTRY, verdict, words))
    if len(case.form.infos) > 1:
        names = listed(case.form.infos)
        words = f"the archive has several .dist-info directories ({names}). {FAILS}"
        verdict = EntryVerdict.UNVERIFIABLE
        files = case.form.infos
        kind = FindingKind.DAMAGED_METADATA
        return single(case, finding(case, kind, verdict, words, files=files))
    missing = tuple(place for place in case.places if place not in case.seen.files)
    return _record_missing(case, missing) if missing else None


def _empty(case: Case, what: str) -> Judgement:
    words = f"the archive holds no file: {what} was never unpacked, or was emptied."
    verdict = EntryVerdict.INCOMPLETE
    return single(case, finding(case, FindingKind.INCOMPLETE_ENTRY, verdict, words))


def _record_missing(case: Case, missing: tuple[bytes, ...]) -> Judgement:
    words = f"{listed(missing)} is missing, so nothing vouches for the other files. {FAILS}"
    verdict = EntryVerdict.INCOMPLETE
    kind = FindingKind.MISSING_FILE
    return single(case, finding(case, kind, verdict, words, files=missing))


def _damaged_record(case: Case, words: str) -> Judgement:
    kind, verdict = FindingKind.DAMAGED_METADATA, EntryVerdict.UNVERIFIABLE
    words = f"{words} So nothing can be said about the other files."
    return single(case, finding(case, kind, verdict, words, files=case.places[:_DIGESTS_TOLD]))


def _with_faults(case: Case, record: Record, judgement: Judgement) -> Judgement:
    """Rows that say nothing leave their files unjudged, and were not written by uv."""
    if not record.faults:
        return judgement
    shown = "; ".join(record.faults[:_FAULTS_TOLD])
    more = len(record.faults) - _FAULTS_TOLD
    rest = f"; and {more} more" if more > 0 else ""
    words = f"a part of its RECORD cannot be used ({shown}{rest})."
    verdict = judgement.verdict
    if verdict is EntryVerdict.OK:
        verdict = EntryVerdict.UNVERIFIABLE
    files = case.places[:_DIGESTS_TOLD]
    one = finding(case, FindingKind.DAMAGED_METADATA, verdict, words, files=files)
    why = judgement.why if judgement.findings else one.explanation
    return replace(judgement, verdict=verdict, why=why, findings=(*judgement.findings, one))


def _compared(case: Case, record: Record, compared: Compared) -> Judgement:
    verdict = compared.verdict
    if not compared.wrong:
        return _as_recorded(case, compared)
    words = [wrong_words(compared)]
    if case.form.kind is Kind.ENVIRONMENT:
        words.append(RUN)
    else:
        words.append(consequence(compared, case.entry.title, case.form.infos[0]))
    words.append(shared_words(case.links(compared.changed), compared.changed))
    one = finding(
        case,
        compared.kind,
        verdict,
        " ".join(filter(None, words)),
        files=compared.wrong,
    )
    return single(case, _with_digests(case, one, record, compared.changed))


def _as_recorded(case: Case, compared: Compared) -> Judgement:
    if compared.verdict is EntryVerdict.OK:
        words = [ok_words(compared)]
    else:
        words = ["RECORD has no digest of any file.", *unvouched(compared)]
    words.append(shared_words(case.links(()), ()))
    why = " ".join(filter(None, words))
    found: tuple[Finding, ...] = ()
    if compared.weak:
        told = f"{listed(compared.weak)} is vouched for by a digest that is easily forged."
        kind, severity = FindingKind.WEAK_DIGEST, Severity.NOTICE
        found = (
            finding(
                case,
                kind,
                compared.verdict,
                told,
                files=compared.weak,
                severity=severity,
                repairs=(),
            ),
        )
    return Judgement(compared.verdict, why, found, case.expected)


def _with_digests(case: Case, one: Finding, record: Record, changed: Sequence[bytes]) -> Finding:
    """What RECORD wants and what was found, for the first of the changed files."""
    source = case.path + b"/" + case.places[0]
    rows: Mapping[bytes, tuple[str, str]] = {
        name: (record.rows[name].algorithm, record.rows[name].digest)
        for name in changed[:_DIGESTS_TOLD]
        if record.rows[name].digest
    }
    return replace(
        one,
        expected=tuple(ExpectedDigest(kind, value, source) for kind, value in rows.values())
        or one.expected,
        actual=tuple(
            Digest(kind, case.seen.files[name].values[kind])
            for name, (kind, _value) in rows.items()
            if kind in case.seen.files[name].values
        ),
    )


def _with_strange(case: Case, judgement: Judgement) -> Judgement:
    """No wheel is unpacked with links, pipes, sockets or devices in it."""
    names = tuple(sorted(case.seen.strange))
    if not names:
        return judgement
    words = f"it holds something that is neither file nor directory: {listed(names)}."
    verdict = judgement.verdict
    if verdict in {EntryVerdict.OK, EntryVerdict.UNVERIFIABLE}:
        verdict = EntryVerdict.CORRUPT
    one = finding(case, FindingKind.FOREIGN_TYPE, verdict, words, files=names)
    why = judgement.why if judgement.findings else one.explanation
    return replace(judgement, verdict=verdict, why=why, findings=(*judgement.findings, one))
