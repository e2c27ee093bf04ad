"""How everything that is recorded stands to what an entry holds (terraform.md 2.5).

Lock files vouch any-of and name no platform; a mirror's archive or index names it.  An archive
whose own digest a lock file's signed list does not know is doubted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cachewright.formats.terraform_copies import ArchiveCopy, ArchiveFacts, DirectoryCopy
from cachewright.formats.terraform_layout import Package, Release
from cachewright.formats.terraform_projects import LockRecord, Projects
from cachewright.formats.terraform_sources import Sources
from cachewright.model import EntryVerdict, ExpectedDigest
from cachewright.text import display


@dataclass(frozen=True, slots=True)
class Proof:
    """A mirror's word on one platform: the h1 values it gives, and the archive if it is one."""

    source: bytes
    values: frozenset[str]
    archive: ArchiveFacts | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Who speaks for the content that was found, who against it.

    ``both`` are lock files that record the found content *and* what a contrary proof gives:
    terraform adds a wrong checksum next to the right one (terraform.md 2.4), so they settle
    nothing.  ``doubted`` are archives equal to the content that a lock file's signed digests
    do not know.
    """

    locks_for: tuple[LockRecord, ...]
    locks_against: tuple[LockRecord, ...]
    both: tuple[LockRecord, ...]
    proofs_for: tuple[Proof, ...]
    proofs_against: tuple[Proof, ...]
    doubted: tuple[Proof, ...]

    @property
    def verdict(self) -> EntryVerdict:
        if self.proofs_for:
            return EntryVerdict.DISPUTED if self.proofs_against else EntryVerdict.OK
        if self.proofs_against:
            return EntryVerdict.DISPUTED if self.locks_for else EntryVerdict.CORRUPT
        if self.doubted:
            return EntryVerdict.DISPUTED
        if self.locks_for:
            return EntryVerdict.DISPUTED if self.locks_against else EntryVerdict.OK
        return EntryVerdict.CORRUPT if self.locks_against else EntryVerdict.UNVERIFIABLE


def accepts(record: LockRecord, archive: ArchiveFacts) -> bool:
    """Whether terraform would install the archive under this lock file."""
    return archive.zh in record.zh or archive.unpacked in record.h1 or archive.zipped in record.h1


class Vouching:
    """Joins lock files and sources; asks the sources no more than it must."""

    def __init__(self, projects: Projects, sources: Sources) -> None:
        self._projects = projects
        self._sources = sources
        self._known: dict[Release, Mapping[str, frozenset[bytes]]] = {}

    def records(self, release: Release) -> Sequence[LockRecord]:
        return self._projects.of(release)

    def archives(self, package: Package) -> Sequence[ArchiveFacts]:
        return self._sources.archives(package)

    def proofs(self, package: Package) -> Sequence[Proof]:
        """What the mirrors say of this platform."""
        archives = self.archives(package)
        found = [Proof(one.path, frozenset({one.unpacked}), one) for one in archives]
        for index in self._sources.indexes(package.release):
            values = index.platforms.get(package.platform, frozenset())
            # Written from the archive: may count its directory entries as files.
            alike = {one.unpacked for one in archives if one.zipped in values}
            if values:
                found.append(Proof(index.path, values | alike))
        return found

    def known(self, release: Release) -> Mapping[str, frozenset[bytes]]:
        """Every h1 that a mirror gives for this version, with the platforms it is for."""
        if release not in self._known:
            self._known[release] = self._read_known(release)
        return self._known[release]

    def _read_known(self, release: Release) -> Mapping[str, frozenset[bytes]]:
        found: dict[str, set[bytes]] = {}
        for platform in self._sources.packed(release):
            for one in self._sources.archives(release.on(platform)):
                found.setdefault(one.unpacked, set()).add(platform)
                found.setdefault(one.zipped, set()).add(platform)
        for index in self._sources.indexes(release):
            for platform, values in index.platforms.items():
                for value in values:
                    found.setdefault(value, set()).add(platform)
        return {value: frozenset(platforms) for value, platforms in found.items()}

    def expected(self, package: Package, *, with_archives: bool) -> tuple[ExpectedDigest, ...]:
        """Recorded h1 values with their sources; those of archives must be computed first."""
        found = [
            ExpectedDigest("h1", value, record.lock)
            for record in self.records(package.release)
            for value in sorted(record.h1)
        ]
        for index in self._sources.indexes(package.release):
            values = sorted(index.platforms.get(package.platform, ()))
            found += [ExpectedDigest("h1", value, index.path) for value in values]
        if with_archives:
            archives = self.archives(package)
            found += [ExpectedDigest("h1", one.unpacked, one.path) for one in archives]
        return tuple(found)

    def standing(self, package: Package, actual: str | None) -> Standing:
        """How all of it stands to an entry whose h1 is ``actual`` (None: it has none)."""
        records = self.records(package.release)
        proofs = self.proofs(package)
        agreeing = [proof for proof in proofs if actual in proof.values]
        contrary = tuple(proof for proof in proofs if actual not in proof.values)
        doubted = tuple(proof for proof in agreeing if _denied(proof, records, actual))
        fitting = [record for record in records if self._fits(record, package, actual)]
        both = [record for record in fitting if any(_has(record, proof) for proof in contrary)]
        return Standing(
            locks_for=tuple(record for record in fitting if record not in both),
            locks_against=tuple(
                record
                for record in records
                if record not in fitting and record.speaks and self._means(record, package)
            ),
            both=tuple(both),
            proofs_for=tuple(proof for proof in agreeing if proof not in doubted),
            proofs_against=contrary,
            doubted=doubted,
        )

    def _fits(self, record: LockRecord, package: Package, actual: str | None) -> bool:
        return actual in record.h1 or any(
            archive.unpacked == actual and accepts(record, archive)
            for archive in self.archives(package)
        )

    def _means(self, record: LockRecord, package: Package) -> bool:
        """Whether any of its lines may be about this platform: not if a mirror shows each of
        them to be another platform's."""
        known = self.known(package.release)
        return any(package.platform in known.get(value, {package.platform}) for value in record.h1)

    def copies(
        self, package: Package, unbelieved: Mapping[LockRecord, frozenset[str]]
    ) -> Iterator[ArchiveCopy | DirectoryCopy]:
        """Good copies, the best first.  ``unbelieved``: checksums of lock files that were
        proven wrong and speak against nothing."""
        records = self.records(package.release)
        values: set[str] = set()
        for archive in self.archives(package):
            proof = self._trust(archive, package, unbelieved)
            if proof:
                values.add(archive.unpacked)
                yield ArchiveCopy(archive, proof)
        # Lines of a lock file with one h1 only are about the platform that is in use.
        single = {value: record.lock for record in records for value in record.h1}
        lone = {
            value: lock
            for value, lock in single.items()
            if any(record.h1 == {value} for record in records)
        }
        for archive in self._sources.unnamed_archives():
            if archive.unpacked in values or (not values and archive.unpacked in lone):
                yield ArchiveCopy(archive, "its content has the recorded h1")
        believed = values or self._index_values(package) or set(single)
        for directory in self._sources.directories(package):
            named = directory.path.endswith(b"/" + package.version + b"/" + package.platform)
            if directory.h1 in believed and (named or values or directory.h1 in lone):
                yield DirectoryCopy(directory, "its content has the recorded h1")
        for path in self._own_copies(package):
            facts = self._sources.directory(path)
            if facts is not None and facts.h1 in believed:
                yield DirectoryCopy(facts, "its content has the recorded h1")

    def refused(self, package: Package) -> Iterator[tuple[ArchiveFacts, LockRecord]]:
        """Intact archives that terraform will not install under a lock file that records what
        they unpack to: their directory entries change the h1 of the archive itself."""
        for archive in self.archives(package):
            for record in self.records(package.release):
                seen = archive.zipped in record.h1 or archive.zh in record.zh
                if archive.directories and archive.unpacked in record.h1 and not seen:
                    yield archive, record
                    break

    def _index_values(self, package: Package) -> set[str]:
        return {
            value
            for index in self._sources.indexes(package.release)
            for value in index.platforms.get(package.platform, ())
        }

    def _own_copies(self, package: Package) -> Iterator[bytes]:
        """Projects on file systems without links hold copies of their own (terraform.md 1.3)."""
        for record in self.records(package.release):
            for one in record.installed:
                if one.target is None and one.platform == package.platform:
                    yield one.path

    def _trust(
        self,
        archive: ArchiveFacts,
        package: Package,
        unbelieved: Mapping[LockRecord, frozenset[str]],
    ) -> str:
        """Why the archive is believed; empty where lock files speak against it."""
        records = self.records(package.release)
        for record in records:
            if archive.zh in record.zh:
                return f"its own digest is recorded in {display(record.lock)}"
        for record in records:
            if accepts(record, archive):
                return f"its content is recorded in {display(record.lock)}"
        against = any(
            record.zh or record.h1 - unbelieved.get(record, frozenset())
            for record in records
            if record.zh or self._means(record, package)
        )
        return "" if against else "it is intact, and no lock file speaks against it"


def _denied(proof: Proof, records: Sequence[LockRecord], actual: str | None) -> bool:
    """Whether the signed digests of a lock file do not know the archive, nor its content."""
    archive = proof.archive
    return archive is not None and any(
        record.zh and not accepts(record, archive) and actual not in record.h1 for record in records
    )


def _has(record: LockRecord, proof: Proof) -> bool:
    if proof.archive is not None and accepts(record, proof.archive):
        return True
    return bool(proof.values & record.h1)
