"""Options about how a store of locks is reached, for every verb that takes ROOT."""

from __future__ import annotations

from collections.abc import Callable

import click

from cachewright.model import Access

Verb = Callable[..., int]


def access(duration: Callable[[str], float]) -> Callable[[Verb], Verb]:
    """``--endpoint-url``, ``--profile``, ``--region``, ``--path-style`` and ``--timeout``.

    ``duration`` turns a spelled time into seconds.
    """
    options = (
        click.option(
            "--timeout",
            "timeout_s",
            type=duration,
            default=f"{Access().timeout_s:g}s",
            show_default=True,
            metavar="TIME",
            help="The longest wait for any one answer of a store.",
        ),
        click.option(
            "--path-style/--no-path-style",
            "path_style",
            default=None,
            help="Whether a bucket is named in the path or the host; found out if not said.",
        ),
        click.option("--region", metavar="NAME", help="The store's region."),
        click.option("--profile", metavar="NAME", help="The AWS profile to use."),
        click.option(
            "--endpoint-url",
            metavar="URL",
            help="Where the store answers, if it is not AWS's own.",
        ),
    )

    def decorated(verb: Verb) -> Verb:
        for option in options:
            verb = option(verb)
        return verb

    return decorated
