"""From a wish to a repair: plan, review, apply, say what became of it, undo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from PySide6.QtWidgets import QDialog, QWidget

from cachewright.model import Outcome, Plan, Result, StepKind
from cachewright.report.command import command
from cachewright_gui import wording
from cachewright_gui.dialogs.review_repairs import ReviewRepairs
from cachewright_gui.session import Session
from cachewright_gui.widgets.message_bar import MessageBar


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
        only: StepKind | None = None,
    ) -> None:
        """Preview the plan for this wish; nothing is done yet."""
        session.plan(
            partial(self._show, session),
            stale_only=stale_only,
            findings=findings,
            only=None if only is None else {only},
        )

    def undo(self, session: Session, operation: str) -> None:
        """Put one repair back."""
        session.undo(operation, self._undone)

    def _show(self, session: Session, plan: Plan) -> None:
        if self.dialog is not None:
            return
        if not plan.steps:
            self._messages.show_outcome("There is nothing to repair now.", good=True, action=None)
            return
        dialog = ReviewRepairs(plan, partial(as_command, session), self._parent)
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
        )
        self._history_changed()

    def _undone(self, outcome: Outcome) -> None:
        good = outcome.result is Result.DONE
        words = f"Undone: {outcome.subject or 'the last repair'} is back in its place."
        text = words if good else f"Not undone: {outcome.reason}"
        self._messages.show_outcome(text, good=good, action=None)
        self._history_changed()


def summary(outcomes: Sequence[Outcome]) -> str:
    """Counts of what was done, and why anything else was not."""
    parts = []
    for result in Result:
        count = sum(one.result is result for one in outcomes)
        if count:
            parts.append(f"{count} {wording.RESULT_WORD[result].lower()}")
    reasons = [
        f"{one.subject or wording.shown_step(one.step)}: {one.reason}"
        for one in outcomes
        if one.result is not Result.DONE and one.reason
    ]
    if all(one.result is Result.DONE for one in outcomes):
        return f"{wording.plural(len(outcomes), 'repair', 'repairs')} done."
    head = f"{wording.plural(len(outcomes), 'repair', 'repairs')}: {', '.join(parts)}."
    return "\n".join([head, *reasons])


def as_command(session: Session, plan: Plan) -> str:
    """The command that does the same from a terminal."""
    paths = {step.path for step in plan.steps}
    steps = {step.step for step in plan.steps}
    arguments: list[bytes | str] = ["repair", plan.root]
    for finding in session.state.findings:
        offered = {offer.step for offer in finding.repairs}
        if finding.path in paths and offered & steps:
            arguments += ["--finding", finding.id]
    for step in sorted(steps):
        arguments += ["--only", step.value]
    for project in session.options.projects:
        arguments += ["--project", project]
    for source in session.options.sources:
        arguments += ["--source", source]
    if session.asked_format:
        arguments += ["--format", session.asked_format]
    return command([*arguments, "--apply"])
