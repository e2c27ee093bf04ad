"""``cachewright publish ROOT ENTRY --from SOURCE``: replace an entry by a good copy."""

from __future__ import annotations

import click

from cachewright.cli import asking, exit_code, output, session
from cachewright.cli.options import Look, as_json, cache, place, yes
from cachewright.text import display


@click.command()
@cache
@click.argument("entry")
@click.option(
    "--from",
    "source",
    type=place,
    metavar="SOURCE",
    help="The directory or archive (zip, tar, tar.gz, tar.bz2, tar.xz) to publish; else the "
    "first good copy that is known.",
)
@yes
@as_json
def publish(*, look: Look, entry: str, source: bytes | None, yes: bool, as_json: bool) -> int:
    """Re-publish ENTRY of the cache ROOT in one atomic step.

    The copy is hashed while it is written and must match what is recorded for the entry, or
    nothing is changed. Readers see the whole old or the whole new entry; the old one goes to
    quarantine.
    """
    origin = display(source) if source is not None else "the first good copy that is known"
    if not asking.agrees(f"Replace {display(entry)} by {origin}?", yes=yes):
        output.tell("Nothing was changed.")
        raise click.Abort
    with session.opened(look) as bench, session.watched() as (_, token):
        session.end_interrupted(bench.root)
        outcome = bench.publish(entry, source, cancel=token)
    if as_json:
        from cachewright.report import document

        output.emit(document.outcome([outcome]))
    else:
        from cachewright.cli import wording

        output.say(wording.outcomes([outcome]))
    return exit_code.of_outcomes([outcome], stopped=token.cancelled)
