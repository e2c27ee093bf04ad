"""All that lies on a stage, and its parts: what is somebody's, what is kept, what is left over."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tests.crash.stage import OURS, QUARANTINE, Stage

_STATE = "state/"
_BASELINES = "state/baselines/"
_RECORD = "record.json"
_DATABASE = ".db"
_PASSING = (_DATABASE + "-journal", ".json.new")
"""SQLite's own journal, and what the next baseline is written over."""


@dataclass(frozen=True)
class Node:
    """One name.  ``content`` is a file's digest, a link's target, the rows of a database."""

    kind: int
    mode: int
    content: str
    inode: int
    links: int
    mtime_ns: int
    ctime_ns: int

    @property
    def lasting(self) -> tuple[object, ...]:
        """What must be as it was for a thing to be whole and unchanged."""
        times = self.mtime_ns if stat.S_ISREG(self.kind) and self.content[:4] != "rows" else 0
        return (self.kind, self.mode, self.content, times)

    @property
    def bare(self) -> tuple[int, str]:
        return (self.kind, self.content)


Listing = Mapping[str, Node]


def listing(top: Path) -> dict[str, Node]:
    """Every name below ``top``, and ``.`` itself, by its relative path."""
    found = {".": _node(os.fspath(top))}
    for path, relative in _below(os.fspath(top), ""):
        if not relative.endswith(_PASSING):
            found[relative] = _node(path)
    return found


def _below(top: str, at: str) -> Iterator[tuple[str, str]]:
    for one in sorted(os.scandir(os.path.join(top, at)), key=lambda found: found.name):
        relative = os.path.join(at, one.name)
        yield one.path, relative
        if one.is_dir(follow_symlinks=False):
            yield from _below(top, relative)


def _node(path: str) -> Node:
    found = os.lstat(path)
    content = ""
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        content = _rows(path) if path.endswith(_DATABASE) else _digest(path)
    return Node(
        kind=stat.S_IFMT(found.st_mode),
        mode=stat.S_IMODE(found.st_mode),
        content=content,
        inode=found.st_ino,
        links=found.st_nlink if not stat.S_ISDIR(found.st_mode) else 0,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
    )


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _rows(path: str) -> str:
    """What a database says once its own journal is played back, which is done on a copy."""
    with tempfile.TemporaryDirectory(prefix="rows-") as copy:
        for suffix in ("", "-journal"):
            if os.path.exists(path + suffix):
                shutil.copy(path + suffix, os.path.join(copy, "base" + suffix))
        with closing(sqlite3.connect(os.path.join(copy, "base"))) as base:
            rows = base.execute("SELECT * FROM leases ORDER BY 1").fetchall()
    return f"rows {rows}"


@dataclass(frozen=True)
class World:
    """A stage at one moment, with what its journal tells (``told``: see ``judging``)."""

    all: Listing

    @classmethod
    def of(cls, stage: Stage) -> World:
        return cls(listing(stage.top))

    @cached_property
    def place(self) -> dict[str, Node]:
        """All that is somebody's: neither kept, nor state, nor left over by us.  A baseline, too:
        who took it relies on it."""
        return {
            name: replace(node, ctime_ns=0)
            for name, node in self.all.items()
            if name != "."
            and not _ours(name)
            and ((name + "/")[:6] != _STATE or name[:16] == _BASELINES)
        }

    @cached_property
    def litter(self) -> list[str]:
        """What lies beside or below somebody's things and is ours."""
        return sorted(
            name for name in self.all if _ours(name) and QUARANTINE not in name.split("/")
        )

    @cached_property
    def kept(self) -> dict[str, dict[str, Node]]:
        """What is in quarantine, by where each operation's place is; without its own record."""
        places: dict[str, dict[str, Node]] = {}
        for name, node in self.all.items():
            parts = name.split("/")
            at = parts.index(QUARANTINE) + 2 if QUARANTINE in parts else len(parts)
            inside = "/".join(parts[at:])
            if inside and inside != _RECORD:
                places.setdefault("/".join(parts[:at]), {})[inside] = node
        return places

    def tree(self, name: str) -> dict[str, Node]:
        """What lies at ``name`` and below, by names relative to it."""
        below = name + "/"
        tree = {
            one.removeprefix(below): two
            for one, two in self.all.items()
            if one[: len(below)] == below
        }
        if name in self.all:
            tree[""] = self.all[name]
        return tree

    def holds(self, tree: Listing) -> bool:
        """Whether a thing of just this content lies anywhere, whole."""
        wanted = {name: node.bare for name, node in tree.items()}
        return any(
            node.bare == wanted[""]
            and {one: two.bare for one, two in self.tree(name).items()} == wanted
            for name, node in self.all.items()
        )


def _ours(name: str) -> bool:
    return any(part.startswith(OURS) for part in name.split("/"))
