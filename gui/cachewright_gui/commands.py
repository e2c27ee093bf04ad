"""What the menus, keys and buttons do."""

from __future__ import annotations

from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog

from cachewright.model import StepKind
from cachewright.report.command import quoted
from cachewright.text import display, is_text
from cachewright_gui import theme, wording
from cachewright_gui.actions import Actions, keys
from cachewright_gui.dialogs.help import STALE_LOCK, About, HelpText, Shortcuts
from cachewright_gui.dialogs.open_cache import OpenCache
from cachewright_gui.repair_flow import RepairFlow
from cachewright_gui.sessions import Sessions
from cachewright_gui.store import Recent, Store
from cachewright_gui.story import Offer
from cachewright_gui.unlock_flow import UnlockFlow

if TYPE_CHECKING:
    from cachewright_gui.window import MainWindow


class Commands(QObject):
    """Belongs to a window; every command acts on the cache in front."""

    def __init__(
        self,
        window: MainWindow,
        actions: Actions,
        sessions: Sessions,
        *,
        repairs: RepairFlow,
        unlocks: UnlockFlow,
        store: Store,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._actions = actions
        self._sessions = sessions
        self._repairs = repairs
        self._unlocks = unlocks
        self._store = store
        self.formats: tuple[tuple[str, str], ...] = ()
        self._wire_files()
        self._wire_work()
        self._wire_views()

    def _wire_files(self) -> None:
        acts, window = self._actions, self._window
        acts["open"].triggered.connect(self.ask_for_cache)
        acts["places"].triggered.connect(self.ask_for_places)
        acts["quit"].triggered.connect(window.close)
        acts["copy"].triggered.connect(self.copy_path)
        acts["copy-id"].triggered.connect(self.copy_lock_id)
        window.start.open_wanted.connect(self.ask_for_cache)

    def _wire_work(self) -> None:
        acts, window = self._actions, self._window
        header = window.cache.header
        for trigger in (acts["verify"].triggered, header.verify.clicked):
            trigger.connect(self.verify)
        for trigger in (acts["review"].triggered, header.review.clicked):
            trigger.connect(self.review_all)
        for trigger in (acts["clean"].triggered, header.clean.clicked):
            trigger.connect(self.review_stale)
        acts["locks-only"].triggered.connect(self.review_stale_locks)
        acts["staging-only"].triggered.connect(self.review_staging)
        acts["force"].triggered.connect(self.force_unlock)
        acts["pause"].triggered.connect(self.toggle_pause)
        acts["stop"].triggered.connect(self.stop)
        for trigger in (acts["undo"].triggered, acts["undo-last"].triggered):
            trigger.connect(self.undo_last)
        window.strip.pause_wanted.connect(self.pause)
        window.strip.stop_wanted.connect(self.stop)
        window.messages.action_wanted.connect(self.undo)
        window.cache.evidence.wanted.connect(self.take_offer)

    def _wire_views(self) -> None:
        acts, window = self._actions, self._window
        for page, name in enumerate(("problems", "contents", "locks", "staging", "history")):
            acts[name].triggered.connect(partial(self._go_to, page))
        for view in window.cache.views():
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            view.addActions([acts["copy"], acts["verify"], acts["review"]])
        for view in (window.cache.locks.view, window.cache.problems.view):
            view.insertActions(acts["verify"], [acts["copy-id"]])
            view.addAction(acts["force"])
        acts["map"].setCheckable(True)
        acts["map"].setChecked(True)
        acts["map"].toggled.connect(window.cache.contents.show_map)
        acts["keys"].triggered.connect(self.show_keys)
        acts["stale"].triggered.connect(self.explain_stale)
        acts["about"].triggered.connect(self.show_about)
        acts.choices[self._store.theme()].setChecked(True)
        for choice, action in acts.choices.items():
            action.triggered.connect(partial(self.choose_theme, choice))
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.follow_system)

    @Slot()
    def ask_for_cache(self) -> None:
        self._show_open_dialog(None)

    @Slot()
    def ask_for_places(self) -> None:
        """Open the same cache with other projects and copies."""
        session = self._sessions.current
        if session is not None:
            self._show_open_dialog(session.as_recent())

    def _show_open_dialog(self, start: Recent | None) -> None:
        dialog = OpenCache(self.formats, start, self._window)

        def finished(code: int) -> None:
            if code == QDialog.DialogCode.Accepted:
                self._window.open_anew(dialog.picked)
            dialog.deleteLater()

        dialog.finished.connect(finished)
        dialog.open()

    @Slot()
    def verify(self) -> None:
        if self._sessions.current is not None:
            self._sessions.current.check()

    @Slot()
    def toggle_pause(self) -> None:
        if self._sessions.current is not None:
            self.pause(not self._sessions.current.state.paused)

    @Slot(bool)
    def pause(self, wanted: bool) -> None:
        session = self._sessions.current
        if session is None:
            return
        if wanted:
            session.pause()
        else:
            session.resume()

    @Slot()
    def stop(self) -> None:
        if self._sessions.current is not None:
            self._sessions.current.stop()

    @Slot()
    def review_all(self) -> None:
        if self._sessions.current is not None:
            self._repairs.review(self._sessions.current)

    @Slot()
    def review_stale(self) -> None:
        if self._sessions.current is not None:
            self._repairs.review(self._sessions.current, stale_only=True)

    @Slot()
    def review_staging(self) -> None:
        if self._sessions.current is not None:
            self._repairs.review(
                self._sessions.current, stale_only=True, only={StepKind.QUARANTINE_STAGING}
            )

    @Slot()
    def review_stale_locks(self) -> None:
        if self._sessions.current is not None:
            self._repairs.review(self._sessions.current, stale_only=True, only=wording.LOCK_STEPS)

    @Slot()
    def force_unlock(self) -> None:
        """Ask for the lock that is selected to be released."""
        session, lock = self._sessions.current, self._window.cache.selected_lock()
        if session is not None and lock is not None:
            self._unlocks.begin(session, lock)

    @Slot(object)
    def take_offer(self, offer: Offer) -> None:
        """A button of the evidence pane: preview its plan, or undo."""
        session = self._sessions.current
        if session is None:
            return
        if offer.undo:
            self.undo(offer.undo)
        elif offer.unlock is not None:
            lock = session.state.lock_at(*offer.unlock)
            if lock is not None:
                self._unlocks.begin(session, lock)
        else:
            only = None if offer.only is None else {offer.only}
            self._repairs.review(session, findings=offer.findings, only=only)

    @Slot()
    def undo_last(self) -> None:
        last = self._window.undoable()
        if last is not None:
            self.undo(last.id)

    @Slot(str)
    def undo(self, operation: str) -> None:
        if self._sessions.current is not None:
            self._repairs.undo(self._sessions.current, operation)

    def _go_to(self, page: int, _checked: bool = False) -> None:
        self._window.cache.go_to(page)

    @Slot()
    def copy_path(self) -> None:
        """Copy the selected path: as it is, or as a shell reads it where it is not plain."""
        path = self._window.cache.selected_path()
        if path:
            plain = is_text(path) and display(path).encode() == path
            QGuiApplication.clipboard().setText(display(path) if plain else quoted(path))

    @Slot()
    def copy_lock_id(self) -> None:
        """Copy what ``unlock`` wants typed, made safe to be pasted."""
        lock = self._window.cache.selected_lock()
        if lock is not None:
            QGuiApplication.clipboard().setText(display(lock.id))

    @Slot()
    def show_keys(self) -> None:
        Shortcuts(keys(), self._window).open()

    @Slot()
    def explain_stale(self) -> None:
        HelpText("What is a stale lock?", STALE_LOCK, self._window).open()

    @Slot()
    def show_about(self) -> None:
        try:
            number = version("cachewright")
        except PackageNotFoundError:
            number = "unknown"
        About(number, self._window).open()

    def choose_theme(self, choice: theme.Choice, _checked: bool = False) -> None:
        self._store.set_theme(choice)
        self._actions.choices[choice].setChecked(True)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, choice)

    @Slot()
    def follow_system(self) -> None:
        """The desktop turned light or dark."""
        if self._store.theme() is theme.Choice.SYSTEM:
            self.choose_theme(theme.Choice.SYSTEM)
