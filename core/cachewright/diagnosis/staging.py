"""Whether what a writer left is really left: the judgement on staging (DESIGN 6, A2 row 1).

Every observation becomes evidence.  Anything that speaks for *alive* makes it ``held``; else
anything unknown makes it ``unproven``; only where everything speaks for *dead* it is ``stale``.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import humanize

from cachewright import holders
from cachewright.diagnosis.absence import ask_about_all, mounted_inside
from cachewright.diagnosis.gating import ask_gate
from cachewright.holders import KernelLock, Survey
from cachewright.holders.naming import names_of, of_deleted_words
from cachewright.locks.filesystems import FilesystemFacts
from cachewright.model import Evidence, Holder, HoldVerdict, Says, StagingReport
from cachewright.text import display, timestamp

if TYPE_CHECKING:
    from cachewright.formats.base import StagingPlace
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class StagingRule:
    """``floor_ns``: the youngest age at which staging without a gate may be judged.
    ``observe_ns``: the least time between the two looks."""

    floor_ns: int
    observe_ns: int


def judge_staging(  # noqa: PLR0917 - the order of DESIGN 6's table
    root: Directory,
    place: StagingPlace,
    first: Tree,
    second: Tree | None,
    survey: Survey,
    rule: StagingRule,
    now_ns: int | None,
    filesystem: FilesystemFacts,
    *,
    kernel: Sequence[KernelLock] | None = None,
    may_lock: bool = False,
) -> StagingReport:
    """The verdict on one staging place of known shape, with all its evidence.

    ``first`` and ``second`` are trees of the place itself (its row 0), read at least
    ``rule.observe_ns`` apart; without a second look nothing is stale.  ``survey`` was made
    after the last look.  ``now_ns`` is the file system's own time, None where it is not known.
    ``kernel`` (``holders.kernel_locks()``) is read here where the place has gates and it is not
    given.  ``may_lock``: try to take the gates for a moment, which only the one who is about to
    act may do; else they are only looked at.  A gate that this process holds already counts as
    obtained.
    """
    case = _Case(root, place, first, second, survey, rule, now_ns, filesystem)
    case.note(case.shape(), case.where(), *case.completeness(), case.users())
    case.note(*case.gates(kernel, may_lock))
    case.note(case.age(), case.constancy())
    case.note(*case.unseen())
    return case.report()


@dataclass(slots=True)
class _Case:
    """One staging place and what speaks for and against its writer being alive."""

    root: Directory
    place: StagingPlace
    first: Tree
    second: Tree | None
    survey: Survey
    rule: StagingRule
    now_ns: int | None
    filesystem: FilesystemFacts
    evidence: list[Evidence] = field(default_factory=list)
    holders: dict[tuple[str, int, int, int], Holder] = field(default_factory=dict)
    gated: bool = False
    """Whether every lock that its writer would hold is ours to take."""

    @property
    def path(self) -> bytes:
        return self.root.where(self.place.relative)

    @property
    def tree(self) -> Tree:
        """The latest look."""
        return self.first if self.second is None else self.second

    @property
    def newest_ns(self) -> int:
        return max(tree.newest_ns(0) for tree in (self.first, self.tree))

    def note(self, *observed: Evidence | None) -> None:
        self.evidence.extend(one for one in observed if one is not None)

    def says(self, what: Says) -> list[str]:
        return [one.detail for one in self.evidence if one.says is what]

    def shape(self) -> Evidence:
        said = f"{display(self.place.name)} has the name and place of what its tool fills first."
        return Evidence("known-shape", Says.DEAD, said)

    def where(self) -> Evidence:
        says = Says.DEAD if self.filesystem.conclusive else Says.UNKNOWN
        return Evidence("filesystem", says, self.filesystem.why)

    def completeness(self) -> Iterator[Evidence]:
        """What the looks left out, and what is no plain file or directory."""
        for gap in (*self.first.errors, *(self.second.errors if self.second else ())):
            said = f"{display(gap.path)} could not be read: {gap.reason}."
            yield Evidence("readable", Says.UNKNOWN, said)
            break
        mounted = mounted_inside(self.path, self.tree)
        if mounted is not None:
            yield mounted
        kinds = {stat.S_IFMT(int(mode)) for mode in self.tree.mode}
        strange = sorted({word for kind, word in _KINDS.items() if kind in kinds})
        if strange:
            yield Evidence("contents", Says.DEAD, f"It also holds {', '.join(strange)}.")
        if self.filesystem.type.startswith("nfs") and self._kept_by_nfs():
            said = "It holds a .nfs file: a program on some computer has a deleted file open."
            yield Evidence("contents", Says.ALIVE, said)

    def _kept_by_nfs(self) -> bool:
        return any(self.tree.name(row).startswith(b".nfs") for row in range(1, len(self.tree)))

    def users(self) -> Evidence:
        """Processes that have it, or anything in it, open, mapped, running or as directory."""
        looks = (self.first, self.tree)
        found = self.survey.of(
            lambda device, inode: any(look.where(device, inode) is not None for look in looks),
            self.path,
        )
        self._add(found)
        if found:
            deleted = of_deleted_words(self.survey.of_deleted(self.path))
            said = f"In use by {names_of(found)}. {deleted}".rstrip()
            return Evidence("open-files", Says.ALIVE, said)
        return Evidence("open-files", Says.DEAD, "No process that could be asked has it open.")

    def _add(self, found: Sequence[Holder]) -> None:
        self.holders.update({holder.key: holder for holder in found})

    def gates(self, kernel: Sequence[KernelLock] | None, may_lock: bool) -> Iterator[Evidence]:
        """The tool's own locks, which its writer would hold."""
        if not self.place.gates:
            return
        table = holders.kernel_locks() if kernel is None else kernel
        said: list[Says] = []
        for gate in self.place.gates:
            evidence, found = ask_gate(self.root, gate, self.survey, table, may_lock=may_lock)
            self._add(found)
            said.append(evidence.says)
            yield evidence
        self.gated = all(one is Says.DEAD for one in said)

    def age(self) -> Evidence:
        """Age only keeps something from being judged; it proves nothing (DESIGN 6.2)."""
        if self.now_ns is None:
            return Evidence("clock", Says.UNKNOWN, "The file system's own time is not known.")
        age_ns = self.now_ns - self.newest_ns
        if age_ns < 0:
            said = f"It changed at {timestamp(self.newest_ns)}, which lies in the future."
            return Evidence("age", Says.UNKNOWN, said)
        said = f"It has not changed for {_span(age_ns)}."
        if self.gated:
            return Evidence("age", Says.DEAD, f"{said} Its lock is free, so age does not matter.")
        if age_ns < self.rule.floor_ns:
            left = _span(self.rule.floor_ns - age_ns)
            return Evidence("age", Says.UNKNOWN, f"{said} It can be judged in {left}.")
        return Evidence("age", Says.DEAD, said)

    def constancy(self) -> Evidence:
        fact = "unchanged"
        if self.second is None:
            return Evidence(fact, Says.UNKNOWN, "It was seen once only so far.")
        if self.first.signature(0) != self.second.signature(0):
            return Evidence(fact, Says.ALIVE, "It changed while it was watched.")
        apart = _span(self.rule.observe_ns)
        return Evidence(fact, Says.DEAD, f"Two looks, {apart} apart, saw the same.")

    def unseen(self) -> Iterator[Evidence]:
        """Users who do not show as processes; asked last, since asking is not quite unseen."""
        unshown = self.survey.unshown
        asked: Evidence | None = None
        if self.filesystem.conclusive and not self.says(Says.ALIVE):
            asked = ask_about_all(self.root, self.place.relative, self.tree)
            if asked.says is not Says.UNKNOWN or unshown:
                yield asked
        if not unshown:
            yield Evidence("uninspected", Says.DEAD, "Every process could be inspected.")
        elif asked is not None and asked.says is Says.DEAD:
            said = f"{unshown} The kernel's own word settles it."
            yield Evidence("uninspected", Says.DEAD, said)
        else:
            yield Evidence("uninspected", Says.UNKNOWN, unshown)

    def report(self) -> StagingReport:
        alive, unknown = self.says(Says.ALIVE), self.says(Says.UNKNOWN)
        if alive:
            verdict, text = HoldVerdict.HELD, alive[0]
        elif unknown:
            verdict = HoldVerdict.UNPROVEN
            text = f"It cannot be proven that its writer is gone. {' '.join(unknown)}"
        else:
            verdict, text = HoldVerdict.STALE, self._epitaph()
        return StagingReport(
            path=self.path,
            name=self.place.name,
            size=int(self.tree.total_bytes[0]),
            files=int(self.tree.total_files[0]),
            verdict=verdict,
            explanation=text,
            evidence=tuple(self.evidence),
            holders=tuple(sorted(self.holders.values(), key=lambda holder: holder.pid)),
            changed_ns=self.newest_ns,
        )

    def _epitaph(self) -> str:
        age = _span((self.now_ns or 0) - self.newest_ns)
        free = "its lock is free, " if self.gated else ""
        return (
            f"Left behind by a writer that is gone: {free}nobody has it open, and it has not "
            f"changed for {age}."
        )


def _span(span_ns: int) -> str:
    return humanize.naturaldelta(timedelta(microseconds=span_ns // 1000))
