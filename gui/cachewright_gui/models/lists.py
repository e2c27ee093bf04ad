"""The columns of the Problems, Staging and History tables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from cachewright.model import (
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    HoldVerdict,
    Result,
    Severity,
    StagingReport,
    Verdict,
)
from cachewright.text import display
from cachewright.workbench import HistoryItem
from cachewright_gui import lock_words, wording
from cachewright_gui.icons import RESULT_ICON, VERDICT_ICON
from cachewright_gui.models.report_model import Chip, Column, ReportModel
from cachewright_gui.theme import RESULT_TONE, TONE, Tone

WEIGHT: Final[dict[Verdict, int]] = {
    verdict: weight
    for weight, verdict in enumerate[Verdict](
        (
            EntryVerdict.CORRUPT,
            EntryVerdict.INCOMPLETE,
            EntryVerdict.DISPUTED,
            EntryVerdict.UNREADABLE,
            HoldVerdict.STALE,
            HoldVerdict.UNPROVEN,
            HoldVerdict.HELD,
            EntryVerdict.BUSY,
            EntryVerdict.UNVERIFIABLE,
            EntryVerdict.UNCHECKED,
            HoldVerdict.FREE,
            EntryVerdict.OK,
        )
    )
}


_NOTICES: Final = {
    FindingKind.NOT_A_LOCK: "Not a lock",
    FindingKind.STATE_ELSEWHERE: "Elsewhere",
}
"""What is told of and has no verdict."""


def chip(verdict: Verdict) -> Chip:
    return Chip(wording.VERDICT_WORD[verdict], VERDICT_ICON[verdict], TONE[verdict])


def staging_chip(verdict: HoldVerdict) -> Chip:
    if verdict is HoldVerdict.HELD:
        return Chip("In use", VERDICT_ICON[EntryVerdict.BUSY], Tone.BUSY)
    return chip(verdict)


def finding_chip(finding: Finding) -> Chip:
    """A finding's verdict; a finding about an entry that is itself sound says what it is."""
    if finding.kind is FindingKind.LIVE_STAGING:
        return staging_chip(HoldVerdict.HELD)
    if finding.kind in _NOTICES:
        return Chip(_NOTICES[finding.kind], "notice", Tone.NEUTRAL)
    if finding.verdict is EntryVerdict.OK:
        is_problem = finding.severity is Severity.PROBLEM
        tone = Tone.WARN if is_problem else Tone.NEUTRAL
        return Chip("Problem" if is_problem else "Notice", finding.severity.value, tone)
    return chip(finding.verdict)


def history_chip(item: HistoryItem) -> Chip:
    if item.undone:
        return Chip("Undone", "undo", Tone.NEUTRAL)
    if item.result in set(Result):
        result = Result(item.result)
        return Chip(wording.RESULT_WORD[result], RESULT_ICON[result], RESULT_TONE[result])
    return Chip(wording.in_words(item.result), "notice", Tone.WARN)


def repair_words(finding: Finding) -> str:
    """What the best repair is, or why there is none."""
    offer = finding.repair
    if offer is None:
        in_use = finding.verdict in {EntryVerdict.BUSY, HoldVerdict.HELD}
        return "None: in use" if in_use else "None offered"
    if offer.confirm is Confirm.TYPED:
        return "Needs confirmation"
    return wording.STEP_TITLE[offer.step]


def shown_path(path: bytes) -> str:
    """The path with the home directory shortened, for reading only."""
    home = os.path.expanduser(b"~")
    if home != b"/" and (path == home or path.startswith(home + b"/")):
        return "~" + display(path[len(home) :])
    return display(path)


