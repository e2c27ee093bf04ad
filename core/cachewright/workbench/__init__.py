"""The one object both faces talk to: it owns one open cache and runs the stages (DESIGN 3)."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachewright import holders
from cachewright.errors import NotACache, RootUnreadable, RootVanished
from cachewright.formats.registry import by_name, formats, recognise
from cachewright.inventory.tree import Tree
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.workbench.checking import Checking, look_at_locks, read_cache
from cachewright.workbench.watching import Options, Unwatched, Watcher

if TYPE_CHECKING:
    from cachewright.formats.base import Format, Knowledge
    from cachewright.model import (
        CheckResult,
        LockReport,
        Outcome,
        Plan,
        StepKind,
    )

__all__ = [
    "HistoryItem",
    "KeptItem",
    "Options",
    "Tree",
    "Unwatched",
    "Watcher",
    "Workbench",
    "history",
    "known_formats",
    "quarantine_list",
    "quarantine_purge",
    "quarantine_restore",
    "undo",
    "verify_journal",
]


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One repair of the journal, for a person."""

    id: str
    at_ns: int
    step: StepKind
    subject: str
    path: bytes
    result: str
    reason: str
    undone: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class KeptItem:
    """Something in quarantine."""

    id: str
    at_ns: int
    original: bytes
    kept: bytes
    size: int
    step: StepKind


class Workbench:
    """One open cache, pinned by its directory; ``close`` it, or use ``with``.

    ``check`` may run on another thread than ``locks``; repairs and checks of one cache must
    not run at the same time (the window gives each cache one writer thread).
    """

    def __init__(self, root: Directory, form: Format, options: Options) -> None:
        self._root = root
        self._format = form
        self.options = options
        self.tree: Tree | None = None
        self.result: CheckResult | None = None
        self._knowledge: Knowledge | None = None

    @classmethod
    def open(
        cls, root: bytes, *, format_name: str | None = None, options: Options | None = None
    ) -> Workbench:
        """Pin ``root`` and recognise its format.

        Raises ``RootMissing``, ``RootNotADirectory``, ``RootUnreadable``, ``UnknownFormat`` or
        ``NotACache``; nothing is read beyond a few names.
        """
        directory = Directory.open(root)
        try:
            form = by_name(format_name) if format_name else recognise(directory)
            if form is None:
                empty = not directory.names()
                why = "it is empty" if empty else "no known layout was found in it"
                raise NotACache(path=directory.path, why=why)
        except OSError as error:
            directory.close()
            raise RootUnreadable(path=root, reason=error.strerror) from error
        except BaseException:
            directory.close()
            raise
        return cls(directory, form, options or Options())

    @property
    def root(self) -> bytes:
        """The resolved path of the cache."""
        return self._root.path

    @property
    def format_name(self) -> str:
        return self._format.name

    @property
    def title(self) -> str:
        """What a person calls this kind of cache."""
        return self._format.title

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult:
        """Scan, look at locks and staging, verify and diagnose; remembers the result.

        Raises ``RootVanished`` where the path no longer leads to the pinned directory,
        ``Cancelled`` when asked to stop.
        """
        self._still_there()
        checking = Checking(
            self._root, self._format, self.options, watcher or Unwatched(), cancel or CancelToken()
        )
        self.result = checking.run()
        self.tree, self._knowledge = checking.tree, checking.knowledge
        return self.result

    def locks(self) -> tuple[LockReport, ...]:
        """Every lock as it is now; cheap enough to repeat each second once scanned."""
        if self._knowledge is None:
            self._still_there()
            self.tree, self._knowledge = read_cache(
                self._root, self._format, self.options, Unwatched(), CancelToken()
            )
        devices = frozenset({self._root.identity.device})
        survey = holders.survey([self._root.path], devices)
        return look_at_locks(self._root, self._knowledge, survey)

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        """The repairs that the last check's findings allow; ``findings`` are finding IDs."""
        raise RuntimeError

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        """Run the plan's steps; ``confirmations`` maps a typed step's ID to what was typed."""
        raise RuntimeError

    def publish(
        self, entry_name: str, source: bytes | None = None, cancel: CancelToken | None = None
    ) -> Outcome:
        """Re-publish one entry from ``source``, or from the first good copy known."""
        raise RuntimeError

    def _still_there(self) -> None:
        try:
            now = os.stat(self._root.path)
        except OSError:
            raise RootVanished(path=self._root.path) from None
        pinned = self._root.identity
        if (now.st_dev, now.st_ino) != (pinned.device, pinned.inode):
            raise RootVanished(path=self._root.path)

    def close(self) -> None:
        """Let go of the cache; closing twice is harmless."""
        self._root.close()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def known_formats() -> tuple[tuple[str, str], ...]:
    """Name and title of each registered format."""
    return tuple((form.name, form.title) for form in formats().values())


def undo(operation: str | None = None) -> Outcome:
    """Put back one journaled repair (the last one that can be, without an ID)."""
    raise RuntimeError


def history() -> tuple[HistoryItem, ...]:
    """Journaled repairs, the newest first; raises ``JournalDamaged``."""
    raise RuntimeError


def verify_journal() -> int:
    """Number of records, every hash checked; raises ``JournalDamaged``."""
    raise RuntimeError


def quarantine_list(root: bytes | None = None) -> tuple[KeptItem, ...]:
    """What is kept, of one cache or of all that the journal knows."""
    raise RuntimeError


def quarantine_restore(kept: str) -> Outcome:
    """Put a kept item back where it was."""
    raise RuntimeError


def quarantine_purge(older_than_s: float, root: bytes | None = None) -> tuple[Outcome, ...]:
    """Delete kept items older than that, for good."""
    raise RuntimeError
