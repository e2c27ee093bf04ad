"""How locks read for a person: kernel locks as a table, locks that are records one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import humanize

from cachewright.cli import output
from cachewright.locks.seeing import WAITING
from cachewright.model import Holder, LockKind, LockReport
from cachewright.text import brief, display, elide

_KERNEL: Final = frozenset({LockKind.FLOCK, LockKind.POSIX, LockKind.OFD})
_S3: Final = b"s3://"
_SHOWN: Final = 300
_BRIEF: Final = 60
_NS: Final = 1_000_000_000
_MINUTE_S: Final = 60


def holder(one: Holder) -> str:
    state = ", stopped" if one.state == "stopped" else ""
    return f"{one.command} (pid {one.pid}, {one.user}{state}): {', '.join(one.how)}"


def brief_holder(one: Holder) -> str:
    """What tells it from others first: lines on a screen are cut off."""
    state = ", stopped" if one.state == "stopped" else ""
    return f"pid {one.pid} ({one.user}{state}) {elide(one.command, _BRIEF)}: {', '.join(one.how)}"


def held_by(one: LockReport, spell: Callable[[Holder], str] = holder) -> str:
    """Who has the lock and who waits for it, or why nobody can be named."""
    if not one.holders:
        return one.explanation
    waiting = one.explanation.rpartition(WAITING)[2] if WAITING in one.explanation else ""
    holders = "; ".join(map(spell, one.holders))
    return f"{holders}. {WAITING}{waiting}" if waiting else holders


def is_kernel(one: LockReport) -> bool:
    """Whether it is a lock that the kernel keeps, which a line of a table tells."""
    return one.kind in _KERNEL


def locks(found: Sequence[LockReport]) -> list[str]:
    """A table of the kernel's locks, then each record with its ID, which is what is typed."""
    if not found:
        return ["There are no locks here."]
    kernel = [one for one in found if is_kernel(one)]
    lines = _table(kernel) if kernel else []
    for one in found:
        if not is_kernel(one):
            lines += [*([""] if lines else []), *record(one)]
    return lines


def _table(found: Iterable[LockReport]) -> list[str]:
    rows = [
        (
            one.verdict.value,
            one.kind.value,
            one.subject,
            held_by(one),
            display(one.path),
        )
        for one in found
    ]
    return output.table(("VERDICT", "KIND", "GUARDS", "HELD BY", "PATH"), rows)


def record(one: LockReport) -> Iterator[str]:
    """Verdict and subject, why, and below it what the lock says of itself."""
    yield f"{one.verdict.value}: {display(one.subject)} ({one.kind.value})"
    yield f"  {display(one.explanation)}"
    fields = list(_fields(one))
    width = max(len(name) for name, _value in fields)
    yield from (f"  {name:<{width}}  {value}" for name, value in fields)


def _fields(one: LockReport) -> Iterator[tuple[str, str]]:
    yield "ID", display(one.id)
    for name, value in one.owner.items():
        if value and (name, value) != ("ID", one.id):
            yield display(name), f"{brief(value, _SHOWN)}{_age_of(name, value)}"
    if "Created" not in one.owner and one.changed_ns:
        yield "Written", _ago(one.changed_ns)
    for each in one.holders:
        yield "Held by", display(holder(each))
    if one.etag and one.path.startswith(_S3):
        yield "ETag", display(one.etag)
    yield "Lies at", display(one.path)


def _age_of(name: str, value: str) -> str:
    """How long ago it was that the lock says that it was made, in brackets."""
    if name != "Created":
        return ""
    try:
        return f" ({_ago(int(datetime.fromisoformat(value).timestamp() * _NS))})"
    except (ValueError, OverflowError):
        return ""


def _ago(at_ns: int) -> str:
    seconds = (time.time_ns() - at_ns) / _NS
    if seconds < -1:
        return f"{humanize.naturaldelta(-seconds)} in the future"
    if seconds < _MINUTE_S:  # so that what is shown again and again stays the same for a while
        return "less than a minute ago"
    return f"{humanize.naturaldelta(seconds)} ago"
