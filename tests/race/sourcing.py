"""Publish again and again from a source that another process changes meanwhile; run by
``cells.run``.

As in the swaps, the look at all processes is left out: it would find nothing here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.race.arena import ENOUGH, nobody
from tests.race.attacking import attacker
from tests.race.cells import Counts, serve

from cachewright import holders
from cachewright.digests import FileDigest
from cachewright.errors import CachewrightError
from cachewright.repair.publish import publish

NAMES = ("f0", "f1", "f2")
SIZE = 48 << 10
GOOD, BAD = b"G" * SIZE, b"B" * SIZE
JOURNAL = 20
PAUSE_S, BACK_S = {False: 0.012, True: 0.002}, 0.001
"""The longest times for which the source is good, as ours or the naive way needs them, and bad."""


PATIENCE = 20
"""Tries for each publication that is wanted."""


class NotGood(ValueError):
    """The bytes are not those that are wanted: nothing may be published."""


@dataclass(frozen=True)
class Way:
    """What the attacker exchanges with its own, or (``scribble``) overwrites, and the source.
    Not ``naive``: there is something else that stops the naive way."""

    pairs: tuple[tuple[str, str], ...]
    source: str = "source"
    scribble: bool = False
    naive: bool = True


WAYS: dict[str, Way] = {
    "a file exchanged": Way((("source/f1", "evil/f1"),)),
    "a file written to": Way((("source/f1", ""),), scribble=True),
    "the directory exchanged": Way((("source", "evil"),)),
    "the archive exchanged": Way((("source.zip", "evil.zip"),), source="source.zip"),
    # An archive's own checks stop whoever does not forge them too.
    "the archive written to": Way(
        (("source.zip", ""),), source="source.zip", scribble=True, naive=False
    ),
}


def lay_out(top: Path) -> None:
    for name, content in (("source", GOOD), ("evil", BAD), ("cache/entry", GOOD)):
        (top / name).mkdir(parents=True)
        for file in NAMES:
            (top / name / file).write_bytes(content)
    for name in ("source", "evil"):
        with zipfile.ZipFile(top / f"{name}.zip", "w") as archive:
            for file in NAMES:
                archive.write(top / name / file, file)


def wanted(digests: Mapping[bytes, FileDigest]) -> None:
    good = hashlib.sha256(GOOD).hexdigest()
    if {name: one.sha256 for name, one in digests.items()} != {n.encode(): good for n in NAMES}:
        raise NotGood


def ours(top: Path, source: Path, number: int) -> None:
    state = top / "state" / str(number // JOURNAL)
    publish(top / "cache" / "entry", source, verify=wanted, state_dir=state)


def hash_then_copy(top: Path, source: Path, number: int) -> None:
    """Hash by path; if that is good, copy by path."""
    if source.is_dir():
        seen = [hashlib.sha256((source / name).read_bytes()).hexdigest() for name in NAMES]
    else:
        seen = [hashlib.sha256(one).hexdigest() for one in _members(source)]
    if set(seen) != {hashlib.sha256(GOOD).hexdigest()}:
        raise NotGood
    stage, target = top / "stage", top / "cache" / "entry"
    shutil.rmtree(stage, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, stage)
    else:
        shutil.unpack_archive(source, stage)
    os.rename(target, top / f"old-{number}")
    os.rename(stage, target)


def _members(source: Path) -> list[bytes]:
    with zipfile.ZipFile(source) as archive:
        return [archive.read(name) for name in NAMES]


Publish = Callable[[Path, Path, int], None]


def race(top: str, way: str, naive: bool, publishes: int, seed: int) -> Counts:
    """So many that are said to be done; of the naive way, until enough were bad."""
    setattr(holders, "survey", nobody)  # noqa: B010 - publish() takes no look of its own
    place, chosen = Path(top), WAYS[way]
    lay_out(place)
    counts: Counts = {"tries": 0, "done": 0, "bad": 0, "swaps": 0}
    asked = {"place": top, "pairs": chosen.pairs, "pause_s": PAUSE_S[naive], "back_s": BACK_S}
    if chosen.scribble:
        asked["scribble"] = ["B" * 999, "G" * 999]
    with attacker(counts, seed=seed, **asked):
        while counts["done"] < publishes and counts["tries"] < publishes * PATIENCE:
            if naive and counts["bad"] >= ENOUGH:
                break
            _one(place, hash_then_copy if naive else ours, place / chosen.source, counts)
    return counts


def _one(top: Path, way: Publish, source: Path, counts: Counts) -> None:
    counts["tries"] += 1
    try:
        way(top, source, counts["tries"])
    except (NotGood, OSError, CachewrightError, shutil.ReadError, zipfile.BadZipFile):
        return
    counts["done"] += 1
    entry = top / "cache" / "entry"
    counts["bad"] += {(entry / name).read_bytes() for name in NAMES} != {GOOD}
    if counts["done"] % JOURNAL == 0:
        shutil.rmtree(top / ".cachewright-quarantine", ignore_errors=True)


if __name__ == "__main__":
    serve(race)
