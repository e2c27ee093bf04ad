"""``cachewright unlock ROOT LOCK_ID``: release one lock, by its ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cachewright.cli import asking, exit_code, output, session
from cachewright.cli.options import Look, as_json, cache
from cachewright.errors import NotConfirmed

if TYPE_CHECKING:
    from cachewright.model import LockReport, Outcome
    from cachewright.workbench import Bench


@click.command()
@cache
@click.argument("lock_id")
@click.option(
    "--confirm", metavar="LOCK_ID", help="The ID once more; without it you are asked to type it."
)
@click.option(
    "--without-condition",
    is_flag=True,
    help="Also where the store is not known to compare before it deletes.",
)
@as_json
def unlock(
    *, look: Look, lock_id: str, confirm: str | None, without_condition: bool, as_json: bool
) -> int:
    """Release the lock LOCK_ID of ROOT, though its owner is not proven gone.

    The evidence is shown first. A lock that a process holds is never released: end the process.
    What is taken away is kept and can be put back with undo. A record in a store is deleted
    only if it is still the one that was shown; --without-condition is for stores that cannot
    compare, when nobody else is at work. Exit code 4: refused.
    """
    from cachewright.workbench import chosen_lock

    with session.opened(look) as bench:
        lock = chosen_lock(bench.root, bench.locks(decide=True), lock_id)
        outcomes, stopped = _release(bench, lock, confirm, without_condition=without_condition)
    if as_json:
        from cachewright.report import document

        output.emit(document.outcome(outcomes))
    else:
        from cachewright.cli import wording

        output.say(wording.outcomes(outcomes))
    return exit_code.of_outcomes(outcomes, stopped=stopped)


def _release(
    bench: Bench, lock: LockReport, confirm: str | None, *, without_condition: bool
) -> tuple[tuple[Outcome, ...], bool]:
    """What became of it, and whether somebody stopped it."""
    from cachewright.workbench import unconditionally

    made = bench.unlocking(lock)
    step = made.steps[0]
    answer = confirm if confirm is not None else _asked(lock, step.wanted)
    confirmations = {step.id: answer}
    if without_condition:
        confirmations[unconditionally(step)] = answer
    with session.watched() as (watcher, token):
        ended = bench.repair(
            made, apply=True, confirmations=confirmations, watcher=watcher, cancel=token
        )
    return ended, token.cancelled


def _asked(lock: LockReport, wanted: str) -> str:
    """What is typed on a terminal after the evidence was shown; a script is never asked."""
    from cachewright.cli import wording

    if not output.asks():
        raise NotConfirmed(path=lock.path, subject=wanted)
    for line in wording.lock_evidence(lock):
        output.tell(line)
    return asking.typed(wanted, "Whoever holds this lock may go on writing after it is released.")
