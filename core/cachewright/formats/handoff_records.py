"""Reads what lies beside the files of a hand-over folder and speaks of them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachewright.formats.checksums_claims import Claims, Names, metadata_rows, read_lists
from cachewright.formats.checksums_places import kind_of
from cachewright.formats.handoff_manifests import MANIFESTS, read_manifest
from cachewright.formats.handoff_names import (
    CONTROL_WRITERS,
    CONTROLS,
    MARKER_LIMIT,
    Marked,
    marked,
)

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

Marker = tuple[bytes, int]
"""A marker's path and its row."""


@dataclass(slots=True)
class Records:
    """All records of one folder; ``rows`` are theirs.  ``claims`` are what sidecars, lists and
    manifests say; ``orphans`` the markers of nothing that is here; ``controls`` a writer's own
    note, with the writer's name, by the file that it is not done with."""

    rows: frozenset[int]
    claims: Claims
    orphans: list[bytes] = field(default_factory=list)
    controls: dict[bytes, tuple[bytes, str]] = field(default_factory=dict)
    _markers: dict[Marked, list[Marker]] = field(default_factory=lambda: defaultdict(list))

    def markers_of(self, path: bytes) -> list[Marker]:
        """Those of the file itself, and of the directory that it lies in."""
        around = Marked(os.path.dirname(path), directory=True)
        return [*self._markers.get(Marked(path), ()), *self._markers.get(around, ())]

    def add_marker(self, marker: Marker, subjects: Iterable[Marked]) -> None:
        for one in subjects:
            self._markers[one].append(marker)


def read_records(root: Directory, names: Names) -> Records:
    """Everything at once; only lists, sidecars and manifests are opened."""
    tree = names.tree
    rows = [row for row in metadata_rows(tree) if not _is_plain_file(names, row)]
    records = Records(frozenset(rows), read_lists(root, names, rows))
    stems = _Stems(names)
    for row in rows:
        name, path = tree.name(row), tree.path(row)
        if kind_of(name) is None and MANIFESTS.fullmatch(name):
            read_manifest(root, names, path, records.claims)
        elif (marker := marked(path)) is not None:
            subjects = [marker] if marker.directory else stems.subjects(row, marker.subject)
            records.add_marker((path, row), subjects)
            if not subjects:
                records.orphans.append(path)
        elif (control := CONTROLS.fullmatch(path)) is not None:
            records.controls[control["subject"]] = (path, _writer_of(path, control["subject"]))
    return records


def _writer_of(path: bytes, subject: bytes) -> str:
    ending = path[len(subject) :]
    return next(name for start, name in CONTROL_WRITERS.items() if ending.startswith(start))


def _is_plain_file(names: Names, row: int) -> bool:
    """Whether it only has the name of a marker or of a writer's note."""
    path = names.tree.path(row)
    if marked(path) is not None:
        return int(names.tree.size[row]) > MARKER_LIMIT
    found = CONTROLS.fullmatch(path)
    return found is not None and not names.is_file(found["subject"])


class _Stems:
    """What a marker is of: each directory is gone through once, however many markers it has."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._by_directory: dict[int, dict[bytes, list[bytes]]] = {}

    def subjects(self, row: int, subject: bytes) -> Sequence[Marked]:
        """The file of that name, or those that differ from it by their ending only:
        ``data.done`` speaks of ``data.csv``, too."""
        if self._names.is_file(subject):
            return [Marked(subject)]
        alike = self._inside(int(self._names.tree.parent[row])).get(os.path.basename(subject), ())
        above = os.path.dirname(subject)
        return [Marked(os.path.join(above, name)) for name in alike]

    def _inside(self, directory: int) -> dict[bytes, list[bytes]]:
        if directory not in self._by_directory:
            found: dict[bytes, list[bytes]] = defaultdict(list)
            tree = self._names.tree
            for row in tree.children(directory):
                name = tree.name(row)
                if tree.is_file(row) and marked(name) is None:
                    found[name.rpartition(b".")[0]].append(name)
            self._by_directory[directory] = found
        return self._by_directory[directory]
