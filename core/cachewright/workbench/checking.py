"""One check, in the order of DESIGN 3: scan, look around, verify, settle, diagnose."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cachewright.diagnosis import findings
from cachewright.diagnosis.locks import of_locks
from cachewright.formats.base import References
from cachewright.inventory.walker import scan
from cachewright.locks.looking import Around, look
from cachewright.model import CheckResult, EntryReport, Finding, Gap, Progress
from cachewright.workbench.baselines import KnownBaseline
from cachewright.workbench.content import Content, open_contents, unchecked_report
from cachewright.workbench.leases import look_at_leases
from cachewright.workbench.residue import Residue
from cachewright.workbench.surroundings import Surroundings
from cachewright.workbench.verifying import Verifying

if TYPE_CHECKING:
    from cachewright.diagnosis.entries import Weighed
    from cachewright.formats.base import Format, Knowledge
    from cachewright.holders import KernelLock, Survey
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken, LockReport, StagingReport
    from cachewright.storage.anchored import Directory
    from cachewright.workbench.watching import Options, Watcher

_TELL_EVERY_S: Final = 0.1


def look_at_locks(
    root: Directory,
    knowledge: Knowledge,
    survey: Survey,
    *,
    kernel: Sequence[KernelLock],
    decide: bool = False,
    former: Sequence[LockReport] = (),
) -> tuple[LockReport, ...]:
    """Every lock as it is now, without locking anything.

    ``survey`` and ``kernel`` are of one look (``holders.look_around``); for ``decide`` and
    ``former`` see ``locks.looking.Around``.
    """
    places = knowledge.locks()
    if not places:
        return ()
    known = {report.path: report for report in former}
    around = Around.now(root, survey, kernel=kernel, decide=decide, former=known)
    found = (look(root, place, knowledge, around) for place in places)
    return tuple(report for report in found if report is not None)


def read_cache(
    root: Directory, form: Format, options: Options, watcher: Watcher, cancel: CancelToken
) -> tuple[Tree, Knowledge]:
    """Scan the cache and read the records that tell of it; no entry's bytes are read."""
    tree = scan(
        root,
        form.rules,
        progress=watcher.progress,
        cancel=cancel,
        workers=options.jobs or 2,
        on_rows=watcher.tree,
    )
    watcher.tree(tree)
    watcher.progress(Progress("records"))
    references = References(options.projects, options.sources, options.environment, cancel)
    return tree, form.read(root, tree, references)


class Checking:
    """The state of one check; ``run`` is called once."""

    def __init__(
        self,
        root: Directory,
        form: Format,
        options: Options,
        watcher: Watcher,
        cancel: CancelToken,
    ) -> None:
        self._root = root
        self._format = form
        self._options = options
        self._watcher = watcher
        self._cancel = cancel
        self._reports: dict[str, EntryReport] = {}
        self._findings: dict[str, tuple[Finding, ...]] = {}
        self._others: tuple[Finding, ...] = ()
        self._untold: list[EntryReport] = []
        self._told_at = 0.0
        self._baseline = KnownBaseline(root, form)
        self.tree: Tree
        self.knowledge: Knowledge

    def run(self) -> CheckResult:
        """Everything, once; raises ``Cancelled`` and whatever makes the whole impossible."""
        started_ns = time.time_ns()
        self.tree, self.knowledge = read_cache(
            self._root, self._format, self._options, self._watcher, self._cancel
        )
        contents = open_contents(self._root, self.tree, self.knowledge.entries)
        try:
            return self._judge(started_ns, contents)
        finally:
            for content in contents:
                content.close()

    def _judge(self, started_ns: int, contents: Sequence[Content]) -> CheckResult:
        watcher = self._watcher
        pairs = [(content, unchecked_report(content, self.knowledge)) for content in contents]
        self._reports = {report.name: report for _content, report in pairs}
        watcher.entries(tuple(self._reports.values()))
        residue = Residue(self._root, self.knowledge.staging(), self._options)
        watcher.progress(Progress("holders"))
        around = Surroundings(self._root, self.tree, contents)
        locks = look_at_locks(
            self._root, self.knowledge, around.survey, kernel=around.kernel, decide=True
        )
        leases = look_at_leases(self.knowledge, cancel=self._cancel)
        locks = (*locks, *leases.locks)
        watcher.locks(locks)
        staging = residue.first(around.survey)
        watcher.staging(staging)
        self._show_findings(locks, staging, final=False)
        gaps = {gap.path: gap for gap in (*self.tree.errors, *leases.gaps)}
        if self._options.verify:
            gaps |= {gap.path: gap for gap in self._verify(pairs, around)}
        staging = residue.final(staging, around.look, watcher.progress, self._cancel)
        watcher.staging(staging)
        found = self._show_findings(locks, staging, final=True)
        return CheckResult(
            root=self._root.path,
            format=self._format.name,
            title=self._format.title,
            entries=tuple(self._reports.values()),
            locks=locks,
            staging=staging,
            findings=found,
            gaps=tuple(gaps.values()),
            uninspected=around.uninspected,
            size=int(self.tree.total_bytes[0]),
            files=int(self.tree.total_files[0]),
            started_ns=started_ns,
            finished_ns=time.time_ns(),
        )

    def _verify(
        self, pairs: Sequence[tuple[Content, EntryReport]], around: Surroundings
    ) -> list[Gap]:
        verifying = Verifying(
            root=self._root,
            tree=self.tree,
            form=self._format,
            knowledge=self.knowledge,
            around=around,
            options=self._options,
            tell=self._tell,
            progress=self._watcher.progress,
            cancel=self._cancel,
            beside=self._baseline.beside(),
        )
        verifying.run(pairs)
        self._flush()
        return verifying.gaps

    def _tell(self, weighed: Weighed) -> None:
        """Pass a verdict on, in batches: a hundred a second would drown a window."""
        name = weighed.report.name
        self._reports[name] = weighed.report
        self._findings[name] = weighed.findings
        self._untold.append(weighed.report)
        if time.monotonic() - self._told_at > _TELL_EVERY_S:
            self._flush()

    def _flush(self) -> None:
        if self._untold:
            self._watcher.entries(tuple(self._untold))
            self._watcher.findings(self._ordered_findings())
            self._untold.clear()
        self._told_at = time.monotonic()

    def _ordered_findings(self) -> tuple[Finding, ...]:
        """All that is known so far, problems first."""
        of_entries = (one for found in self._findings.values() for one in found)
        return tuple(sorted((*of_entries, *self._others), key=_rank))

    def _show_findings(
        self,
        locks: Sequence[LockReport],
        staging: Sequence[StagingReport],
        *,
        final: bool,
    ) -> tuple[Finding, ...]:
        """Findings of records, staging, locks and foreign names join those of entries."""
        now_ns = time.time_ns()
        known = frozenset(one.path for found in self._findings.values() for one in found)
        self._others = (
            *(self.knowledge.findings() if final else ()),
            *self._baseline.findings(self._reports.keys()),
            *(findings.of_staging(place, now_ns) for place in staging),
            *of_locks(locks),
            *findings.of_foreign(self.tree, self._root.path),
            *findings.of_gaps(self.tree.errors, known),
        )
        ordered = self._ordered_findings()
        self._watcher.findings(ordered)
        return ordered


def _rank(finding: Finding) -> tuple[bool, str, str]:
    return (finding.severity.value != "problem", finding.kind.value, finding.subject)
