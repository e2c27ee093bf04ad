"""A made Glance: its tables in SQLite as the service makes them, and directories beside it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cachewright.model import CheckResult, Directories, EntryReport, Finding, LockReport
from cachewright.workbench import Bench, Options, open_bench

TABLES = """
CREATE TABLE images (id VARCHAR(36) PRIMARY KEY, name VARCHAR(255), size BIGINT,
  status VARCHAR(30) NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME,
  deleted_at DATETIME, deleted BOOLEAN NOT NULL, checksum VARCHAR(32), os_hash_algo VARCHAR(64),
  os_hash_value VARCHAR(128));
CREATE TABLE image_properties (id INTEGER PRIMARY KEY, image_id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL, value TEXT, created_at DATETIME NOT NULL, updated_at DATETIME,
  deleted_at DATETIME, deleted BOOLEAN NOT NULL, UNIQUE (image_id, name));
CREATE TABLE image_locations (id INTEGER PRIMARY KEY, image_id VARCHAR(36) NOT NULL,
  value TEXT NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME, deleted_at DATETIME,
  deleted BOOLEAN NOT NULL, meta_data TEXT, status VARCHAR(30) NOT NULL DEFAULT 'active');
CREATE TABLE tasks (id VARCHAR(36) PRIMARY KEY, type VARCHAR(30) NOT NULL,
  status VARCHAR(30) NOT NULL, owner VARCHAR(255) NOT NULL, created_at DATETIME NOT NULL,
  updated_at DATETIME, deleted BOOLEAN NOT NULL, image_id VARCHAR(36));
CREATE TABLE task_info (task_id VARCHAR(36) PRIMARY KEY, input TEXT, result TEXT, message TEXT);
"""
CONTENT = b"the bytes of an image\n" * 100
QUICK = Options(floor_s=0.0, observe_s=0.0, settle_s=0.0, jobs=1)
MINUTE = 60.0


def told(ago_s: float = 0.0) -> str:
    """A time as SQLite's rows of the service have it."""
    at = datetime.fromtimestamp(time.time() - ago_s, UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass
class Made:
    """Two stores, staging and image cache below ``top``; nothing lies in them."""

    top: Path
    options: Options = field(default_factory=lambda: QUICK)

    def __post_init__(self) -> None:
        for name in ("fast", "slow", "staging", "cache/incomplete", "cache/invalid", "cache/queue"):
            (self.top / name).mkdir(parents=True)
        self.database = self.top / "glance.sqlite"
        with closing(sqlite3.connect(self.database)) as base:
            base.executescript(TABLES)

    @property
    def address(self) -> bytes:
        return b"sqlite:///" + os.fsencode(self.database)

    @property
    def directories(self) -> Directories:
        stores = tuple((name, os.fsencode(self.top / name)) for name in ("fast", "slow"))
        return Directories(
            stores, os.fsencode(self.top / "staging"), os.fsencode(self.top / "cache")
        )

    def sql(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as base, base:
            return base.execute(statement, values).fetchall()

    def image(self, status: str = "active", content: bytes | None = CONTENT, **said: Any) -> str:
        """A row of ``images``, with digests of ``content``; ``said`` are columns instead."""
        row: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "name": "an image",
            "status": status,
            "created_at": told(),
            "updated_at": told(),
            "deleted": 0,
        }
        if content is not None:
            row |= {
                "size": len(content),
                "checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
                "os_hash_algo": "sha512",
                "os_hash_value": hashlib.sha512(content).hexdigest(),
            }
        row |= said
        self._insert("images", row)
        return str(row["id"])

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row.values())  # noqa: S608

    def location(self, image: str, store: str = "fast", **said: Any) -> None:
        row = {
            "image_id": image,
            "value": f"file://{self.top / store / image}",
            "meta_data": json.dumps({"store": store}),
            "created_at": told(),
            "deleted": 0,
            "status": "active",
        }
        self._insert("image_locations", row | said)

    def published(self, content: bytes = CONTENT, written: bytes | None = None, **said: Any) -> str:
        """An active image with one copy in the store ``fast``, of other bytes if given."""
        image = self.image("active", content, **said)
        self.location(image)
        self.file("fast", image, content if written is None else written)
        return image

    def file(self, place: str, name: str, content: bytes = b"x", ago_s: float = 600.0) -> Path:
        path = self.top / place / name
        path.write_bytes(content)
        at = time.time() - ago_s
        os.utime(path, (at, at))
        return path

    def lock(
        self,
        image: str,
        ago_s: float = 61 * MINUTE,
        status: str | None = "processing",
        stores: tuple[str, ...] = ("slow",),
        since_s: float | None = None,
    ) -> str:
        """An import lock whose task was heard of so long ago; None: there is no task."""
        task = str(uuid.uuid4())
        taken = told(ago_s if since_s is None else since_s)
        self._insert(
            "image_properties",
            {"image_id": image, "name": "os_glance_import_task", "value": task,
             "created_at": taken, "updated_at": taken, "deleted": 0},
        )  # fmt: skip
        if status is not None:
            self._insert(
                "tasks",
                {"id": task, "type": "api_image_import", "status": status, "owner": "p",
                 "created_at": told(ago_s), "updated_at": told(ago_s), "deleted": 0,
                 "image_id": image},
            )  # fmt: skip
            said = json.dumps({"backend": stores})
            self._insert("task_info", {"task_id": task, "input": said, "message": "Copied 5 MiB"})
        return task

    def opened(self, **said: Any) -> Bench:
        options = replace(self.options, directories=self.directories)
        return open_bench(self.address, options=replace(options, **said))

    def check(self, **said: Any) -> CheckResult:
        with self.opened(**said) as bench:
            return bench.check()

    def only_lock(self, **said: Any) -> LockReport:
        """The one lock, looked at without a check of what lies in the directories."""
        with self.opened(**said) as bench:
            (lock,) = bench.locks(decide=True)
        return lock

    def at(self, result: CheckResult, place: str, name: str) -> Finding:
        path = os.fsencode(self.top / place / name)
        (found,) = [one for one in result.findings if one.path == path]
        return found


def only_entry(result: CheckResult) -> EntryReport:
    (entry,) = result.entries
    return entry


def only_lock(result: CheckResult) -> LockReport:
    (lock,) = result.locks
    return lock
