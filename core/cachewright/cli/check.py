"""``cachewright check ROOT``: scan, locks, staging, verify, findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cachewright.cli import exit_code, output, session
from cachewright.cli.options import Look, as_json, cache
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import CheckResult


@click.command()
@cache
@click.option("--no-verify", is_flag=True, help="Hash nothing: look at names, locks and staging.")
@click.option("--full", is_flag=True, help="Hash every file; it is what happens without it too.")
@click.option("--findings-only", is_flag=True, help="Leave entries that are fine out of --json.")
@as_json
def check(*, look: Look, no_verify: bool, full: bool, findings_only: bool, as_json: bool) -> int:
    """Look at the cache ROOT and explain what is wrong in it.

    Nothing is changed. Exit code 1 means that a problem was found, 3 that none was found in
    what could be looked at, but not everything could.
    """
    if full and no_verify:
        raise click.UsageError("--full and --no-verify exclude each other.")
    with session.opened(look, verify=not no_verify) as bench:
        result = session.checked(bench)
        notes = _beyond(bench.notes(), result)
    if as_json:
        from cachewright.report import document

        output.emit(document.check(result, findings_only=findings_only, notes=notes))
    else:
        from cachewright.cli import wording

        output.say([*wording.check(result, look), *wording.notes(notes)])
    return exit_code.of_check(result)


def _beyond(notes: Iterable[str], result: CheckResult) -> list[str]:
    """Those that do not speak of what could not be read: findings tell of that."""
    unread = [display(gap.path) for gap in result.gaps]
    return [one for one in notes if not any(path in one for path in unread)]
