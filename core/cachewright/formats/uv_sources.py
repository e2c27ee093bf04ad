"""Where good copies of an entry may lie: wheels, folders of wheels, other uv caches.

A wheel is believed because its SHA-256 is the one that uv recorded when it downloaded it, or
because every file in it has the digest that the entry's own RECORD wants.  Things are looked up
by name; nothing is read before an entry needs it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, SourceUnusable
from cachewright.formats.uv_copies import (
    ArchiveCopy,
    Unpacked,
    WheelCopy,
    read_archive,
    read_wheel,
)
from cachewright.formats.uv_layout import looks_like_cache
from cachewright.formats.uv_pointers import LIMIT, Pointer, PointerDamaged, of_http, of_rev
from cachewright.formats.uv_titles import DIST_INFO
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.uv_record import Record
    from cachewright.model import CancelToken

_WHEEL: Final = b".whl"
_BUCKET: Final = re.compile(rb"wheels-v[0-9]{1,4}")
_ARCHIVES: Final = re.compile(rb"archive-v[0-9]{1,4}")
_RUN: Final = re.compile(rb"[-_.]+")
_NAMES_AT_MOST: Final = 65536

Copy = WheelCopy | ArchiveCopy


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a good copy must be.  ``release`` is name and version as ``release_of`` gives them;
    ``hashes`` are SHA-256 of the wheel; ``record`` the entry's own RECORD where it can be used;
    ``stems`` are the places of its pointers below the root; ``built`` the wheel it was unpacked
    from, if that lies in the same cache."""

    release: tuple[bytes, bytes]
    hashes: frozenset[str]
    record: Record | None
    stems: Sequence[bytes]
    built: bytes | None


