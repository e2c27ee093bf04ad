"""Judges an entry: its form, its content, its exec bit; one finding per cause (terraform.md 2.4,
2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from cachewright.formats.base import Entry, GoodCopy, Judgement, Verification
from cachewright.formats.terraform_differences import Differences, compare, leave_out
from cachewright.formats.terraform_layout import Package, executable
from cachewright.formats.terraform_vouching import Standing
from cachewright.formats.terraform_words import disputed_words, ok_words, unverifiable_words
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
from cachewright.text import display, encode_name

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_AS_RECORDED: Final = (
    "Its content is not what is recorded. Which file differs cannot be told without a good copy."
)
_FETCHED_AGAIN: Final = (
    "The next terraform init fetches it again; it can be put back from quarantine."
)
_EXEC_BITS: Final = 0o111


class Form(Enum):
    """What lies where the entry's directory belongs."""

    DIRECTORY = "directory"
    OTHER = "other"
    DANGLING = "dangling"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the judgement is made from.  ``copies`` looks for good copies when called."""

    entry: Entry
    path: bytes
    package: Package
    form: Form
    seen: Verification
    standing: Standing
    expected: tuple[ExpectedDigest, ...]
    copies: Callable[[], Sequence[GoodCopy]]


def judge(case: Case) -> Judgement:
    """The verdict, why, and the findings with the repairs that they allow."""
    if case.form is Form.DANGLING:
        return _dangling(case)
    if case.form is Form.OTHER:
        return _no_directory(case)
    if not case.seen.files and not case.seen.strange:
        return _empty(case)
    judgement = _content(case)
    if executable((*case.seen.files, *case.seen.strange), case.package.kind) is None:
        judgement = _without_executable(case, judgement)
    return _with_lost_exec_bit(case, _with_strange(case, judgement))


def _finding(
    case: Case,
    kind: FindingKind,
    verdict: EntryVerdict,
    explanation: str,
    *,
    repairs: tuple[RepairOffer, ...],
    files: tuple[bytes, ...] = (),
) -> Finding:
    return Finding(
        kind=kind,
        severity=Severity.PROBLEM,
        verdict=verdict,
        subject=case.entry.name,
        path=case.path,
        explanation=explanation,
        files=files,
        repairs=repairs,
        expected=case.expected,
    )


def _single(case: Case, finding: Finding) -> Judgement:
    return Judgement(EntryVerdict(finding.verdict), finding.explanation, (finding,), case.expected)


def _quarantine(case: Case, confirm: Confirm = Confirm.CLICK) -> RepairOffer:
    why = _FETCHED_AGAIN
    if case.entry.link_target is not None:
        why = f"Only the link is moved, not what it leads to. {_FETCHED_AGAIN}"
    return RepairOffer(StepKind.QUARANTINE_ENTRY, confirm, why)


def _repairs(case: Case, copies: Sequence[GoodCopy]) -> tuple[RepairOffer, ...]:
    offers = [
        RepairOffer(
            StepKind.REPUBLISH_ENTRY,
            Confirm.CLICK,
            f"A good copy is at hand in {display(copy.path)}: {copy.proof}.",
            source=copy.path,
        )
        for copy in copies[:1]
    ]
    return (*offers, _quarantine(case))


def _dangling(case: Case) -> Judgement:
    target = display(case.entry.link_target or b"")
    explanation = f"It is a link to {target}, where no directory is. Terraform sees no provider."
    kind, verdict = FindingKind.DANGLING_LINK, EntryVerdict.INCOMPLETE
    repairs = _repairs(case, case.copies())
    return _single(case, _finding(case, kind, verdict, explanation, repairs=repairs))


def _no_directory(case: Case) -> Judgement:
    explanation = (
        "A file lies where the provider's directory belongs. "
        "Terraform fails on it and never heals it by itself."
    )
    kind, verdict = FindingKind.FOREIGN_TYPE, EntryVerdict.CORRUPT
    return _single(case, _finding(case, kind, verdict, explanation, repairs=(_quarantine(case),)))


def _empty(case: Case) -> Judgement:
    explanation = "The directory holds no file: the provider was never unpacked, or was emptied."
    kind, verdict = FindingKind.INCOMPLETE_ENTRY, EntryVerdict.INCOMPLETE
    repairs = _repairs(case, case.copies())
    return _single(case, _finding(case, kind, verdict, explanation, repairs=repairs))


def _content(case: Case) -> Judgement:
    verdict, standing = case.standing.verdict, case.standing
    unhashable = any(b"\n" in name for name in case.seen.files)
    if unhashable or verdict is EntryVerdict.CORRUPT:
        return _corrupt(case)
    if verdict is EntryVerdict.OK:
        return Judgement(verdict, ok_words(standing), (), case.expected)
    if verdict is EntryVerdict.DISPUTED:
        explanation = disputed_words(standing)
        offers = (_quarantine(case, Confirm.TYPED),)
        return _single(
            case,
            _finding(case, FindingKind.DISPUTED_DIGEST, verdict, explanation, repairs=offers),
        )
    return Judgement(verdict, unverifiable_words(standing), (), case.expected)


def _corrupt(case: Case) -> Judgement:
    copies = case.copies()
    if copies:
        differences = compare(case.seen.files, copies[0].files(), case.seen.strange)
    else:
        wanted = {one.value for one in case.expected if one.algorithm == "h1"}
        differences = leave_out(case.seen.files, wanted)
    verdict = EntryVerdict.CORRUPT
    if copies and not differences and case.seen.strange:
        # The whole difference is a thing that is no file: told of by ``_with_strange``.
        return Judgement(verdict, "It holds something that is no file.", (), case.expected)
    explanation = _which(case, differences, copies)
    finding = _finding(
        case,
        differences.kind,
        verdict,
        explanation,
        repairs=_repairs(case, copies),
        files=differences.names,
    )
    return _single(case, finding)


def _which(case: Case, differences: Differences, copies: Sequence[GoodCopy]) -> str:
    if any(b"\n" in name for name in differences.extra):
        return f"{differences.words} Terraform cannot even hash a name with a line break."
    if differences and copies:
        return f"{differences.words} Compared with {display(copies[0].path)}."
    if differences:
        return f"{differences.words} Without it the rest is what is recorded."
    if not case.standing.proofs_against and len(case.standing.locks_against) == 1:
        return (
            f"{_NOT_AS_RECORDED} The only lock file that speaks of it may also have been "
            "written on another kind of computer."
        )
    return _NOT_AS_RECORDED


def _without_executable(case: Case, judgement: Judgement) -> Judgement:
    verdict = EntryVerdict.INCOMPLETE
    wanted = display(b"terraform-provider-" + case.package.kind)
    explanation = f"The executable {wanted} is missing, so terraform cannot start the provider."
    files: tuple[bytes, ...] = ()
    repairs: tuple[RepairOffer, ...] = ()
    if judgement.findings:
        told = judgement.findings[0]
        explanation = f"{explanation} {told.explanation}"
        files, repairs = told.files, told.repairs
    elif judgement.verdict is EntryVerdict.OK:
        explanation = f"{explanation} It was published like that: {judgement.why}"
    else:
        repairs = _repairs(case, case.copies())
    return _single(
        case,
        _finding(
            case,
            FindingKind.INCOMPLETE_ENTRY,
            verdict,
            explanation,
            repairs=repairs,
            files=files,
        ),
    )


def _with_strange(case: Case, judgement: Judgement) -> Judgement:
    names = tuple(sorted(case.seen.strange))
    if not names:
        return judgement
    verdict = judgement.verdict
    if verdict in {EntryVerdict.OK, EntryVerdict.UNVERIFIABLE}:
        verdict = EntryVerdict.CORRUPT
    repairs = judgement.findings[0].repairs if judgement.findings else ()
    shown = ", ".join(display(name) for name in names[:5])
    explanation = (
        f"It holds something that is neither file nor directory: {shown}. "
        "No provider is published with links, pipes, sockets or devices."
    )
    finding = _finding(
        case,
        FindingKind.FOREIGN_TYPE,
        verdict,
        explanation,
        repairs=repairs or _repairs(case, case.copies()),
        files=names,
    )
    why = judgement.why if judgement.findings else explanation
    return replace(judgement, verdict=verdict, why=why, findings=(*judgement.findings, finding))


def _is_click(finding: Finding) -> bool:
    return finding.repair is not None and finding.repair.confirm is Confirm.CLICK


def _with_lost_exec_bit(case: Case, judgement: Judgement) -> Judgement:
    name = executable(case.seen.files, case.package.kind)
    if name is None or case.package.platform.startswith(b"windows_"):
        return judgement
    if case.seen.files[name].mode & _EXEC_BITS:
        return judgement
    explanation = (
        f"{display(name)} may not be executed, so terraform cannot start the provider. "
        "Terraform does not notice this itself and never heals it."
    )
    repairs: tuple[RepairOffer, ...] = (
        RepairOffer(
            StepKind.RESTORE_EXEC_BIT,
            Confirm.CLICK,
            "The file is made executable for everybody who may read it.",
            detail={"files": [encode_name(name)]},
        ),
    )
    if case.entry.link_target is not None:
        # Nothing is ever written through a link.
        repairs = ()
        explanation = f"{explanation} It lies where the entry's link leads, and is left alone."
    elif any(_is_click(finding) for finding in judgement.findings):
        # What puts a good copy in place restores the bit too.
        repairs = judgement.findings[0].repairs
    finding = _finding(
        case,
        FindingKind.LOST_EXEC_BIT,
        judgement.verdict,
        explanation,
        repairs=repairs,
        files=(name,),
    )
    return replace(judgement, findings=(*judgement.findings, finding))
