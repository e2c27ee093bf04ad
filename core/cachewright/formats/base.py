"""The contract of a cache format: what one file must answer to be a citizen (DESIGN 5).

A format is registered through the entry-point group ``cachewright.formats``; the object named
there is a ``Format`` subclass.  A format never acts: it recognises, reads records and offers
repairs; scanning, hashing, judging and repairing are the core's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from cachewright.model import (
    Access,
    CancelToken,
    Claim,
    EntryVerdict,
    ExpectedDigest,
    Finding,
    Gate,
    Location,
    LockPlace,
    Role,
    Rule,
    StepKind,
    Type,
)

if TYPE_CHECKING:
    from cachewright.digests import FileDigest
    from cachewright.formats.spread import Asked, Spread
    from cachewright.inventory.tree import Tree
    from cachewright.locks.store import LockStore
    from cachewright.storage.anchored import Directory

__all__ = [
    "Entry",
    "Expected",
    "Format",
    "Gate",
    "GoodCopy",
    "Judgement",
    "Knowledge",
    "LockPlace",
    "References",
    "Role",
    "Rule",
    "StagingPlace",
    "Type",
    "Verification",
]


@dataclass(frozen=True, slots=True)
class References:
    """Where records and good copies outside the cache may lie: absolute paths.

    ``cancel`` stops the reading of records and the hashing of good copies.
    """

    projects: tuple[bytes, ...] = ()
    sources: tuple[bytes, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    cancel: CancelToken = field(default_factory=CancelToken)


@dataclass(frozen=True, slots=True)
class Entry:
    """The unit of publication.  ``row`` is its row in the tree; ``relative`` its path below the
    root.  ``link_target``: the absolute place a symlinked entry leads to; its content is read
    there, and nothing is ever written through it.  ``single``: it is one file by itself, so that
    a good copy of it writes one file, by whatever name.  An entry that is recorded and not there
    has row -1 (``Knowledge.absent``)."""

    name: str
    title: str
    subtitle: str
    relative: bytes
    row: int
    link_target: bytes | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """All recorded digests of an entry, from every source; disagreement is for the judge.

    ``whole`` are digests of the entry as a whole (e.g. ``h1``), ``files`` of single files by
    relative name.  ``missing`` says in one plain sentence why nothing vouches, where nothing
    does.  ``pinned`` are names of files that must be there, as far as the format knows.
    """

    whole: tuple[ExpectedDigest, ...] = ()
    files: Mapping[bytes, tuple[ExpectedDigest, ...]] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What hashing an entry gave: per-file digests by relative name, and the digest of the
    whole by algorithm.  ``strange`` are names that are neither file nor directory."""

    files: Mapping[bytes, FileDigest]
    whole: Mapping[str, str]
    strange: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A format's verdict on an entry's digests, before holders and times are weighed.

    ``findings`` are what the person is told; the core adds evidence and turns the verdict into
    ``busy`` where a writer is at work.
    """

    verdict: EntryVerdict
    why: str
    findings: tuple[Finding, ...] = ()
    expected: tuple[ExpectedDigest, ...] = ()


@dataclass(frozen=True, slots=True)
class StagingPlace:
    """A staging place of known shape.  ``gates``: locks to be obtained before judging it dead;
    empty where the tool has none."""

    name: str
    relative: bytes
    row: int
    gates: tuple[Gate, ...] = ()


class GoodCopy(Protocol):
    """Content that proves itself and may be compared with, or published over, an entry."""

    @property
    def path(self) -> bytes:
        """Absolute path of the archive or directory, to be named to the person."""

    @property
    def proof(self) -> str:
        """One sentence: why this copy is believed."""

    def files(self) -> Mapping[bytes, FileDigest]:
        """Digest, size and mode of every regular file, by relative name."""

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        """Write every file below ``staging`` (empty, private), hashing the very bytes that are
        written; directories and regular files only; returns what was written.  Of a directory,
        ``storage.copying.copy_tree`` keeps modes, times, ``user.*`` attributes, access lists,
        hard links and holes, and set-ID bits only by its ``special_modes``.  The mode of
        ``staging`` itself, owners and durability are the caller's."""


