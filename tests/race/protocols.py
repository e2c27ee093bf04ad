"""Locks as small tools take them: one class per kind of lock, each with its own honest protocol.

Every one of them can be left behind by a dead owner, and takes such a lock over from among
themselves: what Cachewright judged a moment ago may be somebody else's lock now.  Tools that
keep files take and take over under a mutex of their own that Cachewright knows nothing of.
Standard library only: contenders are many and start quickly.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import json
import os
import random
import sqlite3
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

NAME: Final = "work"
KERNEL_KINDS: Final = ("flock", "posix", "ofd")
HALF_MADE_S: Final = 1.0
COMES_BACK_S: Final = 0.05
SIGNED: Final = (
    "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
"""The loopback server asks who somebody is, and believes it."""


def start_of(pid: int | str) -> int | None:
    """The start of a living process in ticks since boot; None where none lives."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def own_record(number: int) -> dict[str, Any]:
    """The whole identity of this process, as its lock's record."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    with open("/etc/machine-id", encoding="ascii") as file:
        machine = file.read().strip()
    return {
        "id": f"{number}-{os.getpid()}",
        "machine": machine,
        "boot": boot,
        "pidns": os.stat("/proc/self/ns/pid").st_ino,
        "pid": os.getpid(),
        "start": start_of("self"),
        # As a lease it is over at once, and only its owner's life keeps it.
        "renewed_ns": time.time_ns(),
        "lasts_ns": 1,
    }


def is_dead(record: bytes) -> bool:
    """Whether the record names one of us whose process has ended."""
    try:
        owner = json.loads(record)
        return bool(start_of(owner["pid"]) != owner["start"])
    except (ValueError, KeyError, TypeError):
        return False


class Contender(ABC):
    """One lock of one kind below ``place``.  ``acquire`` never waits; with ``take_over`` it may
    take a dead owner's lock.  ``release`` says whether the lock was still ours."""

    kind: ClassVar[str]

    def __init__(self, place: str, aside: str, record: dict[str, Any]) -> None:
        self.place, self.aside = place, aside
        self.hesitation = 0.0
        """The longest time from seeing that an owner is dead to taking its lock over, in s."""
        self.record = json.dumps(record).encode()
        self.took_over = False

    @abstractmethod
    def acquire(self, *, take_over: bool) -> bool: ...

    @abstractmethod
    def release(self) -> bool: ...

    @abstractmethod
    def left(self) -> bytes:
        """The record of a dead owner's lock that is in the way, empty where none is."""

    @abstractmethod
    def remove(self) -> None:
        """Delete whatever lock is there by its name: nobody's protocol."""


