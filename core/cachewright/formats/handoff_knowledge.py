"""What is known of one hand-over folder (the contract's ``Knowledge``)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from cachewright.errors import CachewrightError
from cachewright.formats import checksums_words, handoff_holes, handoff_words
from cachewright.formats.base import (
    Entry,
    Expected,
    GoodCopy,
    Judgement,
    Knowledge,
    References,
    Role,
    Verification,
)
from cachewright.formats.checksums_claims import (
    Claims,
    Names,
    metadata_rows,
    unique_names,
)
from cachewright.formats.checksums_copies import candidates, find_copies
from cachewright.formats.checksums_judge import Case, expected_of
from cachewright.formats.handoff_holes import Filling
from cachewright.formats.handoff_judge import Signs, judge
from cachewright.formats.handoff_names import (
    Temporary,
    temporary,
)
from cachewright.formats.handoff_records import Records, read_records
from cachewright.holders import no_writer
from cachewright.locks import filesystems
from cachewright.model import Finding
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_YOUNG_NS: Final = 600 * 1_000_000_000


class HandoffKnowledge(Knowledge):
    """Joins the inventory with sidecars, manifests, markers and writers' notes.

    All of it is read when entries are asked for: who only looks at locks needs none of it.
    """

    def __init__(self, root: Directory, tree: Tree, references: References) -> None:
        self._root = root
        self._tree = tree
        self._references = references
        self._names = Names(root, tree)
        self._filesystem = filesystems.facts(root)
        self._fillings: dict[int, Filling | None] = {}
        self._read_ns = time.time_ns()

    @cached_property
    def _records(self) -> Records:
        return read_records(self._root, self._names)

    @property
    def _claims(self) -> Claims:
        return self._records.claims

    @cached_property
    def entries(self) -> tuple[Entry, ...]:  # type: ignore[override]
        """Every file that is no record.  How far it is filled is looked at, too: hashing it may
        hide that."""
        tree = self._tree
        rows = np.flatnonzero(tree.role == Role.ENTRY).tolist()
        rows += [row for row in metadata_rows(tree) if row not in self._records.rows]
        places = {tree.path(row): row for row in rows if tree.is_file(row)}
        paths = sorted(places)
        names = unique_names(paths, {path: display(path) for path in paths})
        entries = tuple(self._entry(path, names[path], places[path]) for path in paths)
        self._fillings.update((one.row, self._filling(one)) for one in entries)
        return entries

    def _entry(self, path: bytes, name: str, row: int) -> Entry:
        directory, _, last = path.rpartition(b"/")
        said = [display(directory)] if directory else []
        found = temporary(path)
        title = display(last)
        if found is not None and (found.certain or self._claims.of(found.final)):
            title = display(os.path.basename(found.final))
            said.append(f"unfinished: {display(last)}")
        return Entry(name, title, " · ".join(said), path, row, single=True)

    def _filling(self, entry: Entry) -> Filling | None:
        tree, row = self._tree, entry.row
        if not int(tree.size[row]):
            return Filling(0)
        place = (int(tree.device[row]), int(tree.inode[row]))
        return handoff_holes.look(self._root, entry.relative, place, self._filesystem.type)

    def algorithms(self) -> frozenset[str] | None:
        return self._claims.algorithms or None

    def expected(self, entry: Entry) -> Expected:
        claims = expected_of(self._claims.of(entry.relative), self._root.where)
        missing = "" if claims else "No digest of it is recorded in this folder."
        return Expected(whole=claims, missing=missing)

    def records(self, entry: Entry) -> Sequence[bytes]:
        found = temporary(entry.relative)
        of_final = self._claims.sources(found.final) if found else ()
        return (*self._claims.sources(entry.relative), *of_final)

    def while_written(self, entry: Entry) -> str:
        found = temporary(entry.relative)
        told = found if found is not None and found.likely else None
        return handoff_words.while_written(self._filling(entry), told)

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        case = Case(
            entry=entry,
            path=self._root.where(entry.relative),
            claims=self._claims.of(entry.relative),
            seen=seen,
            where=self._root.where,
            copies=lambda: self.copies(entry),
        )
        return judge(case, self._signs(entry))

    def _signs(self, entry: Entry) -> Signs:
        path, found = entry.relative, temporary(entry.relative)
        markers = self._records.markers_of(path)
        changed = int(self._tree.mtime_ns[entry.row])
        older = (one for one, row in markers if int(self._tree.mtime_ns[row]) < changed)
        return Signs(
            filling=self._fillings.get(entry.row),
            no_writer=lambda: self._no_writer(entry),
            temporary=found,
            final_is_there=found is not None and self._names.is_file(found.final),
            of_final=self._claims.of(found.final) if found else (),
            control=self._records.controls.get(path),
            markers=tuple(one for one, _row in markers),
            older=tuple(older),
            young=self._read_ns - changed < _YOUNG_NS,
        )

    def _no_writer(self, entry: Entry) -> bool | None:
        """What the kernel knows; of a file system with a server behind it, it does not."""
        if not self._filesystem.local:
            return None
        try:
            fd = self._root.open_file(entry.relative)
        except (OSError, CachewrightError):
            return None
        try:
            found = os.fstat(fd)
            tree, row = self._tree, entry.row
            if (found.st_dev, found.st_ino) != (int(tree.device[row]), int(tree.inode[row])):
                return None
            return no_writer(fd)
        finally:
            os.close(fd)

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        row, tree = entry.row, self._tree
        own = None if row < 0 else (int(tree.device[row]), int(tree.inode[row]))
        places = candidates(self._references.sources, entry.relative)
        claims = self._claims.of(entry.relative)
        return list(find_copies(places, claims, own, self._references.cancel))

    def findings(self) -> Iterable[Finding]:
        for about in self._claims.lists:
            found = checksums_words.of_list(self._root.where(about.relative), about)
            if found is not None:
                yield found
        for marker in self._records.orphans:
            yield handoff_words.orphan(self._root.where(marker), marker)
        yield from self._missing()

    @cached_property
    def _unfinished(self) -> frozenset[bytes]:
        """The final names of the files that are on their way."""
        every: Iterable[Temporary | None] = (temporary(one.relative) for one in self.entries)
        return frozenset(one.final for one in every if one is not None)

    def _missing(self) -> Iterable[Finding]:
        """Sidecars without their file are left behind; what a manifest names should be here,
        unless it is on its way."""
        alone: set[bytes] = set()
        for path in self._claims.by_file:
            if self._names.exists(path) or path in self._unfinished:
                continue
            sources = self._claims.sources(path)
            lists = [one for one in sources if not one.startswith(path + b".")]
            if lists:
                where = self._root.where(path)
                yield checksums_words.missing(display(path), where, lists, ())
            else:
                alone.update(sources)
        for source in sorted(alone):
            yield handoff_words.orphan(self._root.where(source), source)
