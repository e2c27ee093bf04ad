"""What both faces may ask of one open cache, be it a directory or a store of locks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import (
        CancelToken,
        CheckResult,
        Gap,
        LockReport,
        Outcome,
        Plan,
        StepKind,
    )
    from cachewright.workbench.watching import Watcher


class Bench(Protocol):
    """One open cache; ``close`` it, or use ``with``."""

    tree: Tree | None
    """The last check's inventory; always None for a store, which has no files."""
    in_database: bool = False
    """Whether its records are in a database, which is asked at each look."""

    @property
    def root(self) -> bytes:
        """The resolved path of the cache, or the store's address."""

    @property
    def format_name(self) -> str: ...

    @property
    def title(self) -> str:
        """What a person calls this kind of cache."""

    @property
    def holds_entries(self) -> bool:
        """Whether content can lie here, to be verified, or nothing but locks."""

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult:
        """Look at everything and diagnose; remembers the result."""

    def locks(self, *, decide: bool = False) -> tuple[LockReport, ...]:
        """Every lock as it is now, without disturbing anybody; made to be repeated.

        ``decide``: a person decides by this look, so the kernel may be asked by a lease who has
        a lock file open, as a check does; never while watching (DESIGN 6a).
        """

    def notes(self) -> tuple[str, ...]:
        """Plain sentences about locks that are known of and cannot be shown here."""

    def unread(self) -> tuple[Gap, ...]:
        """What the last look at the locks could not read, which the notes tell of too."""

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        """The repairs that the last check's findings allow; checks first if none was made."""

    def unlocking(self, lock: LockReport) -> Plan:
        """The plan of one typed step that releases exactly this lock.

        Raises ``InUse`` where it is held, ``Refused`` where it is none that may be released.
        """

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        """Run the plan's steps, each judged anew right before it acts."""

    def publish(
        self, entry_name: str, source: bytes | None = None, cancel: CancelToken | None = None
    ) -> Outcome:
        """Re-publish one entry from ``source``, or from the first good copy known."""

    def close(self) -> None:
        """Let go of the cache; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
