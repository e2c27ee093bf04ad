"""An SQLite file as SQLAlchemy sees it, read by a worker process that is killed at the end.

What a hostile file can do (hang, exhaust memory, crash SQLite) it does to that process.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from cachewright.locks.deadline import Late
from cachewright.strict_json import JsonRefused, read
from cachewright.workers.process import Crew, Ended, Worker

_MODULE: Final = "cachewright.locks.database_worker"
_ANSWER: Final = 64 << 20
_ANSWERS: Final = 1 << 30
"""Bytes of one answer, and of all of one connection; a million images have half of it."""
_KINDS: Final[dict[str, Callable[[str], Any]]] = {"bytes": base64.b64decode, "float": float}


class Changed(Exception):
    """The file was written while it was read: what was read is of no one moment."""


class FileConnection:
    """What SQLAlchemy asks of a connection (PEP 249), as far as reading goes.

    ``sqlite3.OperationalError`` says in words why there is no answer; ``Late`` comes after
    ``timeout_s``, counted from here.
    """

    def __init__(self, path: bytes, timeout_s: float) -> None:
        self._ends = time.monotonic() + timeout_s
        self._scratch = os.fsencode(
            os.path.join(tempfile.gettempdir(), f"cachewright-{secrets.token_hex(16)}")
        )
        self._size = 0
        self._crew: Crew[None] = Crew()
        self._worker: Worker[None] = self._crew.start(_MODULE)
        self._send({"path": _text(path), "scratch": _text(self._scratch), "seconds": timeout_s})

    def cursor(self, *_arguments: Any) -> FileCursor:
        return FileCursor(self)

    def ask(self, what: str, *arguments: Any) -> dict[str, Any]:
        """One answer of the worker's."""
        self._send({"what": what, "with": arguments})
        answer = self._answer()
        if isinstance(said := answer.get("error"), str):
            raise sqlite3.OperationalError(said)
        return answer

    def _send(self, value: dict[str, Any]) -> None:
        self._worker.send(json.dumps(value).encode("ascii"))

    def _answer(self) -> dict[str, Any]:
        while (left := self._ends - time.monotonic()) > 0:
            for _worker, frame in self._crew.answers(left):
                if isinstance(frame, Ended):
                    raise sqlite3.OperationalError(f"the process that read it failed: {frame}")
                if frame is not None:
                    return self._read(frame)
        raise Late

    def _read(self, frame: bytearray) -> dict[str, Any]:
        self._size += len(frame)
        if self._size > _ANSWERS:
            raise sqlite3.OperationalError("it holds more than is read")
        try:
            answer = read(bytes(frame), _ANSWER, memory=8 * _ANSWER, halves=True)
        except JsonRefused as error:
            raise sqlite3.OperationalError(f"its answer {error}") from error
        if not isinstance(answer, dict):
            raise sqlite3.OperationalError("its answer makes no sense")
        return answer

    def check_unchanged(self) -> None:
        """``Changed`` unless all that was read was of one moment."""
        if self.ask("unchanged").get("unchanged") is not True:
            raise Changed

    def create_function(self, *_arguments: Any, **_named: Any) -> None:
        """No function of ours is called while a file of others is read."""

    def commit(self) -> None:
        """Nothing is ever written."""

    def rollback(self) -> None:
        """The transaction ends with the process."""

    def close(self) -> None:
        self._crew.__exit__(None, None, None)
        for name in (b"copy", b"copy-wal", b"copy-shm", b"copy-journal"):
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(os.path.join(self._scratch, name))
        with suppress(FileNotFoundError):
            os.rmdir(self._scratch)


class FileCursor:
    """A cursor whose rows come in batches."""

    arraysize = 1
    lastrowid = None

    def __init__(self, connection: FileConnection) -> None:
        self._connection = connection
        self._rows: list[Sequence[Any]] = []
        self._at = 0
        self._further = False
        self.description: Sequence[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> FileCursor:
        answer = self._connection.ask("execute", sql, list(parameters))
        names = answer["names"]
        self.description = names and [(one, *[None] * 6) for one in names]
        self.rowcount = answer["count"]
        self._take(answer)
        return self

    def _take(self, answer: dict[str, Any]) -> None:
        rows = answer["rows"]
        self._rows = [tuple(map(_value, row)) for row in rows] if answer["odd"] else rows
        self._at, self._further = 0, answer["more"]

    def fetchone(self) -> Sequence[Any] | None:
        if self._at == len(self._rows) and self._further:
            self._take(self._connection.ask("more"))
        if self._at == len(self._rows):
            return None
        self._at += 1
        return self._rows[self._at - 1]

    def fetchmany(self, size: int | None = None) -> list[Sequence[Any]]:
        return list(islice(iter(self.fetchone, None), size or self.arraysize))

    def fetchall(self) -> list[Sequence[Any]]:
        found = self._rows[self._at :]
        while self._further:
            self._take(self._connection.ask("more"))
            found += self._rows
        self._at = len(self._rows)
        return found

    def close(self) -> None:
        self._rows, self._at, self._further = [], 0, False


def _value(value: Any) -> Any:
    if isinstance(value, list):
        kind, text = value
        return _KINDS[kind](text)
    return value


def _text(path: bytes) -> str:
    return base64.b64encode(path).decode("ascii")
