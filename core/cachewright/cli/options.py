"""Options that several verbs share, said once; they may stand before or after ROOT."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from cachewright.cli import access as access_options
from cachewright.cli import directories as directory_options
from cachewright.model import Access, Directories
from cachewright.report.command import naming, reaching
from cachewright.text import display, is_address

if TYPE_CHECKING:
    from cachewright.workbench import Options

Verb = Callable[..., int]

PATIENCE: Final = {"floor": "24h", "observe": "60s", "settle": "3s"}
"""What the options about times stand at, where nothing is said."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w|)", re.ASCII)
_LONGEST_WAIT_S: Final = 3600.0
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def duration(value: str) -> float:
    """Seconds from ``24h``, ``60s``, ``7d``, ``1.5h``, ``0``; a bare number is seconds."""
    match = _DURATION.fullmatch(value.strip().lower())
    if match is None:
        raise click.BadParameter(f"'{display(value)}' is not a time such as 60s, 24h or 7d.")
    return float(match[1]) * _SECONDS[match[2]]


def place(value: str) -> bytes:
    """A path, made absolute without following links; as bytes, as everywhere in core."""
    if not value:
        raise click.BadParameter("An empty path names nothing.")
    try:
        return os.path.abspath(os.fsencode(value))
    except OSError as error:
        raise click.BadParameter(f"The current directory is gone ({error.strerror}).") from None


def root_place(value: str) -> bytes:
    """A cache's directory as ``place``, or a store's address as it stands."""
    raw = os.fsencode(value)
    return raw if is_address(raw) else place(value)


def timeout(value: str) -> float:
    """A time that can be waited: more than nothing, and no more than an hour."""
    seconds = duration(value)
    if not 0 < seconds <= _LONGEST_WAIT_S:
        raise click.BadParameter("The wait for an answer is more than 0 and at most 1h.")
    return seconds


@dataclass(frozen=True, slots=True)
class Look:
    """Which cache is looked at, and how: what the shared options said."""

    root: bytes
    format_name: str | None
    projects: tuple[bytes, ...]
    sources: tuple[bytes, ...]
    floor_s: float
    observe_s: float
    settle_s: float
    jobs: int | None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    access: Access = field(default_factory=Access)
    directories: Directories = field(default_factory=Directories)

    def options(self, *, verify: bool = True) -> Options:
        from cachewright.workbench import Options

        return Options(
            projects=self.projects,
            sources=self.sources,
            verify=verify,
            jobs=self.jobs,
            floor_s=self.floor_s,
            observe_s=self.observe_s,
            settle_s=self.settle_s,
            environment=self.environment,
            access=self.access,
            directories=self.directories,
        )

    def arguments(self) -> list[bytes | str]:
        """The shared options that matter to a later repair, to be named in a command."""
        named: list[bytes | str] = []
        for option, values in (("--project", self.projects), ("--source", self.sources)):
            for value in values:
                named += [option, value]
        if self.format_name:
            named += ["--format", self.format_name]
        for name, default in PATIENCE.items():
            seconds: float = getattr(self, f"{name}_s")
            if seconds != duration(default):
                named += [f"--{name}", f"{seconds:g}s"]
        return [*named, *naming(self.directories), *reaching(self.access)]


def places(verb: Verb) -> Verb:
    """``--project`` and ``--source``, as absolute bytes."""
    for option in (
        click.option(
            "--source",
            "sources",
            type=place,
            multiple=True,
            metavar="PATH",
            help="A mirror, archive or other cache that may hold good copies (repeatable).",
        ),
        click.option(
            "--project",
            "projects",
            type=place,
            multiple=True,
            metavar="DIR",
            help="Where lock files that vouch for entries are looked for (repeatable).",
        ),
    ):
        verb = option(verb)
    return verb


def patience(verb: Verb) -> Verb:
    """``--floor``, ``--observe`` and ``--settle``, in seconds."""
    for name, help_text in (
        ("settle", "What changed this recently is looked at once more."),
        ("observe", "Time between the two looks at a staging place."),
        ("floor", "Youngest age at which staging may be judged left behind."),
    ):
        verb = click.option(
            f"--{name}",
            f"{name}_s",
            type=duration,
            default=PATIENCE[name],
            show_default=True,
            metavar="TIME",
            help=help_text,
        )(verb)
    return verb


def cache(verb: Verb) -> Verb:
    """ROOT and all options about how it is looked at, handed over as ``look``."""

    @functools.wraps(verb)
    def with_look(
        *,
        root: bytes,
        format_name: str | None,
        projects: tuple[bytes, ...],
        sources: tuple[bytes, ...],
        floor_s: float,
        observe_s: float,
        settle_s: float,
        jobs: int | None,
        endpoint_url: str | None,
        profile: str | None,
        region: str | None,
        path_style: bool | None,
        timeout_s: float,
        stores: tuple[tuple[str, bytes], ...],
        staging: bytes | None,
        image_cache: bytes | None,
        **others: object,
    ) -> int:
        shown, secret = directory_options.apart(root)
        look = Look(
            shown,
            format_name,
            projects,
            sources,
            floor_s,
            observe_s,
            settle_s,
            jobs,
            access=Access(endpoint_url, profile, region, path_style, timeout_s),
            directories=Directories(stores, staging, image_cache, secret),
        )
        return verb(look=look, **others)

    decorated: Verb = patience(access_options.access(timeout)(with_look))
    decorated = directory_options.directories(place)(decorated)
    decorated = click.option(
        "--jobs", type=click.IntRange(1, 256), metavar="N", help="How many files to read at once."
    )(decorated)
    decorated = places(decorated)
    decorated = click.option(
        "--format", "format_name", metavar="NAME", help="The kind of cache, if it is not found out."
    )(decorated)
    return click.argument("root", type=root_place)(decorated)


as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, progress on stderr."
)

yes = click.option(
    "--yes",
    "-y",
    is_flag=True,
    help="Answer yes to what a click may answer; never to what must be typed.",
)
