"""SQLite files that somebody else may have written, read as Glance's database is."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.counts import Row
from tests.hostile.parsers_mutations import Mutator
from tests.unit.formats.glance_making import TABLES

from cachewright.errors import StoreUnreadable
from cachewright.formats.glance_rows import read_records
from cachewright.locks.database import Database

PART: Final = "parsers"
_TIMEOUT_S: Final = 5.0
_LATE_S: Final = 3.0
"""By which an answer may come late on a computer that others use."""
_ENDLESS: Final = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS "
SCHEMAS: Final = {
    "view without end": f"CREATE VIEW images AS {_ENDLESS} id FROM c",
    "virtual table": "CREATE VIRTUAL TABLE images USING fts5(id, name, status, size)",
    "generated column": "CREATE TABLE images (id, name AS (printf('%.*c', 900000000, 'x')))",
    "deep schema": "CREATE TABLE images (id); PRAGMA writable_schema=ON;"
    " UPDATE sqlite_master SET sql = 'CREATE TABLE images (id CHECK (" + "abs(" * 9000 + "1))'",
    "no such root page": "CREATE TABLE images (id); PRAGMA writable_schema=ON;"
    " UPDATE sqlite_master SET rootpage = 1 << 30",
    "index on an expression": "CREATE TABLE images (id, name, status, size, checksum, updated_at,"
    " os_hash_algo, os_hash_value, deleted); CREATE INDEX i ON images (hex(zeroblob(id)))",
}


def run(quick: bool) -> Iterator[Row]:
    trials = 20 if quick else 600
    with tempfile.TemporaryDirectory(prefix="cw-databases-") as folder:
        place = Path(folder) / "glance.sqlite"
        yield _row("SQLite file", place, _mutants(trials), trials)
        yield _row("SQLite schema", place, _schemas(place), len(SCHEMAS))


def _seed(place: Path) -> bytes:
    place.unlink(missing_ok=True)
    with closing(sqlite3.connect(place)) as base, base:
        base.executescript(TABLES)
        base.executemany(
            "INSERT INTO images (id, name, size, status, created_at, deleted) VALUES (?,?,?,?,?,0)",
            [(f"{one:036x}", "an image" * 9, one, "active", "2026-01-01") for one in range(60)],
        )
    return place.read_bytes()


def _mutants(trials: int) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="cw-seed-") as folder:
        seed = _seed(Path(folder) / "a.sqlite")
    for number in range(trials):
        mutator = Mutator(number, (seed,), len(seed) * 2)
        chance = mutator.random
        content = bytearray(mutator.next() if chance.random() < 0.3 else seed)
        for _change in range(chance.choice((0, 1, 4, 30))):
            _corrupt(content, chance)
        yield bytes(content)


def _corrupt(content: bytearray, chance: random.Random) -> None:
    """Mostly where pages say what is in them: header, cells, free lists, the schema itself."""
    if not content:
        return
    page = chance.randrange(0, len(content), 4096)
    at = min(len(content) - 1, page + int(chance.paretovariate(0.4)) % 4096)
    content[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _schemas(place: Path) -> Iterator[bytes]:
    for statements in SCHEMAS.values():
        place.unlink(missing_ok=True)
        with closing(sqlite3.connect(place)) as base:
            base.executescript(statements)
        yield place.read_bytes()


def _row(where: str, place: Path, contents: Iterator[bytes], aim: int) -> Row:
    database = Database(f"sqlite:///{place}", timeout_s=_TIMEOUT_S)
    trials = bad = answered = 0
    worst, why = 0.0, ""
    for content in contents:
        place.write_bytes(content)
        os.utime(place, (0, 0))
        before = sorted(os.listdir(place.parent))
        began = time.monotonic()
        trials += 1
        try:
            database.read(read_records)
            answered += 1
        except StoreUnreadable as refusal:
            if not str(refusal).isprintable():
                bad, why = bad + 1, "a refusal that is not safe to show"
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            bad, why = bad + 1, f"{type(error).__name__}: {error}"
        worst = max(worst, time.monotonic() - began)
        if worst > _TIMEOUT_S + _LATE_S or sorted(os.listdir(place.parent)) != before:
            bad, why = bad + 1, "too late, or something was left beside it"
        if place.read_bytes() != content:
            bad, why = bad + 1, "it was written"
    note = f"answered {answered}; worst {worst * 1000:,.0f} ms" + (f"; {why}" if why else "")
    return Row(PART, where, trials, bad, aim=aim, note=note)
