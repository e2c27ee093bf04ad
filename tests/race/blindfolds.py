"""Each of the judge's senses taken out alone, to see which lock would then be called stale."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cachewright import holders
from cachewright.holders import linux, mappings, owners, processes, sightings, visibility
from cachewright.holders.descriptors import parts
from cachewright.locks import asking
from cachewright.model import Evidence, Says

Set = Callable[[object, str, object], None]
"""``setattr``, or a monkeypatch's, which undoes it."""


def everywhere(put: Set, real: object, instead: object) -> None:
    """Replace a function wherever it was imported to."""
    for module in [one for name, one in sys.modules.items() if name.startswith("cachewright")]:
        for name in [name for name, value in vars(module).items() if value is real]:
            put(module, name, instead)


def no_links(name: str) -> Callable[[Set], None]:
    real = processes.Process.link

    def link(self: processes.Process, which: str) -> Any:
        if which.endswith(name):
            raise FileNotFoundError
        return real(self, which)

    return lambda put: put(processes.Process, "link", link)


def no_descriptors(put: Set) -> None:
    put(linux._Looker, "_descriptors", lambda *_process: iter(()))


def no_mappings(put: Set) -> None:
    put(mappings.Mappings, "of", lambda *_process: iter(()))


def only_main_threads(put: Set) -> None:
    everywhere(put, parts, lambda _process, _stat: ("",))


def no_lock_table(put: Set) -> None:
    everywhere(put, linux.read_table, dict)


def no_lock_owners(put: Set) -> None:
    everywhere(put, linux.lines_of, lambda _process, _number: ())


def no_asking(put: Set) -> None:
    everywhere(put, asking.ask, lambda _fd: asking.Answer(free=True))


def no_sole_opener(put: Set) -> None:
    everywhere(put, holders.sole_opener, lambda _fd: True)


def no_count(put: Set) -> None:
    real = holders.look_around

    def look_around(*arguments: Any, **options: Any) -> Any:
        survey, locks = real(*arguments, **options)
        return replace(survey, uninspected=0), locks

    everywhere(put, real, look_around)


def no_hiding(put: Set) -> None:
    everywhere(put, visibility.hidden, str)


def no_owner(put: Set) -> None:
    dead = Evidence("owner", Says.DEAD, "Its owner has ended.")
    everywhere(put, owners.judge_owner, lambda *_claim, **_options: (dead, None))


def no_inner_pids(put: Set) -> None:
    everywhere(put, sightings._inner_pid_is, lambda _process, _pid: False)


BLINDFOLDS: dict[str, Callable[[Set], None]] = {
    "descriptors": no_descriptors,
    "mappings": no_mappings,
    "cwd": no_links("cwd"),
    "root": no_links("root"),
    "exe": no_links("exe"),
    "threads": only_main_threads,
    "lock table": no_lock_table,
    "lock owners": no_lock_owners,
    "asking": no_asking,
    "sole opener": no_sole_opener,
    "count": no_count,
    "hiding": no_hiding,
    "owner": no_owner,
    "inner pids": no_inner_pids,
}
