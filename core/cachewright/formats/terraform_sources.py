"""Mirrors, archives and other caches that may vouch for an entry or hold a good copy of it.

Looked up by name, never scanned whole (terraform.md 1.2, 2.3).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cachewright import strict_json
from cachewright.errors import CachewrightError, SourceUnusable
from cachewright.formats.terraform_copies import (
    ArchiveFacts,
    Archives,
    DirectoryFacts,
    read_directory,
)
from cachewright.formats.terraform_layout import ARCHIVE, Package, Release
from cachewright.formats.terraform_settings import Mirror
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import CancelToken

_INDEX_LIMIT: Final = 4 * 1024 * 1024
_FLAT_AT_MOST: Final = 4096


@dataclass(frozen=True, slots=True)
class Index:
    """A mirror's ``VERSION.json``: the h1 values of every platform it serves."""

    path: bytes
    platforms: Mapping[bytes, frozenset[str]]


class Sources:
    """Everything known outside the cache's entries; each thing is read when first asked for.

    ``given`` are the person's own sources: a mirror or cache, one archive, or one unpacked
    provider.  ``mirrors`` come from the tool's settings.  ``cache`` is the cache that is judged:
    an archive that somebody keeps there is evidence, its own entries are not.  ``findings``
    grows as things are read.
    """

    def __init__(
        self,
        given: Sequence[bytes],
        mirrors: Sequence[Mirror],
        cache: bytes,
        archives: Archives,
        cancel: CancelToken,
    ) -> None:
        self.findings: list[Finding] = []
        self._library = archives
        self._cancel = cancel
        self._cache = os.path.realpath(cache)
        self._trees = [one for one in mirrors if os.path.realpath(one.path) != self._cache]
        self._archives: list[bytes] = []
        self._given_directories: list[bytes] = []
        self._names: dict[bytes, list[bytes]] = {}
        self._packed: dict[Release, Mapping[bytes, Sequence[bytes]]] = {}
        self._facts: dict[bytes, ArchiveFacts | None] = {}
        self._indexes: dict[bytes, Index | None] = {}
        self._directories: dict[bytes, DirectoryFacts | None] = {}
        for path in given:
            self._sort_in(path)

    def _sort_in(self, path: bytes) -> None:
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.findings.append(_finding(path, reason, FindingKind.UNREADABLE, Severity.PROBLEM))
            return
        if stat.S_ISREG(mode):
            self._archives.append(path)
        elif stat.S_ISDIR(mode):
            if os.path.realpath(path) != self._cache:
                self._trees.append(Mirror(path))
            names = self._listed(path)
            self._archives += [os.path.join(path, one) for one in names if one.endswith(b".zip")]
            if any(name.startswith(b"terraform-provider-") for name in names):
                self._given_directories.append(path)
        else:
            reason = "it is neither a file nor a directory"
            self.findings.append(_finding(path, reason, FindingKind.FOREIGN_TYPE, Severity.NOTICE))

    def _listed(self, path: bytes) -> list[bytes]:
        """Names in a directory; nothing where there is none."""
        if path not in self._names:
            try:
                with Directory.open(path) as directory:
                    self._names[path] = directory.names()[:_FLAT_AT_MOST]
            except (CachewrightError, OSError):
                self._names[path] = []
        return self._names[path]

    def _places(self, address: bytes) -> Iterator[bytes]:
        for tree in self._trees:
            if tree.serves(address):
                yield os.path.join(tree.path, address)

    def _mirrors(self, address: bytes) -> Iterator[bytes]:
        """Where archives and indexes may lie."""
        yield from self._places(address)
        yield os.path.join(self._cache, address)

    def packed(self, release: Release) -> Mapping[bytes, Sequence[bytes]]:
        """Paths of archives named for this version, by platform; none is read."""
        if release not in self._packed:
            paths = [
                os.path.join(place, name)
                for place in self._mirrors(release.address)
                for name in self._listed(place)
            ]
            found: dict[bytes, list[bytes]] = {}
            for path in dict.fromkeys([*paths, *self._archives]):
                named = ARCHIVE.fullmatch(os.path.basename(path))
                if (
                    named is not None
                    and named["kind"] == release.address.rpartition(b"/")[2]
                    and named["version"] == release.version
                ):
                    found.setdefault(named["platform"], []).append(path)
            self._packed[release] = found
        return self._packed[release]

    def archives(self, package: Package) -> Sequence[ArchiveFacts]:
        """Intact archives named for this package."""
        paths = self.packed(package.release).get(package.platform, ())
        facts = (self._fact(path) for path in paths)
        return [one for one in facts if one is not None]

    def unnamed_archives(self) -> Sequence[ArchiveFacts]:
        """Given archives whose name does not say what they hold: content must vouch."""
        facts = (
            self._fact(path)
            for path in self._archives
            if not ARCHIVE.fullmatch(os.path.basename(path))
        )
        return [one for one in facts if one is not None]

    def _fact(self, path: bytes) -> ArchiveFacts | None:
        if path not in self._facts:
            try:
                self._facts[path] = self._library.facts(path, self._cancel)
            except SourceUnusable as error:
                self._facts[path] = None
                self.findings.append(_finding(path, error.values["reason"]))
        return self._facts[path]

    def indexes(self, release: Release) -> Sequence[Index]:
        """Every mirror's own record of this version."""
        name = release.version + b".json"
        found = (
            self._index(os.path.join(place, name))
            for place in self._mirrors(release.address)
            if name in self._listed(place)
        )
        return [one for one in found if one is not None]

    def _index(self, path: bytes) -> Index | None:
        if path not in self._indexes:
            self._indexes[path] = None
            try:
                with Directory.open(os.path.dirname(path)) as directory:
                    content = directory.read(os.path.basename(path), _INDEX_LIMIT)
                index = strict_json.read(content, _INDEX_LIMIT)
                self._indexes[path] = Index(path, _platforms(index))
            except (CachewrightError, OSError) as error:
                self.findings.append(_finding(path, getattr(error, "strerror", "") or str(error)))
            except (ValueError, TypeError, KeyError):
                reason = "it is not written as terraform writes it"
                self.findings.append(_finding(path, reason))
        return self._indexes[path]

    def directories(self, package: Package) -> Sequence[DirectoryFacts]:
        """Unpacked copies: in mirrors and other caches, and given ones.  None of them vouches."""
        paths = [os.path.join(place, b"") for place in self._places(package.address)]
        below = b"/".join((package.version, package.platform))
        named = [place + below for place in paths if os.path.isdir(place + below)]
        wanted = b"terraform-provider-" + package.kind
        given = [
            path
            for path in self._given_directories
            if any(name.startswith(wanted) for name in self._listed(path))
        ]
        found = (self.directory(path) for path in dict.fromkeys([*named, *given]))
        return [one for one in found if one is not None]

    def directory(self, path: bytes) -> DirectoryFacts | None:
        """What one unpacked provider holds, None where it cannot be used."""
        if path not in self._directories:
            try:
                self._directories[path] = read_directory(path, self._cancel)
            except SourceUnusable as error:
                self._directories[path] = None
                self.findings.append(_finding(path, error.values["reason"]))
        return self._directories[path]


def _platforms(document: Any) -> Mapping[bytes, frozenset[str]]:
    """Raises ``TypeError`` or ``KeyError`` where it is written otherwise."""
    archives = document["archives"]
    if not isinstance(archives, dict):
        raise TypeError("no archives")
    found: dict[bytes, frozenset[str]] = {}
    for platform, record in archives.items():
        hashes = record["hashes"]
        if not isinstance(hashes, list):
            raise TypeError("no hashes")
        texts = [one for one in hashes if isinstance(one, str) and one.startswith("h1:")]
        found[platform.encode()] = frozenset(one.removeprefix("h1:") for one in texts)
    return found


def _finding(
    path: bytes,
    reason: str,
    kind: FindingKind = FindingKind.DAMAGED_METADATA,
    severity: Severity = Severity.NOTICE,
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        verdict=EntryVerdict.UNREADABLE,
        subject=display(path),
        path=path,
        explanation=f"This source vouches for nothing and is not used: {reason.rstrip('.')}.",
    )
