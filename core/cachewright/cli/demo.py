"""``cachewright demo``: a made-up cache with every kind of trouble, to look at and to repair."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import click

from cachewright.cli import exit_code, output, session
from cachewright.cli.interrupt import unwinding
from cachewright.cli.options import Look, as_json, duration
from cachewright.report.command import quoted

if TYPE_CHECKING:
    from cachewright.demo.cache import Stage

_OBSERVE_S: Final = 2.0
_SETTLE_S: Final = 0.5


@click.command()
@click.option(
    "--directory",
    metavar="DIR",
    help="Plant it in this empty directory and keep it; else it is removed at the end.",
)
@click.option("--no-window", is_flag=True, help="Print what check finds there instead.")
@click.option(
    "--time",
    "seconds",
    type=duration,
    default="1h",
    show_default=True,
    metavar="TIME",
    help="The longest that the demo's processes live.",
)
@as_json
def demo(*, directory: str | None, no_window: bool, seconds: float, as_json: bool) -> int:
    """Plant a provider cache with every kind of trouble and open the window on it.

    The cache lies in a scratch directory of its own; three real processes use it until the demo
    ends. With --no-window (or --json) what `check` finds is printed, with its exit code.
    """
    from cachewright.cli import window
    from cachewright.demo.scratch import staged

    with unwinding(), ExitStack() as scene:
        stage = scene.enter_context(staged(directory, seconds))
        # The journal of the demo's repairs, and the caches that the window remembers, go with
        # the demo.
        os.environ["CACHEWRIGHT_STATE_DIR"] = stage.state
        os.environ["XDG_CONFIG_HOME"] = os.path.join(stage.state, "config")
        look = Look(
            root=os.fsencode(stage.cache),
            format_name="terraform",
            projects=(os.fsencode(stage.projects),),
            sources=(os.fsencode(stage.mirror),),
            floor_s=0.0,
            observe_s=_OBSERVE_S,
            settle_s=_SETTLE_S,
            jobs=None,
            environment={},
        )
        if not (no_window or as_json):
            return window.run(look.root, look.options(), look.format_name, scene.close)
        with session.opened(look) as bench:
            result = session.checked(bench)
        if as_json:
            from cachewright.report import document

            output.emit(document.check(result))
        else:
            from cachewright.cli import wording

            output.say(wording.check(result, look))
            output.say(["", _afterwards(stage, kept=directory is not None)])
        return exit_code.of_check(result)


def _afterwards(stage: Stage, *, kept: bool) -> str:
    if not kept:
        return "This cache is gone now; with --directory DIR it is kept, to try the commands on."
    return (
        "The processes that used this cache have ended. To keep its repairs out of your own "
        f"journal: export CACHEWRIGHT_STATE_DIR={quoted(stage.state)}"
    )
