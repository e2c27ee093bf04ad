"""A cache format as an outsider would write it: no entries, but every kind of lock in a directory.

A cache is a directory that holds a file named ``stranger.cache``.  At any depth of directories
whose names do not end in ``.dir`` lie locks:

- ``NAME.lock``: an exclusively created file, its record is its content;
- ``NAME.lnk``: a symlink, its record is its target;
- ``NAME.dir/``: a directory, its record is in ``owner.json``, if there is one;
- ``NAME.info``: information beside ``NAME.data``, on which a POSIX lock is taken;
- ``NAME.flock``, ``NAME.posix``, ``NAME.ofd``: places for a kernel lock of that kind;
- ``leases.db`` at the top: a SQLite table ``leases(name primary key, value)``.

A record is JSON: ``{"id", "machine", "boot", "pidns", "pid", "start"}``, any of which may be
missing; a lease's also has ``renewed_ns`` and ``lasts_ns``.  Put this folder on ``PYTHONPATH``
and Cachewright finds the format.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from stranger_leases import FILE as LEASES_FILE
from stranger_leases import StrangerLeases

from cachewright.formats.base import (
    Entry,
    Expected,
    Format,
    GoodCopy,
    Judgement,
    Knowledge,
    References,
    Verification,
)
from cachewright.inventory.tree import Tree
from cachewright.locks.store import LockStore
from cachewright.model import (
    Claim,
    EntryVerdict,
    Gate,
    Location,
    LockKind,
    LockPlace,
    Role,
    Rule,
    Type,
)
from cachewright.storage.anchored import Directory
from cachewright.text import display

MARK: Final = b"stranger.cache"
OWNER_FILE: Final = b"owner.json"
_DEPTHS: Final = range(1, 5)
_KINDS: Final = {b".lock": LockKind.EXISTENCE, b".lnk": LockKind.EXISTENCE,
                 b".dir": LockKind.EXISTENCE, b".info": LockKind.INFO_FILE,
                 b".flock": LockKind.FLOCK, b".posix": LockKind.POSIX,
                 b".ofd": LockKind.OFD}  # fmt: skip
_ANY: Final = frozenset(Type)


def _rules() -> Iterable[Rule]:
    for depth in _DEPTHS:
        yield Rule(depth, re.compile(rb".+\.(lock|lnk|dir|info|flock|posix|ofd)"), _ANY, Role.LOCK)
        yield Rule(depth, re.compile(rb".+\.data|stranger\.cache|leases\.db"), _ANY, Role.METADATA)
        yield Rule(depth, re.compile(rb"[^.]+"), frozenset({Type.DIRECTORY}), Role.CONTAINER)


@dataclass
class StrangerKnowledge(Knowledge):
    """Locks are looked for whenever they are asked for: they come and go."""

    root: Directory
    entries: Sequence[Entry] = ()

    def expected(self, entry: Entry) -> Expected:
        del entry
        return Expected()

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        del entry, seen
        return Judgement(EntryVerdict.UNVERIFIABLE, "")

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        del entry
        return ()

    def locks(self) -> Sequence[LockPlace]:
        return tuple(self._below(b"", len(_DEPTHS)))

    def _below(self, folder: bytes, depths: int) -> Iterable[LockPlace]:
        try:
            names = self.root.names(folder)
        except OSError:
            return
        for name in names:
            relative = os.path.join(folder, name) if folder else name
            stem, suffix = os.path.splitext(name)
            if suffix in _KINDS:
                yield _place(relative, stem, suffix)
            elif depths > 1 and not suffix and self._is_directory(relative):
                yield from self._below(relative, depths - 1)

    def _is_directory(self, relative: bytes) -> bool:
        try:
            self.root.open_directory(relative).close()
        except Exception:  # noqa: BLE001 - a file, a link, gone by now, not ours
            return False
        return True

    def claim(self, place: LockPlace, record: bytes) -> Claim:
        del place
        return claim_of(record)

    def leases(self) -> LockStore | None:
        there = self.root.exists(LEASES_FILE)
        return StrangerLeases(self.root.path, claim_of) if there else None

    def own_record(self, place: LockPlace) -> bytes | None:
        del place
        return json.dumps({"id": "cachewright", **whole_identity()}).encode()


def claim_of(record: bytes) -> Claim:
    if not record:
        return Claim()
    try:
        said = json.loads(record)
        return Claim(
            id=str(said.get("id", "")),
            owner={name: str(value) for name, value in said.items()},
            machine=str(said.get("machine", "")),
            boot_id=str(said.get("boot", "")),
            pid_namespace=int(said.get("pidns", 0)),
            pid=int(said.get("pid", 0)),
            start_ticks=int(said.get("start", 0)),
            renewed_ns=int(said.get("renewed_ns", 0)),
            lasts_ns=int(said.get("lasts_ns", 0)),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Claim(garbage=f"it is no such JSON ({type(error).__name__})")


def _place(relative: bytes, stem: bytes, suffix: bytes) -> LockPlace:
    guards = None
    if suffix == b".info":
        data = relative.removesuffix(suffix) + b".data"
        guards = Gate(LockKind.POSIX, data, create=False, read_only=True)
    return LockPlace(
        id=display(relative),
        kind=_KINDS[suffix],
        relative=relative,
        row=-1,
        subject=display(stem),
        guards=guards,
        record=OWNER_FILE if suffix == b".dir" else b"",
    )


class Stranger(Format):
    name: ClassVar[str] = "stranger"
    title: ClassVar[str] = "Stranger's cache"
    rules: ClassVar[tuple[Rule, ...]] = tuple(_rules())
    algorithms: ClassVar[frozenset[str]] = frozenset()
    lock_delay_s: ClassVar[float] = 60.0

    def recognise(self, root: Directory) -> bool:
        return root.exists(MARK)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        del environment
        return ()

    def read(self, root: Directory, tree: Tree, references: References) -> StrangerKnowledge:
        del tree, references
        return StrangerKnowledge(root)


def whole_identity(pid: int | None = None) -> dict[str, Any]:
    """The fields by which a process (this one) is known for certain, as a record has them."""
    base = Path("/proc") / str(pid or os.getpid())
    stat = (base / "stat").read_bytes().rpartition(b")")[2].split()
    machine = Path("/etc/machine-id")
    return {
        "machine": machine.read_text().strip() if machine.exists() else "",
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "pidns": (base / "ns" / "pid").stat().st_ino,
        "pid": pid or os.getpid(),
        "start": int(stat[19]),
    }
