"""The lock delay: after a lock was broken whose owner is not proven gone, nothing else is touched.

Nobody can take the lock's meaning back from an owner that lives on (reliability.md A1, fencing).
It gets the format's time to notice, counted by the clock that runs on in sleep and that nobody
sets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import Refused
from cachewright.holders.processes import boot_id
from cachewright.model import StepKind
from cachewright.repair.operations import Operation, operations
from cachewright.repair.records import Event, unpack

if TYPE_CHECKING:
    from cachewright.formats.base import Format
    from cachewright.repair.journal import Journal

_NS: Final = 1_000_000_000
_FIELD: Final = "lock_delay"

RELEASES: Final = frozenset({
    StepKind.QUARANTINE_LOCK, StepKind.RELEASE_LEASE, StepKind.RELEASE_OBJECT_LOCK
})  # fmt: skip
"""Steps that are not held up: they write nothing that a lock guards."""


def after_break(form: Format) -> dict[str, Any]:
    """What the journal has to say (in the operation's ``started`` and ``done``) of a break whose
    owner was not proven gone."""
    return {
        _FIELD: {
            "seconds": form.lock_delay_s,
            "boot_id": boot_id(),
            "boottime_ns": _boottime_ns(),
        }
    }


def refuse_during_delay(
    journal: Journal, root: bytes, identity: Mapping[str, int] | None, path: bytes
) -> None:
    """``Refused`` where a lock of the cache at ``root`` was broken a moment ago; says how long
    to wait.  ``identity`` is the root directory's, where it is one; ``path`` is what is left
    untouched."""
    records = journal.records()
    if not any(_FIELD in record.fields for record in records):
        return
    breaks = (one for one in operations(records) if _here(one, root, identity))
    left_s = max(map(_left_s, breaks), default=0.0)
    if left_s > 0:
        seconds = math.ceil(left_s)
        reason = (
            "a lock of this cache was broken a moment ago whose owner is not proven gone, so "
            f"nothing else is changed here for another {seconds} "
            f"{'second' if seconds == 1 else 'seconds'}"
        )
        raise Refused(path=path, reason=reason)


def _here(one: Operation, root: bytes, identity: Mapping[str, int] | None) -> bool:
    """Whether it broke a lock of this very cache, by path or by directory."""
    if _FIELD not in one.started or one.event is Event.ROLLED_BACK:
        return False
    if unpack(one.started["root"]) == root:
        return True
    recorded = one.started.get("root_identity")
    if not identity or not recorded:
        return False
    return all(identity[name] == recorded[name] for name in ("device", "inode"))


def _left_s(one: Operation) -> float:
    noted: Mapping[str, Any] = (one.ended or {}).get(_FIELD) or one.started[_FIELD]
    if noted["boot_id"] and noted["boot_id"] == boot_id():
        passed_ns = _boottime_ns() - int(noted["boottime_ns"])
    else:
        # It was before this boot; the clock may have been set since, the boot is sure.
        passed_ns = max(time.time_ns() - one.at_ns, _boottime_ns())
    return float(noted["seconds"]) - passed_ns / _NS


def _boottime_ns() -> int:
    """Time since boot, sleep included."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
