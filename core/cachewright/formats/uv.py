"""uv's package cache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from cachewright.formats.base import Format, Knowledge, References, Rule
from cachewright.formats.uv_knowledge import UvKnowledge
from cachewright.formats.uv_layout import RULES, customary_places, looks_like_cache
from cachewright.formats.uv_sources import Sources
from cachewright.model import Location

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory


class Uv(Format):
    """Unpacked wheels by random IDs, each with the RECORD that vouches for its files; links and
    pointers say which wheel is where."""

    name: ClassVar[str] = "uv"
    title: ClassVar[str] = "uv package cache"
    rules: ClassVar[tuple[Rule, ...]] = RULES
    algorithms: ClassVar[frozenset[str]] = frozenset({"sha256"})

    def recognise(self, root: Directory) -> bool:
        return looks_like_cache(root)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        for place in dict.fromkeys(map(os.path.abspath, customary_places(environment))):
            if os.path.isdir(place):
                yield Location(self.name, place, self.title)

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        sources = Sources(references.sources, root.path, references.cancel)
        return UvKnowledge(root, tree, sources, references.cancel)
