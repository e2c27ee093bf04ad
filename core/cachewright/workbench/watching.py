"""What a running stage tells, and how it is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cachewright.model import Access, Directories

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import (
        EntryReport,
        Finding,
        LockReport,
        Progress,
        StagingReport,
    )


@dataclass(frozen=True, slots=True)
class Options:
    """How a cache is looked at.  Times in seconds; paths absolute."""

    projects: tuple[bytes, ...] = ()
    sources: tuple[bytes, ...] = ()
    verify: bool = True
    jobs: int | None = None
    floor_s: float = 24 * 3600.0
    observe_s: float = 60.0
    settle_s: float = 3.0
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    access: Access = field(default_factory=Access)
    directories: Directories = field(default_factory=Directories)


class Watcher(Protocol):
    """Told what a running stage finds, on the thread that runs it; must not block."""

    def progress(self, progress: Progress) -> None: ...

    def tree(self, tree: Tree) -> None:
        """The inventory so far; a later call replaces it."""

    def entries(self, entries: Sequence[EntryReport]) -> None:
        """New or newer reports; the same name again replaces the former."""

    def locks(self, locks: Sequence[LockReport]) -> None:
        """All locks."""

    def staging(self, staging: Sequence[StagingReport]) -> None:
        """All staging places."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """All findings so far."""


class Unwatched:
    """A watcher for callers who only want the result."""

    def progress(self, progress: Progress) -> None: ...

    def tree(self, tree: Tree) -> None: ...

    def entries(self, entries: Sequence[EntryReport]) -> None: ...

    def locks(self, locks: Sequence[LockReport]) -> None: ...

    def staging(self, staging: Sequence[StagingReport]) -> None: ...

    def findings(self, findings: Sequence[Finding]) -> None: ...