class Existence(Contender):
    """What the three existence locks have in common: all but release goes under a mutex."""

    suffix: ClassVar[str]

    @property
    def path(self) -> str:
        return os.path.join(self.place, NAME + self.suffix)

    @contextmanager
    def _mutex(self) -> Iterator[None]:
        fd = os.open(os.path.join(self.aside, "mutex"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def acquire(self, *, take_over: bool) -> bool:
        with self._mutex():
            if self._made():
                return True
            if not (take_over and self.left()):
                return False
            time.sleep(random.uniform(0, self.hesitation))  # noqa: S311 - no secret
            with suppress(OSError):
                self.remove()
            self.took_over = self._made()
            return self.took_over

    def left(self) -> bytes:
        try:
            record = self._read()
        except OSError:
            return b""
        return record if is_dead(record) else b""

    def release(self) -> bool:
        """Who finds that its lock is not there, or cannot be removed, looks again after a
        moment: it may have been taken by mistake, and have come back."""
        ours, gone = self._is_ours(), False
        with suppress(OSError):
            self.remove()
            gone = True
        if not (ours and gone):
            time.sleep(COMES_BACK_S)
            if self._is_ours():
                self.remove()
        return ours

    def _is_ours(self) -> bool:
        try:
            return self._read() == self.record
        except OSError:
            return False

    def _made(self) -> bool:
        try:
            self._make()
        except FileExistsError:
            return False
        return True

    @abstractmethod
    def _make(self) -> None: ...

    @abstractmethod
    def _read(self) -> bytes: ...

    def remove(self) -> None:
        os.unlink(self.path)


class File(Existence):
    kind = "file"
    suffix = ".lock"

    def _make(self) -> None:
        fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        os.write(fd, self.record)
        os.close(fd)

    def _read(self) -> bytes:
        with open(self.path, "rb", buffering=0) as file:
            return file.readall()


class Link(Existence):
    kind = "link"
    suffix = ".lnk"

    def _make(self) -> None:
        os.symlink(self.record, os.fsencode(self.path))

    def _read(self) -> bytes:
        return os.readlink(os.fsencode(self.path))


class Dir(Existence):
    kind = "dir"
    suffix = ".dir"

    @property
    def _owner(self) -> str:
        return os.path.join(self.path, "owner.json")

    def _make(self) -> None:
        os.mkdir(self.path)
        fd = os.open(self._owner, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        os.write(fd, self.record)
        os.close(fd)

    def _read(self) -> bytes:
        with open(self._owner, "rb", buffering=0) as file:
            return file.readall()

    def left(self) -> bytes:
        """A directory that has had no record for a while is of one who came to nothing."""
        record = super().left()
        with suppress(OSError):
            if not record and not os.path.exists(self._owner):
                age_s = time.time() - os.stat(self.path).st_mtime
                return b"half made" if age_s > HALF_MADE_S else b""
        return record

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._owner)
        os.rmdir(self.path)


class Kernel(Contender):
    """A lock that the kernel keeps on a file that stays; the file's name is never looked at
    again once it is locked, as most tools do."""

    fd = -1

    def _lock(self, fd: int) -> None:
        if self.kind == "flock":
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        command = fcntl.F_OFD_SETLK if self.kind == "ofd" else fcntl.F_SETLK
        fcntl.fcntl(fd, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))

    def acquire(self, *, take_over: bool) -> bool:
        del take_over
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock(fd)
        except OSError as error:
            os.close(fd)
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise
            return False
        self.fd = fd
        return True

    @property
    def path(self) -> str:
        return os.path.join(self.place, f"{NAME}.{self.kind}")

    def release(self) -> bool:
        try:
            still_there = os.path.samestat(os.stat(self.path), os.fstat(self.fd))
        except FileNotFoundError:
            still_there = False
        os.close(self.fd)
        return still_there

    def left(self) -> bytes:
        return b""

    def remove(self) -> None:
        os.unlink(self.path)


class Flock(Kernel):
    kind = "flock"


class Posix(Kernel):
    kind = "posix"


class Ofd(Kernel):
    kind = "ofd"


class Info(Kernel):
    """A POSIX lock on a file of content, and beside it a file that tells of it.  Who dies leaves
    that file behind; who comes next writes it anew, after it was left to others for a while."""

    kind = "info"

    @property
    def path(self) -> str:
        return os.path.join(self.place, NAME + ".data")

    @property
    def _info(self) -> str:
        return os.path.join(self.place, NAME + ".info")

    def acquire(self, *, take_over: bool) -> bool:
        left = self.left()
        if (left and not take_over) or not super().acquire(take_over=take_over):
            return False
        self.took_over = bool(left)
        with open(self._info, "wb", buffering=0) as file:
            file.write(self.record)
        return True

    def release(self) -> bool:
        try:
            with open(self._info, "rb", buffering=0) as file:
                ours = file.readall() == self.record
            os.unlink(self._info)
        except FileNotFoundError:
            ours = False
        return super().release() and ours

    def left(self) -> bytes:
        try:
            with open(self._info, "rb", buffering=0) as file:
                record = file.readall()
        except FileNotFoundError:
            return b""
        return record if is_dead(record) else b""

    def remove(self) -> None:
        os.unlink(self._info)


class Lease(Contender):
    """A row with the owner's record; whoever inserts it has the lease."""

    kind = "lease"

    def _do(self, statement: str, *values: object) -> int:
        path = os.path.join(self.place, "leases.db")
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as base:
            return base.execute(statement, values).rowcount

    def _read(self) -> str | None:
        path = os.path.join(self.place, "leases.db")
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as base:
            row = base.execute("SELECT value FROM leases WHERE name = ?", (NAME,)).fetchone()
        return row[0] if row else None

    def acquire(self, *, take_over: bool) -> bool:
        with suppress(sqlite3.IntegrityError):
            self._do("INSERT INTO leases VALUES (?, ?)", NAME, self.record.decode())
            return True
        there = self._read() if take_over else None
        if there is None or not is_dead(there.encode()):
            return False
        change = "UPDATE leases SET value = ? WHERE name = ? AND value = ?"
        self.took_over = self._do(change, self.record.decode(), NAME, there) == 1
        return self.took_over

    def release(self) -> bool:
        gone = "DELETE FROM leases WHERE name = ? AND value = ?"
        return self._do(gone, NAME, self.record.decode()) == 1

    def left(self) -> bytes:
        there = (self._read() or "").encode()
        return there if is_dead(there) else b""

    def remove(self) -> None:
        self._do("DELETE FROM leases WHERE name = ?", NAME)


class Object(Contender):
    """An object that is put only where none is; ``place`` is its address."""

    kind = "object"

    def _ask(self, method: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, str]:
        address = urlsplit(self.place)
        with closing(http.client.HTTPConnection(address.netloc, timeout=20)) as server:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            named["Authorization"] = SIGNED
            server.request(method, address.path, body or None, named)
            answer = server.getresponse()
            return answer.status, answer.read(), answer.getheader("ETag", "")

    def acquire(self, *, take_over: bool) -> bool:
        if self._put():
            return True
        if not take_over:
            return False
        status, body, etag = self._ask("GET")
        if status != 200 or not is_dead(_info(body)):
            return False
        status, _body, _etag = self._ask("DELETE", If_Match=etag)
        self.took_over = status < 300 and self._put()
        return self.took_over

    def _put(self) -> bool:
        return self._ask("PUT", self.record, If_None_Match="*")[0] == 200

    def release(self) -> bool:
        """As terraform does: read, compare, delete."""
        ours = self._ask("GET")[1] == self.record
        if ours:
            self._ask("DELETE")
        return ours

    def left(self) -> bytes:
        status, body, _etag = self._ask("GET")
        return body if status == 200 and is_dead(_info(body)) else b""

    def remove(self) -> None:
        self._ask("DELETE")


def _info(body: bytes) -> bytes:
    """The owner that a state lock names: our record is its ``Info``."""
    try:
        return str(json.loads(body)["Info"]).encode()
    except (ValueError, KeyError, TypeError):
        return b""


KINDS: Final[dict[str, Callable[[str, str, dict[str, Any]], Contender]]] = {
    one.kind: one for one in (File, Link, Dir, Flock, Posix, Ofd, Info, Lease, Object)
}
