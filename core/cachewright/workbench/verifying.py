"""Verify every entry, and look once more at whatever a writer might explain (DESIGN 6.9)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.diagnosis import entries as weighing
from cachewright.diagnosis.entries import DOUBTFUL, Weighed
from cachewright.errors import CachewrightError
from cachewright.formats.base import Verification
from cachewright.model import EntryReport, Gap, Progress, ProgressSink
from cachewright.verify import EntryFiles, Verified, verify

if TYPE_CHECKING:
    from cachewright.formats.base import Format, Knowledge
    from cachewright.model import CancelToken
    from cachewright.workbench.content import Content
    from cachewright.workbench.surroundings import Surroundings
    from cachewright.workbench.watching import Options

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Doubt:
    """An entry that a writer between two files might explain, and how it looked first."""

    content: Content
    report: EntryReport
    weighed: Weighed | None
    changed: tuple[bytes, ...] = ()


class Verifying:
    """Reads what the entries hold; tells each verdict once it is final."""

    def __init__(
        self,
        *,
        form: Format,
        knowledge: Knowledge,
        around: Surroundings,
        options: Options,
        tell: Callable[[Weighed], None],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> None:
        self._format = form
        self._knowledge = knowledge
        self._around = around
        self._options = options
        self._tell = tell
        self._progress = progress
        self._cancel = cancel
        self._doubts: list[_Doubt] = []
        self.gaps: list[Gap] = []

    def run(self, pairs: Sequence[tuple[Content, EntryReport]]) -> None:
        """Every pair gets its verdict through ``tell``."""
        for key, verified in self._read(pairs):
            content, report = pairs[key]
            self._weigh(content, report, verified)
        self._settle()

    def _read(
        self, pairs: Sequence[tuple[Content, EntryReport]]
    ) -> Iterator[tuple[int, Verified | None]]:
        jobs: list[EntryFiles] = []
        for key, (content, report) in enumerate(pairs):
            users = self._around.of(content)
            files = content.files(key)
            if any(user.writes for user in users):
                self._tell(weighing.busy(report, users, self._around.uninspected, ()))
            elif files is None:
                yield key, None
            else:
                jobs.append(files)
        for verified in verify(
            jobs,
            self._knowledge.algorithms() or self._format.algorithms,
            progress=self._progress,
            cancel=self._cancel,
            threads=self._options.jobs,
            processes=self._options.jobs,
        ):
            yield verified.key, verified

    def _weigh(self, content: Content, report: EntryReport, verified: Verified | None) -> None:
        around = self._around
        if verified is not None and verified.changed:
            self._doubts.append(_Doubt(content, report, None, verified.changed))
            return
        if verified is not None and verified.unreadable:
            self.gaps.extend(verified.unreadable)
            self._tell(weighing.unreadable(report, verified.unreadable))
            return
        files = {} if verified is None else verified.files
        whole = self._format.whole(files)
        seen = Verification(files, whole, () if verified is None else verified.strange)
        judgement = self._knowledge.judge(content.entry, seen)
        users = around.of(content)
        weighed = weighing.judged(report, judgement, whole, users, around.uninspected)
        if judgement.verdict in DOUBTFUL or judgement.findings:
            self._doubts.append(_Doubt(content, report, weighed))
        else:
            self._tell(weighed)

    def _settle(self) -> None:
        """Look again at what is doubtful, once its last change is ``settle_s`` old.

        A local file system's clock is the kernel's, as ours is; where it is another's and ahead
        of us, the wait is still bounded by ``settle_s``.
        """
        if not self._doubts:
            return
        newest = max(doubt.content.newest_ns() for doubt in self._doubts)
        age_s = (time.time_ns() - newest) / _NS
        self._progress(Progress("settle", 0, len(self._doubts)))
        if age_s < self._options.settle_s:
            self._cancel.wait(self._options.settle_s - max(age_s, 0.0))
        self._around.look()
        for doubt in self._doubts:
            self._tell(self._second_look(doubt))

    def _second_look(self, doubt: _Doubt) -> Weighed:
        users = self._around.of(doubt.content)
        changed = doubt.changed or self._changed_since(doubt.content)
        if doubt.weighed is None or changed or any(user.writes for user in users):
            return weighing.busy(doubt.report, users, self._around.uninspected, changed)
        return doubt.weighed

    @staticmethod
    def _changed_since(content: Content) -> tuple[bytes, ...]:
        """The entry itself where anything in it is not as the inventory has it."""
        if content.tree is None:
            return ()
        try:
            same = content.look_again().signature(0) == content.signature()
        except (CachewrightError, OSError):
            same = False
        return () if same else (b"",)
