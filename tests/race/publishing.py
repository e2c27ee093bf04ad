"""Publish one entry again and again beside processes that read it; run by ``cells.run``.

Every generation has content of its own, the same in all of its files, so that a read of two
generations shows.  Old generations are kept for as long as the readers of a round live.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.race.attacking import PLAIN
from tests.race.cells import Counts, serve
from tests.race.reading import NAMES, SIZE

from cachewright.repair.publish import publish

ROUND = 500
JOURNAL = 20
"""Publishes with one journal: every one of them reads it whole."""
WAYS = {"pinned": 9, "path": 19}
"""How readers read, and how much they let us go first: they are much quicker than ours is,
but not than the other ways to publish."""


def fill(place: Path, generation: int) -> None:
    place.mkdir(exist_ok=True)
    content = (b"%08d" % generation) * (SIZE // 8)
    for name in NAMES:
        (place / name).write_bytes(content)


def ours(top: Path, generation: int) -> None:
    """The library's own function, with all that it does."""
    state = top / "state" / str(generation // JOURNAL)
    publish(top / "cache" / "entry", top / "source", state_dir=state)


def two_renames(top: Path, generation: int) -> None:
    """The old one aside, the new one in: between the two nothing has the name."""
    shutil.copytree(top / "source", top / "stage")
    os.rename(top / "cache" / "entry", top / f"old-{generation}")
    os.rename(top / "stage", top / "cache" / "entry")


def copied_in(top: Path, generation: int) -> None:
    """The old one aside, and the new one made where it was."""
    os.rename(top / "cache" / "entry", top / f"old-{generation}")
    shutil.copytree(top / "source", top / "cache" / "entry")


def file_by_file(top: Path, generation: int) -> None:
    """Each file replaced atomically, the entry not."""
    del generation
    for name in NAMES:
        shutil.copyfile(top / "source" / name, top / "new")
        os.replace(top / "new", top / "cache" / "entry" / name)


PUBLISHERS: dict[str, Callable[[Path, int], None]] = {
    "ours": ours,
    "two renames": two_renames,
    "copied in": copied_in,
    "file by file": file_by_file,
}


@contextmanager
def reader(way: str, entry: Path, patience: int, counts: Counts) -> Iterator[None]:
    script = str(Path(__file__).with_name("reading.py"))
    command = [*PLAIN, script, way, str(entry), str(patience)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.stdin.close()
        for name, count in json.loads(process.stdout.readline()).items():
            counts[f"{way} {name}"] = counts.get(f"{way} {name}", 0) + count


def one_round(top: Path, publisher: str, publishes: int, counts: Counts) -> None:
    top.mkdir()
    (top / "cache").mkdir()
    fill(top / "cache" / "entry", 0)
    with ExitStack() as readers:
        for way, patience in WAYS.items():
            polite = patience if publisher == "ours" else 0
            readers.enter_context(reader(way, top / "cache" / "entry", polite, counts))
        for generation in range(1, publishes + 1):
            fill(top / "source", generation)
            PUBLISHERS[publisher](top, generation)
            counts["publishes"] += 1
    shutil.rmtree(top)


def race(top: str, publisher: str, publishes: int) -> Counts:
    counts: Counts = {"publishes": 0}
    for start in range(0, publishes, ROUND):
        here = Path(top) / f"round-{start}"
        one_round(here, publisher, min(ROUND, publishes - start), counts)
    return counts


if __name__ == "__main__":
    serve(race)
