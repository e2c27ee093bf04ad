"""What changed between two looks at the locks, and how long each has been as it is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from cachewright.model import HoldVerdict, LockReport

_TELL_FOR_S: Final = 10.0
"""So long a change is pointed out: long enough for somebody who looks up now and then."""

_Key = tuple[bytes, str]


@dataclass(slots=True)
class _Known:
    report: LockReport
    state: Hashable
    since_s: float
    word: str = ""


class Changes:
    """Times are of one steady clock, in seconds."""

    def __init__(self, began_s: float) -> None:
        self._began_s = began_s
        self._known: dict[_Key, _Known] = {}
        self._gone: dict[_Key, _Known] = {}
        self._first = True

    def note(self, found: Sequence[LockReport], now_s: float) -> bool:
        """Remember a look; whether it differs from the former one.  The first one does not."""
        former, self._known = self._known, {}
        for report in found:
            key, state = _key(report), _state(report)
            known = former.pop(key, None)
            if known is None:
                since = self._began_s if self._first else now_s
                self._known[key] = _Known(report, state, since, "" if self._first else "new")
            elif known.state == state:
                known.report = report
                self._known[key] = known
            else:
                self._known[key] = _Known(report, state, now_s, "changed")
        for key, known in former.items():
            self._gone[key] = _Known(known.report, known.state, now_s, "gone")
        for key in self._known:
            self._gone.pop(key, None)
        fresh = (*self._known.values(), *self._gone.values())
        self._first = False
        return any(one.word and one.since_s == now_s for one in fresh)

    def word(self, report: LockReport, now_s: float) -> str:
        """``new`` or ``changed`` for some seconds after it was; else empty."""
        known = self._known[_key(report)]
        return known.word if now_s - known.since_s < _TELL_FOR_S else ""

    def gone(self, now_s: float) -> list[LockReport]:
        """Locks that were there some seconds ago."""
        self._gone = {
            key: one for key, one in self._gone.items() if now_s - one.since_s < _TELL_FOR_S
        }
        return [one.report for one in self._gone.values()]

    def lasted_s(self, report: LockReport, now_s: float) -> tuple[float, bool]:
        """How long it has been as it is, and whether that began before the first look."""
        known = self._known[_key(report)]
        return now_s - known.since_s, not known.word


def _key(report: LockReport) -> _Key:
    return report.path, report.kind.value


def _state(report: LockReport) -> Hashable:
    """What makes a difference to whoever watches: not when it was looked at, nor in whose name
    processes that come and go could not be inspected."""
    sure = report.verdict is not HoldVerdict.UNPROVEN
    return (
        report.verdict,
        report.id,
        report.subject,
        report.explanation if sure else "",
        tuple(sorted(report.owner.items())),
        tuple((one.key, one.how, one.state) for one in report.holders),
        report.etag,
        report.garbage,
        report.fingerprint,
    )
