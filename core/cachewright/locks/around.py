"""What a lock is judged by besides itself: who reads its record, and what the computer shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, Self

from cachewright import holders
from cachewright.holders import KernelLock, Survey
from cachewright.holders.owners import THIS_MACHINE, Machine
from cachewright.locks import filesystems
from cachewright.locks.filesystems import FilesystemFacts
from cachewright.model import Claim, LockPlace, LockReport

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_NONE: Mapping[bytes, LockReport] = MappingProxyType({})


class Reader(Protocol):
    """Who can read a lock's record: what ``formats.base.Knowledge`` offers."""

    def claim(self, place: LockPlace, record: bytes) -> Claim: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What was seen of the computer right before a lock is looked at.

    ``decide``: something is decided or done by this look, so the kernel may be asked by a lease
    who has a file open, which disturbs whoever opens it at that very moment; never while
    watching.  ``former`` are the last reports that were made so, by path: while watching, the
    kernel's word is taken over from there as long as the lock is the very same.
    """

    survey: Survey
    kernel: Sequence[KernelLock]
    filesystem: FilesystemFacts
    decide: bool = False
    former: Mapping[bytes, LockReport] = field(default_factory=lambda: _NONE)
    machine: Machine = THIS_MACHINE

    @classmethod
    def now(
        cls,
        root: Directory,
        survey: Survey,
        *,
        decide: bool = False,
        kernel: Sequence[KernelLock] | None = None,
        former: Mapping[bytes, LockReport] = _NONE,
        machine: Machine = THIS_MACHINE,
    ) -> Self:
        """A survey that was just made, with the kernel's locks and the root's file system.

        ``kernel`` is what the same look saw of them (``holders.look_around``); else they are
        read now.
        """
        locks = holders.kernel_locks() if kernel is None else kernel
        return cls(survey, locks, filesystems.facts(root), decide, former, machine)


def claim_of(reader: Reader, place: LockPlace, record: bytes) -> Claim:
    """What the record says; a format that fails to read it has not read it."""
    try:
        return reader.claim(place, record)
    except Exception as error:  # noqa: BLE001 - somebody else's code must not stop ours
        return Claim(garbage=f"its format failed to read it ({type(error).__name__})")
