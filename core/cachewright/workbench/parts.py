"""What the parts of one cache tell, put together for whoever watches the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cachewright.inventory.joining import JoinedTree
from cachewright.model import CheckResult, EntryReport, Finding, LockReport, StagingReport

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import Progress
    from cachewright.workbench.watching import Watcher


def rank(finding: Finding) -> tuple[bool, str, str]:
    """Problems first, then by kind and subject."""
    return (finding.severity.value != "problem", finding.kind.value, finding.subject)


class Told:
    """Results of the parts that are done, and a watcher for the one that runs.

    ``parts`` are their names and directories, in the order in which they are checked.
    """

    def __init__(self, watcher: Watcher, parts: Mapping[str, bytes]) -> None:
        self.watcher = watcher
        self.results: list[CheckResult] = []
        self._names = tuple(name.encode() for name in parts)
        self._paths = tuple(parts.values())
        self._trees: list[Tree | None] = [None] * len(parts)

    def add(self, result: CheckResult, tree: Tree | None) -> None:
        """The next part is done."""
        self._trees[len(self.results)] = tree
        whole = self.tree()
        self.results.append(replace(result, entries=self.rows(whole, result.entries)))

    def of_next(self) -> Watcher:
        """Who watches the next part: told is what the parts before it found, and its own."""
        return _OfPart(self)

    def tree(self, growing: Tree | None = None) -> JoinedTree:
        """All that is known; ``growing`` is of the part that runs."""
        trees = list(self._trees)
        if growing is not None:
            trees[len(self.results)] = growing
        return JoinedTree(self._names, self._paths, trees)

    def rows(self, whole: JoinedTree, entries: Iterable[EntryReport]) -> tuple[EntryReport, ...]:
        """Entries of the part that runs, each with its row in the whole."""
        part = len(self.results)
        return tuple(
            one if one.row < 0 else replace(one, row=whole.row_of_part(part, one.row))
            for one in entries
        )


class _OfPart:
    """Lists that replace the former ones are completed, inventories joined."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._watcher = told.watcher
        self._before = tuple(told.results)
        self._whole = told.tree()

    def progress(self, progress: Progress) -> None:
        self._watcher.progress(progress)

    def tree(self, tree: Tree) -> None:
        self._whole = self._told.tree(tree)
        self._watcher.tree(self._whole)

    def entries(self, entries: Sequence[EntryReport]) -> None:
        self._watcher.entries(self._told.rows(self._whole, entries))

    def locks(self, locks: Sequence[LockReport]) -> None:
        """The whole tells of its locks by itself."""

    def staging(self, staging: Sequence[StagingReport]) -> None:
        former = [one for result in self._before for one in result.staging]
        self._watcher.staging((*former, *staging))

    def findings(self, findings: Sequence[Finding]) -> None:
        former = [one for result in self._before for one in result.findings]
        self._watcher.findings(tuple(sorted((*former, *findings), key=rank)))
