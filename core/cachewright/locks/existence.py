"""A lock that is held by being there: an exclusively created file, a symlink, a directory.

No kernel lets go of it when its owner dies, so it is judged by its owner's whole identity and by
what every process and the kernel say (DESIGN 6, reliability.md A2).  ``held`` where anything
speaks for *alive*, ``stale`` where everything speaks for *dead*, else ``unproven``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.holders import KernelLock, process
from cachewright.holders.mounts import mount_of
from cachewright.holders.naming import UNNAMED, names_of, of_deleted_words
from cachewright.holders.owners import judge_owner
from cachewright.locks.around import claim_of
from cachewright.locks.marker import Marker, read_marker
from cachewright.locks.openers import ask_now, taken_over
from cachewright.locks.rights import why_immovable
from cachewright.locks.table import of_place
from cachewright.model import Claim, Evidence, Holder, HoldVerdict, LockPlace, LockReport, Says
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.locks.around import Around, Reader
    from cachewright.storage.anchored import Directory

__all__ = ["look"]


def look(root: Directory, place: LockPlace, reader: Reader, around: Around) -> LockReport | None:
    """Whose lock lies at ``place`` and whether its owner is proven gone; None where none lies.

    At most 64 KiB are read, nothing is followed, and what is no file, link or directory is not
    opened.  Never raises for what lies there.
    """
    try:
        marker = read_marker(root, place.relative, place.record)
    except (OSError, CachewrightError) as error:
        said = f"It could not be looked at: {error}"
        return _unlooked(root, place, Evidence("known-shape", Says.UNKNOWN, said))
    if marker is None:
        return None
    immovable = why_immovable(root, place.relative, marker.found)
    case = _Case(root, place, marker, _claim(reader, place, marker), around, immovable)
    case.collect()
    return case.report()


def _claim(reader: Reader, place: LockPlace, marker: Marker) -> Claim:
    """What the record says, where it could be read whole."""
    if marker.odd or marker.unreadable:
        return Claim()
    return claim_of(reader, place, marker.record)


@dataclass(slots=True)
class _Case:
    """One lock and what speaks for and against its owner being alive."""

    root: Directory
    place: LockPlace
    marker: Marker
    claim: Claim
    around: Around
    immovable: str
    evidence: list[Evidence] = field(default_factory=list)
    holders: dict[tuple[str, int, int, int], Holder] = field(default_factory=dict)

    @property
    def path(self) -> bytes:
        return self.root.where(self.place.relative)

    def collect(self) -> None:
        self.evidence.extend([self._shape(), self._filesystem(), self._rights(), self._record()])
        self.evidence.extend([self._owner(), self._users(), self._kernel_locks()])
        self.evidence.extend(self._unseen())

    def says(self, what: Says) -> list[str]:
        return [one.detail for one in self.evidence if one.says is what]

    def _shape(self) -> Evidence:
        if self.marker.odd:
            return Evidence("known-shape", Says.UNKNOWN, self.marker.odd)
        said = "It has the name, the place and the shape of a lock that its tool makes."
        return Evidence("known-shape", Says.DEAD, said)

    def _filesystem(self) -> Evidence:
        fact, here = "filesystem", self.around.filesystem
        if here.conclusive and self.marker.found.st_dev != self.root.identity.device:
            said = "It lies on another file system than the cache's top directory."
            return Evidence(fact, Says.UNKNOWN, said)
        return Evidence(fact, Says.DEAD if here.conclusive else Says.UNKNOWN, here.why)

    def _rights(self) -> Evidence:
        if self.immovable:
            return Evidence("rights", Says.UNKNOWN, self.immovable)
        return Evidence("rights", Says.DEAD, "Cachewright may move it away.")

    def _record(self) -> Evidence:
        fact = "record"
        if self.marker.unreadable:
            return Evidence(fact, Says.UNKNOWN, self.marker.unreadable)
        if self.marker.odd:
            return Evidence(fact, Says.UNKNOWN, "Its record was not read.")
        if self.claim.garbage:
            said = f"Its record cannot be read: {display(self.claim.garbage).rstrip('.')}."
            return Evidence(fact, Says.UNKNOWN, said)
        return Evidence(fact, Says.DEAD, "Its record was read, and is what the lock holds now.")

    def _owner(self) -> Evidence:
        written_ns = self.marker.found.st_ctime_ns
        evidence, owner = judge_owner(self.claim, self.around.machine, written_ns=written_ns)
        if owner is not None:
            self._add((owner,))
        return evidence

    def _users(self) -> Evidence:
        """Processes that have it, or anything in it, open, mapped, running or as directory."""
        found = self.around.survey.of(self.marker.places, self.path)
        self._add(found)
        if found:
            deleted = of_deleted_words(self.around.survey.of_deleted(self.path))
            said = f"In use by {names_of(found)}. {deleted}".rstrip()
            return Evidence("open-files", Says.ALIVE, said)
        return Evidence("open-files", Says.DEAD, "No process that could be asked has it open.")

    def _kernel_locks(self) -> Evidence:
        fact, every = "kernel-locks", (self.marker.found, *(one for _n, one in self.marker.inside))
        inodes = {one.st_ino for one in every}
        near = [lock for lock in self.around.kernel if lock.inode in inodes]
        mount = mount_of(self.root.fd) if near else None
        locks = [lock for one in every for lock in of_place(one, mount, near)]
        if not locks:
            return Evidence(fact, Says.DEAD, "The kernel's list of locks has none on it.")
        ways = {pid: _way(lock) for lock in locks for pid in lock.pids}
        named = tuple(one for pid, way in ways.items() if (one := process(pid, (way,))))
        self._add(named)
        who = names_of(named) if named else UNNAMED
        return Evidence(fact, Says.ALIVE, f"{who} holds a kernel lock on it.")

    def _add(self, found: tuple[Holder, ...]) -> None:
        """Note holders; one that is known already gets the new ways of holding as well."""
        for one in found:
            known = self.holders.get(one.key)
            ways = sorted({*one.how, *(known.how if known else ())})
            self.holders[one.key] = replace(one, how=tuple(ways))

    def _unseen(self) -> Iterator[Evidence]:
        """Users who do not show as processes; asked last, and not of what is in use anyway."""
        fact, unshown = "uninspected", self.around.survey.unshown
        asked = None if self.says(Says.ALIVE) else self._asked()
        if asked is not None and (asked.says is not Says.UNKNOWN or unshown):
            yield asked
        if not unshown:
            yield Evidence(fact, Says.DEAD, "Every process could be inspected.")
        elif asked is not None and asked.says is Says.DEAD:
            yield Evidence(fact, Says.DEAD, f"{unshown} The kernel's own word settles it.")
        else:
            hint = "" if asked or self.around.decide else " A check can ask the kernel instead."
            yield Evidence(fact, Says.UNKNOWN, unshown + hint)

    def _asked(self) -> Evidence | None:
        """The kernel's word on who has its files open; None where it was not to be asked."""
        if not self.around.filesystem.conclusive or self.marker.odd:
            return None
        if self.around.decide or not self.marker.files:
            return ask_now(self.root, self.place.relative, self.marker)
        return taken_over(self.around.former.get(self.path), self.marker)

    def report(self) -> LockReport:
        verdict, text = self._verdict()
        return LockReport(
            id=self.claim.id or self.place.id,
            kind=self.place.kind,
            path=self.path,
            verdict=verdict,
            subject=self.claim.subject or self.place.subject,
            explanation=text,
            holders=tuple(sorted(self.holders.values(), key=lambda one: one.pid)),
            owner=self.claim.owner or self.place.owner,
            evidence=tuple(self.evidence),
            changed_ns=self.marker.found.st_mtime_ns,
            identity=self.marker.identity,
            fingerprint=self.marker.fingerprint,
            garbage=bool(self.claim.garbage),
            no_release=_reason(self.marker.odd or self.immovable),
        )

    def _verdict(self) -> tuple[HoldVerdict, str]:
        alive, unknown = self.says(Says.ALIVE), self.says(Says.UNKNOWN)
        if alive:
            return HoldVerdict.HELD, " ".join(alive)
        if unknown:
            text = f"It cannot be proven that its owner is gone. {' '.join(unknown)}"
            return HoldVerdict.UNPROVEN, text
        owner = next(one.detail for one in self.evidence if one.fact == "owner")
        return HoldVerdict.STALE, f"Left behind: nobody has it open. {owner}"


def _way(lock: KernelLock) -> str:
    return "lock:write" if lock.write else "lock:read"


def _unlooked(root: Directory, place: LockPlace, why: Evidence) -> LockReport:
    return LockReport(
        id=place.id,
        kind=place.kind,
        path=root.where(place.relative),
        verdict=HoldVerdict.UNPROVEN,
        subject=place.subject,
        explanation=f"It cannot be proven that its owner is gone. {why.detail}",
        owner=place.owner,
        evidence=(why,),
        no_release=_reason(why.detail),
    )


def _reason(sentence: str) -> str:
    """As the reason of a refusal, which is the rest of a sentence."""
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')}"
