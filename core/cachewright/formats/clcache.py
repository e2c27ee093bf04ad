"""clcache: a compiler cache of objects for Microsoft's compiler."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from cachewright.errors import CachewrightError
from cachewright.formats.base import Format, Knowledge, References, Rule
from cachewright.formats.clcache_knowledge import ClcacheKnowledge
from cachewright.formats.clcache_layout import RULES, looks_like_cache
from cachewright.formats.clcache_records import recounted
from cachewright.model import Location, StepKind
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree


class Clcache(Format):
    """Objects by the hash of what was asked for; no digest covers an object's own bytes, so
    names, references, counts and the first bytes are all that can be held against them."""

    name: ClassVar[str] = "clcache"
    title: ClassVar[str] = "clcache compiler cache"
    rules: ClassVar[tuple[Rule, ...]] = RULES
    algorithms: ClassVar[frozenset[str]] = frozenset()

    def recognise(self, root: Directory) -> bool:
        return looks_like_cache(root)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        home = environment.get("HOME") or environment.get("USERPROFILE")
        places = [
            environment.get("CLCACHE_DIR"),
            os.path.join(home, "clcache") if home else None,
        ]
        for place in dict.fromkeys(filter(None, places)):
            path = os.path.abspath(os.fsencode(place))
            if _is_cache(path):
                yield Location(self.name, path, self.title)

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return ClcacheKnowledge(root, tree, references.cancel)

    def rewrite(self, step: StepKind, detail: Mapping[str, Any], old: bytes) -> bytes:
        """``recount-statistics``: ``detail`` is ``{"entries": N, "bytes": N}``."""
        if step is not StepKind.RECOUNT_STATISTICS:
            return super().rewrite(step, detail, old)
        entries, size = detail.get("entries"), detail.get("bytes")
        if type(entries) is not int or type(size) is not int or min(entries, size) < 0:
            raise ValueError("what was counted is not a number of entries and of bytes")
        return recounted(old, entries, size)


def _is_cache(path: bytes) -> bool:
    """A source tree of clcache itself may well lie there."""
    try:
        with Directory.open(path) as root:
            return looks_like_cache(root)
    except CachewrightError:
        return False
