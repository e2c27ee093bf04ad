"""What only reads: scanning, hashing, and the engine that verifies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from tests.race.acts.finding import Act
from tests.race.arena import Arena, fill
from tests.race.canary import WORD

from cachewright.errors import CachewrightError
from cachewright.inventory.tree import scan_subtree
from cachewright.inventory.walker import scan
from cachewright.model import CancelToken, no_progress
from cachewright.storage.anchored import Directory
from cachewright.storage.reading_back import hash_tree
from cachewright.verify import EntryFiles, verify


def _hashes_outside(arena: Arena) -> set[str]:
    files = [path for path in arena.outside.top.rglob("*") if path.is_file()]
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def walk_and_hash(arena: Arena, stack: ExitStack) -> Act:
    root = stack.enter_context(Directory.open(os.fsencode(arena.cache)))
    outside = {path.lstat().st_ino for path in arena.outside.top.rglob("*")}
    hashes = _hashes_outside(arena)

    def act() -> None:
        arena.escaped = not outside.isdisjoint(scan_subtree(root).inode.tolist())
        for name in root.names():
            with suppress(OSError, CachewrightError), root.open_directory(name) as entry:
                arena.escaped |= _any_of(hash_tree(entry, CancelToken()), hashes)

    return act


def _any_of(files: Mapping[bytes, Any], hashes: set[str]) -> bool:
    return any(one.sha256 in hashes for one in files.values())


def walk_and_open(arena: Arena, _stack: ExitStack) -> Act:
    """All files listed first, and then read by path."""

    def act() -> None:
        found = [Path(place, name) for place, _, names in os.walk(arena.cache) for name in names]
        for path in found:
            with suppress(OSError):
                arena.escaped |= path.read_bytes().startswith(WORD)

    return act


MANY: Final = 24
"""Entries that are verified by one crew of worker processes, each with its own attack."""


def verify_many(arena: Arena, stack: ExitStack) -> Act:
    for number in range(MANY):
        fill(arena.cache / f"e{number:02}", GOOD_ENOUGH)
    root = stack.enter_context(Directory.open(os.fsencode(arena.cache)))
    hashes = _hashes_outside(arena)

    def act() -> None:
        tree = scan(root, (), progress=no_progress, cancel=CancelToken(), workers=1)
        jobs = list(_jobs(root, tree))
        for seen in verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken()):
            arena.escaped |= _any_of(seen.files, hashes)

    return act


GOOD_ENOUGH: Final = b"content" * 100


def _jobs(root: Directory, tree: Any) -> Iterator[EntryFiles]:
    for row in tree.children(0):
        yield EntryFiles(row, root, tree.name(row), tree, row)
