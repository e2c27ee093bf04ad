"""One open cache that lies in several directories, with its records in a database.

Each directory is an ordinary bench, so that scanning, verifying, judging and every repair of
files is what it is anywhere else; here their results are put together, and what lies in the
database is looked at and released.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from cachewright.diagnosis.findings import of_gaps
from cachewright.diagnosis.locks import of_locks
from cachewright.errors import CachewrightError, EntryUnknown, PlanInvalid, Refused
from cachewright.formats.spread import Asked
from cachewright.locks import lease
from cachewright.locks.object_store import Looked
from cachewright.model import (
    CancelToken,
    CheckResult,
    EntryReport,
    Finding,
    Gap,
    LockKind,
    LockReport,
    Outcome,
    Plan,
    Progress,
    Result,
    StagingReport,
)
from cachewright.repair.delay import after_break, refuse_during_delay
from cachewright.repair.journal import Journal
from cachewright.repair.plan import ORDER, below
from cachewright.repair.records import pack
from cachewright.repair.recover import recover
from cachewright.repair.releasing import Place
from cachewright.repair.stores import release_all, store_plan
from cachewright.repair.unlocking import unlock_plan
from cachewright.repair.work import outcome
from cachewright.storage.anchored import Directory
from cachewright.text import display
from cachewright.workbench.bench import Bench
from cachewright.workbench.leases import NONE, gap_words
from cachewright.workbench.parts import Told, rank
from cachewright.workbench.watching import Options, Unwatched, Watcher
from cachewright.workbench.witness import Witness

if TYPE_CHECKING:
    from cachewright.formats.base import Format
    from cachewright.formats.spread import Spread
    from cachewright.inventory.tree import Tree
    from cachewright.model import PlanStep, StepKind
    from cachewright.workbench import Workbench


class CompositeBench(Bench):
    """Several directories and one database as one cache."""

    tree: Tree | None = None
    holds_entries = True
    in_database = True

    def __init__(
        self,
        spread: Spread,
        form: Format,
        options: Options,
        parts: Mapping[str, Workbench],
        gaps: Sequence[Gap],
    ) -> None:
        self._spread = spread
        self._format = form
        self._parts = parts
        self._gaps = tuple(gaps)
        self.options = options
        self.result: CheckResult | None = None
        self._leases = NONE

    @classmethod
    def open(cls, root: bytes, form: Format, options: Options) -> CompositeBench:
        """Open every directory that is there; one that is not is a gap.

        Raises ``AddressInvalid``, ``ExtraMissing`` or ``StoreUnreadable``; the database is not
        asked yet.
        """
        from cachewright.workbench import Workbench

        asked = Asked(options.directories, options.access, options.environment)
        spread = form.open_spread(root, asked)
        parts: dict[str, Workbench] = {}
        gaps = list(spread.gaps)
        for part in spread.parts:
            try:
                directory = Directory.open(part.path)
            except CachewrightError as error:
                gaps.append(Gap(part.path, f"the directory of {display(part.name)}: {error}"))
                continue
            parts[part.name] = Workbench(directory, part.form, options)
        return cls(spread, form, options, parts, gaps)

    @property
    def root(self) -> bytes:
        """The configuration's path, or the database's address without secrets."""
        return self._spread.root

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
        """Read the records, check every directory, and put it all together."""
        told, token = watcher or Unwatched(), cancel or CancelToken()
        started_ns = time.time_ns()
        told.progress(Progress("records"))
        missing = self._refresh()
        gaps = [*self._gaps, *missing]
        looked = NONE if missing else self._look((), token)
        gaps += [one for one in looked.gaps if one.path not in {gap.path for gap in gaps}]
        told.locks(looked.locks)
        together = Told(told, {name: part.root for name, part in self._parts.items()})
        for part in self._parts.values():
            token.check()
            together.add(part.check(together.of_next(), token), part.tree)
        self.tree = together.tree()
        told.tree(self.tree)
        own = self._own_findings(looked.locks, gaps)
        self.result = self._put_together(together.results, looked, own, gaps, started_ns)
        told.entries(self.result.entries)
        told.staging(self.result.staging)
        told.findings(self.result.findings)
        return self.result

    def _refresh(self) -> list[Gap]:
        gap = self._spread.refresh()
        return [] if gap is None else [gap]

    def _look(self, former: Sequence[LockReport], cancel: CancelToken | None = None) -> Looked:
        """Every lease as it is now; what changed since ``former`` was renewed."""
        store = self._spread.leases()
        if store is None:
            return NONE
        witness = self._witness()
        try:
            looked = lease.look_all(
                store,
                former={one.path: one for one in former},
                opened=witness.opened,
                proof=witness.proof,
                cancel=cancel,
            )
        except CachewrightError as error:
            gap = Gap(store.root, error.values.get("reason", str(error)))
            looked = Looked((), (), (gap,))
        self._leases = looked
        return looked

    def _witness(self) -> Witness:
        return Witness(self._spread, [part.directory for part in self._parts.values()])

    def _own_findings(self, locks: Sequence[LockReport], gaps: Iterable[Gap]) -> list[Finding]:
        """What no single directory can tell."""
        in_use = self._witness().users
        return [
            *of_locks(locks),
            *self._spread.findings(locks, in_use),
            *of_gaps(gaps, frozenset()),
        ]

    def _put_together(
        self,
        results: Sequence[CheckResult],
        looked: Looked,
        own: Sequence[Finding],
        gaps: Sequence[Gap],
        started_ns: int,
    ) -> CheckResult:
        entries: list[EntryReport] = [one for result in results for one in result.entries]
        staging: list[StagingReport] = [one for result in results for one in result.staging]
        found = [*own, *(one for result in results for one in result.findings)]
        every = {gap.path: gap for gap in (*gaps, *(one for r in results for one in r.gaps))}
        return CheckResult(
            root=self.root,
            format=self.format_name,
            title=self.title,
            entries=tuple(entries),
            locks=(*looked.locks, *(one for result in results for one in result.locks)),
            staging=tuple(staging),
            findings=tuple(sorted(found, key=rank)),
            gaps=tuple(every.values()),
            uninspected=max((one.uninspected for one in results), default=0),
            size=sum(one.size for one in results),
            files=sum(one.files for one in results),
            started_ns=started_ns,
            finished_ns=time.time_ns(),
        )

    def locks(self, *, decide: bool = False) -> tuple[LockReport, ...]:
        """Every lock as it is now, by the records and by who has its files open."""
        self._spread.refresh_leases()
        former = (*(self.result.locks if self.result else ()), *self._leases.locks)
        with_locks = (part for part in self._parts.values() if part.has_locks)
        of_parts = (one for part in with_locks for one in part.locks(decide=decide))
        return (*self._look(former).locks, *of_parts)

    def notes(self) -> tuple[str, ...]:
        """What belongs to this cache and could not be looked at."""
        return (*self._spread.notes(), *gap_words((*self._gaps, *self._leases.gaps)))

    def unread(self) -> tuple[Gap, ...]:
        """What the last look at the locks could not read."""
        return self._leases.gaps

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        """The repairs that the last check's findings allow; checks first if none was made."""
        result = self.result or self.check()
        of_files: list[PlanStep] = []
        for part in self._parts.values():
            made = part.plan(only=only, stale_only=stale_only, findings=findings)
            of_files += made.steps
        of_files.sort(key=lambda step: ORDER.index(step.step))
        # A lease goes first: the files that its owner left are the proof that it is gone.
        first = store_plan(result, only=only, stale_only=stale_only, findings=findings).steps
        return Plan(self.root, self.format_name, (*first, *of_files))

    def unlocking(self, lock: LockReport) -> Plan:
        """The plan of one typed step that releases exactly this lock."""
        return unlock_plan(self.root, self.format_name, lock)

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        """Run the plan's steps: those of the database first, then each directory's.

        Everything is judged anew, by records that are read anew.
        """
        if plan.root != self.root or plan.format != self.format_name:
            raise PlanInvalid(path=plan.root, reason="it was made for another cache")
        if not apply:
            return tuple(outcome(step, Result.SKIPPED, "dry run") for step in plan.steps)
        watching = watcher or Unwatched()
        done: dict[str, Outcome] = {}
        for name, steps in self._by_place(plan).items():
            made = replace(plan, steps=tuple(steps))
            if name is None:
                outcomes = self._release(made, confirmations, watching, cancel)
            else:
                outcomes = self._repair(name, made, confirmations, watching, cancel)
            done |= {step.id: one for step, one in zip(steps, outcomes, strict=True)}
        return tuple(done[step.id] for step in plan.steps)

    def _by_place(self, plan: Plan) -> Mapping[str | None, Sequence[PlanStep]]:
        """Steps by the part that they act in; None are those of the database, which go first."""
        places: dict[str | None, list[PlanStep]] = defaultdict(list)
        places[None] = []
        for step in plan.steps:
            inside = [n for n, part in self._parts.items() if below(part.root, step.path)]
            # Of two that lie in each other, the inner one.
            name = max(inside, key=lambda n: len(self._parts[n].root), default=None)
            places[name].append(step)
        return {name: steps for name, steps in places.items() if steps}

    def _repair(
        self,
        name: str,
        plan: Plan,
        confirmations: Mapping[str, str] | None,
        watcher: Watcher,
        cancel: CancelToken | None,
    ) -> tuple[Outcome, ...]:
        """A part's steps, by what the records say now; nothing where they cannot be read."""
        part = self._parts[name]
        try:
            self._ready(part.root)
        except Refused as error:
            return tuple(outcome(step, Result.REFUSED, str(error)) for step in plan.steps)
        part.forget()
        return part.repair(
            replace(plan, root=part.root),
            apply=True,
            confirmations=confirmations,
            watcher=watcher,
            cancel=cancel,
        )

    def _ready(self, place: bytes) -> None:
        """``Refused`` while a broken lock's owner may still act, or without records."""
        with closing(Journal.open()) as journal:
            refuse_during_delay(journal, self.root, None, place)
        gaps = self._refresh()
        if gaps:
            why = f"the records that speak of it could not be read ({gaps[0].reason})"
            raise Refused(path=place, reason=why)

    def _release(
        self,
        plan: Plan,
        confirmations: Mapping[str, str] | None,
        watcher: Watcher,
        cancel: CancelToken | None,
    ) -> tuple[Outcome, ...]:
        store = self._spread.leases()
        if store is None:
            why = "it lies in none of the directories, and there is no database"
            refused = Refused(path=self.root, reason=why)
            return tuple(outcome(step, Result.REFUSED, str(refused)) for step in plan.steps)
        place = Place(
            store,
            LockKind.LEASE,
            self._about(),
            after_break(self._format),
            self._judged_by,
        )
        with closing(Journal.open()) as journal:
            recover(journal, root=self.root)
            return release_all(
                replace(plan, root=store.root),
                place,
                format_name=self.format_name,
                journal=journal,
                confirmations=confirmations,
                apply=True,
                progress=watcher.progress,
                cancel=cancel,
            )

    def _judged_by(self) -> lease.Watch:
        self._spread.refresh_leases()
        return self._witness().watch()

    def _about(self) -> dict[str, Any]:
        """What an undo needs to find the database again; never a secret."""
        return {
            "root": pack(self.root),
            "format": self.format_name,
            "access": asdict(self.options.access),
            "gates": [],
            "quarantine": None,
        }

    def publish(
        self, entry_name: str, source: bytes | None = None, cancel: CancelToken | None = None
    ) -> Outcome:
        """Re-publish one entry of the part that its name begins with."""
        part = self._parts.get(entry_name.partition("/")[0])
        if part is None:
            raise EntryUnknown(name=display(entry_name), path=self.root)
        self._refresh()
        part.forget()
        return part.publish(entry_name, source, cancel)

    def close(self) -> None:
        """Let go of every directory; closing twice is harmless."""
        for part in self._parts.values():
            part.close()
        self._spread.close()
