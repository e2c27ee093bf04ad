"""The journal: an append-only, hash-chained record of every step, durable before it is acted on.

It lies in the user's state directory.  Beside it stands the number and hash of the last record,
so that records missing at the end show as well as a changed bit anywhere.  A damaged journal is
never written to: what it says is looked at by a person first.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from cachewright.errors import JournalDamaged, NotARegularFile
from cachewright.repair.exclusive import exclusive
from cachewright.repair.records import GENESIS, Event, Record, make, parse
from cachewright.storage.anchored import Directory
from cachewright.storage.beneath import SAFE_FLAGS
from cachewright.storage.swap import sync_directory

_NAME: Final = b"journal.jsonl"
_HEAD: Final = b"journal.head"
_HEAD_NEW: Final = b"journal.head.new"
_TORN: Final = b"journal.torn"
_LOCK: Final = b"journal.lock"
_PATIENCE_S: Final = 10.0
"""How long an append waits for another one, which takes milliseconds."""


def state_directory(environment: Mapping[str, str] | None = None) -> bytes:
    """Where the journal lies: ``CACHEWRIGHT_STATE_DIR``, else the system's place for state."""
    import platformdirs

    chosen = (os.environ if environment is None else environment).get("CACHEWRIGHT_STATE_DIR")
    return os.fsencode(chosen or platformdirs.user_state_path("cachewright"))


def journal_path() -> bytes:
    """The journal's file, whether there is one or not."""
    return os.path.join(state_directory(), _NAME)


