"""From one lock to its release by force: plan, dialog, act, say what became of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtWidgets import QDialog, QWidget

from cachewright.errors import Refused
from cachewright.model import LockReport, Outcome, Plan, Result
from cachewright.text import display
from cachewright_gui import lock_story
from cachewright_gui.commandline import unlock_command
from cachewright_gui.dialogs.force_unlock import CannotUnlock, ForceUnlock
from cachewright_gui.failures import failure
from cachewright_gui.session import Session
from cachewright_gui.widgets.message_bar import MessageBar

_UNCONDITIONAL: Final = (
    "This store is not known to compare before it deletes. Cachewright reads the lock once more "
    "and deletes it right after; a lock that somebody takes in between is deleted instead. Go on "
    "only if nobody else is at work."
)


class UnlockFlow:
    """Belongs to a window; one dialog at a time, of the session that was in front."""

    def __init__(
        self, parent: QWidget, messages: MessageBar, history_changed: Callable[[], None]
    ) -> None:
        self._parent = parent
        self._messages = messages
        self._history_changed = history_changed
        self._session: Session | None = None
        self.dialog: ForceUnlock | None = None
        self.refusal: CannotUnlock | None = None

    @property
    def watching(self) -> Session | None:
        """Whose locks must be looked at while the dialog is open."""
        return self._session if self.dialog is not None else None

    def begin(self, session: Session, lock: LockReport) -> None:
        """Show what is known of the lock, and how it is released or why it is not."""
        if self.dialog is None and self.refusal is None:
            shown = partial(self._show, session, lock)
            session.unlocking(lock, shown, partial(self._refused, lock))

    def follow(self, session: Session) -> None:
        """Something changed in a session: the lock of the open dialog may be another now."""
        if self.dialog is None or session is not self._session:
            return
        shown, state = self.dialog.lock, session.state
        now = state.lock_at(shown.path, shown.id) or state.lock_at(shown.path)
        self.dialog.watch(now, busy=state.busy)

    def _refused(self, lock: LockReport, error: BaseException) -> None:
        if not isinstance(error, Refused):
            self._messages.show_failure(failure(error))
            return
        why = lock_story.why_none(lock)
        self.refusal = CannotUnlock(lock, why, self._parent)
        self.refusal.finished.connect(self._refusal_closed)
        self.refusal.open()

    def _refusal_closed(self, _code: int) -> None:
        if self.refusal is not None:
            self.refusal.deleteLater()
            self.refusal = None

    def _show(self, session: Session, lock: LockReport, plan: Plan, wants: str = "") -> None:
        """``wants`` is what the store's own ways ask to be confirmed besides."""
        if self.dialog is not None:
            return
        command = partial(unlock_command, session, lock, unconditional=bool(wants))
        warning = _UNCONDITIONAL if wants else ""
        dialog = ForceUnlock(lock, plan.steps[0], command, warning=warning, parent=self._parent)
        self.dialog, self._session = dialog, session
        dialog.finished.connect(partial(self._finished, session, dialog, plan, wants))
        dialog.open()
        self.follow(session)
        session.poll_locks()

    def _finished(
        self, session: Session, dialog: ForceUnlock, plan: Plan, wants: str, code: int
    ) -> None:
        self.dialog = None
        dialog.deleteLater()
        if code != QDialog.DialogCode.Accepted:
            return
        keys = [dialog.step.id, wants] if wants else [dialog.step.id]
        typed = dict.fromkeys(keys, dialog.step.wanted)
        session.repair(plan, typed, partial(self._ended, session, dialog.lock, plan))

    def _ended(
        self, session: Session, lock: LockReport, plan: Plan, outcomes: tuple[Outcome, ...]
    ) -> None:
        outcome = outcomes[0]
        done = outcome.result is Result.DONE
        if outcome.wants and not done:
            self._show(session, lock, plan, outcome.wants)
            return
        head = "Unlocked" if done else "Not unlocked"
        reason = f" {display(outcome.reason)}" if outcome.reason else ""
        self._messages.show_outcome(
            f"{head}: {display(lock.subject)}.{reason}",
            good=done,
            action=("Undo", outcome.undo) if done and outcome.undo else None,
        )
        self._history_changed()
