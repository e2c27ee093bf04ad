"""What the evidence pane tells of a selection, as data: built without a widget, tested as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cachewright.model import (
    Confirm,
    Digest,
    EntryReport,
    EntryVerdict,
    Evidence,
    ExpectedDigest,
    Finding,
    Holder,
    HoldVerdict,
    RepairOffer,
    StagingReport,
    StepKind,
)
from cachewright.text import display
from cachewright.workbench import HistoryItem
from cachewright_gui import icons, lock_words, wording
from cachewright_gui.fact_words import headline
from cachewright_gui.models import lists
from cachewright_gui.models.report_model import Chip
from cachewright_gui.theme import SAYS_TONE, Tone

_FILES_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Bullet:
    """One observation: an icon that has a word, a headline and what was seen."""

    icon: str
    tone: Tone
    icon_word: str
    headline: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value, e.g. a path; ``mono`` in the fixed-width font."""

    label: str
    value: str
    mono: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A button.  ``findings`` and ``only`` say which plan it previews, ``undo`` what it undoes;
    ``unlock`` is the place and ID of a lock that it asks to release."""

    label: str
    primary: bool = False
    findings: tuple[str, ...] = ()
    only: StepKind | None = None
    undo: str = ""
    unlock: tuple[bytes, str] | None = None


Item = Bullet | Fact | Words | Offer


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Title, verdict and sections in reading order; ``path`` is what Copy path copies."""

    title: str
    chip: Chip | None
    lead: str
    sections: tuple[Section, ...]
    path: bytes = b""


def of_finding(finding: Finding, title: str, entry: EntryReport | None) -> Story:
    """A finding, with what the entry's own report adds where it is about an entry."""
    evidence = finding.evidence or (entry.evidence if entry is not None else ())
    expected = finding.expected or (entry.expected if entry is not None else ())
    actual = finding.actual or (entry.actual if entry is not None else ())
    sections = [
        Section("Why", bullets(evidence)),
        Section("Checksums", _digests(expected, actual)),
        Section("Files", _names(finding.files)),
        Section("Held by", holding(finding.holders)),
        Section("Vouched for by", _vouchers(expected)),
        Section("Used by", _users(entry)),
        Section("Repair", repairs_of(finding)),
        Section("Where", place_of(finding.path, entry)),
    ]
    chip = lists.finding_chip(finding)
    return assembled(title, chip, finding.explanation, sections, finding.path)


def of_entry(entry: EntryReport, findings: Sequence[Finding]) -> Story:
    """An entry of the cache, with the repairs of the findings about it."""
    repairs = tuple(item for one in findings if one.repairs for item in repairs_of(one))
    sections = [
        Section("Why", bullets(entry.evidence)),
        Section("Checksums", _digests(entry.expected, entry.actual)),
        Section("Held by", holding(entry.holders)),
        Section("Vouched for by", _vouchers(entry.expected)),
        Section("Used by", _users(entry)),
        Section("Repair", repairs),
        Section("Where", place_of(entry.path, entry)),
    ]
    title = f"{entry.title} {entry.subtitle}".strip()
    return assembled(title, lists.chip(entry.verdict), entry.why, sections, entry.path)


def of_staging(place: StagingReport, finding: Finding | None) -> Story:
    sections = [
        Section("Why", bullets(place.evidence)),
        Section("Held by", holding(place.holders)),
        Section("Repair", repairs_of(finding) if finding is not None else ()),
        Section("Where", place_of(place.path, None)),
    ]
    chip = lists.staging_chip(place.verdict)
    return assembled(place.name, chip, place.explanation, sections, place.path)


def of_history(item: HistoryItem) -> Story:
    actions: tuple[Item, ...] = ()
    if item.can_undo:
        actions = (
            Words("What this repair moved is put back, if its place is still free."),
            Offer("Undo this repair", undo=item.id),
        )
    elif item.undone:
        actions = (Words("This repair was undone."),)
    when = Fact("When", wording.exact_time(item.at_ns))
    reason = (Fact("Reason", display(item.reason)),) if item.reason else ()
    sections = [
        Section("What happened", (when, *reason)),
        Section("Undo", actions),
        Section("Where", (*place_of(item.path, None), Fact("Journal ID", item.id, mono=True))),
    ]
    title = f"{wording.STEP_TITLE[item.step]}: {item.subject}"
    return assembled(title, lists.history_chip(item), "", sections, item.path)


