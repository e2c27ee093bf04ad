"""A store whose directory the service sees by another path: its copies are never orphans."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cachewright.model import CheckResult, Directories, EntryVerdict, FindingKind
from cachewright.workbench import Options, open_bench

IMAGE, CONTENT = "0e9dd0c8-2d4c-4f0e-9c5b-3d8f1a6c7b21", b"an image"
TABLES = """
CREATE TABLE images (id TEXT, name TEXT, size INT, status TEXT, created_at TEXT, updated_at TEXT,
  deleted_at TEXT, deleted BOOLEAN, disk_format TEXT, container_format TEXT, checksum TEXT,
  owner TEXT, min_disk INT, min_ram INT, protected BOOLEAN, virtual_size INT, visibility TEXT,
  os_hidden BOOLEAN, os_hash_algo TEXT, os_hash_value TEXT);
CREATE TABLE image_properties (id INTEGER PRIMARY KEY, image_id TEXT, name TEXT, value TEXT,
  created_at TEXT, updated_at TEXT, deleted_at TEXT, deleted BOOLEAN);
CREATE TABLE image_locations (id INTEGER PRIMARY KEY, image_id TEXT, value TEXT, created_at TEXT,
  updated_at TEXT, deleted_at TEXT, deleted BOOLEAN, meta_data TEXT, status TEXT);
CREATE TABLE tasks (id TEXT, type TEXT, status TEXT, owner TEXT, expires_at TEXT, created_at TEXT,
  updated_at TEXT, deleted_at TEXT, deleted BOOLEAN, image_id TEXT, request_id TEXT, user_id TEXT);
CREATE TABLE task_info (task_id TEXT, input TEXT, result TEXT, message TEXT);
"""
Look = Callable[[Path, str], CheckResult]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def check(recorded: Path, store: str) -> CheckResult:
        place = tmp_path / "fast"
        place.mkdir()
        (place / IMAGE).write_bytes(CONTENT)
        database = tmp_path / "glance.sqlite"
        when = "2026-01-02 03:04:05"
        with sqlite3.connect(database) as base:
            base.executescript(TABLES)
            base.execute(
                "INSERT INTO images (id, name, size, status, created_at, updated_at, deleted, "
                "checksum, min_disk, min_ram, protected, visibility, os_hidden, os_hash_algo, "
                "os_hash_value) VALUES (?, 'toy', ?, 'active', ?, ?, 0, ?, 0, 0, 0, 'private', 0, "
                "'sha512', ?)",
                (
                    IMAGE,
                    len(CONTENT),
                    when,
                    when,
                    hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(),
                    hashlib.sha512(CONTENT).hexdigest(),
                ),
            )
            base.execute(
                "INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, "
                "status) VALUES (?, ?, ?, 0, ?, 'active')",
                (IMAGE, f"file://{recorded}/{IMAGE}", when, f'{{"store": "{store}"}}'),
            )
        base.close()
        said = Directories((("fast", os.fsencode(place)),))
        options = Options(directories=said, observe_s=0, settle_s=0)
        with open_bench(b"sqlite:///" + os.fsencode(database), options=options) as bench:
            return bench.check()

    return check


@pytest.mark.parametrize("store", ["fast", ""])
def test_a_copy_that_is_recorded_where_nothing_is_counts_here(look: Look, store: str) -> None:
    result = look(Path("/var/lib/of/a/container"), store)
    assert [one.verdict for one in result.entries] == [EntryVerdict.OK]
    assert not result.findings


def test_another_stores_copy_is_none_of_this_one(look: Look) -> None:
    result = look(Path("/var/lib/of/a/container"), "slow")
    assert result.entries == ()
    assert FindingKind.ORPHAN in {one.kind for one in result.findings}


def test_a_copy_that_is_where_it_is_recorded_is_not_here(look: Look, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / IMAGE).write_bytes(CONTENT)
    result = look(tmp_path / "elsewhere", "fast")
    assert FindingKind.ORPHAN in {one.kind for one in result.findings}
