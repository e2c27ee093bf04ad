"""One byte of a cache changed anywhere, and what a check then says of the file it is in."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cachewright.model import CheckResult, EntryVerdict, Severity

SOME = [
    pytest.param(6, id="some"),
    pytest.param(40, id="many", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
]
"""How many bytes, one after the other."""

_BAD = frozenset({EntryVerdict.CORRUPT, EntryVerdict.INCOMPLETE, EntryVerdict.DISPUTED})


@dataclass
class Flips:
    """Files of flipped bytes, relative to their top: where it was found, and where it was not."""

    found: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        places = len(self.found) + len(self.unseen)
        told = f"{places} bytes flipped, {len(self.found)} found"
        return "\n  not covered: ".join([told, *sorted(self.unseen)])


def flips(
    tops: Sequence[Path], look: Callable[[], CheckResult], times: int, seed: int = 1
) -> Flips:
    """Flip bytes of all that lies below ``tops``, each at a random place, and put it back.

    A flip counts as found where a problem appears that was not there before, at the file or at
    the entry that holds it.
    """
    chance = random.Random(seed)  # noqa: S311 - the same in every run
    files = [one for top in tops for one in sorted(top.rglob("*")) if one.is_file()]
    files = [one for one in files if not one.is_symlink() and one.stat().st_size]
    before = _problems(look())
    done = Flips()
    for _time in range(times):
        (path,) = chance.choices(files, [one.stat().st_size for one in files])
        top = next(one for one in tops if path.is_relative_to(one))
        with path.open("r+b") as file:
            place = chance.randrange(path.stat().st_size)
            file.seek(place)
            old = file.read(1)[0]
            file.seek(place)
            file.write(bytes([old ^ chance.randrange(1, 256)]))
        new = _problems(look()) - before
        inside = any(os.fsencode(path).startswith(one) for one in new)
        (done.found if inside else done.unseen).append(str(path.relative_to(top)))
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([old]))
    return done


def _problems(result: CheckResult) -> set[bytes]:
    entries = {one.path for one in result.entries if one.verdict in _BAD}
    found = {one.path for one in result.findings if one.severity is Severity.PROBLEM}
    return entries | found
