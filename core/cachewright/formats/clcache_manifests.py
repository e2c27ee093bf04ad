"""All manifests of one cache: read once, each by itself, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats.clcache_layout import MANIFESTS, OBJECTS
from cachewright.formats.clcache_records import (
    MANIFEST_LIMIT,
    SLOW,
    Damaged,
    Reference,
    manifest,
)
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    RepairOffer,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken
    from cachewright.storage.anchored import Directory

_NAMED_AT_MOST: Final = 50
_QUARANTINE: Final = RepairOffer(
    StepKind.QUARANTINE_ENTRY,
    Confirm.CLICK,
    "It is moved to quarantine and can be put back; clcache writes another with the object.",
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A manifest that cannot be believed, and why."""

    relative: bytes
    row: int
    kind: FindingKind
    explanation: str
    severity: Severity = Severity.PROBLEM


@dataclass(slots=True)
class Manifests:
    """``keys`` are the objects that sound manifests name, with the name of a header that tells
    a person what they are; ``sources`` which manifests name them.  ``sound_bytes`` are the sizes of
    the manifests that can be used."""

    root: Directory
    tree: Tree
    keys: dict[str, str] = field(default_factory=dict)
    sources: dict[str, bytes] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    unread: list[tuple[bytes, str]] = field(default_factory=list)
    sound_bytes: int = 0

    @property
    def decides(self) -> bool:
        """Whether an object that no manifest names is lost: some build wrote a manifest once,
        so that builds find objects by them, and every one could be read."""
        top = self.tree.find(MANIFESTS)
        sections = () if top is None else self.tree.children(top)
        return not self.unread and any(map(self.tree.is_directory, sections))

    def read(self, rows: list[int], cancel: CancelToken) -> None:
        """Read those below ``manifests``; what vanished meanwhile is passed over."""
        for row in rows:
            cancel.check()
            relative = self.tree.path(row)
            try:
                self._take(row, relative, self.root.read(relative, MANIFEST_LIMIT))
            except TooLarge:
                self._damaged(row, relative, Damaged("it is larger than any manifest", SLOW))
            except FileNotFoundError:
                continue
            except OSError as error:
                self.unread.append((relative, error.strerror or str(error)))
            except CachewrightError as error:
                self.unread.append((relative, str(error)))
            except Damaged as damage:
                self._damaged(row, relative, damage)

    def _damaged(self, row: int, relative: bytes, damage: Damaged) -> None:
        why = f"This manifest cannot be used: {damage.reason}. {damage.effect}"
        self.troubles.append(Trouble(relative, row, FindingKind.DAMAGED_METADATA, why))

    def _take(self, row: int, relative: bytes, content: bytes) -> None:
        section, _, name = relative.rpartition(b"/")
        stem = name.removesuffix(b".json").decode("ascii")
        lines = manifest(content)
        wrong = next((one for one in lines if not one.follows_from(stem)), None)
        if wrong is not None:
            why = (
                f"It names object {wrong.key}, whose key does not follow from this manifest: "
                "clcache would serve an object that was compiled from something else."
            )
            self.troubles.append(Trouble(relative, row, FindingKind.POINTER_MISMATCH, why))
            return
        if not section.endswith(b"/" + name[:2]):
            why = "It lies in another section than its name says, where clcache never finds it."
            kind, severity = FindingKind.ORPHAN, Severity.NOTICE
            self.troubles.append(Trouble(relative, row, kind, why, severity))
            return
        self.sound_bytes += int(self.tree.size[row])
        self._believe(relative, lines)

    def _believe(self, relative: bytes, lines: tuple[Reference, ...]) -> None:
        for line in lines:
            self.sources.setdefault(line.key, relative)
            if line.header or line.key not in self.keys:
                self.keys[line.key] = line.header

    def findings(self, objects: frozenset[str]) -> Iterator[Finding]:
        """Manifests that cannot be believed, and references that lead nowhere either way;
        ``objects`` are the keys of the entries that are there."""
        for one in self.troubles:
            yield self._finding(one)
        for relative, reason in self.unread:
            yield self._unreadable(relative, reason)
        gone = sorted(key for key in self.keys if key not in objects)
        if gone:
            yield self._dangling(gone)
        unnamed = sorted(objects - self.keys.keys())
        if unnamed and not self.decides and not self.unread:
            yield self._orphans(unnamed)

    def _finding(self, one: Trouble) -> Finding:
        return Finding(
            kind=one.kind,
            severity=one.severity,
            verdict=EntryVerdict.CORRUPT,
            subject=display(one.relative),
            path=self.root.where(one.relative),
            explanation=one.explanation,
            repairs=(_QUARANTINE,),
            size=int(self.tree.size[one.row]),
            changed_ns=int(self.tree.mtime_ns[one.row]),
        )

    def _unreadable(self, relative: bytes, reason: str) -> Finding:
        return Finding(
            kind=FindingKind.UNREADABLE,
            severity=Severity.NOTICE,
            verdict=EntryVerdict.UNREADABLE,
            subject=display(relative),
            path=self.root.where(relative),
            explanation=f"This manifest could not be read: {reason}. It was not judged.",
        )

    def _dangling(self, keys: list[str]) -> Finding:
        things = "1 object is" if len(keys) == 1 else f"{len(keys)} objects are"
        manifests = sorted({self.sources[key] for key in keys})
        return Finding(
            kind=FindingKind.DANGLING_LINK,
            severity=Severity.NOTICE,
            verdict=EntryVerdict.UNCHECKED,
            subject=display(MANIFESTS),
            path=self.root.where(MANIFESTS),
            explanation=f"{things} named by manifests and not there. clcache drops old objects "
            "and old manifests apart from each other, and compiles such files anew.",
            files=tuple(one.removeprefix(MANIFESTS + b"/") for one in manifests[:_NAMED_AT_MOST]),
        )

    def _orphans(self, keys: list[str]) -> Finding:
        things = "1 object is" if len(keys) == 1 else f"{len(keys)} objects are"
        return Finding(
            kind=FindingKind.ORPHAN,
            severity=Severity.NOTICE,
            verdict=EntryVerdict.UNCHECKED,
            subject=display(OBJECTS),
            path=self.root.where(OBJECTS),
            explanation=f"{things} named by no manifest, and there is none at all: builds without "
            "direct mode need none. Where builds use direct mode, such an object is never found.",
            files=tuple(f"{key[:2]}/{key}".encode() for key in keys[:_NAMED_AT_MOST]),
        )
