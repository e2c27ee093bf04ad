"""``cachewright journal [--verify]``: what was repaired here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cachewright.cli import output
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.options import as_json
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.workbench import HistoryItem


@click.command()
@click.option("--verify", is_flag=True, help="Check the hash of every record.")
@as_json
def journal(verify: bool, as_json: bool) -> int:
    """Show the repairs that were made here, the newest first."""
    from cachewright import workbench

    verified = workbench.verify_journal() if verify else None
    items = workbench.history()
    if as_json:
        from cachewright.report import records

        output.emit(records.journal(items, verified))
        return ExitCode.FINE
    output.say(_lines(items))
    if verified is not None:
        from cachewright.cli import wording

        records_words = wording.counted(verified, "record", "records")
        output.say([f"The journal is whole: {records_words}, every hash fits."])
    return ExitCode.FINE


def _lines(items: Sequence[HistoryItem]) -> list[str]:
    from cachewright.cli import wording

    if not items:
        return ["Nothing was repaired here yet."]
    rows = [
        (
            one.id,
            wording.when(one.at_ns),
            one.action,
            one.step.value,
            f"{one.result} (undone)" if one.undone else str(one.result),
            display(one.path),
        )
        for one in items
    ]
    return output.table(("ID", "WHEN", "ACTION", "STEP", "RESULT", "PATH"), rows)
