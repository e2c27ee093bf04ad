"""``cachewright baseline ROOT``: record what a cache holds, to be compared with later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from cachewright.cli import output, session
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.options import Look, as_json, cache
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.workbench import Baseline, Workbench

_NAMED_AT_MOST: Final = 20


@click.command()
@cache
@click.option("--replace", "anew", is_flag=True, help="Put it in the place of a former one.")
@as_json
def baseline(*, look: Look, anew: bool, as_json: bool) -> int:
    """Record the SHA-256 of every file of the entries of the cache ROOT.

    For caches that record no digests of their own. Later checks say which entries differ from
    the baseline and since when; that is no proof of damage, and such an entry's verdict stays as
    it is. Entries that are broken or being written are left out, and named: exit code 3.

    The cache is only read. The baseline lies in your own state directory, one for each cache.
    """
    from cachewright.baseline import document
    from cachewright.workbench import Workbench

    with session.opened(look) as bench:
        if not isinstance(bench, Workbench):
            raise click.UsageError("A baseline is taken of a directory.")
        anew = anew or _agreed(bench)
        with session.watched() as (watcher, token):
            taken = bench.baseline(anew=anew, watcher=watcher, cancel=token)
    if as_json:
        output.emit(document(taken))
    else:
        output.say(_words(taken))
    return ExitCode.INCOMPLETE if taken.left_out else ExitCode.FINE


def _agreed(bench: Workbench) -> bool:
    """Whether somebody at a terminal wants the former one replaced; a script is not asked."""
    from cachewright.workbench import Baselines

    known = Baselines()
    former = known.of(bench.root) if output.asks() else None
    if former is None:
        return False
    if not click.confirm(f"Replace the baseline of {former.date}?", default=False, err=True):
        known.refuse_second(bench.root)
    return True


def _words(taken: Baseline) -> Iterator[str]:
    from cachewright.cli import wording

    entries = wording.counted(len(taken.entries), "entry", "entries")
    files = wording.counted(taken.files, "file", "files")
    yield f"{display(taken.root)}: the baseline of {taken.date}"
    yield f"{entries} recorded, {files}, {wording.size(taken.bytes)}."
    if not taken.left_out:
        return
    yield f"{wording.counted(len(taken.left_out), 'entry', 'entries')} left out:"
    for one in taken.left_out[:_NAMED_AT_MOST]:
        yield f"  {display(one.name)}: {display(one.reason)}"
    if len(taken.left_out) > _NAMED_AT_MOST:
        yield f"  … and {len(taken.left_out) - _NAMED_AT_MOST:,} more"
