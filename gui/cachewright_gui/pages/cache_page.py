"""Everything about the open cache: header, tabs, pages, and the evidence beside them."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QSplitter, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from cachewright.model import Finding, FindingKind, HoldVerdict, LockReport, StagingReport
from cachewright.text import display
from cachewright.workbench import HistoryItem
from cachewright_gui import lock_story, story
from cachewright_gui.collector import Part
from cachewright_gui.jobs import Jobs
from cachewright_gui.models import lists
from cachewright_gui.models.lists import Problem
from cachewright_gui.pages.contents import ContentsPage
from cachewright_gui.pages.emptiness import show_empty
from cachewright_gui.pages.list_page import ListPage
from cachewright_gui.pages.locks import LocksPage
from cachewright_gui.state import Phase, State
from cachewright_gui.story import Story
from cachewright_gui.widgets.evidence import EvidencePane
from cachewright_gui.widgets.header import Header, count_problems
from cachewright_gui.widgets.message_bar import MessageBar
from cachewright_gui.widgets.rows_view import RowsView

PROBLEMS, CONTENTS, LOCKS, STAGING, HISTORY = range(5)
TAB_NAMES: Final = ("Problems", "Contents", "Locks", "Staging", "History")
LOCK_FINDINGS: Final = frozenset(
    {
        FindingKind.STALE_LOCK,
        FindingKind.UNPROVEN_LOCK,
        FindingKind.HELD_LOCK,
        FindingKind.GARBAGE_LOCK,
    }
)
"""What is found about a lock; the Locks page tells of it as it is now."""


class CachePage(QWidget):
    """Shows one session's state at a time."""

    turned = Signal(int)
    """Another tab is in front."""
    selected = Signal()
    """Something else may be selected, or what is selected may have changed."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: State | None = None
        self._known = False
        self._led: set[bytes] = set()
        self._history: tuple[HistoryItem, ...] = ()
        self.header = Header()
        self.messages = MessageBar()
        self.tabs = QTabBar()
        self.stack = QStackedWidget()
        self.evidence = EvidencePane()
        self.problems = ListPage("Problems", lists.problems(), self._problem_story)
        self.contents = ContentsPage(jobs)
        self.locks = LocksPage(self._lock_story)
        self.staging = ListPage("Staging", lists.staging(), self._staging_story)
        self.history = ListPage("History", lists.history(), story.of_history)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self._lay_out()
        for page in self._pages():
            self.stack.addWidget(page)
            page.chosen.connect(self._show_story)
        self.tabs.currentChanged.connect(self._turn)

    def _pages(
        self,
    ) -> tuple[
        ListPage[Problem]
        | ContentsPage
        | LocksPage
        | ListPage[StagingReport]
        | ListPage[HistoryItem],
        ...,
    ]:
        return (self.problems, self.contents, self.locks, self.staging, self.history)

    def _lay_out(self) -> None:
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setAccessibleName("Pages")
        for name in TAB_NAMES:
            self.tabs.addTab(name)
        tab_row = QVBoxLayout()
        tab_row.setContentsMargins(12, 0, 12, 0)
        tab_row.addWidget(self.tabs)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setFrameShadow(QFrame.Shadow.Plain)
        line.setForegroundRole(QPalette.ColorRole.Mid)
        line.setFixedHeight(1)
        self.splitter.addWidget(self.stack)
        self.splitter.addWidget(self.evidence)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([730, 314])
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.messages)
        column.addLayout(tab_row)
        column.addWidget(line)
        column.addWidget(self.splitter, 1)

    def views(self) -> list[RowsView]:
        """The pages' tables."""
        return [page.view for page in self._pages()]

    @property
    def page(self) -> int:
        return self.tabs.currentIndex()

    def show_state(self, state: State, parts: frozenset[Part]) -> None:
        """Show what changed of this state; all of it if another was shown before."""
        if state is not self._state:
            self._state = state
            self._known = False
            parts = frozenset(Part)
        if parts & {Part.FINDINGS, Part.ENTRIES}:
            self.problems.show_items(self._problem_items(state), of=state.root, tint=self._known)
        if Part.LOCKS in parts:
            self.locks.show_items(state.locks, of=state.root, tint=self._known)
            self.locks.show_notes(state)
        if Part.STAGING in parts:
            self.staging.show_items(state.staging, of=state.root, tint=self._known)
        if Part.TREE in parts:
            self.contents.show_state(state)
        if Part.ENTRIES in parts:
            self.contents.show_marks()
        if parts != {Part.PROGRESS}:
            self.header.show_state(state)
            self._show_counts(state)
            show_empty(self, state)
            self._lead(state)
            self._pages()[self.page].select_first()
            self._show_story()
        self._known = state.result is not None

    def show_history(self, items: tuple[HistoryItem, ...]) -> None:
        self._history = items
        self.history.show_items(items, of="journal")
        self.tabs.setTabText(HISTORY, "History")
        self.history.view.set_empty(
            "Nothing was repaired yet.", "Every repair is listed here and can be undone."
        )
        self._show_story()

    def go_to(self, page: int) -> None:
        """Bring a page to the front, ready for keys."""
        self.tabs.setCurrentIndex(page)
        self._pages()[page].view.setFocus()

    def tick(self) -> None:
        """A second has passed: ages are told anew."""
        if self._state is not None:
            self.header.show_place(self._state)
        for page in self._pages():
            page.view.viewport().update()

    def selected_path(self) -> bytes:
        """Absolute path of what is selected, else of the cache."""
        told = self._pages()[self.page].story()
        if told is not None and told.path:
            return told.path
        return self._state.root if self._state is not None else b""

    def selected_lock(self) -> LockReport | None:
        """The lock that is selected, on whichever page, as it is known now."""
        if self._state is None or self.page in {STAGING, HISTORY}:
            return None
        if self.page == LOCKS:
            return self.locks.current()
        told = self._pages()[self.page].story()
        return self._state.lock_at(told.path) if told is not None else None

    def _lead(self, state: State) -> None:
        """Where only locks can lie they are brought to the front, once for each place."""
        if state.only_locks and state.root not in self._led:
            self._led.add(state.root)
            self.tabs.setCurrentIndex(LOCKS)

    def _problem_items(self, state: State) -> tuple[Problem, ...]:
        return tuple(Problem(one, _title(one, state)) for one in state.findings)

    def _problem_story(self, problem: Problem) -> Story:
        state, path = self._state, problem.finding.path
        lock = state.lock_at(path) if state is not None else None
        if lock is not None and problem.finding.kind in LOCK_FINDINGS:
            return lock_story.of_lock(lock, problem.finding)
        entry = state.marks.by_path.get(path) if state is not None else None
        return story.of_finding(problem.finding, problem.title, entry)

    def _lock_story(self, lock: LockReport) -> Story:
        return lock_story.of_lock(lock, self._finding_at(lock.path))

    def _staging_story(self, place: StagingReport) -> Story:
        return story.of_staging(place, self._finding_at(place.path))

    def _finding_at(self, path: bytes) -> Finding | None:
        findings = self._state.findings if self._state is not None else ()
        return next((one for one in findings if one.path == path), None)

    def _show_counts(self, state: State) -> None:
        held = sum(one.verdict is not HoldVerdict.FREE for one in state.locks)
        for tab, count in (
            (PROBLEMS, count_problems(state)),
            (LOCKS, held),
            (STAGING, len(state.staging)),
        ):
            name = TAB_NAMES[tab]
            self.tabs.setTabText(tab, f"{name}  {count:,}" if count else name)

    @Slot()
    def _show_story(self) -> None:
        told = self._pages()[self.page].story()
        state = self._state
        if told is not None:
            can_act = state is None or not state.busy
            self.evidence.show_story(told, can_act=can_act)
        elif state is not None and state.phase is Phase.FAILED:
            self.evidence.show_blank("The cache could not be opened", state.error)
        elif self._pages()[self.page].model.rowCount():
            self.evidence.show_blank(
                "Nothing is selected", "Select a row to see why it has its verdict."
            )
        else:
            self.evidence.show_blank("", "")
        self.selected.emit()

    @Slot(int)
    def _turn(self, page: int) -> None:
        self.stack.setCurrentIndex(page)
        self._pages()[page].select_first()
        self._show_story()
        self.turned.emit(page)


def _title(finding: Finding, state: State) -> str:
    entry = state.marks.by_path.get(finding.path)
    if entry is None:
        is_path = finding.subject == display(finding.path)
        return lists.shown_path(finding.path) if is_path else finding.subject
    return f"{entry.title} {entry.subtitle}".strip() or finding.subject
