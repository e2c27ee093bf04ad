"""``cachewright repair ROOT``: run a plan, or first make one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cachewright.cli import asking, exit_code, output, session
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.options import Look, as_json, cache, place, yes
from cachewright.cli.plan import Wish, wished
from cachewright.errors import PlanInvalid
from cachewright.model import Outcome, Plan, Result, StepKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.workbench import Bench


@click.command()
@cache
@wished
@click.option("--plan", "file", type=place, metavar="FILE", help="Run this plan, made by plan -o.")
@click.option("--apply", is_flag=True, help="Do it; without this nothing is changed.")
@yes
@as_json
def repair(
    *,
    look: Look,
    wish: Wish,
    file: bytes | None,
    apply: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Repair the cache ROOT: a dry run, unless --apply is given.

    Without --plan the cache is checked first. Everything that is moved goes to quarantine, and
    every step can be undone. On a terminal you are asked first; in a script --apply is the
    consent, and steps that must be confirmed by typing are refused. Exit code 4: a step was
    refused, 5: one failed and was rolled back.
    """
    if file is not None and wish.said:
        raise click.UsageError("--plan says what to do; --only, --finding and --stale do too.")
    with session.opened(look) as bench:
        if apply:
            session.end_interrupted(bench.root)
        looked = ExitCode.FINE
        if file is None:
            result = session.checked(bench)
            made = wish.plan(bench, result)
            looked = exit_code.of_look(result)
        else:
            made = _loaded(file, bench.root)
        outcomes, stopped = _applied(bench, made, yes=yes) if apply else (_run(bench, made), False)
    _tell(made, outcomes, apply=apply, as_json=as_json)
    return exit_code.of_outcomes(outcomes, stopped=stopped) or looked


def _loaded(file: bytes, root: bytes) -> Plan:
    from cachewright.repair import plan_file

    made = plan_file.load(file)
    if made.root != root:
        raise PlanInvalid(path=file, reason=f"it was made for {display(made.root)}")
    return made


def _run(bench: Bench, made: Plan) -> tuple[Outcome, ...]:
    with session.watched() as (watcher, token):
        return bench.repair(made, apply=False, watcher=watcher, cancel=token)


def _applied(bench: Bench, made: Plan, *, yes: bool) -> tuple[tuple[Outcome, ...], bool]:
    """What became of the steps, and whether somebody stopped before the last of those that were
    agreed to."""
    from cachewright.cli import wording

    if output.asks() and made.steps:
        for line in wording.plan(made):
            output.tell(line)
    agreed = asking.consent(made.steps, yes=yes)
    done: tuple[Outcome, ...] = ()
    stopped = False
    if agreed.steps:
        with session.watched() as (watcher, token):
            done = bench.repair(
                replace(made, steps=agreed.steps),
                apply=True,
                confirmations=agreed.typed,
                watcher=watcher,
                cancel=token,
            )
        stopped = token.cancelled and any(one.result is Result.SKIPPED for one in done)
    left_out = (_left_out(one.step, one.path, one.subject) for one in agreed.left_out)
    return (*done, *left_out), stopped


def _left_out(step: StepKind, path: bytes, subject: str) -> Outcome:
    return Outcome(step, path, Result.SKIPPED, "left out as you chose", subject=subject)


def _tell(made: Plan, outcomes: Sequence[Outcome], *, apply: bool, as_json: bool) -> None:
    if as_json:
        from cachewright.report import document

        output.emit(document.outcome(outcomes))
        return
    from cachewright.cli import wording

    if apply:
        output.say(wording.outcomes(outcomes))
        return
    output.say(wording.plan(made))
    if made.steps:
        output.say(["", "This was a dry run: nothing was changed. Add --apply to do it."])
