"""Lines of lock files that fit no content: written while another process was still unpacking
(terraform.md 2.4, 3.2).

A line names no platform, so it is called wrong only where every platform that the lock file can
mean is accounted for; anything else is a notice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachewright.formats.terraform_layout import Package, Release, executable
from cachewright.formats.terraform_projects import LockRecord
from cachewright.formats.terraform_rewrite import Edit
from cachewright.formats.terraform_words import counted, named
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Evidence,
    Finding,
    FindingKind,
    RepairOffer,
    Says,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.terraform_copies import ArchiveFacts
    from cachewright.formats.terraform_sources import Sources
    from cachewright.formats.terraform_vouching import Vouching


@dataclass(frozen=True, slots=True)
class Seen:
    """What one entry of this cache holds, and how it was judged.  ``executable`` is the SHA-256
    of the file that terraform starts, empty where it has none."""

    h1: str
    verdict: EntryVerdict
    executable: str = ""


@dataclass(frozen=True, slots=True)
class Poison:
    """The wrong lines of one block, why they are wrong, and what is put in their place."""

    record: LockRecord
    values: frozenset[str]
    why: str
    add: tuple[str, ...]

    @property
    def edit(self) -> Edit:
        release = self.record.release
        return Edit(
            self.record.provider,
            release.version.decode("ascii"),
            tuple(sorted(f"h1:{value}" for value in self.values)),
            tuple(f"h1:{value}" for value in self.add),
        )


class PoisonTest:
    """Tells wrong lines from those that merely cannot be explained."""

    def __init__(self, vouching: Vouching, sources: Sources, seen: Mapping[Package, Seen]) -> None:
        self._vouching = vouching
        self._sources = sources
        self._seen = seen

    def unexplained(self, record: LockRecord) -> frozenset[str]:
        """Lines that fit nothing that is known to be good or at least undisproved."""
        lines = record.h1.difference(self._vouching.known(record.release))
        undisproved = {
            one.h1
            for package, one in self._seen.items()
            if package.release == record.release and one.verdict is not EntryVerdict.CORRUPT
        }
        return lines - undisproved

    def anything_good(self, release: Release) -> bool:
        """Whether lines of this version could be explained at all."""
        return bool(self._vouching.known(release)) or any(
            package.release == release and one.verdict is EntryVerdict.OK
            for package, one in self._seen.items()
        )

    def poison(self, record: LockRecord) -> Poison | None:
        """The proven wrong lines of a block, or None."""
        lines = self.unexplained(record)
        if not lines:
            return None
        why = self._all_accounted_for(record)
        if why:
            return Poison(record, lines, why, self._replacement(record, lines))
        disproved = lines & {
            one.h1
            for package, one in self._seen.items()
            if package.release == record.release and self._accepted(record, package)
        }
        if disproved:
            why = "it is the digest of an entry here that a good copy shows to be damaged"
            return Poison(record, disproved, why, self._replacement(record, disproved))
        return None

    def _accepted(self, record: LockRecord, package: Package) -> bool:
        """Whether this lock file itself knows what a mirror gives for the platform."""
        return any(
            (proof.values & record.h1)
            or (proof.archive is not None and proof.archive.zh in record.zh)
            for proof in self._vouching.proofs(package)
        )

    def _all_accounted_for(self, record: LockRecord) -> str:
        """Why the good h1 of every platform that the block can mean is known, or nothing."""
        release = record.release
        if record.zh:
            archives = [
                one
                for platform in self._sources.packed(release)
                for one in self._sources.archives(release.on(platform))
            ]
            if record.zh <= {one.zh for one in archives}:
                return "every archive that the lock file names is at hand, and it fits none"
        elif self._index_is_complete(release) and self._witnessed(record, self._platforms(release)):
            return "the mirror's index lists every platform it serves, and it fits none"
        good = {
            one.platform
            for one in record.installed
            if any(proof.values for proof in self._vouching.proofs(release.on(one.platform)))
        }
        if len(record.h1) == 1 and good and self._witnessed(record, sorted(good)):
            return (
                "it is the only one, so it must be that of the platform installed here, "
                "whose content is known and differs"
            )
        return ""

    def _platforms(self, release: Release) -> Sequence[bytes]:
        indexes = self._sources.indexes(release)
        return sorted({platform for index in indexes for platform in index.platforms})

    def _index_is_complete(self, release: Release) -> bool:
        platforms = self._platforms(release)
        return bool(platforms) and all(
            self._vouching.proofs(release.on(platform)) for platform in platforms
        )

    def _witnessed(self, record: LockRecord, platforms: Sequence[bytes]) -> bool:
        """Whether anything besides the mirror knows the mirror's content: an entry with at
        least the same executable, a lock file, or a signed digest.  A mirror whose archive was
        replaced must not be able to talk a good checksum out of a lock file."""
        others = set().union(*(one.h1 for one in self._vouching.records(record.release)))
        for platform in platforms:
            package = record.release.on(platform)
            seen = self._seen.get(package)
            known = others | ({seen.h1} if seen is not None else set())
            for proof in self._vouching.proofs(package):
                if proof.values & known:
                    return True
                if proof.archive is not None and (
                    proof.archive.zh in record.zh
                    or (seen is not None and seen.executable == _executable(proof.archive, package))
                ):
                    return True
        return False

    def _replacement(self, record: LockRecord, dropped: frozenset[str]) -> tuple[str, ...]:
        """h1 values to put in: those of the platforms in use here, unless one of them stays.

        A block without any makes ``init -lockfile=readonly`` install again and warn.
        """
        left = record.h1 - dropped
        add: set[str] = set()
        for platform in self._platforms_in_use(record, bool(left)):
            values = self._good_values(record.release.on(platform))
            if not values & left:
                add |= values
        if not left and not add:
            known = self._vouching.known(record.release)
            add = set(known)
        return tuple(sorted(add))

    def _platforms_in_use(self, record: LockRecord, some_left: bool) -> Sequence[bytes]:
        installed = [one.platform for one in record.installed]
        if installed or some_left:
            return installed
        return [
            package.platform
            for package, one in self._seen.items()
            if package.release == record.release and one.verdict is EntryVerdict.OK
        ]

    def _good_values(self, package: Package) -> set[str]:
        archives = self._vouching.archives(package)
        if archives:
            return {archives[0].unpacked, archives[0].zipped}
        return set().union(*(proof.values for proof in self._vouching.proofs(package)))


def _executable(archive: ArchiveFacts, package: Package) -> str | None:
    name = executable(archive.files, package.kind)
    return None if name is None else archive.files[name].sha256


def findings(test: PoisonTest, records: Sequence[LockRecord]) -> Iterator[Finding]:
    """One problem per lock file with wrong lines; one notice per set of unexplained ones."""
    poisoned: dict[bytes, list[Poison]] = defaultdict(list)
    doubtful: dict[tuple[Release, frozenset[str]], list[LockRecord]] = defaultdict(list)
    for record in records:
        poison = test.poison(record)
        if poison is not None:
            poisoned[record.lock].append(poison)
        rest = test.unexplained(record) - (poison.values if poison else frozenset())
        if rest and test.anything_good(record.release):
            doubtful[record.release, rest].append(record)
    for lock, some in poisoned.items():
        yield _problem(lock, some)
    by_lock: dict[tuple[bytes, ...], list[tuple[LockRecord, frozenset[str]]]] = defaultdict(list)
    for (_release, values), alike in doubtful.items():
        by_lock[tuple(record.lock for record in alike)].append((alike[0], values))
    for locks, blocks in by_lock.items():
        yield _notice(locks, blocks)


def _problem(lock: bytes, some: Sequence[Poison]) -> Finding:
    parts = []
    for one in some:
        values = ", ".join(f"h1:{value}" for value in sorted(one.values))
        name = f"{one.record.provider} {display(one.record.release.version)}"
        parts.append(f"A wrong checksum is recorded for {display(name)}, {values}: {one.why}.")
    explanation = (
        " ".join(parts) + " Terraform writes such a line when another process is still "
        "unpacking the same provider, and keeps it for ever."
    )
    why = "Only the wrong lines are taken out; every other byte of the lock file stays."
    if any(one.add for one in some):
        why = (
            "The wrong lines are taken out and the right one is put in; every other byte of the "
            "lock file stays."
        )
    return Finding(
        kind=FindingKind.POISONED_CHECKSUM,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.CORRUPT,
        subject=display(lock),
        path=lock,
        explanation=explanation,
        evidence=tuple(Evidence("checksum", Says.BAD, part) for part in parts),
        repairs=(
            RepairOffer(
                StepKind.DROP_POISONED_CHECKSUM,
                Confirm.CLICK,
                why,
                detail={"blocks": [one.edit.as_json() for one in some]},
            ),
        ),
    )


def _notice(locks: Sequence[bytes], blocks: Sequence[tuple[LockRecord, frozenset[str]]]) -> Finding:
    parts = []
    for record, values in blocks:
        name = display(f"{record.provider} {display(record.release.version)}")
        shown = ", ".join(f"h1:{value}" for value in sorted(values))
        parts.append(f"{counted(len(values), 'checksum')} of {name} ({shown})")
    others = f" The same holds for {named(locks[1:])}." if len(locks) > 1 else ""
    return Finding(
        kind=FindingKind.UNEXPLAINED_CHECKSUM,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNVERIFIABLE,
        subject=display(locks[0]),
        path=locks[0],
        explanation=f"{'; '.join(parts)} fit nothing that was looked at. They may be another "
        "platform's: nothing here tells which platforms the lock file was written for, or their "
        f"content is not at hand. Nothing is wrong as far as can be told.{others}",
    )
