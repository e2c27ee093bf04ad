"""What is known of one scanned clcache directory (the contract's ``Knowledge``)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cachewright.errors import CachewrightError
from cachewright.formats import clcache_accounting as accounting
from cachewright.formats.base import (
    Entry,
    Expected,
    GoodCopy,
    Judgement,
    Knowledge,
    Role,
    StagingPlace,
    Verification,
)
from cachewright.formats.clcache_accounting import OnDisk
from cachewright.formats.clcache_judge import NO_DIGEST, Case, judge
from cachewright.formats.clcache_layout import MANIFESTS, OBJECT, OUTPUT, RULES, STATISTICS
from cachewright.formats.clcache_manifests import Manifests
from cachewright.inventory.tree import scan_subtree
from cachewright.model import Finding, StepKind
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken
    from cachewright.storage.anchored import Directory

_SOURCE: Final = re.compile(
    rb'[^\\/:*?"<>|]+\.(?:c|cc|cpp|cxx|c\+\+|cu|ixx|cppm|m|mm)', re.IGNORECASE
)
_OUTPUT_READ: Final = 512
_KEY_SHOWN: Final = 12
_TITLE_SHOWN: Final = 100
_YOUNG_NS: Final = 60 * 1_000_000_000
_NOT_LIVE: Final = (
    "clcache guards its cache by named mutexes of Windows, which show nowhere on a disk. Here the "
    "directory counts as a copy: nobody can be asked for them, so what a writer left is judged "
    "by its age and by who has it open."
)


class ClcacheKnowledge(Knowledge):
    """Joins the inventory, the manifests and the statistics."""

    def __init__(self, root: Directory, tree: Tree, cancel: CancelToken) -> None:
        self._root = root
        self._tree = tree
        self._manifests = Manifests(root, tree)
        self._manifests.read(_manifest_rows(tree), cancel)
        self._leaving: set[int] = set()
        self._second: tuple[OnDisk, ...] | None = None
        self._read_ns = time.time_ns()
        self.entries = tuple(self._entries(cancel))

    def _entries(self, cancel: CancelToken) -> Iterable[Entry]:
        rows = self._tree.rows_with_role(Role.ENTRY).tolist()
        for relative, row in sorted((self._tree.path(row), row) for row in rows):
            cancel.check()
            key = _key(relative)
            name = display(relative) if _misplaced(relative) else key
            title, subtitle = self._titles(relative, key)
            yield Entry(name=name, title=title, subtitle=subtitle, relative=relative, row=row)

    def _titles(self, relative: bytes, key: str) -> tuple[str, str]:
        """The compiler says the source's name first; else a header tells something."""
        short = f"{key[:_KEY_SHOWN]}…"
        source = self._source(relative)
        if source:
            return source, short
        header = self._manifests.keys.get(key, "")
        return (f"Object that includes {display(header)}", short) if header else (short, "Object")

    def _source(self, relative: bytes) -> str:
        try:
            fd = self._root.open_file(relative + b"/" + OUTPUT)
        except (OSError, CachewrightError):
            return ""
        try:
            first = os.pread(fd, _OUTPUT_READ, 0).partition(b"\n")[0].strip()
        except OSError:
            return ""
        finally:
            os.close(fd)
        return brief(first, _TITLE_SHOWN) if _SOURCE.fullmatch(first) else ""

    def expected(self, entry: Entry) -> Expected:
        del entry
        return Expected(missing=f"{NO_DIGEST}.")

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        tree = self._tree
        children = tree.children(entry.row)
        names = tree.names(children)
        at = dict(zip(names, children, strict=True))
        case = Case(
            entry=entry,
            path=self._root.where(entry.relative),
            times={name: int(tree.mtime_ns[row]) for name, row in at.items()},
            is_directory=tree.is_directory(entry.row),
            misplaced=_misplaced(entry.relative),
            shared=OBJECT in at and int(tree.nlink[at[OBJECT]]) > 1,
            lost=self._is_lost(entry),
        )
        judgement = judge(self._root, case, seen)
        if any(finding.repairs for finding in judgement.findings):
            self._leaving.add(entry.row)
        return judgement

    def _is_lost(self, entry: Entry) -> bool:
        """A build writes the manifest right after the object: what is young may get one yet."""
        if not self._manifests.decides or _key(entry.relative) in self._manifests.keys:
            return False
        rows = self._tree.children(entry.row)
        newest_ns = max((int(self._tree.mtime_ns[row]) for row in rows), default=0)
        return newest_ns < self._read_ns - _YOUNG_NS

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        """None: two compilations of one source need not give the same bytes."""
        del entry
        return ()

    def notes(self) -> Sequence[str]:
        return (_NOT_LIVE,)

    def staging(self) -> Sequence[StagingPlace]:
        rows = self._tree.rows_with_role(Role.STAGING).tolist()
        return [
            StagingPlace(name=display(relative), relative=relative, row=row)
            for relative, row in sorted((self._tree.path(row), row) for row in rows)
        ]

    def renewed(
        self, step: StepKind, relative: bytes, detail: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """``recount-statistics``: counts what lies on disk by now."""
        if step is not StepKind.RECOUNT_STATISTICS:
            return super().renewed(step, relative, detail)
        if relative != STATISTICS:
            raise ValueError("it holds no statistics")
        now = self._counted_now()
        return {"entries": now.entries, "bytes": now.objects}

    def _counted_now(self) -> OnDisk:
        tree = scan_subtree(self._root, b"", Role.CONTAINER, RULES)
        if tree.errors:
            raise ValueError(f"not all of the cache can be counted ({tree.errors[0].reason})")
        return _on_disk(tree)

    def findings(self) -> Iterable[Finding]:
        keys = frozenset(_key(entry.relative) for entry in self.entries)
        yield from self._manifests.findings(keys)
        left = _on_disk(self._tree, frozenset(self._leaving), self._manifests.sound_bytes)
        yield from accounting.findings(self._root, _on_disk(self._tree), left, self._once_more)

    def _once_more(self) -> OnDisk | None:
        """What lies there now, counted once for all; None where nobody can tell."""
        if self._second is None:
            try:
                self._second = (self._counted_now(),)
            except (ValueError, OSError, CachewrightError):
                self._second = ()
        return next(iter(self._second), None)


def _manifest_rows(tree: Tree) -> list[int]:
    metadata = tree.rows_with_role(Role.METADATA).tolist()
    return [row for row in metadata if tree.path(row).startswith(MANIFESTS)]


def _on_disk(
    tree: Tree, without: frozenset[int] = frozenset(), manifests: int | None = None
) -> OnDisk:
    """Entries with an object, as clcache's own clean finds them."""
    entries = size = 0
    if manifests is None:
        manifests = int(tree.size[np.array(_manifest_rows(tree), np.int64)].sum())
    tops = set(tree.rows_with_role(Role.ENTRY).tolist()) - without
    for row in tree.rows_named(OBJECT).tolist():
        if int(tree.parent[row]) in tops and tree.is_file(row):
            entries += 1
            size += int(tree.size[row])
    return OnDisk(entries, size, manifests)


def _key(relative: bytes) -> str:
    return relative.rpartition(b"/")[2].decode("ascii")


def _misplaced(relative: bytes) -> bool:
    section, _, key = relative.rpartition(b"/")
    return not section.endswith(b"/" + key[:2])
