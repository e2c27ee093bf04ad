"""A SQL database that another program owns: read without writing, changed in one transaction.

SQLite, PostgreSQL and MariaDB (or MySQL) by their SQLAlchemy addresses.  Every question has a
connection of its own, sees one moment of the database, and ends within its time.  A file of
SQLite's is read by a process of its own (``database_reading``), and changed by this one.
"""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cachewright.errors import AddressInvalid, AnswerLost, ExtraMissing, StoreUnreadable
from cachewright.locks.database_reading import Changed, FileConnection
from cachewright.locks.deadline import Late, within
from cachewright.text import brief, display, public_address

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

T = TypeVar("T")

EXTRA: Final = "glance"
PASSWORD: Final = "CACHEWRIGHT_DATABASE_PASSWORD"  # noqa: S105 - the variable's name
"""The environment variable that holds the password of an address without one."""
_UNTOUCHED: Final = "Nothing was changed."
_TABLES: Final = (
    "no such table",
    "no such column",
    "does not exist",
    "doesn't exist",
    "unknown column",
)
_SHOWN: Final = 300
_TRIES: Final = 5
_OPERATIONS: Final = 10_000
_READING: Final = {
    "sqlite": ("BEGIN",),
    "postgresql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SET LOCAL statement_timeout = {milliseconds}",
        "SET LOCAL timezone = 'UTC'",
    ),
    "mysql": (
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}
"""What makes one transaction read-only, and all of it one moment."""
_WRITING: Final = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": (
        "SET LOCAL statement_timeout = {milliseconds}",
        "SET LOCAL lock_timeout = {milliseconds}",
        "SET LOCAL timezone = 'UTC'",
    ),
    "mysql": ("SET SESSION innodb_lock_wait_timeout = {seconds}", "START TRANSACTION"),
}


