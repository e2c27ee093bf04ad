"""``cachewright recover``: end what a crash interrupted."""

from __future__ import annotations

import click

from cachewright.cli import exit_code, output
from cachewright.cli.options import as_json


@click.command()
@as_json
def recover(*, as_json: bool) -> int:
    """Finish or take back every repair, undo and purge that was interrupted.

    What had reached its place whole is finished; everything else is taken back. What is in use
    now is left for the next time (exit code 4). Running it again does no harm. Repairs and undos
    do this for their own cache before they begin.
    """
    from cachewright import workbench

    outcomes = workbench.recover()
    if as_json:
        from cachewright.report import document

        output.emit(document.outcome(outcomes))
    elif not outcomes:
        output.say(["Nothing was interrupted."])
    else:
        from cachewright.cli import wording

        output.say(wording.outcomes(outcomes))
    return exit_code.of_outcomes(outcomes)