def _size(amount: int) -> str:
    return wording.size(amount) if amount else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding and the title that a person knows its subject by."""

    finding: Finding
    title: str


def problems() -> ReportModel[Problem]:
    return ReportModel(
        (
            Column(
                "Verdict",
                lambda one: finding_chip(one.finding).word,
                lambda one: WEIGHT[one.finding.verdict],
                124,
                chip=lambda one: finding_chip(one.finding),
            ),
            Column(
                "What",
                lambda one: one.title,
                lambda one: one.title.casefold(),
                detail=lambda one: one.finding.explanation,
                hint=lambda one: (
                    f"{display(one.title)}\n{display(one.finding.explanation)}\n"
                    f"{shown_path(one.finding.path)}"
                ),
            ),
            Column(
                "Size",
                lambda one: _size(one.finding.size),
                lambda one: one.finding.size,
                84,
                hint=lambda one: wording.exact_size(one.finding.size),
                right=True,
                spare=3,
            ),
            Column(
                "Age",
                lambda one: wording.age(one.finding.changed_ns),
                lambda one: -one.finding.changed_ns,
                118,
                hint=lambda one: wording.exact_time(one.finding.changed_ns),
                spare=2,
            ),
            Column(
                "Repair",
                lambda one: repair_words(one.finding),
                lambda one: repair_words(one.finding),
                154,
                hint=lambda one: display(offer.why) if (offer := one.finding.repair) else "",
                spare=1,
            ),
        ),
        key=lambda one: one.finding.id,
        default_order=lambda one: (
            one.finding.severity is not Severity.PROBLEM,
            WEIGHT[one.finding.verdict],
            one.title.casefold(),
            one.finding.path,
        ),
        glance=lambda one: (one.finding.verdict, one.finding.explanation),
    )


def holder_words(report: StagingReport) -> str:
    """Who holds it: the first by name, the others by number."""
    if not report.holders:
        return ""
    words = lock_words.titled(report.holders[0])
    more = len(report.holders) - 1
    return f"{words} and {more} more" if more else words


def _holders_hint(report: StagingReport) -> str:
    return "\n".join(f"{one.pid}: {display(one.command)}" for one in report.holders)


def staging() -> ReportModel[StagingReport]:
    return ReportModel(
        (
            Column(
                "Verdict",
                lambda one: staging_chip(one.verdict).word,
                lambda one: WEIGHT[one.verdict],
                124,
                chip=lambda one: staging_chip(one.verdict),
            ),
            Column(
                "Staging place",
                lambda one: one.name,
                lambda one: one.name.casefold(),
                detail=lambda one: one.explanation,
                hint=lambda one: (
                    f"{display(one.name)}\n{display(one.explanation)}\n{shown_path(one.path)}"
                ),
            ),
            Column("Holder", holder_words, holder_words, 176, hint=_holders_hint, spare=1),
            Column(
                "Size",
                lambda one: wording.size(one.size),
                lambda one: one.size,
                84,
                hint=lambda one: wording.exact_size(one.size),
                right=True,
            ),
            Column(
                "Files",
                lambda one: f"{one.files:,}",
                lambda one: one.files,
                76,
                right=True,
                spare=3,
            ),
            Column(
                "Last change",
                lambda one: wording.age(one.changed_ns),
                lambda one: -one.changed_ns,
                118,
                hint=lambda one: wording.exact_time(one.changed_ns),
                spare=2,
            ),
        ),
        key=lambda one: one.path,
        default_order=lambda one: (WEIGHT[one.verdict], one.name.casefold(), one.path),
        glance=lambda one: (one.verdict, one.size, holder_words(one)),
    )


def history() -> ReportModel[HistoryItem]:
    return ReportModel(
        (
            Column(
                "Result",
                lambda one: history_chip(one).word,
                lambda one: history_chip(one).word,
                124,
                chip=history_chip,
            ),
            Column(
                "What was done",
                lambda one: f"{wording.STEP_TITLE[one.step]}: {one.subject}",
                lambda one: (one.step.value, one.subject),
                detail=lambda one: shown_path(one.path),
            ),
            Column(
                "When",
                lambda one: wording.age(one.at_ns),
                lambda one: -one.at_ns,
                132,
                hint=lambda one: wording.exact_time(one.at_ns),
            ),
            Column(
                "Undo",
                lambda one: "Can be undone" if one.can_undo else "",
                lambda one: not one.can_undo,
                132,
            ),
        ),
        key=lambda one: one.id,
        default_order=lambda one: -one.at_ns,
        glance=lambda one: (one.result, one.undone),
    )
