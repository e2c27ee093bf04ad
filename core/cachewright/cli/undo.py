"""``cachewright undo [ID]``: put back what a repair moved."""

from __future__ import annotations

import click

from cachewright.cli import exit_code, output, session
from cachewright.cli.options import as_json


@click.command()
@click.argument("operation", metavar="[ID]", required=False)
@as_json
def undo(operation: str | None, as_json: bool) -> int:
    """Undo the repair with this ID, or the last one that can be undone.

    The ID stands in the answer of `repair` and in `journal`. A place that was filled again
    meanwhile is left alone, and the kept copy stays in quarantine.
    """
    from cachewright import workbench

    session.end_interrupted()
    outcome = workbench.undo(operation)
    if as_json:
        from cachewright.report import document

        output.emit(document.outcome([outcome]))
    else:
        from cachewright.cli import wording

        output.say(wording.outcomes([outcome]))
    return exit_code.of_outcomes([outcome])
