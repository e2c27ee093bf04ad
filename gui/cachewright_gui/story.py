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
    LockReport,
    RepairOffer,
    Says,
    StagingReport,
    StepKind,
)
from cachewright.text import display
from cachewright.workbench import HistoryItem
from cachewright_gui import icons, wording
from cachewright_gui.models import lists
from cachewright_gui.models.report_model import Chip
from cachewright_gui.theme import SAYS_TONE, Tone

_FACT_WORD: Final[dict[tuple[str, Says], str]] = {
    ("digest", Says.GOOD): "Checksum fits",
    ("digest", Says.BAD): "Checksum differs",
    ("checksum", Says.BAD): "Checksum differs",
    ("open-files", Says.DEAD): "Nobody has it open",
    ("open-files", Says.ALIVE): "A process has it open",
    ("open-files", Says.UNKNOWN): "Open files could not all be seen",
    ("unchanged", Says.DEAD): "Not changing",
    ("unchanged", Says.ALIVE): "It is changing",
    ("unchanged", Says.UNKNOWN): "A second look is missing",
    ("uninspected", Says.UNKNOWN): "Some processes are hidden",
    ("read", Says.UNKNOWN): "Could not be read",
    ("flock", Says.DEAD): "No flock lock",
    ("flock", Says.ALIVE): "Locked with flock",
    ("flock", Says.UNKNOWN): "The flock lock could not be asked for",
    ("posix-lock", Says.DEAD): "No POSIX lock",
    ("posix-lock", Says.ALIVE): "Locked with a POSIX lock",
    ("posix-lock", Says.UNKNOWN): "The POSIX lock could not be asked for",
    ("age", Says.DEAD): "Old enough to judge",
    ("age", Says.UNKNOWN): "Too young to judge",
    ("clock", Says.UNKNOWN): "No clock to judge by",
    ("contents", Says.DEAD): "What it holds",
    ("contents", Says.ALIVE): "It holds more than a writer leaves",
    ("filesystem", Says.DEAD): "Local file system",
    ("filesystem", Says.UNKNOWN): "Others may use this file system",
    ("gate", Says.DEAD): "The tool's own lock is free",
    ("gate", Says.ALIVE): "The tool's own lock is held",
    ("known-shape", Says.DEAD): "A known kind of staging",
    ("mounts", Says.ALIVE): "Something is mounted in it",
    ("mounts", Says.UNKNOWN): "Mounts are not known",
    ("readable", Says.UNKNOWN): "Not all of it could be read",
    ("sole-opener", Says.DEAD): "The kernel agrees: nobody has it open",
    ("sole-opener", Says.ALIVE): "The kernel says somebody has it open",
    ("sole-opener", Says.UNKNOWN): "The kernel could not say who has it open",
    ("uninspected", Says.DEAD): "Nobody can be hidden",
    ("lock-file", Says.DEAD): "The lock file is a plain file",
    ("lock-file", Says.UNKNOWN): "The lock file is odd",
}
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
    """A button.  ``findings`` and ``only`` say which plan it previews; ``undo`` what it undoes."""

    label: str
    primary: bool = False
    findings: tuple[str, ...] = ()
    only: StepKind | None = None
    undo: str = ""


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
        Section("Why", _bullets(evidence)),
        Section("Checksums", _digests(expected, actual)),
        Section("Files", _names(finding.files)),
        Section("Held by", _holders(finding.holders)),
        Section("Vouched for by", _vouchers(expected)),
        Section("Used by", _users(entry)),
        Section("Repair", _repair(finding)),
        Section("Where", _place(finding.path, entry)),
    ]
    chip = lists.finding_chip(finding)
    return _story(title, chip, finding.explanation, sections, finding.path)


def of_entry(entry: EntryReport, findings: Sequence[Finding]) -> Story:
    """An entry of the cache, with the repairs of the findings about it."""
    repairs = tuple(item for one in findings if one.repairs for item in _repair(one))
    sections = [
        Section("Why", _bullets(entry.evidence)),
        Section("Checksums", _digests(entry.expected, entry.actual)),
        Section("Held by", _holders(entry.holders)),
        Section("Vouched for by", _vouchers(entry.expected)),
        Section("Used by", _users(entry)),
        Section("Repair", repairs),
        Section("Where", _place(entry.path, entry)),
    ]
    title = f"{entry.title} {entry.subtitle}".strip()
    return _story(title, lists.chip(entry.verdict), entry.why, sections, entry.path)


