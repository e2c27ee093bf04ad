"""What the evidence pane and the unlock dialog tell of a lock, as data."""

from __future__ import annotations

from typing import Final

from cachewright.model import Finding, HoldVerdict, LockKind, LockReport
from cachewright.text import display
from cachewright.workbench import offer_of
from cachewright_gui import lock_words, story
from cachewright_gui.models import lists
from cachewright_gui.story import Fact, Item, Offer, Section, Story, Words

FORCE: Final = "Force unlock…"

_KERNEL: Final = frozenset({LockKind.FLOCK, LockKind.POSIX, LockKind.OFD})


def of_lock(lock: LockReport, finding: Finding | None) -> Story:
    """A lock as it is now; ``finding`` is what the last check found about it, if anything."""
    sections = [*_seen(lock), Section("Repair", _repairs(lock, finding)), _where(lock)]
    chip = lists.chip(lock.verdict)
    return story.assembled(lock.subject, chip, lock.explanation, sections, lock.path)


def of_evidence(lock: LockReport) -> Story:
    """Only what was seen, for somebody who is about to decide."""
    return story.assembled("", None, "", [*_seen(lock), _where(lock)], lock.path)


def _seen(lock: LockReport) -> list[Section]:
    return [
        Section("Why", story.bullets(lock.evidence)),
        Section("Held by", story.holding(lock.holders)),
        Section("The lock says", _own_words(lock)),
    ]


def _own_words(lock: LockReport) -> tuple[Item, ...]:
    said = ((display(name), display(value)) for name, value in lock.owner.items() if value)
    return tuple(Fact(name, value) for name, value in said)


def _where(lock: LockReport) -> Section:
    kind = ", ".join(part for part in lock_words.kind(lock) if part)
    items: list[Item] = [*story.place_of(lock.path, None), Fact("Kind", kind)]
    if lock.kind not in _KERNEL:
        items.append(Fact("Lock ID", display(lock.id), mono=True))
    if lock.etag:
        items.append(Fact("ETag", display(lock.etag), mono=True))
    return Section("Where", tuple(items))


def _repairs(lock: LockReport, finding: Finding | None) -> tuple[Item, ...]:
    """By what the lock is now: the last check may be older."""
    if lock.verdict is HoldVerdict.HELD:
        return (Words(f"None while it is held. {lock_words.end_it(lock)}"),)
    if lock.verdict is HoldVerdict.FREE:
        return (Words("Nobody holds this. Nothing to clean: the file is only a place to lock."),)
    if lock.verdict is HoldVerdict.STALE and finding is not None and finding.repairs:
        return story.repairs_of(finding)
    offer = offer_of(lock)
    if offer is None:
        return (Words(why_none(lock)),)
    return (Words(display(offer.why)), Offer(FORCE, primary=True, unlock=(lock.path, lock.id)))


def why_none(lock: LockReport) -> str:
    """Why nobody may release this lock by force."""
    if lock.verdict is HoldVerdict.HELD:
        return lock_words.end_it(lock)
    if lock.no_release:
        return f"{lock.no_release[:1].upper()}{lock.no_release[1:].rstrip('.')}."
    if lock.kind in _KERNEL:
        return (
            "A kernel lock ends with the process that holds it and leaves nothing behind, so "
            "there is nothing to release. Its file is never removed."
        )
    return "None is offered: Cachewright leaves this lock alone."
