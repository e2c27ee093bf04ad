"""``cachewright locks ROOT``: every lock and who holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cachewright.cli import output, session
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.options import Look, as_json, cache, duration
from cachewright.text import is_address

if TYPE_CHECKING:
    from cachewright.workbench import Bench

_EVERY_S: Final = 1.0
_EVERY_OF_STORES_S: Final = 10.0
"""Each look at a store asks a service, which may cost money."""
_SHORTEST_S: Final = 0.1


@click.command()
@cache
@click.option(
    "--watch",
    is_flag=True,
    help="Look again and again until Ctrl-C. A terminal is drawn anew each time; elsewhere all "
    "is printed again when something changed, with --json as one object on a line.",
)
@click.option(
    "--every",
    "every_s",
    type=duration,
    metavar="TIME",
    help="How often --watch looks.  [default: 1s, for a store 10s]",
)
@as_json
def locks(look: Look, watch: bool, every_s: float | None, as_json: bool) -> int:
    """Show every lock of the cache ROOT, and the processes that hold it.

    Looking takes no lock, and watching disturbs nobody. Exit code 3: not everything could be read.
    """
    every = _every(look, every_s, watch=watch)
    with session.opened(look) as bench:
        if watch:
            from cachewright.cli.lock_watch import watch as keep_looking

            keep_looking(bench, look.root, every_s=every, as_json=as_json)
        else:
            _tell(bench, look, as_json=as_json)
        return _code(bench)


def _every(look: Look, asked_s: float | None, *, watch: bool) -> float:
    if asked_s is None:
        return _EVERY_OF_STORES_S if is_address(look.root) else _EVERY_S
    if not watch:
        raise click.UsageError("--every says how often --watch looks: give both.")
    if asked_s < _SHORTEST_S:
        raise click.UsageError(f"--every is {_SHORTEST_S:g}s at the least.")
    return asked_s


def _tell(bench: Bench, look: Look, *, as_json: bool) -> None:
    found = bench.locks(decide=True)
    if as_json:
        from cachewright.report import document

        output.emit(document.locks(look.root, found, bench.notes()))
        return
    from cachewright.cli import lock_words, wording

    output.say([*lock_words.locks(found), *wording.notes(bench.notes())])


def _code(bench: Bench) -> ExitCode:
    """Exit code 3 where a lock, or what may be one, could not be read."""
    return ExitCode.INCOMPLETE if bench.unread() else ExitCode.FINE
