"""Staging places, looked at twice before anything is called stale (DESIGN 6.6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cachewright.diagnosis.staging import StagingRule, judge_staging
from cachewright.errors import CachewrightError
from cachewright.inventory.tree import scan_subtree
from cachewright.locks import filesystems
from cachewright.model import HoldVerdict, Progress, ProgressSink, Says

if TYPE_CHECKING:
    from cachewright.formats.base import StagingPlace
    from cachewright.holders import Survey
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken, StagingReport
    from cachewright.storage.anchored import Directory
    from cachewright.workbench.watching import Options

_NS: Final = 1_000_000_000
SECOND_LOOK: Final = "unchanged"
"""The fact that only a second look can settle."""


class Residue:
    """What writers left below one root: first look when made, second when it is time."""

    def __init__(self, root: Directory, places: Sequence[StagingPlace], options: Options) -> None:
        self._root = root
        self._places = places
        self._rule = StagingRule(
            floor_ns=int(options.floor_s * _NS), observe_ns=int(options.observe_s * _NS)
        )
        self._observe_s = options.observe_s
        self._filesystem = filesystems.facts(root)
        self._looked_at = time.monotonic()
        self._first = {place.relative: look for place in places if (look := self._look(place))}

    def first(self, survey: Survey) -> tuple[StagingReport, ...]:
        """Verdicts as far as one look carries: nothing is stale yet."""
        return self._judge(survey, None)

    def final(
        self,
        reports: tuple[StagingReport, ...],
        look_around: Callable[[], Survey],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> tuple[StagingReport, ...]:
        """Verdicts after the second look; waits for it only where it can still matter."""
        if not any(_only_second_look_missing(report) for report in reports):
            return reports
        while (left := self._looked_at + self._observe_s - time.monotonic()) > 0:
            progress(Progress("watch", int(self._observe_s - left), int(self._observe_s)))
            cancel.wait(min(left, 1.0))
        second = {place.relative: look for place in self._places if (look := self._look(place))}
        return self._judge(look_around(), second)

    def _look(self, place: StagingPlace) -> Tree | None:
        try:
            return scan_subtree(self._root, place.relative)
        except (CachewrightError, OSError):
            return None  # gone meanwhile: its writer tidied up

    def _judge(
        self, survey: Survey, second: Mapping[bytes, Tree] | None
    ) -> tuple[StagingReport, ...]:
        """``second`` None: looked at once only.  Places gone by the second look are left out.

        Only local file systems are ever judged stale, and their clock is the kernel's.
        """
        return tuple(
            judge_staging(
                self._root,
                place,
                self._first[place.relative],
                None if second is None else second[place.relative],
                survey,
                self._rule,
                time.time_ns(),
                self._filesystem,
            )
            for place in self._places
            if place.relative in self._first and (second is None or place.relative in second)
        )


def _only_second_look_missing(report: StagingReport) -> bool:
    unknown = {one.fact for one in report.evidence if one.says is Says.UNKNOWN}
    return report.verdict is HoldVerdict.UNPROVEN and unknown == {SECOND_LOOK}
