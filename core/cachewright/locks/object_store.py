"""Locks that are objects of a store, or items of a table: shown, and never called stale or held.

Such a lock has no heartbeat and no end: whether its owner lives cannot be told from it
(reliability.md A2, "object-store lock: never").  What can be seen from here is told all the same.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import humanize

from cachewright.holders import programs
from cachewright.holders.naming import names_of
from cachewright.holders.visibility import hidden
from cachewright.locks.store import LockStore, Stored
from cachewright.model import (
    CancelToken,
    Claim,
    Evidence,
    Gap,
    Holder,
    HoldVerdict,
    LockKind,
    LockReport,
    Says,
)
from cachewright.text import brief, display, timestamp

_NS: Final = 1_000_000_000
_TYPED_AT_MOST: Final = 200
_SHOWN: Final = 300
_NO_HEARTBEAT: Final = (
    "It has no expiry and no heartbeat: nobody can tell from it whether its owner still runs."
)


@dataclass(frozen=True, slots=True)
class Here:
    """What this computer can say about owners: its name, and programs that take such locks.

    ``hidden`` is why some may run that do not show."""

    host: str = field(default_factory=platform.node)
    running: tuple[Holder, ...] = ()
    hidden: str = ""

    @classmethod
    def look(cls, names: Sequence[str]) -> Here:
        return cls(running=programs.running(names), hidden=hidden())


@dataclass(frozen=True, slots=True)
class Looked:
    """One look at a store: its locks, what lies beside them, and what could not be read."""

    locks: tuple[LockReport, ...]
    beside: tuple[Stored, ...]
    gaps: tuple[Gap, ...]


def look_all(store: LockStore, cancel: CancelToken | None = None) -> Looked:
    """Every lock of the store as it is now.  Raises what ``LockStore.list`` raises."""
    found, gaps = store.list(cancel)
    claims = [(one, store.claim(one)) for one in found if one.is_lock]
    names = sorted({name for _one, claim in claims for name in claim.programs})
    here = Here.look(names) if names else Here()
    return Looked(
        locks=tuple(judge(store, one, claim, here) for one, claim in claims),
        beside=tuple(one for one in found if not one.is_lock),
        gaps=tuple(gaps),
    )


def look_again(store: LockStore, key: str) -> tuple[Stored, LockReport] | None:
    """One lock as it is now, read afresh, with what is judged of it; None where it is gone."""
    stored = store.read(key)
    if stored is None or not stored.is_lock:
        return None
    return stored, judge(store, stored, store.claim(stored), Here())


def judge(store: LockStore, stored: Stored, claim: Claim, here: Here) -> LockReport:
    """What is known of one lock; always ``unproven``, and only ever released by typing."""
    return LockReport(
        id=typed_id(stored.key, claim),
        kind=LockKind.OBJECT,
        path=store.where(stored.key),
        verdict=HoldVerdict.UNPROVEN,
        subject=claim.subject or display(stored.key),
        explanation=_explanation(stored, claim),
        owner=claim.owner,
        evidence=_evidence(stored, claim, here),
        changed_ns=stored.changed_ns or claim.made_ns,
        fingerprint=fingerprint(stored),
        etag=stored.version,
        garbage=bool(claim.garbage),
    )


def typed_id(key: str, claim: Claim) -> str:
    """What is typed to release it: the ID that its own tool wants, else its name in the store.

    Also its name where the ID could not be read off a screen and typed.
    """
    fit = claim.id and not claim.garbage and len(claim.id) <= _TYPED_AT_MOST
    return claim.id if fit and display(claim.id) == claim.id else display(key)


def fingerprint(stored: Stored) -> str:
    """The SHA-256 of what was read of the record."""
    return hashlib.sha256(stored.body).hexdigest()


def _explanation(stored: Stored, claim: Claim) -> str:
    kept = ""
    if stored.size > len(stored.body):
        kept = " Only its beginning is kept when it is released, so that cannot be undone."
    if claim.garbage:
        return (
            "This lock keeps everybody out, and not even its own tool can release it: "
            f"{within_sentence(claim.garbage)}.{kept}"
        )
    who = claim.owner.get("Who", "")
    taker = f"{brief(who, 80)} took this lock" if who else "Somebody took this lock"
    since = f" {age_of(time.time_ns() - claim.made_ns)}" if claim.made_ns else ""
    return f"{taker}{since}. Whether they still work cannot be told from here: ask them.{kept}"


def within_sentence(said: str) -> str:
    """A sentence as a part of another one."""
    return said[:1].lower() + said[1:].rstrip(".")


def age_of(ns: int) -> str:
    """An age in words; a moment in the future comes from another clock, and is said so."""
    if ns < -_NS:
        return f"{humanize.naturaldelta(-ns / _NS)} in the future by this computer's clock"
    return f"{humanize.naturaldelta(max(0, ns) / _NS)} ago"


def _evidence(stored: Stored, claim: Claim, here: Here) -> tuple[Evidence, ...]:
    """All of it says ``unknown``: nothing that can be seen from here decides."""
    said = [("record", _record(claim)), ("heartbeat", _NO_HEARTBEAT)]
    if claim.host:
        said.append(("host", _host(claim.host, here.host)))
    if claim.programs:
        said.append(("programs", _programs(claim.programs, here)))
    if stored.changed_ns and stored.read_ns:
        age = age_of(stored.read_ns - stored.changed_ns)
        said.append(("store-clock", f"By the store's own clock it was written {age}."))
    return tuple(Evidence(fact, Says.UNKNOWN, detail) for fact, detail in said)


def _record(claim: Claim) -> str:
    if claim.garbage:
        return f"What it says cannot be read: {within_sentence(claim.garbage)}."
    words = [
        f"{name} {brief(value, _SHOWN)}"
        for name, value in claim.owner.items()
        if value and name not in {"ID", "Created"}
    ]
    if claim.made_ns:
        age = age_of(time.time_ns() - claim.made_ns)
        words.append(f"Created {timestamp(claim.made_ns)} ({age})")
    return f"It says: {', '.join(words)}." if words else "It says nothing but its ID."


def _host(named: str, ours: str) -> str:
    shown = brief(named, 80)
    if named.casefold().partition(".")[0] == ours.casefold().partition(".")[0]:
        return f"It names the computer {shown}, as this one is called; others may be called so too."
    return f"It names the computer {shown}; this one is called {display(ours)}."


def _programs(names: Sequence[str], here: Here) -> str:
    either = " or ".join(names)
    if here.running:
        return (
            f"{names_of(here.running)} runs here now; whether it has this lock cannot be told."
            if len(here.running) == 1
            else f"{names_of(here.running)} run here now; whether one has this lock cannot be told."
        )
    but = f" {here.hidden}" if here.hidden else ""
    return f"No {either} that shows runs here now; it may run on another computer.{but}"
