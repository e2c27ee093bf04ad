"""What running work reports, taken over into what is shown at a pace that can be followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer, Slot

from cachewright_gui.collector import Collector, News, Part, merged
from cachewright_gui.jobs import Jobs
from cachewright_gui.state import State

_PACE_MS: Final = 50
"""Shortest time between two updates of what is shown."""


class Feed(QObject):
    """One cache's reports.  ``tell`` is called with the parts of ``state`` that changed.

    ``held_back``: a second check runs, and what is known stays in sight until it has more.
    """

    def __init__(
        self, state: State, jobs: Jobs, tell: Callable[..., None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.held_back = False
        self._state = state
        self._jobs = jobs
        self._tell = tell
        self._collector: Collector | None = None
        self._stopped = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self.show)

    def new_collector(self) -> Collector:
        """To be handed to work that is about to begin."""
        state = self._state
        return Collector(state.root, state.scan, lambda: self._jobs.post(self._news_waits))

    def follow(self, collector: Collector | None) -> None:
        """From now on this one is listened to."""
        self._collector = collector

    def stop(self) -> None:
        """Nothing more is told."""
        self._stopped = True
        self._timer.stop()

    def _news_waits(self) -> None:
        if not self._stopped and not self._timer.isActive():
            self._timer.start()

    @Slot()
    def show(self) -> None:
        """Take over what was reported since, now."""
        self._timer.stop()
        collector = self._collector
        if collector is None:
            return
        news = collector.take()
        if not news.parts:
            return
        self._take_over(news, collector)
        self._tell(*news.parts)

    def _take_over(self, news: News, collector: Collector) -> None:
        state = self._state
        if Part.PROGRESS in news.parts:
            state.progress = news.progress
        if Part.LOCKS in news.parts:
            state.locks = news.locks
        if Part.STAGING in news.parts:
            state.staging = news.staging
        if Part.FINDINGS in news.parts:
            former = state.findings if self.held_back else ()
            state.findings = merged(news.findings, former)
        self._take_inventory(news, collector)

    def _take_inventory(self, news: News, collector: Collector) -> None:
        """A second check's tree is shown once its entries are known: what the person sees
        does not fall apart while it is read again."""
        state = self._state
        if self.held_back and not collector.entries_seen:
            news.parts.discard(Part.TREE)
            return
        if collector.inventory is not None and collector.inventory is not state.inventory:
            state.inventory = collector.inventory
            news.parts.add(Part.TREE)
        if state.marks is not collector.marks and collector.inventory is not None:
            state.marks = collector.marks
            news.parts.add(Part.ENTRIES)