class Knowledge(ABC):
    """What a format knows of one scanned cache.  Reads records when made; acts never."""

    entries: Sequence[Entry]

    def algorithms(self) -> frozenset[str] | None:
        """Per-file algorithms that this very cache's records need; None: its format's."""
        return None

    @abstractmethod
    def expected(self, entry: Entry) -> Expected: ...

    @abstractmethod
    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        """Compare what was hashed with what is recorded, and with good copies."""

    @abstractmethod
    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        """Copies that verify, the best first; looked for only when asked."""

    def absent(self) -> Sequence[Entry]:
        """Entries that are recorded and not there, which a good copy could put back."""
        return ()

    def records(self, entry: Entry) -> Sequence[bytes]:
        """Record files of this cache, relative to its root, that speak of the entry.  Where one
        of them is young or changes while the entry is judged, so is the verdict (DESIGN 6.9)."""
        del entry
        return ()

    def while_written(self, entry: Entry) -> str:
        """What there is to tell of an entry that somebody writes to right now, in plain
        sentences; nothing of it is hashed."""
        del entry
        return ""

    def locks(self) -> Sequence[LockPlace]:
        """Every place of a lock, also where nothing lies now: kernel locks and what else may
        come and go between two scans."""
        return ()

    def claim(self, place: LockPlace, record: bytes) -> Claim:
        """What a lock's own record says: the content of its file, the target of its symlink, or
        for a directory the content of its owner file (``LockPlace.record``; ``b""`` where there
        is none).  Pure, quick, and never raises: ``Claim.garbage`` says that the record cannot
        be read."""
        del place, record
        return Claim()

    def own_record(self, place: LockPlace) -> bytes | None:
        """The record by which this tool would know that *our* process, alive, holds an
        existence lock; None where it writes none.  While a stale lock is taken away, a lock
        with this record stands in its place, so that the name is never free to two."""
        del place
        return None

    def leases(self) -> LockStore | None:
        """Where this cache's leases are kept, if it has any."""
        return None

    def notes(self) -> Sequence[str]:
        """Plain sentences about locks that this format knows of and cannot show here."""
        return ()

    def staging(self) -> Sequence[StagingPlace]:
        return ()

    def gate(self, relative: bytes) -> Gate | None:
        """The tool's own lock that guards this path, or None where there is none."""
        del relative
        return None

    def renewed(
        self, step: StepKind, relative: bytes, detail: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The detail of a step that rewrites a record of this cache, as it is right before it
        acts: where it counts what lies there, counted anew.  ``ValueError`` where this record is
        not written so."""
        del step, relative
        return detail

    def objection(self, relative: bytes, detail: Mapping[str, Any]) -> str:
        """Why a planned removal of this path is not right any more, by the records as they are
        now: the end of a sentence, or empty.  ``detail`` is the offer's own."""
        del relative, detail
        return ""

    def users(self, entry: Entry) -> tuple[bytes, ...]:
        """Projects known to refer to the entry."""
        del entry
        return ()

    def findings(self) -> Iterable[Finding]:
        """What is wrong with records or foreign things, independent of any single entry;
        called after every entry was judged."""
        return ()


class Format(ABC):
    """One cache family."""

    name: ClassVar[str]
    title: ClassVar[str]
    rules: ClassVar[tuple[Rule, ...]]
    algorithms: ClassVar[frozenset[str]]
    """Per-file algorithms that verification must compute (hashlib names)."""
    lock_delay_s: ClassVar[float] = 60.0
    """How long nothing else is touched after a lock was broken whose owner was not proven dead
    (reliability.md A1, fencing)."""
    schemes: ClassVar[frozenset[str]] = frozenset()
    """Roots that are no directories, such as ``s3``, whose locks this format can read."""
    refines: ClassVar[frozenset[str]] = frozenset()
    """Names of coarser formats that recognise the same caches; this one goes first."""
    keeps_special_modes: ClassVar[bool] = False
    """Whether set-ID and sticky bits, and file capabilities, of a directory that a person names
    as the good copy are kept when it is published; without it they are dropped.  A copy of the
    format's own decides by itself (``GoodCopy.write_into``); an archive's are always dropped."""
    general: ClassVar[bool] = False
    """Whether it fits trees of any kind, so that every particular format goes first."""

    @abstractmethod
    def recognise(self, root: Directory) -> bool:
        """Cheap and without false positive: reads names and a few bytes."""

    @abstractmethod
    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        """Where the tool itself would look, from its own variables and configuration."""

    @abstractmethod
    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge: ...

    def open_store(self, address: str, access: Access) -> LockStore:
        """The locks at ``address``, which has one of ``schemes``; nothing is read yet."""
        raise ValueError(f"{self.name} has no store at {address} ({access.timeout_s} s)")

    def spreads(self, root: bytes, *, named: bool) -> bool:
        """Whether ``root`` (a path or an address) is a cache of this format that lies in several
        directories: see ``formats.spread``.  ``named``: a person said that it is this format."""
        del root, named
        return False

    def open_spread(self, root: bytes, asked: Asked) -> Spread:
        """Such a cache; nothing is read of its records yet."""
        raise ValueError(f"{self.name} has no caches in several directories {len(root)} {asked}")

    def whole(self, files: Mapping[bytes, FileDigest]) -> Mapping[str, str]:
        """Digests of an entry as a whole, by algorithm, made from its files' digests."""
        del files
        return {}

    def harmless_quarantine(self) -> bytes | None:
        """A place below the root where kept things do no harm, if the format knows one."""
        return None

    def rewrite(self, step: StepKind, detail: Mapping[str, Any], old: bytes) -> bytes:
        """New content of a record file for a step that rewrites it (pure; no access)."""
        raise ValueError(f"{self.name} rewrites nothing for {step} {len(detail)} {len(old)}")