class Sources:
    """The person's own sources, sorted in; ``findings`` grows as things are read."""

    def __init__(self, given: Sequence[bytes], cache: bytes, cancel: CancelToken) -> None:
        self.findings: list[Finding] = []
        self._cache = os.path.realpath(cache)
        self._cancel = cancel
        self._wheels: list[bytes] = []
        self._unnamed: list[bytes] = []
        self._archives: list[bytes] = []
        self._caches: list[bytes] = []
        self._known: dict[tuple[bytes, frozenset[str]], Unpacked | None] = {}
        self._releases: dict[bytes, dict[tuple[bytes, bytes], list[bytes]]] = {}
        for path in given:
            self._sort_in(os.path.realpath(path))

    def _sort_in(self, path: bytes) -> None:
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISREG(mode):
                named = path.endswith(_WHEEL)
                (self._wheels if named else self._unnamed).append(path)
            elif stat.S_ISDIR(mode):
                self._sort_in_directory(path)
            else:
                self._tell(path, "it is neither a file nor a directory", FindingKind.FOREIGN_TYPE)
        except (CachewrightError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._tell(path, reason, FindingKind.UNREADABLE)

    def _sort_in_directory(self, path: bytes) -> None:
        with Directory.open(path) as directory:
            names = directory.names()[:_NAMES_AT_MOST]
            wheels = [os.path.join(path, name) for name in names if name.endswith(_WHEEL)]
            if path != self._cache and looks_like_cache(directory):
                self._caches.append(path)
            elif any(name.endswith(DIST_INFO) for name in names):
                self._archives.append(path)
            elif not wheels and path != self._cache:
                self._tell(path, "it holds no wheel and is no uv cache", FindingKind.UNREADABLE)
            self._wheels += wheels

    def copies(self, wanted: Wanted, algorithms: Collection[str]) -> Iterator[Copy]:
        """Good copies that prove themselves, the best first."""
        chosen = frozenset(algorithms)
        if wanted.built is not None:
            content = self._read(wanted.built, chosen, read_wheel)
            if content is not None and content.sound:
                proof = "uv built this wheel and unpacked the entry from it"
                yield WheelCopy(content, proof, chosen)
        for path in (*self._named(wanted), *self._unnamed):
            content = self._read(path, chosen, read_wheel)
            if content is not None and (proof := _proof(content, wanted)):
                yield WheelCopy(content, proof, chosen)
        for path, hashes in self._unpacked(wanted):
            content = self._read(path, chosen, read_archive)
            if content is None:
                continue
            proof = _proof(content, wanted)
            if not proof and content.sound and hashes & wanted.hashes:
                proof = "that cache's uv unpacked it from the wheel with the recorded SHA-256"
            if proof:
                yield ArchiveCopy(content, proof, chosen)

    def _named(self, wanted: Wanted) -> Iterator[bytes]:
        for path in self._wheels:
            stem = os.path.basename(path).removesuffix(_WHEEL)
            if release_of(stem) == wanted.release:
                yield path

    def _unpacked(self, wanted: Wanted) -> Iterator[tuple[bytes, frozenset[str]]]:
        """Archives that may be it, with the SHA-256 of the wheel where a pointer tells."""
        told: set[bytes] = set()
        for cache in self._caches:
            for path, pointer in _pointed(cache, wanted.stems):
                told.add(path)
                yield path, frozenset(pointer.hashes.get("sha256", "").split())
            for path in self._listed(cache).get(wanted.release, ()):
                if path not in told:
                    yield path, frozenset()
        for path in self._archives:
            yield path, frozenset()

    def _listed(self, cache: bytes) -> dict[tuple[bytes, bytes], list[bytes]]:
        """All archives of another cache by what they hold; its names are read once."""
        if cache not in self._releases:
            found: dict[tuple[bytes, bytes], list[bytes]] = {}
            for path, name in _archives(cache):
                found.setdefault(release_of(name.removesuffix(DIST_INFO)), []).append(path)
            self._releases[cache] = found
        return self._releases[cache]

    def _read(
        self,
        path: bytes,
        algorithms: frozenset[str],
        read: Callable[[bytes, Collection[str], CancelToken], Unpacked],
    ) -> Unpacked | None:
        key = (path, algorithms)
        if key not in self._known:
            try:
                self._known[key] = read(path, algorithms, self._cancel)
            except SourceUnusable as error:
                self._known[key] = None
                self._tell(path, error.values["reason"], FindingKind.DAMAGED_METADATA)
        return self._known[key]

    def _tell(self, path: bytes, reason: str, kind: FindingKind) -> None:
        self.findings.append(
            Finding(
                kind=kind,
                severity=Severity.NOTICE,
                verdict=EntryVerdict.UNREADABLE,
                subject=display(path),
                path=path,
                explanation="This source vouches for nothing and is not used: "
                f"{reason.rstrip('.')}.",
            )
        )


def release_of(stem: bytes) -> tuple[bytes, bytes]:
    """Name, spelled in the one way that all spellings share, and version."""
    name, _separator, rest = stem.partition(b"-")
    return one_spelling(name), rest.partition(b"-")[0]


def one_spelling(package: bytes) -> bytes:
    """As an index spells a package's name."""
    return _RUN.sub(b"-", package).lower()


def _proof(content: Unpacked, wanted: Wanted) -> str:
    if content.sha256 and content.sha256 in wanted.hashes:
        return "its SHA-256 is the one that uv recorded of the wheel"
    if wanted.record is not None and content.fits(wanted.record):
        return "all its files have the digests in the entry's RECORD"
    return ""


def _pointed(cache: bytes, stems: Sequence[bytes]) -> Iterator[tuple[bytes, Pointer]]:
    """What another cache's pointers name at the same places, whatever the bucket's number."""
    with Directory.open(cache) as root:
        buckets = [name for name in root.names() if _BUCKET.fullmatch(name)]
        for bucket in buckets:
            for stem in stems:
                rest = stem.partition(b"/")[2]
                for suffix, read in ((b".http", of_http), (b".rev", of_rev)):
                    try:
                        content = root.read(bucket + b"/" + rest + suffix, LIMIT)
                        pointer = read(content)
                        root.open_directory(pointer.archive).close()
                    except (CachewrightError, OSError, PointerDamaged):
                        continue
                    yield os.path.join(cache, pointer.archive), pointer


def _archives(cache: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every archive with its one ``.dist-info``."""
    with Directory.open(cache) as root:
        for bucket in root.names():
            if not _ARCHIVES.fullmatch(bucket):
                continue
            for name in root.names(bucket):
                try:
                    inside = root.names(bucket + b"/" + name)
                except (CachewrightError, OSError):
                    continue
                infos = [one for one in inside if one.endswith(DIST_INFO)]
                if len(infos) == 1:
                    yield os.path.join(cache, bucket, name), infos[0]