def of_path(path: bytes, size: int, files: int, changed_ns: int) -> Story:
    """Something in the cache that has no verdict of its own."""
    facts = (
        Fact("Size", wording.size(size), hint=wording.exact_size(size)),
        Fact("Files", f"{files:,}"),
        Fact("Changed", wording.age(changed_ns), hint=wording.exact_time(changed_ns)),
    )
    name = display(path.rsplit(b"/", 1)[-1])
    sections = [Section("What it is", facts), Section("Where", place_of(path, None))]
    return assembled(name, None, "", sections, path)


def assembled(
    title: str, chip: Chip | None, lead: str, sections: Sequence[Section], path: bytes
) -> Story:
    shown = tuple(one for one in sections if one.items)
    return Story(display(title), chip, display(lead), shown, path)


def bullets(evidence: Sequence[Evidence]) -> tuple[Item, ...]:
    return tuple(
        Bullet(
            icons.SAYS_ICON[one.says],
            SAYS_TONE[one.says],
            wording.SAYS_WORD[one.says],
            headline(one),
            display(one.detail),
        )
        for one in evidence
    )


def _digests(expected: Sequence[ExpectedDigest], actual: Sequence[Digest]) -> tuple[Item, ...]:
    found = {one.algorithm: one.value for one in actual}
    items: list[Item] = []
    for algorithm, value in dict.fromkeys((one.algorithm, one.value) for one in expected):
        items.append(Fact("expected", display(f"{algorithm}:{value}"), mono=True))
        if algorithm in found and found[algorithm] == value:
            items.append(Fact("found", "the same", mono=True))
    recorded = {(one.algorithm, one.value) for one in expected}
    items += [
        Fact("found", f"{algorithm}:{value}", mono=True)
        for algorithm, value in found.items()
        if (algorithm, value) not in recorded
    ]
    return tuple(items)


def _names(names: Sequence[bytes]) -> tuple[Item, ...]:
    shown: list[Item] = [Fact("", display(one), mono=True) for one in names[:_FILES_SHOWN]]
    if len(names) > _FILES_SHOWN:
        shown.append(Words(f"… and {len(names) - _FILES_SHOWN:,} more"))
    return tuple(shown)


def holding(holders: Sequence[Holder]) -> tuple[Item, ...]:
    return tuple(
        Bullet(
            "alive",
            Tone.BUSY,
            "in use",
            display(lock_words.titled(one)),
            _about(one),
        )
        for one in holders
    )


def _about(holder: Holder) -> str:
    """Command, user, since when, and how it holds what it holds, each on a line."""
    since = wording.exact_time(holder.started_ns)
    who = ", ".join(part for part in (holder.user, since and f"since {since}") if part)
    lines = (holder.command, who, lock_words.ways(holder.how))
    return "\n".join(display(line) for line in lines if line)


def _vouchers(expected: Sequence[ExpectedDigest]) -> tuple[Item, ...]:
    sources = dict.fromkeys(one.source for one in expected)
    return tuple(Fact("", lists.shown_path(one), mono=True) for one in sources)


def _users(entry: EntryReport | None) -> tuple[Item, ...]:
    users = entry.users if entry is not None else ()
    return tuple(Fact("", lists.shown_path(one), mono=True) for one in users)


def place_of(path: bytes, entry: EntryReport | None) -> tuple[Item, ...]:
    items: list[Item] = [Fact("", lists.shown_path(path), mono=True)]
    if entry is not None and entry.link_target is not None:
        items.append(Fact("leads to", lists.shown_path(entry.link_target), mono=True))
    return tuple(items)


def repairs_of(finding: Finding) -> tuple[Item, ...]:
    if not finding.repairs:
        return (Words(_why_none(finding)),)
    best = finding.repairs[0]
    items: list[Item] = [Words(_effect(best))]
    if best.source is not None:
        items.append(Fact("from", lists.shown_path(best.source), mono=True))
    items += [
        Offer(
            f"{wording.STEP_TITLE[one.step]}…",
            primary=one is best,
            findings=(finding.id,),
            only=one.step,
        )
        for one in finding.repairs
    ]
    return tuple(items)


def _effect(offer: RepairOffer) -> str:
    typed = " It is not proven, so you will be asked to type its name."
    words = display(offer.why) or wording.STEP_EFFECT[offer.step]
    return words + (typed if offer.confirm is Confirm.TYPED and "typed" not in words else "")


def _why_none(finding: Finding) -> str:
    if finding.verdict in {HoldVerdict.HELD, EntryVerdict.BUSY}:
        return "None while it is in use. End the process that holds it, or wait for it."
    if finding.verdict is HoldVerdict.UNPROVEN:
        return "None: nobody is proven to hold it, and nobody is proven gone."
    return "None is offered: Cachewright leaves this alone."
