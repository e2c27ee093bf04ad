"""From a wish to a repair: plan, review, apply, say what became of it, undo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from PySide6.QtWidgets import QDialog, QWidget

from cachewright.model import Confirm, Outcome, Plan, PlanStep, Result, StepKind
from cachewright.text import display
from cachewright_gui import wording
from cachewright_gui.commandline import repair_command
from cachewright_gui.dialogs.review_repairs import ReviewRepairs
from cachewright_gui.session import Session
from cachewright_gui.widgets.message_bar import MessageBar

_REASONS_SHOWN: Final = 3


class RepairFlow:
    """Belongs to a window; talks to the session that is in front."""

    def __init__(
        self, parent: QWidget, messages: MessageBar, history_changed: Callable[[], None]
    ) -> None:
        self._parent = parent
        self._messages = messages
        self._history_changed = history_changed
        self.dialog: ReviewRepairs | None = None

    def review(
        self,
        session: Session,
        *,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
        only: Collection[StepKind] | None = None,
    ) -> None:
        """Preview the plan for this wish; nothing is done yet."""
        session.plan(
            partial(self._show, session), stale_only=stale_only, findings=findings, only=only
        )

    def undo(self, session: Session, operation: str) -> None:
        """Put one repair back."""
        session.undo(operation, self._undone)

    def recovered(self, outcomes: Sequence[Outcome]) -> None:
        """Say what became of repairs that an earlier run was interrupted in."""
        one = "1 repair of an earlier run was interrupted."
        many = f"{len(outcomes):,} repairs of earlier runs were interrupted."
        reasons = dict.fromkeys(display(outcome.reason) for outcome in outcomes)
        shown = list(reasons)[:_REASONS_SHOWN]
        self._messages.show_outcome(
            "\n".join([one if len(outcomes) == 1 else many, *shown]),
            good=all(outcome.result is Result.DONE for outcome in outcomes),
            action=None,
            detail=details(outcomes),
        )

    def _show(self, session: Session, plan: Plan) -> None:
        if self.dialog is not None:
            return
        whole = len(plan.steps)
        plan = replace(plan, steps=tuple(one for one in plan.steps if not _by_force(one)))
        left_out = _left_out(whole - len(plan.steps))
        if not plan.steps:
            words = left_out or "There is nothing to repair now."
            self._messages.show_outcome(words, good=not left_out, action=None)
            return
        command = partial(repair_command, session)
        dialog = ReviewRepairs(plan, command, left_out=left_out, parent=self._parent)
        self.dialog = dialog
        dialog.finished.connect(lambda code: self._finished(session, dialog, code))
        dialog.open()

    def _finished(self, session: Session, dialog: ReviewRepairs, code: int) -> None:
        self.dialog = None
        dialog.deleteLater()
        if code == QDialog.DialogCode.Accepted:
            session.repair(dialog.chosen, dialog.confirmations, self._applied)

    def _applied(self, outcomes: tuple[Outcome, ...]) -> None:
        done = [one for one in outcomes if one.result is Result.DONE]
        last = next((one.undo for one in reversed(done) if one.undo), None)
        self._messages.show_outcome(
            summary(outcomes),
            good=len(done) == len(outcomes),
            action=("Undo", last) if last is not None and len(done) == 1 else None,
            detail="" if len(done) == len(outcomes) else details(outcomes),
        )
        self._history_changed()

    def _undone(self, outcome: Outcome) -> None:
        good = outcome.result is Result.DONE
        words = f"Undone: {display(outcome.subject) or 'the last repair'} is back in its place."
        text = words if good else f"Not undone: {display(outcome.reason)}"
        self._messages.show_outcome(text, good=good, action=None)
        self._history_changed()


def _by_force(step: PlanStep) -> bool:
    """Whether this releases a lock that is not proven dead: only where its evidence is shown."""
    return step.step in wording.LOCK_STEPS and step.confirm is Confirm.TYPED


def _left_out(count: int) -> str:
    if not count:
        return ""
    locks = wording.plural(count, "lock is", "locks are")
    return f"{locks} not proven dead and left out here: select one and use Force unlock…"


def summary(outcomes: Sequence[Outcome]) -> str:
    """Counts of what was done, skipped and failed, and the first reasons why."""
    count = _counted(outcomes)
    if all(one.result is Result.DONE for one in outcomes):
        return f"{count} {'cleaned' if _all_locks(outcomes) else 'done'}."
    parts = []
    for result in Result:
        number = sum(one.result is result for one in outcomes)
        if number:
            parts.append(f"{number:,} {wording.RESULT_WORD[result].lower()}")
    reasons = [
        display(f"{one.subject or wording.shown_step(one.step)}: {one.reason}")
        for one in outcomes
        if one.result is not Result.DONE and one.reason
    ]
    more = len(reasons) - _REASONS_SHOWN
    rest = [f"… and {more:,} more; copy the details to read them all."] if more > 0 else []
    return "\n".join([f"{count}: {', '.join(parts)}.", *reasons[:_REASONS_SHOWN], *rest])


def details(outcomes: Sequence[Outcome]) -> str:
    """Every step on a line of its own: how it ended, what it was about, and why."""
    return "".join(
        f"{wording.RESULT_WORD[one.result]}: {wording.shown_step(one.step)}: "
        f"{display(one.subject)} ({display(one.path)}){': ' if one.reason else ''}"
        f"{display(one.reason)}\n"
        for one in outcomes
    )


def _all_locks(outcomes: Sequence[Outcome]) -> bool:
    return all(one.step in wording.LOCK_STEPS for one in outcomes)


def _counted(outcomes: Sequence[Outcome]) -> str:
    if _all_locks(outcomes):
        return wording.plural(len(outcomes), "stale lock", "stale locks")
    return wording.plural(len(outcomes), "repair", "repairs")
