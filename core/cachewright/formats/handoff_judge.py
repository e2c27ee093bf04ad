"""Judges a handed-over file by what is recorded, what its name says and what was written of it.

A digest decides where there is one.  Everything else can only show that a file is *not* whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cachewright.formats import checksums_judge as digests
from cachewright.formats import handoff_words as words
from cachewright.formats.base import Judgement
from cachewright.formats.checksums_claims import Claim
from cachewright.formats.handoff_holes import Filling, size_words
from cachewright.formats.handoff_names import Temporary
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    RepairOffer,
    Severity,
    StepKind,
)
from cachewright.text import display

_WRITER_ELSEWHERE: Final = (
    "Its writer may run on another computer, where it does not show, or open it anew for each "
    "part, so the name must be typed. It can be put back from quarantine."
)

_WITH_ONE_REASON: Final = 2


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks of a file besides its digest.

    ``temporary`` is what its name tells.  ``of_final`` are the claims about the name that it is
    to get.  ``control`` is a writer's own note beside it that it is not finished, with the
    writer's name.  ``markers`` promise that it is; ``older`` are those the file outlived.
    ``young``: it changed a short while ago.  ``no_writer`` asks the kernel, when called, whether
    nobody on this computer has it open for writing; None where it cannot tell.
    """

    filling: Filling | None
    no_writer: Callable[[], bool | None]
    temporary: Temporary | None = None
    final_is_there: bool = False
    of_final: Sequence[Claim] = ()
    control: tuple[bytes, str] | None = None
    markers: tuple[bytes, ...] = ()
    older: tuple[bytes, ...] = ()
    young: bool = False


def judge(case: digests.Case, signs: Signs) -> Judgement:
    """The verdict, why, and what is offered; always with a word on why its size was not
    believed."""
    by_digest = digests.judge(case)
    if by_digest is not None and by_digest.verdict in {EntryVerdict.OK, EntryVerdict.DISPUTED}:
        return _by_digest(by_digest, signs)
    reasons = _reasons(case, signs)
    bad = by_digest or _longer(case, signs)
    if not reasons and bad is None:
        return _unverifiable(case, signs)
    alone = signs.no_writer()
    if alone is False:
        return _written(case, signs)
    if reasons:
        return _incomplete(case, signs, reasons, by_digest, alone)
    return _unverifiable(case, signs) if bad is None else _with_word_on_size(bad)


def _with_word_on_size(bad: Judgement) -> Judgement:
    why = f"{bad.why} {words.SIZE_SAYS_NOTHING}"
    return replace(
        bad, why=why, findings=tuple(replace(one, explanation=why) for one in bad.findings)
    )


def _written(case: digests.Case, signs: Signs) -> Judgement:
    """Somebody writes to it who does not show in the list of processes."""
    said = [
        "A process that cannot be named from here has it open for writing.",
        words.while_written(signs.filling, signs.temporary),
    ]
    finding = Finding(
        kind=FindingKind.BUSY_ENTRY,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.BUSY,
        subject=case.entry.name,
        path=case.path,
        explanation=words.joined_words(said),
    )
    return Judgement(EntryVerdict.BUSY, finding.explanation, (finding,))


def _by_digest(judgement: Judgement, signs: Signs) -> Judgement:
    said = [judgement.why]
    if judgement.verdict is EntryVerdict.OK:
        if signs.filling is not None and signs.filling.missing:
            said.append("Its ranges that were never written are meant to be zeros.")
        if signs.temporary is not None and signs.temporary.certain:
            said.append("It still has the name of an unfinished file.")
        said.append("It was compared by content; its size was not relied on.")
    return replace(judgement, why=words.joined_words(said))


def wanted_size(claims: Sequence[Claim]) -> Claim | None:
    """The claim of the largest size, if any claims one."""
    sized = [one for one in claims if one.size >= 0]
    return max(sized, key=lambda one: one.size) if sized else None


def _reasons(case: digests.Case, signs: Signs) -> list[str]:
    """Why it is not whole; empty where nothing says so."""
    found: list[str] = []
    if signs.temporary is not None and (signs.temporary.certain or signs.of_final):
        found.append(words.unfinished_name(signs.temporary, final_is_there=signs.final_is_there))
    if signs.control is not None:
        note, writer = signs.control
        found.append(f"{display(note)} beside it is the note by which {writer} goes on with it.")
    wanted = wanted_size(signs.of_final if signs.temporary else case.claims)
    if wanted is not None and signs.filling is not None and signs.filling.size < wanted.size:
        found.append(words.short(signs.filling, wanted.size, wanted.source))
    if signs.filling is not None and signs.filling.missing:
        found.append(words.ranges(signs.filling))
    return found