class Journal:
    """The journal in one state directory, which is made (0700) when it is missing.

    Every method that reads checks every hash and raises ``JournalDamaged`` with the number of
    the first bad record.  Several processes may append; each sees the others' records.
    """

    def __init__(self, state: Directory) -> None:
        """Take ownership of ``state``; ``open`` is the way to make one."""
        self.state = state
        self._seen: tuple[int, ...] | None = None
        self._records: tuple[Record, ...] = ()
        self._head = 0

    @classmethod
    def open(cls, state_dir: bytes | None = None) -> Journal:
        path = state_directory() if state_dir is None else state_dir
        os.makedirs(path, mode=0o700, exist_ok=True)
        return cls(Directory.open(path))

    def close(self) -> None:
        self.state.close()

    @property
    def path(self) -> bytes:
        return self.state.where(_NAME)

    def records(self) -> tuple[Record, ...]:
        """All records, the oldest first, every hash checked."""
        with exclusive(self.state, _LOCK, wait_s=_PATIENCE_S):
            return self._verified()

    def verify(self) -> int:
        """The number of records, every one of them read afresh and its hash checked."""
        self._seen = None
        return len(self.records())

    def append(self, operation: str, event: Event, fields: Mapping[str, Any]) -> Record:
        """Add a record; it is durable when this returns.

        After an ``OSError`` it is not there, unless the disk refused to take it back as well.
        """
        with exclusive(self.state, _LOCK, wait_s=_PATIENCE_S):
            known = self._verified()
            previous = known[-1].hash if known else GENESIS
            if self._head < len(known):
                # A crash came before the head was moved; it may never be two behind.
                self._set_head(known[-1])
            record, line = make(
                number=len(known) + 1,
                at_ns=time.time_ns(),
                operation=operation,
                event=event,
                fields=fields,
                previous=previous,
            )
            self._write(line)
            with suppress(OSError):  # it may be one behind; the next append moves it first
                self._set_head(record)
            self._seen, self._records = self._state(), (*known, record)
            return record

    def _state(self) -> tuple[int, ...] | None:
        """What tells that the file is as it was when it was last read through."""
        try:
            found = self.state.stat(_NAME)
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _verified(self) -> tuple[Record, ...]:
        now = self._state()
        if now is None or now != self._seen:
            self._records = self._read()
            self._seen = now
        return self._records

    def _read(self) -> tuple[Record, ...]:
        content = self._content(_NAME)
        records, rest, why = _parsed(content)
        if why:
            raise self._damaged(len(records) + 1, why)
        if rest:
            raise self._damaged(len(records) + 1, "it was cut off while it was written")
        self._check_head(records)
        return tuple(records)

    def set_aside_torn_end(self) -> bool:
        """Take away a last record that a crash or power cut left half written; whether there
        was one.

        Nobody was ever told of it: every record that an append returned for is noted as the
        last one before the next append begins.  Its bytes are kept in ``journal.torn``.  Any
        other damage is left as it is, to be looked at by a person.
        """
        with exclusive(self.state, _LOCK, wait_s=_PATIENCE_S):
            content = self._content(_NAME)
            records, rest, _why = _parsed(content)
            if not rest or b"\n" in rest[:-1]:
                return False
            try:
                self._check_head(records)
            except JournalDamaged:
                return False
            if self._head != len(records):
                return False
            self._seen = None
            self._keep_aside(rest)
            self._cut(len(content) - len(rest))
        return True

    def _keep_aside(self, rest: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | SAFE_FLAGS
        with open(os.open(_TORN, flags, 0o600, dir_fd=self.state.fd), "wb") as file:
            file.write(rest + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.state)

    def _cut(self, size: int) -> None:
        fd = self.state.open_file(_NAME, os.O_RDWR)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def _content(self, name: bytes) -> bytes:
        try:
            with open(self.state.open_file(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""
        except NotARegularFile as error:
            raise self._damaged(1, str(error)) from error

    def _check_head(self, records: list[Record]) -> None:
        """The head may be one behind: a crash came between the record and it."""
        raw = self._content(_HEAD)
        try:
            head: dict[str, Any] = json.loads(raw) if raw else {"number": 0, "hash": GENESIS}
            number, own = int(head["number"]), str(head["hash"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(
                len(records), "the note of the last record is unreadable"
            ) from error
        if not number <= len(records) <= number + 1:
            raise self._damaged(
                len(records) + 1, f"{number} records were written, not {len(records)}"
            )
        if own != (records[number - 1].hash if number else GENESIS):
            raise self._damaged(number, "it is not the record that was written last")
        self._head = number

    def _damaged(self, record: int, reason: str) -> JournalDamaged:
        return JournalDamaged(path=self.path, record=record, reason=reason)

    def _write(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | SAFE_FLAGS
        fd = os.open(_NAME, flags, 0o600, dir_fd=self.state.fd)
        try:
            before = os.fstat(fd).st_size
            try:
                _write_whole(fd, line)
                os.fsync(fd)
                if not before:
                    sync_directory(self.state)
            except BaseException:
                os.ftruncate(fd, before)
                raise
        finally:
            os.close(fd)

    def _set_head(self, record: Record) -> None:
        flags = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | SAFE_FLAGS
        fd = os.open(_HEAD_NEW, flags, 0o600, dir_fd=self.state.fd)
        with open(fd, "wb") as file:
            file.write(json.dumps({"number": record.number, "hash": record.hash}).encode())
            file.flush()
            os.fsync(fd)
        os.rename(_HEAD_NEW, _HEAD, src_dir_fd=self.state.fd, dst_dir_fd=self.state.fd)
        sync_directory(self.state)
        self._head = record.number


def _parsed(content: bytes) -> tuple[list[Record], bytes, str]:
    """The whole records from the start on, the bytes after them, and why they are no record
    (nothing where just the line break is missing)."""
    records: list[Record] = []
    at = 0
    while (end := content.find(b"\n", at)) >= 0:
        previous = records[-1].hash if records else GENESIS
        try:
            records.append(parse(content[at:end], len(records) + 1, previous))
        except ValueError as error:
            return records, content[at:], str(error)
        at = end + 1
    return records, content[at:], ""


def _write_whole(fd: int, line: bytes) -> None:
    if os.write(fd, line) != len(line):
        raise OSError(errno.ENOSPC, "the journal could not be written whole")
