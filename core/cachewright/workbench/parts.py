"""What the parts of one cache tell, put together for whoever watches the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cachewright.model import CheckResult, EntryReport, Finding, LockReport, StagingReport

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import Progress
    from cachewright.workbench.watching import Watcher


def rank(finding: Finding) -> tuple[bool, str, str]:
    """Problems first, then by kind and subject."""
    return (finding.severity.value != "problem", finding.kind.value, finding.subject)


class Told:
    """Results of the parts that are done, and a watcher for the one that runs."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.results: list[CheckResult] = []

    def add(self, result: CheckResult) -> None:
        self.results.append(result)

    def of_next(self) -> Watcher:
        """Who watches the next part: told is what the parts before it found, and its own."""
        return _OfPart(self._watcher, tuple(self.results))


class _OfPart:
    """Lists that replace the former ones are completed; the inventory is each part's own."""

    def __init__(self, watcher: Watcher, before: Sequence[CheckResult]) -> None:
        self._watcher = watcher
        self._before = before

    def progress(self, progress: Progress) -> None:
        self._watcher.progress(progress)

    def tree(self, tree: Tree) -> None:
        """A part's inventory is none of the whole."""

    def entries(self, entries: Sequence[EntryReport]) -> None:
        self._watcher.entries(entries)

    def locks(self, locks: Sequence[LockReport]) -> None:
        """The whole tells of its locks by itself."""

    def staging(self, staging: Sequence[StagingReport]) -> None:
        former = [one for result in self._before for one in result.staging]
        self._watcher.staging((*former, *staging))

    def findings(self, findings: Sequence[Finding]) -> None:
        former = [one for result in self._before for one in result.findings]
        self._watcher.findings(tuple(sorted((*former, *findings), key=rank)))