class Database:
    """One database.  ``shown`` is its address without secrets, which errors speak of."""

    def __init__(self, address: str, *, password: str = "", timeout_s: float = 10.0) -> None:
        """Asks nobody yet; ``AddressInvalid`` and ``ExtraMissing`` where it never could."""
        self.shown = public_address(os.fsencode(address))
        self.timeout_s = timeout_s
        self._url = self._parsed(address, password)
        self._kind = {"mariadb": "mysql"}.get(kind := self._url.get_backend_name(), kind)
        if self._kind not in _READING:
            reason = "only SQLite, PostgreSQL, MariaDB and MySQL databases are read"
            raise AddressInvalid(path=self.shown, reason=reason)
        self._driver()

    def _parsed(self, address: str, password: str) -> URL:
        try:
            from sqlalchemy import make_url
            from sqlalchemy.exc import ArgumentError
        except ImportError:
            raise ExtraMissing(path=self.shown, library="SQLAlchemy", extra=EXTRA) from None
        try:
            url = make_url(address)
        except (ArgumentError, ValueError):
            reason = "it is no database address such as sqlite:////path"
            raise AddressInvalid(path=self.shown, reason=reason) from None
        return url.set(password=password) if password and url.password is None else url

    def _driver(self) -> None:
        from sqlalchemy.exc import NoSuchModuleError

        try:
            self._url.get_dialect().import_dbapi()
        except NoSuchModuleError:
            reason = f"{display(self._url.drivername)} is no driver that is known"
            raise AddressInvalid(path=self.shown, reason=reason) from None
        except ImportError as error:
            library = error.name or self._url.get_driver_name()
            raise ExtraMissing(path=self.shown, library=library, extra=EXTRA) from None

    def read(self, question: Callable[[Connection], T], *, times: int = 1) -> T:
        """What ``question`` finds in one read-only transaction; ``StoreUnreadable`` says why
        there is no answer.  It may take ``times`` the time of one answer."""
        try:
            return within(self.timeout_s * times, lambda: self._ask_again(question, times))
        except Late:
            raise self._late(times) from None

    def _ask_again(self, question: Callable[[Connection], T], times: int) -> T:
        for _try in range(_TRIES):
            with suppress(Changed):
                return self._ask(question, times=times)
        raise self._unreadable("it was written each time that it was read")

    def change(self, act: Callable[[Connection], T]) -> T:
        """``act`` in one transaction, which is committed when it returns.

        ``StoreUnreadable`` where nothing was changed, ``AnswerLost`` where that is not known.
        """
        turn = _Turn()
        try:
            return within(self.timeout_s, lambda: self._ask(act, turn))
        except Late:
            error = self._late()
            if turn.gives_up():
                raise error from None
        except StoreUnreadable as raised:
            if turn.gives_up():
                raise
            error = raised
        raise AnswerLost(path=self.shown, reason=error.values["reason"]) from error

    def _late(self, times: int = 1) -> StoreUnreadable:
        waited = self.timeout_s * times
        return self._unreadable(f"the database did not answer within {waited:g} s")

    def _ask(
        self, question: Callable[[Connection], T], turn: _Turn | None = None, *, times: int = 1
    ) -> T:
        from sqlalchemy.exc import SQLAlchemyError

        write = turn is not None
        try:
            engine = self._engine(times, write=write)
            with closing(_Disposed(engine)), engine.connect() as connection:
                for statement in (_WRITING if write else _READING)[self._kind]:
                    connection.exec_driver_sql(self._filled(statement, times))
                found = question(connection)
                one: Any = connection.connection.dbapi_connection
                if isinstance(one, FileConnection):
                    one.check_unchanged()
                if turn is not None and turn.commits():
                    connection.commit()
                else:
                    connection.rollback()
                return found
        except (SQLAlchemyError, sqlite3.Error, ValueError, UnicodeError) as error:
            raise self._unreadable(self._why(error)) from error

    def _filled(self, statement: str, times: int) -> str:
        seconds = max(1, math.ceil(self.timeout_s)) * times
        return statement.format(seconds=seconds, milliseconds=seconds * 1000)

    def _engine(self, times: int, *, write: bool) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        if self._kind == "sqlite":
            connect: Callable[[bytes, float], Any] = _writer if write else FileConnection
            made = partial(connect, self._file(), self.timeout_s * times)
            return create_engine("sqlite://", creator=made, poolclass=NullPool)
        seconds = math.ceil(self.timeout_s) + 2  # the call itself is given up before that
        waits = {"connect_timeout": seconds}
        if self._kind == "mysql":
            waits |= {"read_timeout": seconds, "write_timeout": seconds}
        return create_engine(self._url, poolclass=NullPool, connect_args=waits)

    def _file(self) -> bytes:
        path = self._url.database or ""
        try:
            regular = stat.S_ISREG(os.stat(path).st_mode)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise self._unreadable(reason) from error
        if not regular:
            raise self._unreadable("it is not a regular file")
        return os.fsencode(os.path.abspath(path))

    def _why(self, error: Exception) -> str:
        """One line of what the driver said, without anything secret."""
        said = str(getattr(error, "orig", None) or error).strip()
        said = said.splitlines()[0] if said else type(error).__name__
        for secret in {str(self._url.password or ""), os.environ.get(PASSWORD, "")} - {""}:
            said = said.replace(secret, "[hidden]")
        said = brief(said, _SHOWN).rstrip(".")
        if any(words in said.lower() for words in _TABLES):
            return f"its tables are not those of a Glance version that is known ({said})"
        return said

    def _unreadable(self, reason: str) -> StoreUnreadable:
        return StoreUnreadable(path=self.shown, reason=reason, left=_UNTOUCHED)


def _writer(path: bytes, timeout_s: float) -> sqlite3.Connection:
    """A connection like any other program's, with its locks and its journal.  What it does ends
    with the time, too: nobody waits for it any longer then."""
    ends = time.monotonic() + timeout_s
    connection = sqlite3.connect(
        f"file:{urllib.parse.quote(path)}?mode=rw",
        uri=True,
        timeout=max(0.1, timeout_s * 0.8),
        isolation_level=None,
        check_same_thread=False,
    )
    connection.set_progress_handler(lambda: time.monotonic() > ends, _OPERATIONS)
    for one in ("trusted_schema=OFF", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {one}").close()
    return connection


class _Turn:
    """Either the change is committed, or whoever waits for it gives it up before: never both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = ""

    def _takes(self, what: str) -> bool:
        with self._lock:
            self._taken = self._taken or what
            return self._taken == what

    def commits(self) -> bool:
        return self._takes("commit")

    def gives_up(self) -> bool:
        return self._takes("give up")


class _Disposed:
    """An engine whose connections are closed at the end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()


def text_of(value: Any) -> str:
    """A column's value as text, whatever its type is in this database; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
