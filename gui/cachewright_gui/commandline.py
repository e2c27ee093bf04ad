"""The same as a command: what a person would type to do in a terminal what a dialog offers."""

from __future__ import annotations

from cachewright.model import LockReport, Plan
from cachewright.report.command import command, naming, reaching
from cachewright.text import display
from cachewright_gui.session import Session


def repair_command(session: Session, plan: Plan) -> str:
    """The command that runs the steps of this plan."""
    paths = {step.path for step in plan.steps}
    steps = {step.step for step in plan.steps}
    arguments: list[bytes | str] = ["repair", plan.root]
    for finding in session.state.findings:
        offered = {offer.step for offer in finding.repairs}
        if finding.path in paths and offered & steps:
            arguments += ["--finding", finding.id]
    for step in sorted(steps):
        arguments += ["--only", step.value]
    return command([*arguments, *_looked_by(session), "--apply"])


def unlock_command(session: Session, lock: LockReport, *, unconditional: bool = False) -> str:
    """The command that releases this lock; it asks for the ID again."""
    named = lock.id
    if sum(one.id == lock.id for one in session.state.locks) > 1:
        named = display(lock.path)
    arguments: list[bytes | str] = ["unlock", session.state.root, *_looked_by(session)]
    if unconditional:
        arguments.append("--without-condition")
    ending = ["--", named] if named.startswith("-") else [named]
    return command([*arguments, *ending])


def _looked_by(session: Session) -> list[bytes | str]:
    """The options by which the same place is looked at in the same way."""
    named: list[bytes | str] = []
    for project in session.options.projects:
        named += ["--project", project]
    for source in session.options.sources:
        named += ["--source", source]
    if session.asked_format:
        named += ["--format", session.asked_format]
    named += naming(session.options.directories)
    return [*named, *reaching(session.options.access)]
