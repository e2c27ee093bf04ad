"""``cachewright discover``: the caches that tools on this computer would use."""

from __future__ import annotations

import os

import click

from cachewright.cli import output
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.options import as_json
from cachewright.text import display


@click.command()
@as_json
def discover(as_json: bool) -> int:
    """Find caches where their tools' own settings and defaults say they are."""
    from cachewright import discovery
    from cachewright.report import document

    found = discovery.discover(os.environ)
    if as_json:
        output.emit(document.discover(found))
    elif not found:
        output.say(["No caches were found in the places that tools use by default."])
    else:
        rows = [(one.format, one.name, display(one.root)) for one in found]
        output.say(output.table(("FORMAT", "NAME", "PATH"), rows))
    return ExitCode.FINE
