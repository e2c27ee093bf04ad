"""Options that name the directories of a cache which lies in several, for verbs that take ROOT."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from cachewright.text import display, is_address, public_address

Verb = Callable[..., int]


def apart(root: bytes) -> tuple[bytes, str]:
    """The root as it may be shown, and, where that leaves out a password, as it was given."""
    shown = public_address(root) if is_address(root) else root
    return shown, os.fsdecode(root) if shown != root else ""


def directories(place: Callable[[str], bytes]) -> Callable[[Verb], Verb]:
    """``--store``, ``--staging`` and ``--image-cache``; ``place`` makes a path absolute."""

    def store(value: str) -> tuple[str, bytes]:
        name, sign, path = value.partition("=")
        if not (name and sign and path) or "/" in name:
            raise click.BadParameter(f"'{display(value)}' is not NAME=DIR.")
        return name, place(path)

    options = (
        click.option(
            "--image-cache", type=place, metavar="DIR", help="The image cache of a database ROOT."
        ),
        click.option(
            "--staging", type=place, metavar="DIR", help="The staging of a database ROOT."
        ),
        click.option(
            "--store",
            "stores",
            type=store,
            multiple=True,
            metavar="NAME=DIR",
            help="A store of a database ROOT, and its directory (repeatable).",
        ),
    )

    def decorated(verb: Verb) -> Verb:
        for option in options:
            verb = option(verb)
        return verb

    return decorated
