"""Locks that are leases: records that their owners renew, judged by their own rule and more.

An expired lease may be taken over by whoever follows its rule; that does not prove its owner
dead, who may only be slow (DESIGN 6.8; reliability.md A2, "lease with heartbeat").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import humanize

from cachewright.holders.naming import names_of
from cachewright.holders.owners import THIS_MACHINE, Machine, judge_owner
from cachewright.locks.object_store import (
    Looked,
    age_of,
    fingerprint,
    typed_id,
    within_sentence,
)
from cachewright.locks.store import LockStore, Stored
from cachewright.model import (
    CancelToken,
    Claim,
    Evidence,
    Holder,
    HoldVerdict,
    LockKind,
    LockReport,
    Says,
)
from cachewright.text import display

Opened = Callable[[Claim], Sequence[Holder]]
"""Processes that have what the lease is about open now."""
Proof = Callable[[Claim], Evidence | None]
"""What can be observed here of an owner that the record does not name; None: nothing."""

_NS: Final = 1_000_000_000
_SKEW_NS: Final = 10 * _NS
"""How far ahead of ours an owner's clock may be before its heartbeat tells nothing."""
_NONE: Final[Mapping[bytes, LockReport]] = MappingProxyType({})


def _nobody(_claim: Claim) -> Sequence[Holder]:
    return ()


def _no_proof(_claim: Claim) -> Evidence | None:
    return None


@dataclass(frozen=True, slots=True)
class Watch:
    """What a lease is judged by besides its record.

    ``former`` are reports of an earlier look, by path: a record that changed since, for the same
    owner, was renewed.  ``opened`` tells who has what the lease is about open, ``proof`` what
    takes the place of an owner's identity where the record has none.
    """

    former: Mapping[bytes, LockReport] = field(default_factory=lambda: _NONE)
    opened: Opened = _nobody
    machine: Machine = THIS_MACHINE
    proof: Proof = _no_proof


def look_all(
    store: LockStore,
    *,
    former: Mapping[bytes, LockReport] = _NONE,
    opened: Opened = _nobody,
    machine: Machine = THIS_MACHINE,
    proof: Proof = _no_proof,
    cancel: CancelToken | None = None,
) -> Looked:
    """Every lease of the store as it is now.  Raises what ``LockStore.list`` raises."""
    watch = Watch(former, opened, machine, proof)
    found, gaps = store.list(cancel)
    return Looked(
        locks=tuple(judge(store, one, watch) for one in found if one.is_lock),
        beside=tuple(one for one in found if not one.is_lock),
        gaps=tuple(gaps),
    )


def look_again(
    store: LockStore, key: str, watch: Watch | None = None
) -> tuple[Stored, LockReport] | None:
    """One lease as it is now, read afresh; None where it is gone."""
    stored = store.read(key)
    if stored is None or not stored.is_lock:
        return None
    return stored, judge(store, stored, watch or Watch())


def judge(store: LockStore, stored: Stored, watch: Watch) -> LockReport:
    """``held`` if anything speaks for it, ``stale`` only if it has expired *and* its owner is
    proven dead, else ``unproven``."""
    claim = store.claim(stored)
    path = store.where(stored.key)
    written_ns = stored.changed_ns or claim.renewed_ns
    owner, holder = judge_owner(claim, watch.machine, written_ns=written_ns)
    if not claim.pid:
        owner = watch.proof(claim) or owner
    opened = tuple(watch.opened(claim))
    evidence = tuple(
        one
        for one in (
            _clock(claim, stored.read_ns or time.time_ns()),
            _moved(watch.former.get(path), stored, claim),
            _open(opened),
            owner,
        )
        if one is not None
    )
    verdict = _verdict(evidence)
    holders = opened or ((holder,) if holder is not None else ())
    return LockReport(
        id=typed_id(stored.key, claim),
        kind=LockKind.LEASE,
        path=path,
        verdict=verdict,
        subject=claim.subject or display(stored.key),
        explanation=_explanation(verdict, evidence, claim),
        holders=holders,
        owner=claim.owner,
        evidence=evidence,
        changed_ns=written_ns or claim.made_ns,
        fingerprint=fingerprint(stored),
        etag=stored.version,
        garbage=bool(claim.garbage),
    )


def _verdict(evidence: Sequence[Evidence]) -> HoldVerdict:
    said = {one.says for one in evidence}
    if Says.ALIVE in said:
        return HoldVerdict.HELD
    return HoldVerdict.STALE if said == {Says.DEAD} else HoldVerdict.UNPROVEN


def _clock(claim: Claim, now_ns: int) -> Evidence:
    """What the lease's own rule says, by the store's clock where it has one."""
    fact = "lease"
    if claim.garbage:
        said = f"What it says cannot be read: {within_sentence(claim.garbage)}."
        return Evidence(fact, Says.UNKNOWN, said)
    if not claim.renewed_ns or claim.lasts_ns <= 0:
        said = "It does not say when it was renewed and how long it lasts."
        return Evidence(fact, Says.UNKNOWN, said)
    since = now_ns - claim.renewed_ns
    lasts = humanize.naturaldelta(claim.lasts_ns / _NS)
    if since < -_SKEW_NS:
        said = f"It was renewed {age_of(since)}, so its clock and ours differ too much to tell."
        return Evidence(fact, Says.UNKNOWN, said)
    if since <= claim.lasts_ns:
        said = f"It was renewed {age_of(since)} and lasts {lasts}."
        return Evidence(fact, Says.ALIVE, said)
    said = (
        f"It was renewed {age_of(since)} and lasted {lasts}: by its own rule another may take it "
        "over."
    )
    return Evidence(fact, Says.DEAD, said)


def _moved(former: LockReport | None, stored: Stored, claim: Claim) -> Evidence | None:
    if former is None or former.etag == stored.version:
        return None
    if former.id != typed_id(stored.key, claim):
        return Evidence("heartbeat", Says.ALIVE, "Another took it while it was watched.")
    return Evidence("heartbeat", Says.ALIVE, "Its owner renewed it while it was watched.")


def _open(opened: Sequence[Holder]) -> Evidence | None:
    if not opened:
        return None
    said = f"{names_of(opened)} has what it is about open now."
    return Evidence("open-files", Says.ALIVE, said)


def _explanation(verdict: HoldVerdict, evidence: Sequence[Evidence], claim: Claim) -> str:
    if claim.garbage and verdict is HoldVerdict.UNPROVEN:
        return f"Its record cannot be read: {within_sentence(claim.garbage)}."
    if verdict is HoldVerdict.HELD:
        alive = [one.detail for one in evidence if one.says is Says.ALIVE]
        return f"This lease is held. {alive[0]}"
    if verdict is HoldVerdict.STALE:
        return f"This lease was left behind. {' '.join(one.detail for one in evidence)}"
    unknown = [one.detail for one in evidence if one.says is Says.UNKNOWN]
    expired = [one.detail for one in evidence if one.says is Says.DEAD and one.fact == "lease"]
    return " ".join(["It cannot be told whether anybody holds this lease.", *expired, unknown[0]])
