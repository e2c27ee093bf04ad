"""The columns of the Locks table: every one tells something for every kind of lock."""

from __future__ import annotations

from cachewright.model import LockReport
from cachewright.text import display
from cachewright_gui import lock_words, wording
from cachewright_gui.models.lists import WEIGHT, chip, shown_path
from cachewright_gui.models.report_model import Column, ReportModel


def locks() -> ReportModel[LockReport]:
    """Rows keep their identity by place and subject, whatever becomes of the lock there."""
    return ReportModel(
        (
            Column(
                "Verdict",
                lambda one: chip(one.verdict).word,
                lambda one: WEIGHT[one.verdict],
                114,
                chip=lambda one: chip(one.verdict),
            ),
            Column(
                "Lock",
                lambda one: one.subject,
                lambda one: one.subject.casefold(),
                detail=lambda one: one.explanation,
                hint=lambda one: (
                    f"{display(one.subject)}\n{display(one.explanation)}\n{shown_path(one.path)}"
                ),
            ),
            Column(
                "Holder or owner",
                lambda one: lock_words.who(one).text,
                lambda one: lock_words.who(one).text.casefold(),
                146,
                detail=lambda one: lock_words.who(one).below,
                hint=_who_hint,
                spare=1,
            ),
            Column(
                "Kind",
                lambda one: lock_words.kind(one).text,
                lock_words.kind,
                112,
                detail=lambda one: lock_words.kind(one).below,
                spare=3,
            ),
            Column(
                "Age",
                lambda one: wording.age(lock_words.taken_ns(one)),
                lambda one: -lock_words.taken_ns(one),
                118,
                hint=_age_hint,
                spare=2,
            ),
        ),
        key=lambda one: (one.path, one.kind, one.subject),
        default_order=lambda one: (
            WEIGHT[one.verdict],
            one.subject.casefold(),
            one.path,
            one.kind.value,
        ),
        glance=lambda one: (one.verdict, one.id, one.fingerprint, one.etag, lock_words.who(one)),
    )


def _age_hint(lock: LockReport) -> str:
    taken = lock_words.taken_ns(lock)
    written = f"Written {wording.exact_time(lock.changed_ns)}" if lock.changed_ns else ""
    if taken == lock.changed_ns:
        return written
    return f"Taken {wording.exact_time(taken)}, by its own words\n{written}".strip()


def _who_hint(lock: LockReport) -> str:
    if lock.holders:
        return "\n".join(f"{one.pid}: {display(one.command)}" for one in lock.holders)
    return "\n".join(display(part) for part in lock_words.who(lock) if part)
