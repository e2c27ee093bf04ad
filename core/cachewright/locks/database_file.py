"""Opens an SQLite file that a service may be writing, so that looking at it changes nothing.

Runs in a worker process (``database_worker``) and nowhere else: to close a file of SQLite's in a
process that has it open in another place would drop that one's locks.

SQLite itself is no neutral reader.  Even with ``mode=ro`` it makes ``-wal`` and ``-shm`` files
beside a file in WAL mode, owned by whoever looks, and the service may not be able to write to
them.  With ``immutable=1`` it makes none and takes no lock, but then does not see what lies in the
``-wal``, and mixes two moments of a file that is written meanwhile.  So:

- A ``-wal`` with content: both files are copied to a private directory and the copy is opened.
  Readers of SQLite would do the same; the copy is good if the file itself was the same before and
  after and the log was only appended to, since SQLite leaves out what is not committed in it.
- WAL mode without content in a log: all there is lies in the file, which is opened as immutable.
  Whoever asked is told at the end if it was written meanwhile, and asks again.
- Any other file: immutable, likewise, while nothing was written for a second and there is no
  ``-journal``.  Else with ``mode=ro`` and SQLite's own locks, for which a writer is waited for, or
  waits; this makes no file.  A ``-journal`` that a crash left is never rolled back by looking:
  SQLite refuses to read such a file, and so it is told.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import urllib.parse
from dataclasses import dataclass
from typing import Final

COPY_LIMIT: Final = 1 << 30
"""Bytes of a file and its log that are copied."""
_TRIES: Final = 5
_TICK_S: Final = 0.05
"""Longer than any file system's clock stands still."""
_SETTLED_NS: Final = 1_000_000_000
_HEAD: Final = 32
_MODES: Final = slice(18, 20)
_WAL: Final = 2
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_BLOCK: Final = 1 << 20

State = tuple[int, int, int, int, int]


class Unopened(Exception):
    """Why it could not be opened, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The file and what lies beside it: its journal's and its log's size, -1 where none is."""

    file: State
    journal: int
    log: int


@dataclass(frozen=True, slots=True)
class Opened:
    """``seen`` is what must still be there at the end; None where nothing can go wrong."""

    connection: sqlite3.Connection
    path: bytes
    seen: _Seen | None = None

    @property
    def unchanged(self) -> bool:
        return self.seen is None or _look(self.path) == self.seen


def open_file(path: bytes, scratch: bytes, wait_s: float) -> Opened:
    """As the module says.  ``scratch`` is where a private directory may be made; whoever started
    this process removes it.  Raises ``Unopened``, ``OSError`` or ``sqlite3.Error``."""
    for _try in range(_TRIES):
        seen = _look(path)
        recent_ns = time.time_ns() - max(seen.file[3], seen.file[4])
        logged = seen.log >= 0 or _WAL in _head(path)[_MODES]
        if seen.log > 0:
            if _copied(path, seen, scratch):
                return Opened(_connect(os.path.join(scratch, b"copy"), "mode=ro", wait_s), path)
        elif logged and recent_ns < _SETTLED_NS:
            time.sleep(_TICK_S)
            if _look(path) == seen:
                return Opened(_connect(path, "mode=ro&immutable=1", wait_s), path, seen)
        elif logged or (seen.journal < 0 and recent_ns > _SETTLED_NS):
            return Opened(_connect(path, "mode=ro&immutable=1", wait_s), path, seen)
        else:
            return Opened(_connect(path, "mode=ro&readonly_shm=1", wait_s), path)
    raise Unopened("it was being written each time that it was looked at")


def _connect(path: bytes, how: str, wait_s: float) -> sqlite3.Connection:
    uri = f"file:{urllib.parse.quote(path)}?{how}"
    return sqlite3.connect(uri, uri=True, timeout=wait_s, isolation_level=None)


def _look(path: bytes) -> _Seen:
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise Unopened("it is not a regular file")
    # SQLite follows links, and looks for the others beside the file itself.
    real = os.path.realpath(path)
    return _Seen(_state(found), _size(real + b"-journal"), _size(real + b"-wal"))


def _state(found: os.stat_result) -> State:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def _head(path: bytes) -> bytes:
    fd = os.open(path, _FLAGS)
    try:
        return os.pread(fd, _HEAD, 0)
    finally:
        os.close(fd)


def _copied(path: bytes, seen: _Seen, scratch: bytes) -> bool:
    """Whether the copy is of one moment."""
    if seen.file[2] + seen.log > COPY_LIMIT:
        raise Unopened("it and its log are too large to be copied, and the log cannot be left out")
    log = os.path.realpath(path) + b"-wal"
    os.makedirs(scratch, mode=0o700, exist_ok=True)
    try:
        head = _head(log)
        _copy(path, os.path.join(scratch, b"copy"), seen.file[2])
        _copy(log, os.path.join(scratch, b"copy-wal"), seen.log)
        now = _look(path)
        return now.file == seen.file and now.log >= seen.log and _head(log) == head
    except FileNotFoundError:  # the log: the service was closed
        return False


def _copy(source: bytes, target: bytes, size: int) -> None:
    fd = os.open(source, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Unopened("it or its log is not a regular file")
        with open(target, "wb") as file:
            at = 0
            while at < size and (block := os.pread(fd, min(_BLOCK, size - at), at)):
                at += file.write(block)
    finally:
        os.close(fd)
