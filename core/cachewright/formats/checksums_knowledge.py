"""What is known of one tree with lists of checksums (the contract's ``Knowledge``)."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from cachewright.formats import checksums_words as words
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
from cachewright.formats.checksums_bags import Bag, read_bags
from cachewright.formats.checksums_claims import (
    Claims,
    Names,
    metadata_rows,
    read_lists,
    unique_names,
)
from cachewright.formats.checksums_copies import candidates, find_copies
from cachewright.formats.checksums_judge import Case, expected_of, judge
from cachewright.formats.checksums_lists import WEAK
from cachewright.model import Confirm, EntryVerdict, Finding, RepairOffer, StepKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_MISSING_TOLD: Final = 100
"""Of one list, one by one; the others in one finding."""


class ChecksumsKnowledge(Knowledge):
    """Joins the inventory and the lists; every file is an entry of its own.

    Lists are read when entries are asked for: who only looks at locks needs none of them.
    """

    def __init__(self, root: Directory, tree: Tree, references: References) -> None:
        self._root = root
        self._tree = tree
        self._references = references
        self._names = Names(root, tree)

    @cached_property
    def _records(self) -> tuple[list[Bag], Claims]:
        """Every bag, and what all lists and manifests say."""
        rows = metadata_rows(self._tree)
        bags, claims = read_bags(self._root, self._names, rows)
        passed_over = frozenset(one.relative for one in claims.lists)
        listed = read_lists(self._root, self._names, rows, passed_over)
        for relative, said in listed.by_file.items():
            claims.by_file[relative] += said
        claims.lists += listed.lists
        return bags, claims

    @property
    def _bags(self) -> list[Bag]:
        return self._records[0]

    @property
    def _claims(self) -> Claims:
        return self._records[1]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:  # type: ignore[override]
        """Every file that is no list, and each list that another one names."""
        tree = self._tree
        records = {one.relative for one in self._claims.lists}
        rows = [int(row) for row in np.flatnonzero(tree.role == Role.ENTRY)]
        places = {tree.path(row): row for row in rows if tree.is_file(row)}
        for row in metadata_rows(tree):
            path = tree.path(row)
            if path not in records or self._claims.of(path):
                places[path] = row
        paths = sorted(places)
        names = unique_names(paths, {path: display(path) for path in paths})
        return tuple(self._entry(path, names[path], places[path]) for path in paths)

    def _entry(self, path: bytes, name: str, row: int) -> Entry:
        directory, _, last = path.rpartition(b"/")
        source = next((one.source for one in self._claims.of(path)), None)
        said = [display(directory)] if directory else []
        said.append("in no list" if source is None else f"in {display(os.path.basename(source))}")
        return Entry(name, display(last), " · ".join(said), path, row, single=True)

    def algorithms(self) -> frozenset[str] | None:
        return self._claims.algorithms or None

    def expected(self, entry: Entry) -> Expected:
        claims = self._claims.of(entry.relative)
        missing = "" if claims else self._unnamed(entry)
        return Expected(whole=expected_of(claims, self._root.where), missing=missing)

    def _unnamed(self, entry: Entry) -> str:
        for bag in self._bags:
            if entry.relative.startswith(bag.payload + b"/"):
                return "No manifest of its bag names it, so nothing vouches for it."
        return "No list here names it, so nothing vouches for it."

    def records(self, entry: Entry) -> Sequence[bytes]:
        return self._claims.sources(entry.relative)

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        claims = self._claims.of(entry.relative)
        path = self._root.where(entry.relative)
        copies = lambda: self.copies(entry)  # noqa: E731 - looked for only where it is bad
        judgement = judge(Case(entry, path, claims, seen, self._root.where, copies))
        if judgement is not None:
            return judgement
        why = "Its digests were not computed." if claims else self._unnamed(entry)
        return Judgement(EntryVerdict.UNVERIFIABLE, why, (), expected_of(claims, self._root.where))

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        row, tree = entry.row, self._tree
        own = None if row < 0 else (int(tree.device[row]), int(tree.inode[row]))
        places = candidates(self._references.sources, entry.relative)
        claims = self._claims.of(entry.relative)
        return list(find_copies(places, claims, own, self._references.cancel))

    @cached_property
    def _absent(self) -> tuple[Entry, ...]:
        paths = [path for path in self._claims.by_file if not self._names.exists(path)]
        taken = {entry.name for entry in self.entries}
        shown = {path: display(path) for path in paths}
        names = unique_names(sorted(paths), shown)
        return tuple(
            self._entry(path, f"{name} (missing)" if name in taken else name, -1)
            for path, name in names.items()
        )

    def absent(self) -> Sequence[Entry]:
        return self._absent

    def findings(self) -> Iterable[Finding]:
        for about in self._claims.lists:
            found = words.of_list(self._root.where(about.relative), about)
            if found is not None:
                yield found
        yield from self._missing()
        yield from self._strange()
        yield from self._weak()
        for bag in self._bags:
            yield from self._of_bag(bag)

    def _missing(self) -> Iterator[Finding]:
        told: dict[bytes, int] = defaultdict(int)
        rest: dict[bytes, list[bytes]] = defaultdict(list)
        to_fetch = {path: url for bag in self._bags for path, url in bag.to_fetch.items()}
        for entry in self._absent:
            sources = self._claims.sources(entry.relative)
            told[sources[0]] += 1
            if told[sources[0]] > _MISSING_TOLD:
                rest[sources[0]].append(entry.relative)
                continue
            path, url = self._root.where(entry.relative), to_fetch.get(entry.relative, "")
            yield words.missing(entry.name, path, sources, self._put_back(entry), url)
        for source, names in rest.items():
            yield words.many_missing(self._root.where(source), source, names)

    def _put_back(self, entry: Entry) -> tuple[RepairOffer, ...]:
        """A good copy, if there is one and the directory that it belongs in."""
        above = os.path.dirname(entry.relative)
        if above and not self._names.exists(above):
            return ()
        return tuple(
            RepairOffer(
                StepKind.REPUBLISH_ENTRY,
                Confirm.CLICK,
                f"A good copy is at hand in {display(copy.path)}: {copy.proof}.",
                source=copy.path,
            )
            for copy in self.copies(entry)[:1]
        )

    def _strange(self) -> Iterator[Finding]:
        """Links, directories and the like that a list takes for files."""
        for path in self._claims.by_file:
            row = self._names.row(path)
            if row is not None and not self._tree.is_file(row):
                what = _type_words(int(self._tree.mode[row]))
                sources = self._claims.sources(path)
                yield words.no_file(display(path), self._root.where(path), what, sources)

    def _weak(self) -> Iterator[Finding]:
        only: dict[bytes, list[str]] = defaultdict(list)
        for claims in self._claims.by_file.values():
            if all(one.algorithm in WEAK for one in claims):
                for source in {one.source for one in claims}:
                    only[source] += [one.algorithm for one in claims if one.source == source]
        for source, algorithms in sorted(only.items()):
            yield words.weak(self._root.where(source), source, set(algorithms), len(algorithms))

    def _of_bag(self, bag: Bag) -> Iterator[Finding]:
        row, named = self._names.row(bag.payload), bag.named()
        tree = self._tree
        below = [] if row is None else [one for one in tree.subtree(row) if tree.is_file(one)]
        paths = [tree.path(one) for one in below]
        cut = len(bag.directory) + 1 if bag.directory else 0
        unnamed = [path[cut:] for path in paths if path not in named]
        held = (sum(int(tree.size[one]) for one in below), len(below))
        if bag.manifests:
            yield from words.of_bag(self._root.where(bag.directory), bag, unnamed, held)
        else:
            yield from words.of_bag(self._root.where(bag.directory), bag, (), held)
        for manifest, listed in bag.manifests.items():
            lacking = sorted(named - listed)
            if lacking:
                relative = [path[cut:] for path in lacking]
                yield words.uneven(self._root.where(manifest), manifest, relative)


def _type_words(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "A link"
    return "A directory" if stat.S_ISDIR(mode) else "Something that is no file"
