"""From a lock that was looked at to the step that releases it.

A lock's step carries what was judged: the identity and fingerprint of its file, or the version of
its record.  Acting compares all of it again.
"""

from __future__ import annotations

import hashlib
import stat

from cachewright.diagnosis.locks import RELEASES, offer_of
from cachewright.errors import InUse, Refused
from cachewright.model import (
    Confirm,
    HoldVerdict,
    Identity,
    LockReport,
    Plan,
    PlanStep,
    RepairOffer,
)
from cachewright.text import display


def lock_step(lock: LockReport, offer: RepairOffer) -> PlanStep:
    """The step that releases exactly this lock, as it was looked at."""
    seen = lock.identity or Identity(0, 0, 0, 0, lock.changed_ns, 0)
    parts = [offer.step.value.encode(), lock.path, lock.fingerprint.encode(), lock.etag.encode()]
    return PlanStep(
        id=hashlib.sha256(b"\0".join(parts)).hexdigest()[:12],
        step=offer.step,
        subject=lock.subject,
        path=lock.path,
        identity=seen,
        confirm=offer.confirm,
        why=offer.why,
        signature=lock.fingerprint if stat.S_ISDIR(seen.mode) else None,
        size=seen.size,
        detail={"fingerprint": lock.fingerprint, "etag": lock.etag},
        typed=lock.id,
    )


def unlock_plan(root: bytes, format_name: str, lock: LockReport) -> Plan:
    """The plan of one typed step that releases ``lock``.

    Raises ``InUse`` where it is held, naming the holder, and ``Refused`` where there is nothing
    that may be released.
    """
    if lock.verdict is HoldVerdict.HELD:
        raise InUse(path=lock.path, reason=f"{lock.explanation.rstrip('.')}{_end_it(lock)}")
    offer = offer_of(lock)
    if offer is None:
        reason = lock.no_release or "nobody holds it, and its file is never removed"
        raise Refused(path=lock.path, reason=reason)
    why = offer.why if offer.confirm is Confirm.TYPED else f"{lock.explanation} {offer.why}"
    typed = RepairOffer(offer.step, Confirm.TYPED, why, typed=lock.id)
    return Plan(root, format_name, (lock_step(lock, typed),))


def _end_it(lock: LockReport) -> str:
    pids = ", ".join(str(holder.pid) for holder in lock.holders)
    return f". Only the holder can let it go: end process {pids}, or wait for it" if pids else ""


def chosen_lock(root: bytes, locks: tuple[LockReport, ...], wanted: str) -> LockReport:
    """The one lock that has the ID (or the path) ``wanted``; ``Refused`` where none or several
    have."""
    fitting = [one for one in locks if wanted in {one.id, display(one.path)}]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        paths = ", ".join(display(one.path) for one in fitting)
        reason = f"several locks have the ID {display(wanted)}: name one by its path ({paths})"
        raise Refused(path=root, reason=reason)
    known = ", ".join(sorted({display(one.id) for one in locks if one.kind in RELEASES}))
    there = f"those that are there: {known}" if known else "no lock that could be released is there"
    raise Refused(path=root, reason=f"no lock has the ID {display(wanted)} ({there})")
