"""The main window: caches on the left, the open one in the middle, work at the bottom."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QPalette
from PySide6.QtWidgets import (
    QFrame,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cachewright.model import Location, Outcome
from cachewright.text import display
from cachewright.workbench import HistoryItem, Options
from cachewright_gui import icons, places
from cachewright_gui.actions import Actions
from cachewright_gui.backend import Backend
from cachewright_gui.collector import Part
from cachewright_gui.commands import Commands
from cachewright_gui.failures import Failure, failure
from cachewright_gui.jobs import Jobs
from cachewright_gui.pages.cache_page import HISTORY, LOCKS, CachePage
from cachewright_gui.pages.start_page import StartPage
from cachewright_gui.plain import caption, tooltip
from cachewright_gui.repair_flow import RepairFlow
from cachewright_gui.session import Session
from cachewright_gui.sessions import Sessions
from cachewright_gui.state import State
from cachewright_gui.store import Recent, Store
from cachewright_gui.unlock_flow import UnlockFlow
from cachewright_gui.widgets.message_bar import MessageBar
from cachewright_gui.widgets.progress_strip import ProgressStrip, running_words
from cachewright_gui.widgets.sidebar import Place, Sidebar
from cachewright_gui.wording import STEP_TITLE

_CLOSE_S: Final = 5.0
"""Longest wait for running work when the window closes."""

_REPAIR_CLOSE_S: Final = 30.0
"""Likewise while a repair is in the middle of a step."""

_TICK_MS: Final = 1000


class MainWindow(QMainWindow):
    """One window; ``open_root`` opens a cache and checks it by itself.

    ``stopped_cleanly`` says, once it was closed, whether all work had ended in time.
    """

    def __init__(self, backend: Backend, store: Store, options: Options) -> None:
        super().__init__()
        self.setWindowTitle("Cachewright")
        self._backend = backend
        self._store = store
        self._found: tuple[Location, ...] = ()
        self._searching = True
        self._history: tuple[HistoryItem, ...] = ()
        self._recent: tuple[Recent, ...] = ()
        self.stopped_cleanly = True
        self.jobs = Jobs(self)
        self.sessions = Sessions(backend, self.jobs, options, self)
        self.sidebar = Sidebar()
        self.start = StartPage()
        self.cache = CachePage(self.jobs)
        self.strip = ProgressStrip()
        self.middle = QStackedWidget()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self._lay_out()
        self.actions_ = Actions(self)
        self.repairs = RepairFlow(self, self.messages, self._read_history)
        self.unlocks = UnlockFlow(self, self.messages, self._read_history)
        self.commands = Commands(
            self,
            self.actions_,
            self.sessions,
            repairs=self.repairs,
            unlocks=self.unlocks,
            store=store,
        )
        self._wire()
        self._restore()
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK_MS)
        self._tick.timeout.connect(self._tick_over)
        self._tick.start()
        self._look_around()
        self._show_session()
        icons.warm(self.devicePixelRatioF())

    @property
    def messages(self) -> MessageBar:
        return self.cache.messages

    @property
    def session(self) -> Session | None:
        return self.sessions.current

    @property
    def searching(self) -> bool:
        """Whether caches of this computer are still being looked for."""
        return self._searching

    def open_root(self, opened: Recent, options: Options | None = None) -> None:
        """Open a cache and check it, or bring it to the front where it is open."""
        self.sessions.open(opened, options)
        self._front_changed()

    def open_anew(self, opened: Recent) -> None:
        """Open a cache with other projects or copies than it has now."""
        self.sessions.open_anew(opened)
        self._front_changed()

    def open_last(self) -> None:
        """Open the cache that was open when the window was last closed, if there was one."""
        if self._recent:
            self.open_root(self._recent[0])

    def undoable(self) -> HistoryItem | None:
        """The last repair that can be undone."""
        return next((one for one in self._history if one.can_undo), None)

    @Slot(object)
    def show_failure(self, told: Failure) -> None:
        """Tell a failure; it stays until it is dismissed."""
        self.messages.show_failure(told)

    def _front_changed(self) -> None:
        self.messages.clear()
        self._show_session()

    def _lay_out(self) -> None:
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setFrameShadow(QFrame.Shadow.Plain)
        line.setForegroundRole(QPalette.ColorRole.Mid)
        line.setFixedHeight(1)
        self.middle.addWidget(self.start)
        self.middle.addWidget(self.cache)
        self.splitter.addWidget(self.sidebar)
        self.splitter.addWidget(self.middle)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([236, 1044])
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.splitter, 1)
        column.addWidget(line)
        column.addWidget(self.strip)
        self.setCentralWidget(whole)
        self.setMinimumSize(860, 540)
        self.resize(1280, 820)

    def _wire(self) -> None:
        self.sidebar.wanted.connect(self._place_wanted)
        self.start.wanted.connect(self._place_wanted)
        self.cache.turned.connect(self._page_turned)
        self.cache.selected.connect(self._show_lock_actions)
        self.jobs.failed.connect(self._job_failed)
        self.sessions.changed.connect(self._session_changed)
        self.sessions.failed.connect(self.show_failure)

    def _restore(self) -> None:
        self._recent_changed()
        geometry = self._store.shape("window")
        if geometry is not None:
            self.restoreGeometry(geometry)
        for name, splitter in self._splitters().items():
            state = self._store.shape(name)
            if state is not None:
                splitter.restoreState(state)

    def _remember(self) -> None:
        self._store.set_shape("window", self.saveGeometry())
        for name, splitter in self._splitters().items():
            self._store.set_shape(name, splitter.saveState())
        self._store.sync()

    def _splitters(self) -> dict[str, QSplitter]:
        return {
            "main": self.splitter,
            "evidence": self.cache.splitter,
            "map": self.cache.contents.splitter,
        }

    def _look_around(self) -> None:
        self.jobs.run(self._backend.discover, self._discovered, self._discovery_failed)
        self.jobs.run(self._backend.formats, self._formats_known)
        self.jobs.run(self._backend.recover, self._recovered, self._recovery_failed)

    def _discovered(self, found: tuple[Location, ...]) -> None:
        self._found, self._searching = found, False
        self._show_places()

    def _discovery_failed(self, error: BaseException) -> None:
        self._searching = False
        self._show_places()
        self.show_failure(failure(error))

    def _recovered(self, outcomes: tuple[Outcome, ...]) -> None:
        if outcomes:
            self.repairs.recovered(outcomes)
        self._read_history()

    def _recovery_failed(self, error: BaseException) -> None:
        self.show_failure(failure(error))
        self._read_history()

    def _formats_known(self, formats: tuple[tuple[str, str], ...]) -> None:
        self.commands.formats = formats

    def _read_history(self) -> None:
        self.jobs.run(self._backend.history, self._history_read)

    def _history_read(self, items: tuple[HistoryItem, ...]) -> None:
        self._history = items
        self.cache.show_history(items)
        self._show_actions()

    @Slot(object, object)
    def _session_changed(self, session: Session, parts: frozenset[Part]) -> None:
        if Part.PHASE in parts and session.state.title:
            self._remember_opened(session.as_recent())
        self._show_places()
        if session is self.session:
            self._show_parts(session.state, parts)
        self.unlocks.follow(session)

    def _remember_opened(self, opened: Recent) -> None:
        if opened not in self._recent[:1]:
            self._store.remember(opened)
            self._recent_changed()

    def _recent_changed(self) -> None:
        self._recent = self._store.recent()
        for action, recent in self.actions_.show_recent(self._recent):
            action.triggered.connect(partial(self._open_recent, recent))

    def _open_recent(self, recent: Recent, _checked: bool = False) -> None:
        self.open_root(recent)

    def _show_session(self) -> None:
        session = self.session
        self.middle.setCurrentWidget(self.start if session is None else self.cache)
        self._show_places()
        if session is None:
            self.strip.show_state(None)
            self._show_actions()
        else:
            self._show_parts(session.state, frozenset(Part))

    def _show_parts(self, state: State, parts: frozenset[Part]) -> None:
        self.strip.show_state(state)
        self.cache.show_state(state, parts)
        if parts != {Part.PROGRESS}:
            self._show_actions()
        self.actions_.show_paused(paused=state.paused)
        title = state.title or display(state.root)
        doing = f"{running_words(state)} · " if state.busy else ""
        self.setWindowTitle(f"{doing}{title} — Cachewright")

    def _show_places(self) -> None:
        states = self.sessions.states()
        made = places.lines(self._found, self._recent, states, searching=self._searching)
        current = self.session.state.root if self.session is not None else None
        self.sidebar.show_places(made, current)
        if self.session is None:
            self.start.show_places(made, searching=self._searching)

    def _show_actions(self) -> None:
        state = self.session.state if self.session is not None else None
        self.actions_.show_state(state)
        last = self.undoable()
        can_undo = last is not None and state is not None and state.rests
        what = f": {STEP_TITLE[last.step]} {last.subject}" if last is not None else ""
        for name, words in (("undo", "Undo"), ("undo-last", "Undo last")):
            self.actions_[name].setEnabled(can_undo)
            self.actions_[name].setText(caption(words + what))
            self.actions_[name].setToolTip(tooltip(display(words + what)))
        self._show_lock_actions()

    @Slot()
    def _show_lock_actions(self) -> None:
        state = self.session.state if self.session is not None else None
        lock = self.cache.selected_lock() if state is not None else None
        self.actions_.show_lock(state, lock)

    @Slot()
    def _tick_over(self) -> None:
        """A second has passed: what is in front is looked at again, and nothing else."""
        self.cache.tick()
        if self.unlocks.watching is not None:
            self.unlocks.watching.poll_locks()
        elif self.cache.page == LOCKS and self.isVisible() and not self.isMinimized():
            self._poll_locks()

    def _poll_locks(self) -> None:
        if self.session is not None:
            self.session.poll_locks()

    @Slot(object)
    def _place_wanted(self, place: Place) -> None:
        if place.root is not None:
            known = next((one for one in self._recent if one.root == place.root), None)
            self.open_root(known or Recent(place.root, place.title, place.format_name))

    @Slot(int)
    def _page_turned(self, page: int) -> None:
        if page == HISTORY:
            self._read_history()
        elif page == LOCKS:
            self._poll_locks()

    @Slot(object)
    def _job_failed(self, error: BaseException) -> None:
        self.show_failure(failure(error))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and self.isVisible():
            self.actions_.tint()
            self._show_session()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs, wait for it, but not for ever."""
        self._remember()
        self._tick.stop()
        self.hide()
        repairing = self.sessions.shut()
        self.stopped_cleanly = self.jobs.close(_REPAIR_CLOSE_S if repairing else _CLOSE_S)
        event.accept()
