"""The worker process that reads an SQLite file which anybody may have written.

SQLite is a large parser.  Here it reads with less than it could (no schema is trusted, no view,
no virtual table, no recursion, no writing), within limits of time and memory that the kernel
holds, and whoever asked may kill it at any moment.  Frames are JSON; see ``database_reading``.
"""

from __future__ import annotations

import base64
import json
import math
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cachewright.locks.database_file import COPY_LIMIT, Opened, Unopened, open_file
from cachewright.workers.serving import Handler, serve

_MEMORY: Final = 768 << 20
_HEAP: Final = 256 << 20
_BATCH: Final = 1 << 20
"""Bytes of rows in one answer, beyond which no further one is added."""
_WAIT: Final = 0.6
"""Of the time, for whoever writes: the rest is for starting and reading."""
_ROW: Final = 64
_ODD: Final = frozenset({bytes, float})
_ASKED: Final = 0.9
"""Of the time, for all questions: so that there is an answer before nobody waits for it."""
_OPERATIONS: Final = 10_000
"""How many SQLite does between two looks at the clock; some milliseconds."""
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: 4 << 20,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 4,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 50_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 16,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_PRAGMAS: Final = (
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "query_only=ON",
    "mmap_size=0",
    "temp_store=MEMORY",
    f"hard_heap_limit={_HEAP}",
)
_VIRTUAL: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage = 0"
_HOT_JOURNAL: Final = {"SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"}
_FORBIDDEN: Final = ("not authorized", "prohibited", "vtable constructor failed")
_FAILURES: Final = (sqlite3.Error, sqlite3.Warning, OSError, Unopened, ValueError, OverflowError)


class _Reader:
    """One file, opened when it is first asked for anything."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._path = base64.b64decode(settings["path"])
        self._scratch = base64.b64decode(settings["scratch"])
        self._seconds = float(settings["seconds"])
        self._opened: Opened | None = None
        self._rows: Iterator[Sequence[Any]] = iter(())

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return getattr(self, f"_{asked['what']}")(*asked["with"])  # type: ignore[no-any-return]
        except _FAILURES as error:
            return {"error": _words(error)}
        except MemoryError:
            return {"error": "it takes more memory than it may"}

    def _execute(self, sql: str, parameters: list[Any]) -> dict[str, Any]:
        if self._opened is None:
            self._opened = open_file(self._path, self._scratch, self._seconds * _WAIT)
            _harden(self._opened.connection, self._seconds)
        cursor = self._opened.connection.execute(sql, parameters)
        self._rows = iter(cursor)
        names = None if cursor.description is None else [one[0] for one in cursor.description]
        return {"names": names, "count": cursor.rowcount, **self._more()}

    def _more(self) -> dict[str, Any]:
        """``odd``: some of the values are spelled."""
        rows: list[Sequence[Any]] = []
        size, odd = 0, False
        for row in self._rows:
            if _ODD.isdisjoint(map(type, row)):
                rows.append(row)
            else:
                rows.append([_spelled(value) for value in row])
                odd = True
            size += sum([len(one) for one in row if isinstance(one, str | bytes)]) + _ROW
            if size > _BATCH:
                return {"rows": rows, "more": True, "odd": odd}
        return {"rows": rows, "more": False, "odd": odd}

    def _unchanged(self) -> dict[str, Any]:
        return {"unchanged": self._opened is None or self._opened.unchanged}


def _spelled(value: object) -> object:
    """What JSON has no word for is a list of its kind and its text."""
    if isinstance(value, bytes):
        return ["bytes", base64.b64encode(value).decode("ascii")]
    if isinstance(value, float) and math.isinf(value):
        return ["float", str(value)]
    return value


def _words(error: Exception) -> str:
    if getattr(error, "sqlite_errorname", "") in _HOT_JOURNAL:
        return (
            "its last change was interrupted, which only the service itself may take back: "
            "start it once"
        )
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if said == "interrupted":
        return "to read it takes too long"
    if any(words in said for words in _FORBIDDEN):
        return f"only plain tables are read ({said})"
    return said


def _harden(connection: sqlite3.Connection, seconds: float) -> None:
    ends = time.monotonic() + seconds * _ASKED
    for which, most in _LIMITS.items():
        connection.setlimit(which, most)
    connection.set_progress_handler(lambda: time.monotonic() > ends, _OPERATIONS)
    for one in _PRAGMAS:
        connection.execute(f"PRAGMA {one}").fetchall()
    virtual = {str(name).casefold() for (name,) in connection.execute(_VIRTUAL)}
    connection.set_authorizer(_authorizer(virtual))


def _authorizer(virtual: set[str]) -> Callable[..., int]:
    def allows(
        action: int, first: str | None, second: str | None, _base: str | None, inside: str | None
    ) -> int:
        """``inside`` is the view or trigger on whose behalf this is asked."""
        if inside is not None:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_READ:
            fine = str(first).casefold() not in virtual
        elif action == sqlite3.SQLITE_PRAGMA:
            fine = first == "read_uncommitted" and second is None
        else:
            plain = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_TRANSACTION)
            fine = action in plain
        return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY

    return allows


def _confine(seconds: float) -> None:
    for which, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, math.ceil(seconds) + 2),
        (resource.RLIMIT_FSIZE, COPY_LIMIT),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(which)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (limit, limit))


def _start(frame: bytes, _fds: list[int]) -> Handler:
    settings = json.loads(frame)
    _confine(settings["seconds"])
    reader = _Reader(settings)

    def handle(asked: bytes, _fds: list[int]) -> list[bytes]:
        return [json.dumps(reader.answer(json.loads(asked))).encode("ascii")]

    return handle


def main() -> None:
    """Serve until the starter goes away."""
    serve(_start, niceness=0)  # somebody waits for it, for some seconds at most
