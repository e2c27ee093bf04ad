"""The contract of a cache that lies in several directories and has its records elsewhere.

Each directory is a *part*: an ordinary cache of a format made for it.  Only what no single part
can know is asked of the whole: its leases, and records that speak of no file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachewright.model import Access, Claim, Directories, Finding, Gap, Holder, LockReport

if TYPE_CHECKING:
    from cachewright.formats.base import Format
    from cachewright.locks.store import LockStore

InUse = Callable[[Sequence[bytes]], Sequence[Holder]]
"""Who has one of these files (absolute paths) open now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says beside the root."""

    directories: Directories = field(default_factory=Directories)
    access: Access = field(default_factory=Access)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """One directory: what a person calls it, where it is, and its format."""

    name: str
    path: bytes
    form: Format


@dataclass(frozen=True, slots=True)
class Work:
    """What the owner of a lease works on.  ``fills`` are files that only it would have open,
    ``writes`` such that others may read; ``since_ns`` is when it began at the earliest.
    ``never`` is why nobody ever began, where the records prove it: one plain sentence."""

    fills: tuple[bytes, ...] = ()
    writes: tuple[bytes, ...] = ()
    since_ns: int = 0
    never: str = ""


class Spread(ABC):
    """One such cache, opened.  Nothing of it is changed by any method."""

    root: bytes
    """What a person calls it: a configuration file's path, or an address without secrets."""
    parts: Sequence[Part] = ()
    gaps: Sequence[Gap] = ()
    """Parts that cannot be looked at."""

    @abstractmethod
    def refresh(self) -> Gap | None:
        """Read the records anew, for all parts; what could not be read is a gap."""

    @abstractmethod
    def refresh_leases(self) -> Gap | None:
        """Read anew only what ``work`` speaks by: cheap enough to repeat each second."""

    @abstractmethod
    def leases(self) -> LockStore | None: ...

    @abstractmethod
    def work(self, claim: Claim) -> Work:
        """What the owner of a lease works on, by the lease's own record and the latest ones."""

    @abstractmethod
    def findings(self, locks: Sequence[LockReport], in_use: InUse) -> Iterable[Finding]:
        """What is wrong with records that speak of no single file."""

    def notes(self) -> Sequence[str]:
        """Plain sentences about what belongs to the cache and cannot be looked at."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Let go of what is kept open; twice is harmless."""


__all__ = ["Asked", "InUse", "Part", "Spread", "Work"]