def of_lock(lock: LockReport, finding: Finding | None) -> Story:
    owner = tuple(Fact(name, value) for name, value in lock.owner.items() if value)
    sections = [
        Section("Why", _bullets(lock.evidence)),
        Section("Held by", _holders(lock.holders)),
        Section("The lock says", owner),
        Section("Repair", _repair(finding) if finding is not None else _nothing_to_do(lock)),
        Section("Where", (*_place(lock.path, None), Fact("Lock ID", lock.id, mono=True))),
    ]
    return _story(lock.subject, lists.chip(lock.verdict), lock.explanation, sections, lock.path)


def of_staging(place: StagingReport, finding: Finding | None) -> Story:
    sections = [
        Section("Why", _bullets(place.evidence)),
        Section("Held by", _holders(place.holders)),
        Section("Repair", _repair(finding) if finding is not None else ()),
        Section("Where", _place(place.path, None)),
    ]
    chip = lists.staging_chip(place.verdict)
    return _story(place.name, chip, place.explanation, sections, place.path)


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
    reason = (Fact("Reason", item.reason),) if item.reason else ()
    sections = [
        Section("What happened", (when, *reason)),
        Section("Undo", actions),
        Section("Where", (*_place(item.path, None), Fact("Journal ID", item.id, mono=True))),
    ]
    title = f"{wording.STEP_TITLE[item.step]}: {item.subject}"
    return _story(title, lists.history_chip(item), "", sections, item.path)


def of_path(path: bytes, size: int, files: int, changed_ns: int) -> Story:
    """Something in the cache that has no verdict of its own."""
    facts = (
        Fact("Size", wording.size(size), hint=wording.exact_size(size)),
        Fact("Files", f"{files:,}"),
        Fact("Changed", wording.age(changed_ns), hint=wording.exact_time(changed_ns)),
    )
    name = display(path.rsplit(b"/", 1)[-1])
    sections = [Section("What it is", facts), Section("Where", _place(path, None))]
    return _story(name, None, "", sections, path)


def _story(
    title: str, chip: Chip | None, lead: str, sections: Sequence[Section], path: bytes
) -> Story:
    return Story(title, chip, lead, tuple(one for one in sections if one.items), path)


def _bullets(evidence: Sequence[Evidence]) -> tuple[Item, ...]:
    return tuple(
        Bullet(
            icons.SAYS_ICON[one.says],
            SAYS_TONE[one.says],
            wording.SAYS_WORD[one.says],
            _FACT_WORD.get((one.fact, one.says), wording.in_words(one.fact)),
            one.detail,
        )
        for one in evidence
    )


def _digests(expected: Sequence[ExpectedDigest], actual: Sequence[Digest]) -> tuple[Item, ...]:
    found = {one.algorithm: one.value for one in actual}
    items: list[Item] = []
    for algorithm, value in dict.fromkeys((one.algorithm, one.value) for one in expected):
        items.append(Fact("expected", f"{algorithm}:{value}", mono=True))
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


def _holders(holders: Sequence[Holder]) -> tuple[Item, ...]:
    return tuple(
        Bullet(
            "alive",
            Tone.BUSY,
            "in use",
            f"pid {one.pid}, {one.user}{', stopped' if one.state == 'stopped' else ''}",
            f"{one.command}\nsince {wording.exact_time(one.started_ns)}; {', '.join(one.how)}",
        )
        for one in holders
    )


def _vouchers(expected: Sequence[ExpectedDigest]) -> tuple[Item, ...]:
    sources = dict.fromkeys(one.source for one in expected)
    return tuple(Fact("", lists.shown_path(one), mono=True) for one in sources)


def _users(entry: EntryReport | None) -> tuple[Item, ...]:
    users = entry.users if entry is not None else ()
    return tuple(Fact("", lists.shown_path(one), mono=True) for one in users)


def _place(path: bytes, entry: EntryReport | None) -> tuple[Item, ...]:
    items: list[Item] = [Fact("", lists.shown_path(path), mono=True)]
    if entry is not None and entry.link_target is not None:
        items.append(Fact("leads to", lists.shown_path(entry.link_target), mono=True))
    return tuple(items)


def _repair(finding: Finding) -> tuple[Item, ...]:
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
    words = offer.why or wording.STEP_EFFECT[offer.step]
    return words + (typed if offer.confirm is Confirm.TYPED and "typed" not in words else "")


def _why_none(finding: Finding) -> str:
    if finding.verdict in {HoldVerdict.HELD, EntryVerdict.BUSY}:
        return "None while it is in use. End the process that holds it, or wait for it."
    if finding.verdict is HoldVerdict.UNPROVEN:
        return "None: nobody is proven to hold it, and nobody is proven gone."
    return "None is offered: Cachewright leaves this alone."


def _nothing_to_do(lock: LockReport) -> tuple[Item, ...]:
    if lock.verdict is HoldVerdict.FREE:
        return (Words("Nobody holds this. Nothing to clean: the file is only a place to lock."),)
    return ()
