"""``cachewright`` and ``cachewright PATH``: the window, found by its entry point."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import click

from cachewright.cli import access as access_options
from cachewright.cli import directories as directory_options
from cachewright.cli import output
from cachewright.cli.display_server import reason_against
from cachewright.cli.exit_code import ExitCode
from cachewright.cli.interrupt import ending_at_once
from cachewright.cli.options import patience, place, places, root_place, timeout
from cachewright.cli.verbs import VERBS
from cachewright.errors import RootMissing, RootNotADirectory, RunsAsRoot
from cachewright.model import Access, Directories
from cachewright.text import display, is_address

if TYPE_CHECKING:
    from cachewright.workbench import Options

GROUP: Final = "cachewright.window"


@click.command(hidden=True)
@click.argument("root", type=root_place, required=False)
@click.option("--format", "format_name", metavar="NAME", help="The kind of cache.")
@places
@patience
@directory_options.directories(place)
@access_options.access(timeout)
@click.option(
    "--as-root",
    is_flag=True,
    envvar="CACHEWRIGHT_AS_ROOT",
    help="Let the window run as root.",
)
def open_window(
    *,
    root: bytes | None,
    format_name: str | None,
    projects: tuple[bytes, ...],
    sources: tuple[bytes, ...],
    floor_s: float,
    observe_s: float,
    settle_s: float,
    stores: tuple[tuple[str, bytes], ...],
    staging: bytes | None,
    image_cache: bytes | None,
    as_root: bool,
    **access: Any,
) -> int:
    """Open the window, on the cache ROOT if one is given."""
    from cachewright.workbench import Options

    if os.geteuid() == 0 and not as_root and not reason_against(os.environ):
        raise RunsAsRoot
    secret = ""
    if root is not None:
        if not is_address(root):
            _must_be_there(root, format_name)
        root, secret = directory_options.apart(root)
    options = Options(
        projects=projects,
        sources=sources,
        floor_s=floor_s,
        observe_s=observe_s,
        settle_s=settle_s,
        access=Access(**access),
        directories=Directories(stores, staging, image_cache, secret),
    )
    return run(root, options, format_name)


def _must_be_there(root: bytes, format_name: str | None) -> None:
    """A directory, or a file that some format opens."""
    if os.path.isdir(root):
        return
    if os.path.lexists(root):
        from cachewright.workbench import is_spread

        if is_spread(root, format_name):
            return
        raise RootNotADirectory(path=root)
    name = os.path.basename(root)
    if name.isalpha() and os.path.dirname(root) == os.getcwdb():
        verbs = ", ".join(VERBS)
        raise click.UsageError(f"{display(name)} is neither a verb nor a path. Verbs: {verbs}.")
    raise RootMissing(path=root)


def _nothing() -> None:
    """There is nothing to tidy up."""


def run(
    root: bytes | None,
    options: Options,
    format_name: str | None = None,
    tidy: Callable[[], None] = _nothing,
) -> int:
    """Open the window and wait until it is closed; says in one line why it cannot be opened.

    Without ``format_name`` the cache's kind is found out.
    ``tidy`` is called where a signal ends the process before that.
    """
    reason = reason_against(os.environ) or _without_window()
    if reason:
        output.tell(f"{reason} The verbs work without one: {', '.join(VERBS)}.")
        return ExitCode.INCOMPLETE
    for window in metadata.entry_points(group=GROUP):
        try:
            runner = window.load()
        except ImportError as error:
            output.tell(
                f"The window cannot be opened: {display(str(error))}. "
                f"The verbs work without it: {', '.join(VERBS)}."
            )
            return ExitCode.INCOMPLETE
        with ending_at_once(tidy):
            return int(runner(root, options, format_name))
    return ExitCode.INCOMPLETE


def _without_window() -> str:
    return "" if metadata.entry_points(group=GROUP) else "The window is not installed."
