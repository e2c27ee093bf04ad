"""Glance's import locks as leases: rows of its database, released in one transaction.

The lock is the property ``os_glance_import_task`` of an image; its heartbeat is the task's
``updated_at``.  Another request may take it over an hour after that (two for a task that never
started), and at once where the task is not there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cachewright.formats.glance_records import ImportLock, moment_ns
from cachewright.locks.store import Condition, Stored
from cachewright.model import CancelToken, Claim, Gap
from cachewright.strict_json import read
from cachewright.text import brief, timestamp

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cachewright.locks.database import Database

_MINUTE_NS: Final = 60 * 1_000_000_000
_LASTS_NS: Final = {
    "pending": 120 * _MINUTE_NS,
    "processing": 60 * _MINUTE_NS,
    "success": 60 * _MINUTE_NS,
    "failure": 60 * _MINUTE_NS,
}
GRACE_NS: Final = 5 * _MINUTE_NS
"""The property is written before its task is: a lock without a task may be that young."""
MESSAGE: Final = "Its import lock was released by Cachewright: no worker was found any more."
_BODY: Final = 64 << 20
"""Bytes of a row; databases do not let a column grow so far."""
_MARK: Final = "#import-lock/"


class ImportLocks:
    """The import locks in one database; the key of each is the ID of its image."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def root(self) -> bytes:
        return self._database.shown

    def where(self, key: str) -> bytes:
        return self.root + f"{_MARK}{key}".encode("utf-8", "surrogateescape")

    def list(self, cancel: CancelToken | None = None) -> tuple[Sequence[Stored], Sequence[Gap]]:
        del cancel
        return [stored_of(one) for one in self._database.read(_all)], ()

    def notes(self) -> Sequence[str]:
        return ()

    def read(self, key: str) -> Stored | None:
        found = self._database.read(lambda connection: _one(connection, key))
        return None if found is None else stored_of(found)

    def claim(self, stored: Stored) -> Claim:
        return claim_of(stored.body)

    def condition(self, key: str) -> Condition:
        del key
        why = "The row is read again, compared and deleted in one transaction."
        return Condition(heeded=True, why=why)

    def delete(self, stored: Stored, *, conditional: bool = True) -> bool:
        """Delete the row and end its task, both or neither; False where it is another by now."""
        del conditional
        return self._database.change(lambda connection: _release(connection, stored))

    def put_back(self, stored: Stored) -> bool:
        return self._database.change(lambda connection: _put_back(connection, stored))

    def close(self) -> None:
        """Nothing is kept open between two questions."""


def stored_of(lock: ImportLock) -> Stored:
    body = json.dumps(dict(lock.body), sort_keys=True).encode()
    parts = ("task", "changed", "status", "heartbeat")
    version = "|".join(lock.body.get(one) or "" for one in parts)
    return Stored(key=lock.image, body=body, version=version, size=len(body))


def claim_of(body: bytes) -> Claim:
    """What a lock says; see ``Claim``."""
    try:
        said: dict[str, Any] = read(body, _BODY, halves=True)
        task, image, status = said["task"], said["image_id"], said.get("status")
        if not (isinstance(task, str) and isinstance(image, str)):
            raise TypeError  # noqa: TRY301 - told like all else
        taken = max(moment_ns(said["taken"]), moment_ns(said["changed"]))
    except (ValueError, LookupError, TypeError) as error:
        return Claim(garbage=f"it is no row of such a lock ({type(error).__name__})")
    beat = moment_ns(said.get("heartbeat")) or moment_ns(said.get("begun"))
    owner = {
        "Task": task,
        "Image": image,
        "Since": timestamp(taken) if taken else "",
        "Heartbeat": timestamp(beat) if beat else "",
        "Status": status if status is not None else "the task is not there",
        "Message": said.get("message") or "",
    }
    return Claim(
        id=task,
        owner={name: brief(value, 200) for name, value in owner.items() if value},
        renewed_ns=beat if status is not None else taken,
        lasts_ns=GRACE_NS if status is None else _LASTS_NS.get(status, 0),
        made_ns=taken,
        subject=f"Import of {brief(said.get('image_name') or image, 200)}",
    )


def _all(connection: Connection) -> list[ImportLock]:
    from cachewright.formats.glance_rows import lock_of, locks_query

    return [lock_of(row) for row in connection.execute(locks_query())]


def _one(connection: Connection, image: str, *, mine: bool = False) -> ImportLock | None:
    """``mine``: keep everybody else from changing it until the transaction ends."""
    from cachewright.formats.glance_rows import LOCK, PROPERTIES, lock_of, locks_query

    if mine:
        here = PROPERTIES.select().where(PROPERTIES.c.image_id == image, PROPERTIES.c.name == LOCK)
        connection.execute(here.with_for_update()).all()
    row = connection.execute(locks_query(image)).first()
    return None if row is None else lock_of(row)


def _release(connection: Connection, stored: Stored) -> bool:
    from sqlalchemy import false

    from cachewright.formats.glance_rows import LOCK, PROPERTIES, TASK_INFO, TASKS

    now = _one(connection, stored.key, mine=True)
    if now is None or stored_of(now).body != stored.body:
        return False
    held = PROPERTIES.delete().where(
        PROPERTIES.c.image_id == now.image,
        PROPERTIES.c.name == LOCK,
        PROPERTIES.c.value == now.task,
        PROPERTIES.c.deleted == false(),
    )
    if connection.execute(held).rowcount != 1:
        connection.rollback()
        return False
    if now.status in {"pending", "processing"}:
        ended = TASKS.update().where(TASKS.c.id == now.task, TASKS.c.status == now.status)
        values = {"status": "failure", "updated_at": _utc_now()}
        if connection.execute(ended.values(values)).rowcount != 1:
            connection.rollback()
            return False
        told = TASK_INFO.update().where(TASK_INFO.c.task_id == now.task)
        connection.execute(told.values(message=MESSAGE))
    return True


def _put_back(connection: Connection, stored: Stored) -> bool:
    """The row as it was, and its task as far as nobody changed it since."""
    from sqlalchemy import false

    from cachewright.formats.glance_rows import LOCK, PROPERTIES, TASK_INFO, TASKS

    said: dict[str, str | None] = read(stored.body, _BODY, halves=True)
    here = PROPERTIES.c.image_id == said["image_id"], PROPERTIES.c.name == LOCK
    if connection.execute(PROPERTIES.select().where(*here).with_for_update()).first() is not None:
        # Only one that is marked as deleted may give way to it.
        gone = PROPERTIES.delete().where(*here, PROPERTIES.c.deleted != false())
        if connection.execute(gone).rowcount != 1:
            connection.rollback()
            return False
    row = {
        "image_id": said["image_id"],
        "name": LOCK,
        "value": said["task"],
        "created_at": said["taken"],
        "updated_at": said["changed"],
        "deleted": False,
    }
    connection.execute(PROPERTIES.insert().values(row))
    if said.get("status") in {"pending", "processing"}:
        ended = TASKS.update().where(TASKS.c.id == said["task"], TASKS.c.status == "failure")
        connection.execute(ended.values(status=said["status"], updated_at=said["heartbeat"]))
        told = TASK_INFO.update().where(
            TASK_INFO.c.task_id == said["task"], TASK_INFO.c.message == MESSAGE
        )
        connection.execute(told.values(message=said["message"]))
    return True


def _utc_now() -> str:
    """As all three databases read a time that is written as text."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
