"""What the window asks of core, in one place; tests put a scripted one in its stead."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cachewright.model import (
        CancelToken,
        CheckResult,
        Location,
        LockReport,
        Outcome,
        Plan,
        StepKind,
    )
    from cachewright.workbench import HistoryItem, Options, Watcher
    from cachewright_gui.inventory_view import Tree


class Bench(Protocol):
    """One open cache or store: the part of ``workbench.Bench`` that the window uses."""

    @property
    def root(self) -> bytes: ...
    @property
    def format_name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def holds_entries(self) -> bool: ...
    @property
    def in_database(self) -> bool: ...
    @property
    def tree(self) -> Tree | None: ...

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult: ...

    def locks(self) -> tuple[LockReport, ...]: ...
    def notes(self) -> tuple[str, ...]: ...
    def unlocking(self, lock: LockReport) -> Plan: ...

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan: ...

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]: ...

    def close(self) -> None: ...


class Backend(Protocol):
    """Everything the window asks for beyond one open cache.  Called on worker threads."""

    def open(self, root: bytes, format_name: str | None, options: Options) -> Bench: ...
    def formats(self) -> tuple[tuple[str, str], ...]: ...
    def discover(self) -> tuple[Location, ...]: ...
    def history(self) -> tuple[HistoryItem, ...]: ...
    def undo(self, operation: str | None) -> Outcome: ...
    def recover(self) -> tuple[Outcome, ...]: ...


class Core:
    """The real one.  Core is imported on first use, so that the window shows at once."""

    def open(self, root: bytes, format_name: str | None, options: Options) -> Bench:
        from cachewright.workbench import open_bench

        return open_bench(root, format_name=format_name, options=options)

    def formats(self) -> tuple[tuple[str, str], ...]:
        from cachewright.workbench import known_formats

        return known_formats()

    def discover(self) -> tuple[Location, ...]:
        from cachewright.discovery import discover

        return discover(os.environ)

    def history(self) -> tuple[HistoryItem, ...]:
        from cachewright.workbench import history

        return history()

    def undo(self, operation: str | None) -> Outcome:
        from cachewright.workbench import undo

        return undo(operation)

    def recover(self) -> tuple[Outcome, ...]:
        from cachewright.workbench import recover

        return recover()
