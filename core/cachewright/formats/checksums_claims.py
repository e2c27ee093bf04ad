"""Reads every list of checksums, sidecar and bag manifest of a tree into claims about files."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats.base import Role
from cachewright.formats.checksums_lists import Line, Parsed, Trouble, parse
from cachewright.formats.checksums_places import Kind, joined, kind_of, resolved
from cachewright.storage.anchored import identity

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

LIMIT: Final = 64 << 20
LINES: Final = 2_000_000
"""Of a list: more do not fit into that where each has a digest."""
"""Bytes of the longest list that is read: more than half a million lines."""

_TRIES: Final = 3
_CLAIMS_AT_MOST: Final = 8
"""Of one list about one file: more say nothing more, and make a hostile list slow."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One file's digest as one line of a list records it.  ``source`` is the list's path below
    the root, ``line`` the number of its line there, or of what else its ``unit`` is.  An empty
    ``algorithm`` claims a size only; a ``size`` of -1 claims none."""

    algorithm: str
    value: str
    source: bytes
    line: int
    size: int = -1
    unit: str = "line"


@dataclass(slots=True)
class ListFile:
    """A list and what became of reading it: ``lines`` that hold claims, ``troubles`` of single
    lines that could not be used, ``remarks`` on lines that could, ``general`` sentences about
    the whole; ``unread`` is why nothing of it could be used, ``stopped`` where
    reading ended before the end.  ``unit`` is what is numbered."""

    relative: bytes
    unit: str = "line"
    lines: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    remarks: list[Trouble] = field(default_factory=list)
    general: list[str] = field(default_factory=list)
    unread: str = ""
    unsettled: bool = False
    ends: bool = True
    stopped: str = ""


@dataclass(slots=True)
class Claims:
    """All that the lists of one tree say; ``by_file`` by path below the root."""

    by_file: dict[bytes, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    lists: list[ListFile] = field(default_factory=list)

    def of(self, relative: bytes) -> Sequence[Claim]:
        return self.by_file.get(relative, ())

    @property
    def algorithms(self) -> frozenset[str]:
        """What has to be computed to compare every claim."""
        every = (one.algorithm for claims in self.by_file.values() for one in claims)
        return frozenset(name for name in every if name)

    def sources(self, relative: bytes) -> tuple[bytes, ...]:
        return tuple(dict.fromkeys(one.source for one in self.of(relative)))

    def add(self, about: ListFile, relative: bytes, claim: Claim) -> None:
        """Take a claim up; the same file twice in one list is told of."""
        earlier = [one for one in self.of(relative) if one.source == claim.source]
        for one in earlier:
            if one.algorithm != claim.algorithm:
                continue
            if one.value == claim.value:
                said = f"names the same file as {one.unit} {one.line}, with the same digest"
                about.remarks.append(Trouble(claim.line, said))
                return
            said = f"names the same file as {one.unit} {one.line}, with another digest"
            about.troubles.append(Trouble(claim.line, said))
            break
        if len(earlier) < _CLAIMS_AT_MOST:
            self.by_file[relative].append(claim)
            about.lines += 1


class Names:
    """What the inventory has, by path; each directory that is asked about is gone through once,
    since a list names as many files as its directory holds."""

    def __init__(self, root: Directory, tree: Tree) -> None:
        self._root = root
        self.tree = tree
        self._known: dict[int, dict[bytes, int]] = {}

    def row(self, relative: bytes) -> int | None:
        row = 0
        for component in relative.split(b"/"):
            inside = self._inside(row)
            if component not in inside:
                return None
            row = inside[component]
        return row

    def _inside(self, row: int) -> dict[bytes, int]:
        if row not in self._known:
            children = self.tree.children(row)
            self._known[row] = dict(zip(self.tree.names(children), children, strict=True))
        return self._known[row]

    def is_file(self, relative: bytes) -> bool:
        row = self.row(relative)
        return row is not None and self.tree.is_file(row)

    def exists(self, relative: bytes) -> bool:
        return self.row(relative) is not None

    def through_link(self, relative: bytes) -> bytes:
        """Where a link leads, if that is a file in this tree; else the name itself."""
        row = self.row(relative)
        if row is None or not stat.S_ISLNK(int(self.tree.mode[row])):
            return relative
        try:
            target = self._root.read_link(relative)
        except (OSError, CachewrightError):
            return relative
        path, why = resolved(os.path.dirname(relative), target)
        return path if not why and self.is_file(path) else relative


def metadata_rows(tree: Tree) -> list[int]:
    """Rows of regular files that the rules called metadata, in containers."""
    rows = np.flatnonzero(tree.role == Role.METADATA)
    rows = rows[tree.role[tree.parent[rows]] == Role.CONTAINER]
    return [int(row) for row in rows if tree.is_file(int(row))]


def read_settled(
    root: Directory, relative: bytes, limit: int = LIMIT
) -> tuple[bytes | None, ListFile]:
    """A record that was the same before and after it was read; None where there is none."""
    about = ListFile(relative)
    for _try in range(_TRIES):
        try:
            fd = root.open_file(relative)
            try:
                before = identity(os.fstat(fd))
                with open(os.dup(fd), "rb") as file:
                    content = file.read(limit + 1)
                if len(content) > limit:
                    raise TooLarge(path=root.where(relative), limit=f"{limit >> 20} MiB")
                after = identity(os.fstat(fd))
            finally:
                os.close(fd)
        except TooLarge:
            about.unread = f"it is larger than {limit >> 20} MiB"
            return None, about
        except (OSError, CachewrightError) as error:
            about.unread = getattr(error, "strerror", None) or str(error)
            return None, about
        if before == after and len(content) == after.size:
            if content.count(b"\n") + content.count(b"\0") > LINES:
                about.unread = f"it has more than {LINES:,} lines"
                return None, about
            return content, about
    about.unread = "it changed while it was read"
    about.unsettled = True
    return None, about


def read_lists(
    root: Directory, names: Names, rows: Iterable[int], passed_over: frozenset[bytes] = frozenset()
) -> Claims:
    """All lists and sidecars among ``rows``; ``passed_over`` are records of another kind."""
    claims = Claims()
    for row in rows:
        relative = names.tree.path(row)
        kind = kind_of(names.tree.name(row))
        if kind is not None and relative not in passed_over:
            read_list(root, names, relative, kind, claims)
    return claims


def read_list(
    root: Directory, names: Names, relative: bytes, kind: Kind, claims: Claims
) -> ListFile:
    """One list or sidecar, added to ``claims``."""
    content, about = read_settled(root, relative)
    claims.lists.append(about)
    if content is None:
        return about
    parsed = parse(content, kind.algorithm)
    take_up(parsed, about)
    directory = os.path.dirname(relative)
    beside = joined(directory, kind.stem) if kind.stem else b""
    only_bare = bool(parsed.lines) and not any(one.name for one in parsed.lines)
    sidecar = beside if beside and (names.exists(beside) or only_bare) else b""
    for line in parsed.lines:
        meant, why = _meant(names, directory, sidecar, line)
        if why:
            about.troubles.append(Trouble(line.number, why))
            continue
        path = names.through_link(meant)
        claims.add(about, path, Claim(line.algorithm, line.value, relative, line.number))
    about.troubles.sort(key=lambda one: one.number)
    return about


def take_up(parsed: Parsed, about: ListFile) -> None:
    about.troubles += parsed.troubles
    about.general += parsed.general
    about.ends = parsed.ends
    about.stopped = parsed.stopped


def _meant(names: Names, directory: bytes, sidecar: bytes, line: Line) -> tuple[bytes, str]:
    """The path below the root that a line is about, or why it is about none.

    A sidecar speaks of the file beside it, also by the path which that had elsewhere.  A list
    may have been written from the top of the tree.
    """
    if not line.name:
        return (sidecar, "") if sidecar else (b"", "has a digest without a name")
    path, why = resolved(directory, line.name)
    if path and names.exists(path):
        return path, ""
    if sidecar and _last(line.name) == os.path.basename(sidecar):
        return sidecar, ""
    if not why:
        for base, name in ((b"", line.name), (directory, line.name.replace(b"\\", b"/"))):
            other, refused = resolved(base, name)
            if not refused and names.is_file(other):
                return other, ""
    return path, why


def _last(name: bytes) -> bytes:
    return name.replace(b"\\", b"/").rpartition(b"/")[2]


def unique_names(paths: Sequence[bytes], shown: Mapping[bytes, str]) -> dict[bytes, str]:
    """Names to be typed, each of one path only: two paths may look alike when shown."""
    given: dict[bytes, str] = {}
    taken: set[str] = set()
    for path in paths:
        name, number = shown[path], 2
        while name in taken:
            name = f"{shown[path]} #{number}"
            number += 1
        taken.add(name)
        given[path] = name
    return given