def _incomplete(
    case: digests.Case,
    signs: Signs,
    reasons: list[str],
    by_digest: Judgement | None,
    alone: bool | None,
) -> Judgement:
    explanation = _incomplete_words(case, signs, [words.gone(alone), *reasons], by_digest)
    whole = None if signs.filling is None else _whole(case, signs, signs.filling)
    finding = Finding(
        kind=FindingKind.INCOMPLETE_ENTRY,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.INCOMPLETE,
        subject=case.entry.name,
        path=case.path,
        explanation=explanation,
        evidence=(
            *(() if whole is None else words.range_evidence(whole)),
            words.writer_evidence(alone),
        ),
        repairs=_repairs(case),
        expected=digests.expected_of(case.claims, case.where),
    )
    return Judgement(EntryVerdict.INCOMPLETE, explanation, (finding,), finding.expected)


def _incomplete_words(
    case: digests.Case, signs: Signs, said: list[str], by_digest: Judgement | None
) -> str:
    """What was ``said`` of it, and what else is known of the rest of it."""
    filling = signs.filling
    only_holes = len(said) == _WITH_ONE_REASON and filling is not None and bool(filling.missing)
    if _fits_final(case, signs):
        said.append("Its content is already that of the finished file; only the name is missing.")
    elif filling is not None and not filling.missing and filling.unknown:
        said.append(filling.unknown)
    elif only_holes and by_digest is None:
        said.append("Nothing records whether it is meant to have zeros there.")
    if signs.young:
        said.append(words.YOUNG)
    said += [f"{display(one)} promises otherwise, and is not believed." for one in signs.markers]
    said.append(words.SIZE_SAYS_NOTHING)
    return words.joined_words(said)


def _whole(case: digests.Case, signs: Signs, filling: Filling) -> Filling:
    wanted = wanted_size(signs.of_final if signs.temporary else case.claims)
    return filling if wanted is None else filling.up_to(wanted.size)


def _fits_final(case: digests.Case, signs: Signs) -> bool:
    found = digests.only_file(case.seen)
    compared = (
        [] if found is None else [one for one in signs.of_final if one.algorithm in found.values]
    )
    return bool(compared) and all(
        found is not None and found.values[one.algorithm] == one.value for one in compared
    )


def _repairs(case: digests.Case) -> tuple[RepairOffer, ...]:
    """A good copy first; else quarantine, which is typed: nobody proved the writer dead."""
    better = [one for one in digests.repairs(case) if one.step is StepKind.REPUBLISH_ENTRY]
    return (*better, RepairOffer(StepKind.QUARANTINE_ENTRY, Confirm.TYPED, _WRITER_ELSEWHERE))


def _longer(case: digests.Case, signs: Signs) -> Judgement | None:
    """A file that has more bytes than any record of it says."""
    wanted = wanted_size(case.claims)
    if wanted is None or signs.filling is None or signs.filling.size <= wanted.size:
        return None
    has, should = size_words(signs.filling.size), size_words(wanted.size)
    said = f"It has {has}, more than the {should} that {display(wanted.source)} records."
    finding = Finding(
        kind=FindingKind.CORRUPT_ENTRY,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.CORRUPT,
        subject=case.entry.name,
        path=case.path,
        explanation=said,
        repairs=_repairs(case),
    )
    return Judgement(EntryVerdict.CORRUPT, said, (finding,))


def _unverifiable(case: digests.Case, signs: Signs) -> Judgement:
    said: list[str] = []
    wanted = wanted_size(case.claims)
    if wanted is not None:
        said.append(f"It has the size that {display(wanted.source)} records, and no digest is.")
    elif case.claims:
        said.append("Its digests were not computed.")
    else:
        said.append("No digest of it is recorded here, so nothing vouches for it.")
    said += [words.promise(one, older=one in signs.older) for one in signs.markers]
    if signs.temporary is not None and signs.temporary.likely:
        said.append(words.unfinished_name(signs.temporary, final_is_there=signs.final_is_there))
    if signs.filling is None or signs.filling.unknown:
        said.append("" if signs.filling is None else signs.filling.unknown)
    elif signs.filling.size:
        said.append("All of its ranges were written at least once.")
    said.append(words.SIZE_SAYS_NOTHING)
    expected = digests.expected_of(case.claims, case.where)
    return Judgement(EntryVerdict.UNVERIFIABLE, words.joined_words(said), (), expected)
