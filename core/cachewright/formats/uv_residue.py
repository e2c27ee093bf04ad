"""Which package a staging place belongs to, as far as it can be told from names (3.6).

A wheel is unpacked into a directory with a random name, and its own description comes last.  But
newer uv locks the place of the wheel's pointer while it downloads: a lock without a pointer says
what was never finished.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cachewright.formats.uv_layout import WHEELS
from cachewright.formats.uv_sources import one_spelling, release_of
from cachewright.formats.uv_titles import DIST_INFO, of_reference, release
from cachewright.model import Role
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.uv_references import References
    from cachewright.inventory.tree import Tree

_LOCK: Final = b".lock"
_WHEEL: Final = b".whl"


def unfinished(tree: Tree, references: References) -> Mapping[bytes, str]:
    """Wheels that were locked and never finished: title by the one spelling of the name."""
    found: dict[bytes, str] = {}
    for row in tree.rows_with_role(Role.LOCK).tolist():
        stem = tree.path(row).removesuffix(_LOCK)
        if WHEELS.fullmatch(stem):
            one = references.named_at(stem)
            if not one.archives and one.outside is None:
                found[one_spelling(one.package)] = of_reference(one)
    return found


def name_of(tree: Tree, row: int, waiting: Mapping[bytes, str]) -> str:
    """The place's path, with the package that it was for in brackets where that can be told."""
    relative = tree.path(row)
    package = _package(tree, row, waiting) if b"/" not in relative else ""
    return f"{display(relative)} ({package})" if package else display(relative)


def _package(tree: Tree, row: int, waiting: Mapping[bytes, str]) -> str:
    names = tree.names(tree.children(row))
    for name in names:
        if name.endswith(DIST_INFO):
            return release(name)
        if name.endswith(_WHEEL):
            package, version = release_of(name)
            return display(package + b" " + version)
    for name in names:
        package = one_spelling(os.path.splitext(name)[0])
        if package in waiting:
            return waiting[package]
    if len(waiting) == 1:
        return f"probably {next(iter(waiting.values()))}"
    inside = [name for name in names if not name.startswith((b".", b"_"))]
    return f"holds {display(inside[0])}" if inside else ""
