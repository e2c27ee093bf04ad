"""The one object both faces talk to: it owns one open cache and runs the stages (DESIGN 3)."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cachewright import holders
from cachewright.baseline import Baseline, Baselines
from cachewright.diagnosis.locks import offer_of
from cachewright.errors import NotACache, RootUnreadable, RootVanished
from cachewright.formats.registry import by_name, formats, recognise
from cachewright.inventory.tree import Tree
from cachewright.model import CancelToken, Role
from cachewright.repair import recover as recovering
from cachewright.repair.execute import execute
from cachewright.repair.journal import Journal
from cachewright.repair.plan import make_plan
from cachewright.repair.releasing import unconditionally
from cachewright.repair.unlocking import chosen_lock, unlock_plan
from cachewright.storage.anchored import Directory
from cachewright.text import is_address
from cachewright.workbench.baselines import Recording
from cachewright.workbench.bench import Bench
from cachewright.workbench.checking import Checking, look_at_locks, read_cache
from cachewright.workbench.composite import CompositeBench
from cachewright.workbench.history import (
    HistoryItem,
    KeptItem,
    history,
    interrupted,
    interrupted_words,
    quarantine_list,
    quarantine_purge,
    recover,
    undo,
    verify_journal,
)
from cachewright.workbench.leases import NONE, gap_words, look_at_leases
from cachewright.workbench.refreshing import Refreshing, places_of
from cachewright.workbench.repairing import judge_anew, publication
from cachewright.workbench.stores import StoreBench
from cachewright.workbench.watching import Options, Unwatched, Watcher

if TYPE_CHECKING:
    from cachewright.formats.base import Format, Knowledge
    from cachewright.model import (
        CheckResult,
        Gap,
        LockReport,
        Outcome,
        Plan,
        StepKind,
    )

__all__ = [
    "Baseline",
    "Baselines",
    "Bench",
    "CompositeBench",
    "HistoryItem",
    "KeptItem",
    "Options",
    "StoreBench",
    "Tree",
    "Unwatched",
    "Watcher",
    "Workbench",
    "chosen_lock",
    "history",
    "interrupted",
    "is_spread",
    "known_formats",
    "offer_of",
    "open_bench",
    "quarantine_list",
    "quarantine_purge",
    "recover",
    "unconditionally",
    "undo",
    "verify_journal",
]


class Workbench(Bench):
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
        self._read_ns = 0
        self._refreshing = Refreshing(root, form, options)
        self._leases = NONE

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
            form = _format_of(directory, format_name)
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
    def directory(self) -> Directory:
        """The cache's directory, pinned until the bench is closed."""
        return self._root

    def forget(self) -> None:
        """Read everything anew before anything else is decided."""
        self._knowledge = None

    @property
    def format_name(self) -> str:
        return self._format.name

    @property
    def title(self) -> str:
        """What a person calls this kind of cache."""
        return self._format.title

    @property
    def holds_entries(self) -> bool:
        """Whether content can lie here, to be verified, or nothing but locks."""
        return any(rule.role is Role.ENTRY for rule in self._format.rules)

    @property
    def has_locks(self) -> bool:
        """Whether any name here can be a lock's."""
        return any(rule.role is Role.LOCK for rule in self._format.rules)

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult:
        """Scan, look at locks and staging, verify and diagnose; remembers the result.

        Raises ``RootVanished`` where the path no longer leads to the pinned directory,
        ``Cancelled`` when asked to stop.
        """
        checking = Checking(
            self._root, self._format, self.options, watcher or Unwatched(), cancel or CancelToken()
        )
        self.result = checking.run()
        self._read_ns = self.result.started_ns
        self.tree, self._knowledge = checking.tree, checking.knowledge
        return self.result

    def locks(self, *, decide: bool = False) -> tuple[LockReport, ...]:
        """Every lock as it is now; cheap enough to repeat each second once scanned.

        What came and went since the scan is known too; ``tree`` stays as it is.  ``decide`` as
        in ``Bench.locks``.
        """
        self._refreshing.since(*self._read(), self._read_ns)
        tree, knowledge = self._refreshing.look(), self._refreshing.knowledge
        places = places_of(self._root, knowledge.locks())
        survey, kernel = holders.look_around(
            [self._root.path],
            frozenset({self._root.identity.device}),
            wanted=lambda *place: place in places or tree.where(*place) is not None,
        )
        former = self.result.locks if self.result else ()
        self._leases = look_at_leases(knowledge, (*former, *self._leases.locks))
        found = look_at_locks(
            self._root, knowledge, survey, kernel=kernel, decide=decide, former=former
        )
        return (*found, *self._leases.locks)

    def notes(self) -> tuple[str, ...]:
        """Plain sentences about locks that are known of and cannot be shown here, and about
        repairs that were interrupted."""
        self._refreshing.since(*self._read(), self._read_ns)
        return (
            *interrupted_words(self.root),
            *self._refreshing.knowledge.notes(),
            *gap_words(self._leases.gaps),
        )

    def unread(self) -> tuple[Gap, ...]:
        """What the last look at the locks could not read."""
        return self._leases.gaps

    def unlocking(self, lock: LockReport) -> Plan:
        """The plan of one typed step that releases exactly this lock.

        Raises ``InUse`` where it is held, ``Refused`` where it is none that may be released.
        """
        plan = unlock_plan(self.root, self.format_name, lock)
        if self._knowledge is not None:
            known = {self._root.where(one.relative) for one in self._knowledge.locks()}
            if lock.path not in known:
                self._knowledge = None  # it came after the scan: to be read anew before acting
        return plan

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        """The repairs that the last check's findings allow; checks first if none was made.

        ``only`` keeps steps of these kinds, ``findings`` those of findings with these IDs,
        ``stale_only`` what one click may clean.
        """
        result = self.result or self.check()
        tree = self.tree
        if tree is None:
            raise RootVanished(path=self.root)
        return make_plan(
            result, self._root, tree, only=only, stale_only=stale_only, findings=findings
        )

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        """Run the plan's steps; ``confirmations`` maps a typed step's ID to what was typed.

        What was interrupted in this cache before is ended first.  Every step is judged anew
        right before it acts.  The last check's result is forgotten when something may have
        changed.
        """
        self._still_there()
        with closing(Journal.open()) as journal:
            if apply and recovering.recover(journal, root=self.root):
                self._knowledge = None
            _tree, knowledge = self._read(cancel)
            outcomes = execute(
                plan,
                root=self._root,
                form=self._format,
                knowledge=knowledge,
                journal=journal,
                rejudge=partial(judge_anew, self._root, knowledge, self.options),
                confirmations=confirmations,
                apply=apply,
                progress=(watcher or Unwatched()).progress,
                cancel=cancel,
            )
        if apply:
            self._knowledge = None
        return outcomes

    def publish(
        self, entry_name: str, source: bytes | None = None, cancel: CancelToken | None = None
    ) -> Outcome:
        """Re-publish one entry from ``source``, or from the first good copy known.

        Raises ``EntryUnknown`` and ``SourceUnusable``; what else goes wrong is in the outcome.
        """
        if source is not None and source not in self.options.sources:
            self.options = replace(self.options, sources=(*self.options.sources, source))
            self._knowledge = None
        self._still_there()
        tree, knowledge = self._read(cancel)
        plan = publication(
            self._root,
            self._format,
            tree,
            knowledge,
            entry_name=entry_name,
            source=source,
        )
        return self.repair(plan, apply=True, cancel=cancel)[0]

    def baseline(
        self,
        *,
        anew: bool = False,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> Baseline:
        """Record what every entry holds now, for later checks to compare with.

        Entries that are busy, broken or unreadable are left out, and named.  Raises
        ``BaselineExists`` where there is one and ``anew`` is not said (``BaselineUnusable`` where
        that one is damaged), ``Refused`` where there is nothing to record.
        """
        self._still_there()
        known = Baselines()
        if not anew:
            known.refuse_second(self.root)
        watcher, cancel = watcher or Unwatched(), cancel or CancelToken()
        tree, knowledge = read_cache(self._root, self._format, self.options, watcher, cancel)
        recording = Recording(self._root, self._format, self.options)
        taken = recording.take(tree, knowledge, watcher, cancel)
        known.keep(taken, replace=anew)
        return taken

    def _read(self, cancel: CancelToken | None = None) -> tuple[Tree, Knowledge]:
        """The inventory and the records, read now unless the last check's still stand; what is
        read now stops for ``cancel``, then and when good copies are hashed later."""
        if self._knowledge is None or self.tree is None:
            self._read_ns = time.time_ns()
            self.tree, self._knowledge = read_cache(
                self._root, self._format, self.options, Unwatched(), cancel or CancelToken()
            )
        return self.tree, self._knowledge

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


def open_bench(
    root: bytes, *, format_name: str | None = None, options: Options | None = None
) -> Bench:
    """Open a cache directory, a cache that lies in several directories, or a store of locks
    such as ``s3://bucket/prefix``.

    Errors as ``Workbench.open``, ``CompositeBench.open`` and ``StoreBench.open``.
    """
    form = _spread_format(root, format_name)
    if form is not None:
        return CompositeBench.open(root, form, options or Options())
    if is_address(root):
        return StoreBench.open(root, format_name=format_name, options=options)
    return Workbench.open(root, format_name=format_name, options=options)


def is_spread(root: bytes, format_name: str | None = None) -> bool:
    """Whether this path or address is a cache that lies in several directories."""
    return _spread_format(root, format_name) is not None


def _spread_format(root: bytes, name: str | None) -> Format | None:
    """The format of a cache in several directories, if ``root`` is one."""
    known = [by_name(name)] if name else formats().values()
    return next((one for one in known if one.spreads(root, named=bool(name))), None)


def _format_of(directory: Directory, name: str | None) -> Format:
    form = by_name(name) if name else recognise(directory)
    if form is None:
        why = "no known layout was found in it" if directory.names() else "it is empty"
        raise NotACache(path=directory.path, why=why)
    return form


def known_formats() -> tuple[tuple[str, str], ...]:
    """Name and title of each registered format."""
    return tuple((form.name, form.title) for form in formats().values())
