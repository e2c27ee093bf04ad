"""The verbs, their files and their summaries; a verb's file is imported only when it runs."""

from __future__ import annotations

import importlib
from typing import Final

import click

VERBS: Final[dict[str, tuple[str, str]]] = {
    "discover": ("cachewright.cli.discover:discover", "Find caches on this computer."),
    "check": ("cachewright.cli.check:check", "Look at a cache and explain what is wrong in it."),
    "locks": ("cachewright.cli.locks:locks", "Show every lock of a cache and who holds it."),
    "unlock": ("cachewright.cli.unlock:unlock", "Release one lock, by its ID."),
    "plan": ("cachewright.cli.plan:plan", "Write down the repairs that the findings allow."),
    "repair": ("cachewright.cli.repair:repair", "Run a plan; a dry run unless --apply is given."),
    "publish": ("cachewright.cli.publish:publish", "Replace one entry by a good copy, atomically."),
    "baseline": (
        "cachewright.cli.baseline:baseline",
        "Record what a cache holds, to be compared with later.",
    ),
    "quarantine": (
        "cachewright.cli.quarantine:quarantine",
        "List, put back or delete what is kept.",
    ),
    "undo": ("cachewright.cli.undo:undo", "Put back what a repair moved."),
    "recover": (
        "cachewright.cli.recover:recover",
        "Finish or take back what was interrupted.",
    ),
    "journal": ("cachewright.cli.journal:journal", "Show what was repaired here."),
    "demo": ("cachewright.cli.demo:demo", "Try it on a made-up cache with every kind of trouble."),
}

WINDOW: Final = "open"
"""The verb behind ``cachewright`` and ``cachewright PATH``; hidden, but it may be spelled."""

_HIDDEN: Final = {WINDOW: "cachewright.cli.window:open_window"}

_OWN_OPTIONS: Final = frozenset({"--help", "-h", "--version"})


class Verbs(click.Group):
    """Loads verbs lazily; anything that is no verb is for the window."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        place = _HIDDEN.get(cmd_name) or VERBS.get(cmd_name, ("", ""))[0]
        if not place:
            return None
        module, _, name = place.partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(place)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's summaries, so that help imports no verb."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = args and (args[0] in VERBS or args[0] in _HIDDEN or args[0] in _OWN_OPTIONS)
        return super().parse_args(ctx, args if known else [WINDOW, *args])
