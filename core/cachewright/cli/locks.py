"""``cachewright locks ROOT``: every lock and who holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from cachewright.cli import output, session
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.interrupt import cancellable
from cachewright.cli.options import Look, as_json, cache
from cachewright.errors import Cancelled

if TYPE_CHECKING:
    from cachewright.model import LockReport
    from cachewright.workbench import Bench

_AGAIN_S: Final = 1.0


@click.command()
@cache
@click.option("--watch", is_flag=True, help="Look again each second and tell what changed.")
@as_json
def locks(look: Look, watch: bool, as_json: bool) -> int:
    """Show every lock of the cache ROOT, and the processes that hold it.

    Looking takes no lock and disturbs nobody. Exit code 3: not everything could be read.
    """
    if watch and as_json:
        raise click.UsageError("--watch prints again and again, --json one object: choose one.")
    with session.opened(look) as bench:
        found = bench.locks()
        if as_json:
            from cachewright.report import document

            output.emit(document.locks(look.root, found, bench.notes()))
            return _code(bench)
        from cachewright.cli import lock_words, wording

        output.say([*lock_words.locks(found), *wording.notes(bench.notes())])
        if watch:
            _watch(bench, found)
        return _code(bench)


def _code(bench: Bench) -> ExitCode:
    """Exit code 3 where a lock, or what may be one, could not be read."""
    return ExitCode.INCOMPLETE if bench.unread() else ExitCode.FINE


def _watch(bench: Bench, found: Sequence[LockReport]) -> None:
    from cachewright.cli import lock_words

    told = lock_words.locks(found)
    with cancellable() as token:
        try:
            while True:
                token.wait(_AGAIN_S)
                now = lock_words.locks(bench.locks())
                if now != told:
                    told = now
                    clock = datetime.now().astimezone().strftime("%H:%M:%S")
                    output.say(["", clock, *told])
        except Cancelled:
            return
