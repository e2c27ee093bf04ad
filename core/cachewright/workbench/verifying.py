"""Verify every entry, and look once more at whatever a writer might explain (DESIGN 6.9)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cachewright.diagnosis import entries as weighing
from cachewright.diagnosis.entries import DOUBTFUL, Weighed
from cachewright.errors import CachewrightError
from cachewright.formats.base import Verification
from cachewright.inventory.tree import scan_subtree
from cachewright.model import EntryReport, Gap, Progress, ProgressSink
from cachewright.verify import EntryFiles, Verified, verify

if TYPE_CHECKING:
    from cachewright.digests import FileDigest
    from cachewright.formats.base import Format, Knowledge
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken, Holder
    from cachewright.storage.anchored import Directory
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


class Beside(Protocol):
    """Looks at every entry that was hashed, beside the format's own judgement.

    ``algorithms`` are computed for it besides those that the format needs.
    """

    @property
    def algorithms(self) -> frozenset[str]: ...

    def saw(self, name: str, files: Mapping[bytes, FileDigest], weighed: Weighed) -> Weighed:
        """What is told of the entry in the end, unless a second look finds it busy."""


class Nobody:
    """Adds nothing."""

    algorithms: frozenset[str] = frozenset()

    def saw(self, name: str, files: Mapping[bytes, FileDigest], weighed: Weighed) -> Weighed:
        del name, files
        return weighed


class Verifying:
    """Reads what the entries hold; tells each verdict once it is final."""

    def __init__(
        self,
        *,
        root: Directory,
        tree: Tree,
        form: Format,
        knowledge: Knowledge,
        around: Surroundings,
        options: Options,
        tell: Callable[[Weighed], None],
        progress: ProgressSink,
        cancel: CancelToken,
        beside: Beside | None = None,
    ) -> None:
        self._root = root
        self._tree = tree
        self._format = form
        self._knowledge = knowledge
        self._around = around
        self._options = options
        self._tell = tell
        self._progress = progress
        self._cancel = cancel
        self._beside = beside or Nobody()
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
                self._tell(self._busy(content, report, users, ()))
            elif files is None:
                yield key, None
            else:
                jobs.append(files)
        algorithms = self._knowledge.algorithms() or self._format.algorithms
        for verified in verify(
            jobs,
            algorithms | self._beside.algorithms,
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
        weighed = self._beside.saw(report.name, files, weighed)
        if judgement.verdict in DOUBTFUL or weighed.findings:
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
        newest = max(self._newest_ns(doubt.content) for doubt in self._doubts)
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
            return self._busy(doubt.content, doubt.report, users, changed)
        return doubt.weighed

    def _busy(
        self,
        content: Content,
        report: EntryReport,
        users: Sequence[Holder],
        changed: Sequence[bytes],
    ) -> Weighed:
        more = self._knowledge.while_written(content.entry)
        return weighing.busy(report, users, self._around.uninspected, changed, more)

    def _newest_ns(self, content: Content) -> int:
        """When the entry, or a record that speaks of it, changed last."""
        known = (self._tree.find(one) for one in self._knowledge.records(content.entry))
        rows = [row for row in known if row is not None]
        return max(content.newest_ns(), *(self._tree.newest_ns(row) for row in rows), 0)

    def _changed_since(self, content: Content) -> tuple[bytes, ...]:
        """The entry itself where anything in it is not as the inventory has it, and each record
        that speaks of it and is another by now."""
        if content.tree is None:
            return ()
        try:
            same = content.look_again().signature(0) == content.signature()
        except (CachewrightError, OSError):
            same = False
        records = self._knowledge.records(content.entry)
        other = (one for one in records if not self._as_scanned(one))
        return (*(() if same else (b"",)), *other)

    def _as_scanned(self, record: bytes) -> bool:
        row = self._tree.find(record)
        try:
            now = scan_subtree(self._root, record).signature(0)
        except (CachewrightError, OSError):
            return row is None
        return row is not None and now == self._tree.signature(row)
