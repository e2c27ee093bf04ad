"""``cachewright quarantine list | restore | purge``: what repairs moved away."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cachewright.cli import asking, exit_code, output
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.options import as_json, duration, place, yes
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import Outcome


@click.group()
def quarantine() -> None:
    """List, put back or delete what repairs moved to quarantine."""


@quarantine.command("list")
@click.argument("root", type=place, required=False)
@as_json
def list_kept(root: bytes | None, as_json: bool) -> int:
    """List what is kept, of the cache ROOT or of every cache that was repaired here."""
    from cachewright import workbench

    kept = workbench.quarantine_list(_resolved(root))
    if as_json:
        from cachewright.report import records

        output.emit(records.quarantine(kept))
    elif not kept:
        output.say(["Nothing is kept in quarantine."])
    else:
        from cachewright.cli import wording

        rows = [
            (
                one.id,
                wording.when(one.at_ns),
                wording.size(one.size),
                one.step.value,
                display(one.original),
            )
            for one in kept
        ]
        output.say(output.table(("ID", "KEPT SINCE", "SIZE", "STEP", "WAS AT"), rows))
    return ExitCode.FINE


@quarantine.command()
@click.argument("kept_id", metavar="ID")
@as_json
def restore(kept_id: str, as_json: bool) -> int:
    """Put a kept thing back where it was, as long as that place is free."""
    from cachewright import workbench

    return _end([workbench.undo(kept_id)], as_json=as_json)


@quarantine.command()
@click.argument("root", type=place, required=False)
@click.option(
    "--older-than",
    "older_than_s",
    type=duration,
    default="7d",
    show_default=True,
    metavar="TIME",
    help="Delete only what was kept longer than this.",
)
@yes
@as_json
def purge(root: bytes | None, older_than_s: float, yes: bool, as_json: bool) -> int:
    """Delete kept things for good; this cannot be undone.

    On a terminal you are asked, and where --older-than is shorter than the grace of 7 days you
    must type the word: --yes does not answer that.
    """
    from cachewright import workbench

    if not agreed(older_than_s, yes=yes):
        output.tell("Nothing was deleted.")
        raise click.Abort
    return _end(workbench.quarantine_purge(older_than_s, _resolved(root)), as_json=as_json)


def _resolved(root: bytes | None) -> bytes | None:
    """As the journal has it: the cache's own place, whatever links lead there."""
    return None if root is None else os.path.realpath(root)


def agreed(older_than_s: float, *, yes: bool) -> bool:
    """Whether things kept longer than that may be deleted for good."""
    from cachewright.repair.keeping import GRACE_S

    if older_than_s >= GRACE_S:
        return asking.agrees("Delete what was kept longer than that, for good?", yes=yes)
    if not output.asks():
        return True
    why = "Things are kept for 7 days so that repairs can be undone; you ask for less."
    return asking.typed("purge", why) == "purge"


def _end(outcomes: Sequence[Outcome], *, as_json: bool) -> int:
    if as_json:
        from cachewright.report import document

        output.emit(document.outcome(outcomes))
    elif not outcomes:
        output.say(["There was nothing to delete."])
    else:
        from cachewright.cli import wording

        output.say(wording.outcomes(outcomes))
    return exit_code.of_outcomes(outcomes)
