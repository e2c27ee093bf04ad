"""The stranger's leases: rows of a SQLite table, each with its owner's record as its value."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from cachewright.errors import CachewrightError
from cachewright.locks.store import Condition, Stored
from cachewright.model import CancelToken, Claim, Gap

FILE: Final = b"leases.db"
_PATIENCE_S: Final = 10.0


class LeasesUnreadable(CachewrightError):
    """{path} cannot be read: {reason}. Nothing was changed."""


@dataclass
class StrangerLeases:
    """The table ``leases(name primary key, value)`` of one cache.  Every question is one
    transaction of its own."""

    top: bytes
    read_record: Callable[[bytes], Claim]

    @property
    def root(self) -> bytes:
        return os.path.join(self.top, FILE)

    def where(self, key: str) -> bytes:
        return self.root + b":" + key.encode()

    def list(self, cancel: CancelToken | None = None) -> tuple[Sequence[Stored], Sequence[Gap]]:
        del cancel
        rows = self._ask("SELECT name, value FROM leases ORDER BY name")[0]
        return [_stored(name, value) for name, value in rows], ()

    def notes(self) -> Sequence[str]:
        return ()

    def read(self, key: str) -> Stored | None:
        rows = self._ask("SELECT name, value FROM leases WHERE name = ?", key)[0]
        return _stored(*rows[0]) if rows else None

    def claim(self, stored: Stored) -> Claim:
        return self.read_record(stored.body)

    def condition(self, key: str) -> Condition:
        del key
        return Condition(heeded=True, why="It compares and deletes in one transaction.")

    def delete(self, stored: Stored, *, conditional: bool = True) -> bool:
        assert conditional
        gone = "DELETE FROM leases WHERE name = ? AND value = ?"
        return self._ask(gone, stored.key, stored.version)[1] == 1

    def put_back(self, stored: Stored) -> bool:
        new = "INSERT OR IGNORE INTO leases VALUES (?, ?)"
        return self._ask(new, stored.key, stored.version)[1] == 1

    def close(self) -> None:
        """Nothing is kept open between two questions."""

    def _ask(self, statement: str, *values: str) -> tuple[list[tuple[str, str]], int]:
        """The rows, and how many were changed."""
        try:
            with closing(
                sqlite3.connect(os.fsdecode(self.root), timeout=_PATIENCE_S, isolation_level=None)
            ) as base:
                found = base.execute(statement, values)
                return found.fetchall(), found.rowcount
        except sqlite3.Error as error:
            raise LeasesUnreadable(path=self.root, reason=str(error)) from error


def _stored(name: str, value: str) -> Stored:
    body = value.encode()
    return Stored(key=name, body=body, version=value, size=len(body))
