"""Baselines of one open cache: taken once, and compared with at every later check."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from cachewright.baseline import Baseline, Baselines, Comparison, FileRecord, LeftOut
from cachewright.baseline.comparison import not_compared
from cachewright.errors import BaselineUnusable, Refused
from cachewright.model import EntryVerdict, Finding, Progress
from cachewright.workbench.content import open_contents, unchecked_report
from cachewright.workbench.surroundings import Surroundings
from cachewright.workbench.verifying import Verifying

if TYPE_CHECKING:
    from cachewright.diagnosis.entries import Weighed
    from cachewright.digests import FileDigest
    from cachewright.formats.base import Format, Knowledge
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken
    from cachewright.storage.anchored import Directory
    from cachewright.workbench.watching import Options, Watcher

_GOOD: Final = frozenset({EntryVerdict.OK, EntryVerdict.UNVERIFIABLE})


class KnownBaseline:
    """What this user's baseline of a cache, if there is one, says of a check of it."""

    def __init__(self, root: Directory, form: Format) -> None:
        self._root = root
        self._format = form
        self._comparison: Comparison | None = None
        self._trouble: Finding | None = None

    def beside(self) -> Comparison | None:
        """What compares entries while they are verified; reads the baseline now."""
        try:
            baseline = Baselines().of(self._root.path)
        except BaselineUnusable as error:
            self._trouble = not_compared(self._root.path, str(error))
            return None
        if baseline is None:
            return None
        if baseline.format != self._format.name:
            why = f"the one of {baseline.date} was taken of this directory as {baseline.format}."
            self._trouble = not_compared(self._root.path, why)
            return None
        self._comparison = Comparison(baseline, self._root.identity.inode)
        return self._comparison

    def findings(self, names: Collection[str]) -> Iterator[Finding]:
        """What there is to tell of the cache as a whole, once ``beside`` was asked for."""
        if self._trouble is not None:
            yield self._trouble
        if self._comparison is not None:
            yield from self._comparison.findings(names, self._root.path)


class Recording:
    """Takes a baseline: hashes every entry once, and keeps what was whole and quiet."""

    algorithms: frozenset[str] = frozenset({"sha256"})

    def __init__(self, root: Directory, form: Format, options: Options) -> None:
        self._root = root
        self._format = form
        self._options = options
        self._files: dict[str, Mapping[bytes, FileDigest]] = {}
        self._final: dict[str, Weighed] = {}

    def saw(self, name: str, files: Mapping[bytes, FileDigest], weighed: Weighed) -> Weighed:
        self._files[name] = files
        return weighed

    def take(
        self, tree: Tree, knowledge: Knowledge, watcher: Watcher, cancel: CancelToken
    ) -> Baseline:
        """Everything that can be recorded, and what was left out with its reason; nothing is
        kept yet.  ``Refused`` where there is no entry to record."""
        watcher.progress(Progress("holders"))
        contents = open_contents(self._root, tree, knowledge.entries)
        try:
            pairs = [(content, unchecked_report(content, knowledge)) for content in contents]
            around = Surroundings(self._root, tree, contents)
            Verifying(
                root=self._root,
                tree=tree,
                form=self._format,
                knowledge=knowledge,
                around=around,
                options=self._options,
                tell=self._tell,
                progress=watcher.progress,
                cancel=cancel,
                beside=self,
            ).run(pairs)
        finally:
            for content in contents:
                content.close()
        return self._baseline()

    def _tell(self, weighed: Weighed) -> None:
        self._final[weighed.report.name] = weighed

    def _baseline(self) -> Baseline:
        good = {name for name, one in self._final.items() if one.report.verdict in _GOOD}
        recorded = sorted(good & self._files.keys())
        if not recorded:
            reason = "there is no entry that could be recorded"
            raise Refused(path=self._root.path, reason=reason)
        left_out = [
            LeftOut(name, f"It is {one.report.verdict.value}. {one.report.why}".rstrip())
            for name, one in sorted(self._final.items())
            if name not in good
        ]
        return Baseline(
            root=self._root.path,
            inode=self._root.identity.inode,
            format=self._format.name,
            made_ns=time.time_ns(),
            entries={name: _records(self._files[name]) for name in recorded},
            left_out=tuple(left_out),
        )


def _records(files: Mapping[bytes, FileDigest]) -> Mapping[bytes, FileRecord]:
    return {name: FileRecord(one.size, one.sha256) for name, one in files.items()}
