"""The main window: caches on the left, the open one in the middle, work at the bottom."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPalette
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFrame,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cachewright.model import Location, StepKind
from cachewright.report.command import quoted
from cachewright.text import display, is_text
from cachewright.workbench import HistoryItem, Options
from cachewright_gui import garbage, icons, places, theme
from cachewright_gui.actions import Actions, keys
from cachewright_gui.backend import Backend
from cachewright_gui.collector import Part
from cachewright_gui.dialogs.help import STALE_LOCK, About, HelpText, Shortcuts
from cachewright_gui.dialogs.open_cache import OpenCache
from cachewright_gui.failures import Failure, failure
from cachewright_gui.jobs import Jobs
from cachewright_gui.pages.cache_page import HISTORY, LOCKS, CachePage
from cachewright_gui.pages.start_page import StartPage
from cachewright_gui.plain import caption
from cachewright_gui.repair_flow import RepairFlow
from cachewright_gui.session import Phase, Session
from cachewright_gui.store import Recent, Store
from cachewright_gui.story import Offer
from cachewright_gui.widgets.message_bar import MessageBar
from cachewright_gui.widgets.progress_strip import ProgressStrip, running_words
from cachewright_gui.widgets.sidebar import Place, Sidebar
from cachewright_gui.wording import STEP_TITLE

_CLOSE_S: Final = 5.0
"""Longest wait for running work when the window closes."""

_REPAIR_CLOSE_S: Final = 30.0
"""Likewise while a repair is in the middle of a step."""

_SWEEP_MS: Final = 3000
_TICK_MS: Final = 1000
_KEPT_OPEN: Final = 4


class MainWindow(QMainWindow):
    """One window; ``open_root`` opens a cache and checks it by itself."""

    def __init__(self, backend: Backend, store: Store, options: Options) -> None:
        super().__init__()
        self.setWindowTitle("Cachewright")
        self._backend = backend
        self._store = store
        self._options = options
        self._sessions: dict[bytes, Session] = {}
        self._current: Session | None = None
        self._found: tuple[Location, ...] = ()
        self._searching = True
        self._history: tuple[HistoryItem, ...] = ()
        self._recent: tuple[Recent, ...] = ()
        self._formats: tuple[tuple[str, str], ...] = ()
        self.jobs = Jobs(self)
        self.sidebar = Sidebar()
        self.start = StartPage()
        self.cache = CachePage(self.jobs)
        self.strip = ProgressStrip()
        self.middle = QStackedWidget()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self._lay_out()
        self.actions_ = Actions(self)
        self.repairs = RepairFlow(self, self.messages, self._read_history)
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
        return self._current

    def open_root(self, opened: Recent, options: Options | None = None) -> None:
        """Open a cache, or bring it to the front where it is open with the same places."""
        session = self._sessions.get(opened.root)
        if session is not None and session.state.phase is Phase.FAILED:
            self._drop(session)
            session = None
        if session is None:
            session = self._new_session(opened, options)
        self._current = session
        self.messages.clear()
        self._show_session()
        self._evict()

    def open_last(self) -> None:
        """Open the cache that was open when the window was last closed, if there was one."""
        if self._recent:
            self.open_root(self._recent[0])

    def show_failure(self, told: Failure) -> None:
        """Tell a failure; it stays until it is dismissed."""
        self.messages.show_failure(told)

    def _new_session(self, opened: Recent, options: Options | None) -> Session:
        chosen = options or replace(self._options, projects=opened.projects, sources=opened.sources)
        session = Session(
            opened.root,
            opened.format_name,
            chosen,
            backend=self._backend,
            jobs=self.jobs,
            parent=self,
        )
        self._sessions[opened.root] = session
        session.changed.connect(partial(self._session_changed, session))
        session.failed.connect(self.show_failure)
        session.checked.connect(self._sweep_soon)
        session.open()
        return session

    def _drop(self, session: Session) -> None:
        session.shut()
        self._sessions.pop(session.state.root, None)
        session.deleteLater()

    def _evict(self) -> None:
        """Close what has been idle longest, so that big inventories do not pile up."""
        idle = [
            one
            for one in self._sessions.values()
            if one is not self._current and not one.state.busy
        ]
        while len(self._sessions) > _KEPT_OPEN and idle:
            self._drop(idle.pop(0))

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
        acts = self.actions_
        header = self.cache.header
        acts["open"].triggered.connect(self._ask_for_cache)
        acts["places"].triggered.connect(self._ask_for_places)
        acts["quit"].triggered.connect(self.close)
        acts["copy"].triggered.connect(self._copy_path)
        for button in (acts["undo"].triggered, acts["undo-last"].triggered):
            button.connect(self._undo_last)
        for page, name in enumerate(("problems", "contents", "locks", "staging", "history")):
            acts[name].triggered.connect(partial(self._go_to, page))
        for trigger in (acts["verify"].triggered, header.verify.clicked):
            trigger.connect(self._verify)
        acts["pause"].triggered.connect(self._toggle_pause)
        acts["stop"].triggered.connect(self._stop)
        for trigger in (acts["review"].triggered, header.review.clicked):
            trigger.connect(self._review_all)
        for trigger in (acts["clean"].triggered, header.clean.clicked):
            trigger.connect(self._review_stale)
        acts["staging-only"].triggered.connect(self._review_staging)
        acts["map"].setCheckable(True)
        acts["map"].setChecked(True)
        acts["map"].toggled.connect(self.cache.contents.show_map)
        acts["keys"].triggered.connect(self._show_keys)
        acts["stale"].triggered.connect(self._explain_stale)
        acts["about"].triggered.connect(self._show_about)
        for choice, action in acts.choices.items():
            action.triggered.connect(partial(self._choose_theme, choice))
        self.strip.pause_wanted.connect(self._pause)
        self.strip.stop_wanted.connect(self._stop)
        self.sidebar.wanted.connect(self._place_wanted)
        self.start.wanted.connect(self._place_wanted)
        self.start.open_wanted.connect(self._ask_for_cache)
        self.cache.evidence.wanted.connect(self._offer_wanted)
        self.cache.turned.connect(self._page_turned)
        self.messages.action_wanted.connect(self._undo_one)
        self.jobs.failed.connect(self._job_failed)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._scheme_changed)

    def _restore(self) -> None:
        choice = self._store.theme()
        self.actions_.choices[choice].setChecked(True)
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
        self._read_history()

    def _discovered(self, found: tuple[Location, ...]) -> None:
        self._found, self._searching = found, False
        self._show_places()

    def _discovery_failed(self, error: BaseException) -> None:
        self._searching = False
        self._show_places()
        self.show_failure(failure(error))

    def _formats_known(self, formats: tuple[tuple[str, str], ...]) -> None:
        self._formats = formats

    def _read_history(self) -> None:
        self.jobs.run(self._backend.history, self._history_read)

    def _history_read(self, items: tuple[HistoryItem, ...]) -> None:
        self._history = items
        self.cache.show_history(items)
        self._show_actions()

    def _session_changed(self, session: Session, parts: frozenset[Part]) -> None:
        if Part.PHASE in parts and session.state.title:
            self._remember_opened(_as_recent(session))
        self._show_places()
        if session is self._current:
            self._show_parts(session, parts)

    def _remember_opened(self, opened: Recent) -> None:
        if opened in self._recent[:1]:
            return
        self._store.remember(opened)
        self._recent_changed()

    def _recent_changed(self) -> None:
        self._recent = self._store.recent()
        for action, recent in self.actions_.show_recent(self._recent):
            action.triggered.connect(partial(self._open_recent, recent))

    def _open_recent(self, recent: Recent, _checked: bool = False) -> None:
        self.open_root(recent)

    def _show_session(self) -> None:
        session = self._current
        self.middle.setCurrentWidget(self.start if session is None else self.cache)
        self._show_places()
        if session is None:
            self.strip.show_state(None)
            self._show_actions()
            return
        self._show_parts(session, frozenset(Part))

    def _show_parts(self, session: Session, parts: frozenset[Part]) -> None:
        state = session.state
        self.strip.show_state(state)
        self.cache.show_state(state, parts)
        if parts != {Part.PROGRESS}:
            self._show_actions()
        self.actions_.show_paused(paused=state.paused)
        title = state.title or display(state.root)
        doing = f"{running_words(state)} · " if state.busy else ""
        self.setWindowTitle(f"{doing}{title} — Cachewright")

    def _show_places(self) -> None:
        states = {root: session.state for root, session in self._sessions.items()}
        made = places.lines(self._found, self._recent, states, searching=self._searching)
        current = self._current.state.root if self._current is not None else None
        self.sidebar.show_places(made, current)
        if self._current is None:
            self.start.show_places(made, searching=self._searching)

    def _show_actions(self) -> None:
        acts = self.actions_
        state = self._current.state if self._current is not None else None
        busy = state is not None and state.busy
        resting = state is not None and not busy and state.result is not None
        acts["verify"].setEnabled(state is not None and not busy and not state.error)
        acts["pause"].setEnabled(busy)
        acts["stop"].setEnabled(busy)
        for name in ("review", "clean", "staging-only"):
            acts[name].setEnabled(resting)
        acts["places"].setEnabled(state is not None)
        acts["copy"].setEnabled(state is not None)
        for name in ("problems", "contents", "locks", "staging", "history"):
            acts[name].setEnabled(state is not None)
        last = self._undoable()
        for name, words in (("undo", "Undo"), ("undo-last", "Undo last")):
            acts[name].setEnabled(last is not None and resting)
            what = f": {STEP_TITLE[last.step]} {last.subject}" if last is not None else ""
            acts[name].setText(caption(words + what))

    def _undoable(self) -> HistoryItem | None:
        return next((one for one in self._history if one.can_undo), None)

    @Slot()
    def _sweep_soon(self) -> None:
        QTimer.singleShot(_SWEEP_MS, self._sweep)

    @Slot()
    def _sweep(self) -> None:
        if not any(one.state.busy for one in self._sessions.values()):
            garbage.sweep()

    @Slot()
    def _tick_over(self) -> None:
        self.cache.tick()
        if self._current is not None and self.cache.page == LOCKS:
            self._current.poll_locks()

    @Slot(object)
    def _place_wanted(self, place: Place) -> None:
        if place.root is None:
            return
        known = next((one for one in self._recent if one.root == place.root), None)
        self.open_root(known or Recent(place.root, place.title, place.format_name))

    @Slot()
    def _ask_for_cache(self) -> None:
        self._show_open_dialog(None)

    @Slot()
    def _ask_for_places(self) -> None:
        if self._current is not None:
            self._show_open_dialog(_as_recent(self._current))

    def _show_open_dialog(self, start: Recent | None) -> None:
        dialog = OpenCache(self._formats, start, self)

        def finished(code: int) -> None:
            if code == QDialog.DialogCode.Accepted:
                picked = dialog.picked
                open_now = self._sessions.get(picked.root)
                if open_now is not None:
                    self._drop(open_now)
                self.open_root(picked)
            dialog.deleteLater()

        dialog.finished.connect(finished)
        dialog.open()

    @Slot()
    def _verify(self) -> None:
        if self._current is not None:
            self._current.check()

    @Slot()
    def _toggle_pause(self) -> None:
        if self._current is not None:
            self._pause(not self._current.state.paused)

    @Slot(bool)
    def _pause(self, wanted: bool) -> None:
        if self._current is not None:
            if wanted:
                self._current.pause()
            else:
                self._current.resume()

    @Slot()
    def _stop(self) -> None:
        if self._current is not None:
            self._current.stop()

    @Slot()
    def _review_all(self) -> None:
        if self._current is not None:
            self.repairs.review(self._current)

    @Slot()
    def _review_stale(self) -> None:
        if self._current is not None:
            self.repairs.review(self._current, stale_only=True)

    @Slot()
    def _review_staging(self) -> None:
        if self._current is not None:
            self.repairs.review(self._current, stale_only=True, only=StepKind.QUARANTINE_STAGING)

    @Slot(object)
    def _offer_wanted(self, offer: Offer) -> None:
        session = self._current
        if session is None:
            return
        if offer.undo:
            self._undo_one(offer.undo)
        else:
            self.repairs.review(session, findings=offer.findings, only=offer.only)

    @Slot()
    def _undo_last(self) -> None:
        last = self._undoable()
        if last is not None:
            self._undo_one(last.id)

    @Slot(str)
    def _undo_one(self, operation: str) -> None:
        if self._current is not None:
            self.repairs.undo(self._current, operation)

    def _go_to(self, page: int, _checked: bool = False) -> None:
        self.cache.go_to(page)

    @Slot(int)
    def _page_turned(self, page: int) -> None:
        if page == HISTORY:
            self._read_history()
        elif page == LOCKS and self._current is not None:
            self._current.poll_locks()

    @Slot()
    def _copy_path(self) -> None:
        path = self.cache.selected_path()
        if path:
            plain = is_text(path) and display(path).encode() == path
            words = display(path) if plain else quoted(path)
            QGuiApplication.clipboard().setText(words)

    @Slot()
    def _show_keys(self) -> None:
        Shortcuts(keys(), self).open()

    @Slot()
    def _explain_stale(self) -> None:
        HelpText("What is a stale lock?", STALE_LOCK, self).open()

    @Slot()
    def _show_about(self) -> None:
        try:
            number = version("cachewright")
        except PackageNotFoundError:
            number = "unknown"
        About(number, self).open()

    def _choose_theme(self, choice: theme.Choice) -> None:
        self._store.set_theme(choice)
        self.actions_.choices[choice].setChecked(True)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, choice)

    @Slot()
    def _scheme_changed(self) -> None:
        if self._store.theme() is theme.Choice.SYSTEM:
            self._choose_theme(theme.Choice.SYSTEM)

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
        repairing = any(one.state.phase is Phase.REPAIRING for one in self._sessions.values())
        for session in self._sessions.values():
            session.shut()
        start = time.monotonic()
        self.stopped_cleanly = self.jobs.close(_REPAIR_CLOSE_S if repairing else _CLOSE_S)
        self.close_took_s = time.monotonic() - start
        event.accept()


def _as_recent(session: Session) -> Recent:
    state, options = session.state, session.options
    return Recent(state.root, state.title, session.asked_format, options.projects, options.sources)
