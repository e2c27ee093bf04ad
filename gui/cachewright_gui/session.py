"""One open cache: runs its work on one thread and tells the window what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from PySide6.QtCore import QObject, Signal

from cachewright.errors import Cancelled
from cachewright.model import (
    CancelToken,
    CheckResult,
    LockReport,
    Outcome,
    Plan,
    StepKind,
)
from cachewright.workbench import Options
from cachewright_gui.backend import Backend, Bench
from cachewright_gui.collector import Collector, Part
from cachewright_gui.failures import failure
from cachewright_gui.feed import Feed
from cachewright_gui.jobs import Jobs
from cachewright_gui.state import Phase, State
from cachewright_gui.store import Recent

STORE_PAUSE_S: Final = 10.0
"""Shortest time between the end of one look at a store or database and the next: each is a
request."""

ALL: Final = frozenset(Part)
T = TypeVar("T")


class Session(QObject):
    """One cache, its workbench and its single worker thread.

    ``changed`` carries a frozen set of ``Part``; ``failed`` a ``Failure``.  All signals come on
    the window's thread.
    """

    changed = Signal(object)
    failed = Signal(object)
    checked = Signal()

    def __init__(
        self,
        root: bytes,
        format_name: str | None,
        options: Options,
        *,
        backend: Backend,
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.options = options
        self.asked_format = format_name
        self.state = State(root)
        self._backend = backend
        self._jobs = jobs
        self._lane = jobs.lane("cache")
        self._bench: Bench | None = None
        self._token = CancelToken()
        self._polling = False
        self._poll_after = 0.0
        self._shut = False
        self._feed = Feed(self.state, jobs, self._tell, self)

    def as_recent(self) -> Recent:
        """What it takes to open this cache again in the same way."""
        return Recent(
            self.state.root,
            self.state.title,
            self.asked_format,
            self.options.projects,
            self.options.sources,
            self.options.access,
            only_locks=self.state.only_locks,
            in_database=self.state.in_database,
            directories=replace(self.options.directories, address=""),
        )

    def open(self) -> None:
        """Open the cache and check it."""
        root, format_name, options = self.state.root, self.asked_format, self.options
        self._run(
            lambda: self._backend.open(root, format_name, options),
            self._opened,
            self._open_failed,
        )
        self._tell(Part.PHASE)

    def check(self) -> None:
        """Scan and verify everything again; does nothing while other work runs."""
        if self._bench is None or self.state.busy or self._shut:
            return
        self.state.scan += 1
        collector = self._feed.new_collector()
        self._begin(Phase.CHECKING, collector)
        self._feed.held_back = self.state.inventory is not None
        self._run(
            partial(_checked, self._bench, collector, self._token),
            self._check_done,
            self._work_failed,
        )

    def plan(
        self,
        done: Callable[[Plan], None],
        *,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
        only: Collection[StepKind] | None = None,
    ) -> None:
        """Have a plan made from the last check and handed to ``done``."""
        bench = self._bench
        if bench is None or self.state.busy:
            return
        self._run(
            lambda: bench.plan(stale_only=stale_only, findings=findings, only=only),
            done,
            lambda error: self.failed.emit(failure(error)),
        )

    def repair(
        self,
        plan: Plan,
        confirmations: Mapping[str, str],
        done: Callable[[tuple[Outcome, ...]], None],
    ) -> None:
        """Apply the plan, hand its outcomes to ``done``, then look at the cache again."""
        bench = self._bench
        if bench is None or self.state.busy:
            return
        collector = self._feed.new_collector()
        self._begin(Phase.REPAIRING, collector)
        token = self._token

        def ended(outcomes: tuple[Outcome, ...]) -> None:
            self._calm()
            done(outcomes)
            self.check()

        self._run(
            lambda: bench.repair(
                plan, apply=True, confirmations=confirmations, watcher=collector, cancel=token
            ),
            ended,
            self._repair_failed,
        )

    def undo(self, operation: str | None, done: Callable[[Outcome], None]) -> None:
        """Put one repair back, then look at the cache again."""
        if self.state.busy:
            return
        self._begin(Phase.REPAIRING, None)

        def ended(outcome: Outcome) -> None:
            self._calm()
            done(outcome)
            self.check()

        self._run(lambda: self._backend.undo(operation), ended, self._repair_failed)

    def unlocking(
        self,
        lock: LockReport,
        done: Callable[[Plan], None],
        refused: Callable[[BaseException], None],
    ) -> None:
        """Have the plan made that releases this lock; nothing is done yet."""
        bench = self._bench
        if bench is not None and not self.state.busy:
            self._run(partial(bench.unlocking, lock), done, refused)

    def poll_locks(self) -> None:
        """Look at the locks once more if nothing else runs; at a store only now and then."""
        bench = self._bench
        if bench is None or self._polling or not self.state.rests:
            return
        if time.monotonic() < self._poll_after:
            return
        self._polling = True
        self._run(partial(_looked, bench), self._locks_seen, self._poll_failed)

    def pause(self) -> None:
        self._token.pause()
        self.state.paused = self._token.paused
        self._tell(Part.PROGRESS)

    def resume(self) -> None:
        self._token.resume()
        self.state.paused = False
        self._tell(Part.PROGRESS)

    def stop(self) -> None:
        """Ask the running work to stop; its end arrives as any end does."""
        if not self.state.busy:
            return
        self.state.stopping = True
        self.state.paused = False
        self._token.cancel()
        self._tell(Part.PROGRESS)

    def shut(self) -> None:
        """Stop the work and have the cache closed after it; the lane then takes no more."""
        self._shut = True
        self._token.cancel()
        self._feed.stop()
        self._lane.submit(self._close_bench)
        self._lane.close()

    def _run(
        self,
        call: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Run ``call`` on this cache's thread; its end is for nobody once the session is shut."""

        def ended(result: T) -> None:
            if not self._shut:
                done(result)

        def missed(error: BaseException) -> None:
            if not self._shut:
                failed(error)

        self._jobs.run(call, ended, missed, self._lane)

    def _close_bench(self) -> None:
        if self._bench is not None:
            self._bench.close()

    def _opened(self, bench: Bench) -> None:
        self._bench = bench
        self.state.title = bench.title
        self.state.format_name = bench.format_name
        self.state.only_locks = not bench.holds_entries
        self.state.in_database = bench.in_database
        self._calm()
        if self._token.cancelled:
            self._tell(*ALL)
            return
        self.check()

    def _open_failed(self, error: BaseException) -> None:
        told = failure(error)
        self.state.phase = Phase.FAILED
        self.state.error = told.text
        self._tell(Part.PHASE)
        if told.detail:
            self.failed.emit(told)

    def _begin(self, phase: Phase, collector: Collector | None) -> None:
        self._token = CancelToken()
        self._feed.follow(collector)
        state = self.state
        state.phase, state.progress = phase, None
        state.stopping = state.stopped = state.paused = False
        self._tell(Part.PHASE, Part.PROGRESS)

    def _calm(self) -> None:
        """Nothing runs now; not told, because something may run next."""
        state = self.state
        state.phase, state.progress = Phase.IDLE, None
        state.paused = state.stopping = False

    def _rest(self) -> None:
        self._calm()
        self._tell(Part.PHASE, Part.PROGRESS)

    def _check_done(self, ended: tuple[CheckResult, tuple[str, ...]]) -> None:
        self._feed.held_back = False
        self._feed.show()
        state = self.state
        state.result, state.notes = ended
        result = state.result
        state.locks, state.staging, state.findings = result.locks, result.staging, result.findings
        state.looked_ns = result.finished_ns or time.time_ns()
        state.poll_error = ""
        self._pause_polls()
        self._rest()
        self._tell(*ALL)
        self.checked.emit()

    def _work_failed(self, error: BaseException) -> None:
        self._feed.held_back = False
        self._feed.show()
        self._rest()
        if isinstance(error, Cancelled):
            self.state.stopped = True
        else:
            self.failed.emit(failure(error))
        self._tell(*ALL)

    def _repair_failed(self, error: BaseException) -> None:
        """Some steps may have been done before: the cache is looked at again."""
        self._rest()
        self.failed.emit(failure(error))
        self.check()

    def _locks_seen(self, seen: tuple[tuple[LockReport, ...], tuple[str, ...]]) -> None:
        self._polling = False
        self._pause_polls()
        state = self.state
        if state.busy or (*seen, "") == (state.locks, state.notes, state.poll_error):
            return
        state.locks, state.notes = seen
        state.poll_error = ""
        self._tell(Part.LOCKS)

    def _poll_failed(self, error: BaseException) -> None:
        """Told once until a look succeeds, not each second; what was seen before stays."""
        self._polling = False
        self._pause_polls()
        if self.state.busy:
            return
        told, is_news = failure(error), not self.state.poll_error
        self.state.poll_error = told.text
        self._tell(Part.LOCKS)
        if is_news:
            self.failed.emit(told)

    def _pause_polls(self) -> None:
        asks = self.state.is_store or self.state.in_database
        pause = STORE_PAUSE_S if asks else 0.0
        self._poll_after = time.monotonic() + pause

    def _tell(self, *parts: Part) -> None:
        self.changed.emit(frozenset(parts))


def _checked(
    bench: Bench, collector: Collector, token: CancelToken
) -> tuple[CheckResult, tuple[str, ...]]:
    result = bench.check(collector, token)
    collector.finish(result, bench.tree)
    return result, bench.notes()


def _looked(bench: Bench) -> tuple[tuple[LockReport, ...], tuple[str, ...]]:
    return bench.locks(), bench.notes()
