"""Folders where one system writes files and another one picks them up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from cachewright.digests import FileDigest
from cachewright.formats.base import Format, Knowledge, References, Role, Rule, Type
from cachewright.formats.checksums import NOT_ENTERED, names_inside
from cachewright.formats.checksums_places import BAG, LISTS, joined, kind_of
from cachewright.formats.handoff_knowledge import HandoffKnowledge
from cachewright.formats.handoff_manifests import MANIFESTS
from cachewright.formats.handoff_names import CONTROLS, EDITORS, MARKERS, marked, temporary
from cachewright.model import ANY_DEPTH, Location

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_ANYTHING: Final = re.compile(rb".+", re.DOTALL)
_DIRECTORY: Final = frozenset({Type.DIRECTORY})
_FILE: Final = frozenset({Type.FILE})
_FOLDERS_READ: Final = 48


class Handoff(Format):
    """Every file is an entry, the unfinished ones too; markers, sidecars and manifests speak of
    them.  Nothing is ever believed because of a size."""

    name: ClassVar[str] = "handoff"
    title: ClassVar[str] = "Hand-over folder"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(ANY_DEPTH, NOT_ENTERED, _DIRECTORY, Role.METADATA),
        Rule(ANY_DEPTH, _ANYTHING, _DIRECTORY, Role.CONTAINER),
        Rule(ANY_DEPTH, EDITORS, _FILE, Role.FOREIGN),
        *(
            Rule(ANY_DEPTH, names, _FILE, Role.METADATA)
            for names in (LISTS, MANIFESTS, MARKERS, CONTROLS)
        ),
        Rule(ANY_DEPTH, _ANYTHING, _FILE, Role.ENTRY),
        Rule(ANY_DEPTH, _ANYTHING, frozenset({Type.LINK}), Role.METADATA),
    )
    algorithms: ClassVar[frozenset[str]] = frozenset({"sha256"})
    refines: ClassVar[frozenset[str]] = frozenset({"checksums"})
    general: ClassVar[bool] = True

    def recognise(self, root: Directory) -> bool:
        """Only where a file is on its way or one is marked as done: at the top or right below
        it, and in no working copy of a source tree.  Sidecars alone are for ``checksums``."""
        files, folders = names_inside(root, b"")
        if BAG in files or any(NOT_ENTERED.fullmatch(one) for one in folders):
            return False
        if _hands_over(b"", files):
            return True
        return any(
            _hands_over(folder, names_inside(root, folder)[0])
            for folder in sorted(folders)[:_FOLDERS_READ]
        )

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        del environment  # any folder may be one
        return ()

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return HandoffKnowledge(root, tree, references)

    def whole(self, files: Mapping[bytes, FileDigest]) -> Mapping[str, str]:
        return dict(files[b""].values) if set(files) == {b""} else {}


def _hands_over(folder: bytes, files: frozenset[bytes]) -> bool:
    """Whether a name here is surely an unfinished file's, or a file and its marker are both
    here."""
    for name in files:
        if kind_of(name) is not None:
            continue
        found = temporary(joined(folder, name))
        if found is not None and found.telling:
            return True
        marker = marked(name)
        if marker is not None and not marker.directory and marker.subject in files:
            return True
        control = CONTROLS.fullmatch(name)
        if control is not None and control["subject"] in files:
            return True
    return False
