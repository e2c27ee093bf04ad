"""The questions to Glance's database, the same for SQLite, PostgreSQL and MariaDB.

Times come as each driver gives them and are read in ``glance_records``: a row with a broken time
must not hide the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, and_, column, false, select, table

from cachewright.formats.glance_records import Copy, Image, ImportLock, Records, moment_ns
from cachewright.locks.database import text_of
from cachewright.strict_json import JsonRefused, read

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

LOCK: Final = "os_glance_import_task"
_INPUT: Final = 1 << 20
"""Bytes of a task's input."""
_TO_STORES: Final = "os_glance_importing_to_stores"

IMAGES: Final = table(
    "images",
    *(column(one) for one in ("id", "name", "status", "size", "checksum", "updated_at")),
    *(column(one) for one in ("os_hash_algo", "os_hash_value")),
    column("deleted", Boolean),
)
LOCATIONS: Final = table(
    "image_locations",
    *(column(one) for one in ("image_id", "value", "meta_data", "status")),
    column("deleted", Boolean),
)
PROPERTIES: Final = table(
    "image_properties",
    *(column(one) for one in ("image_id", "name", "value", "created_at", "updated_at")),
    column("deleted", Boolean),
)
TASKS: Final = table(
    "tasks",
    *(column(one) for one in ("id", "type", "status", "created_at", "updated_at")),
    column("deleted", Boolean),
)
TASK_INFO: Final = table("task_info", *(column(one) for one in ("task_id", "input", "message")))

_LOCK_COLUMNS: Final = (
    PROPERTIES.c.image_id,
    PROPERTIES.c.value.label("task"),
    PROPERTIES.c.created_at.label("taken"),
    PROPERTIES.c.updated_at.label("changed"),
    IMAGES.c.name.label("image_name"),
    TASKS.c.status,
    TASKS.c.type,
    TASKS.c.created_at.label("begun"),
    TASKS.c.updated_at.label("heartbeat"),
    TASK_INFO.c.input,
    TASK_INFO.c.message,
)


def locks_query(image: str | None = None) -> Select[Any]:
    """Every import lock with its task, or that of one image."""
    joined = (
        PROPERTIES.outerjoin(IMAGES, IMAGES.c.id == PROPERTIES.c.image_id)
        .outerjoin(TASKS, and_(TASKS.c.id == PROPERTIES.c.value, TASKS.c.deleted == false()))
        .outerjoin(TASK_INFO, TASK_INFO.c.task_id == TASKS.c.id)
    )
    wanted = select(*_LOCK_COLUMNS).select_from(joined)
    wanted = wanted.where(PROPERTIES.c.name == LOCK, PROPERTIES.c.deleted == false())
    if image is not None:
        wanted = wanted.where(PROPERTIES.c.image_id == image)
    return wanted.order_by(PROPERTIES.c.image_id)


def lock_of(row: Row[Any]) -> ImportLock:
    said = {str(name): value for name, value in row._mapping.items()}  # noqa: SLF001 - its public name
    body = {name: None if value is None else text_of(value) for name, value in said.items()}
    there = said["status"] is not None
    if not there:
        body = {name: body[name] for name in ("image_id", "task", "taken", "changed", "image_name")}
    return ImportLock(
        image=text_of(said["image_id"]),
        task=text_of(said["task"]),
        since_ns=max(moment_ns(said["taken"]), moment_ns(said["changed"])),
        status=text_of(said["status"]) if there else None,
        heartbeat_ns=moment_ns(said["heartbeat"]) or moment_ns(said["begun"]),
        stores=_backends(text_of(said["input"])),
        body=body,
    )


def _backends(said: str) -> tuple[str, ...]:
    """The stores that a task was told to write to."""
    try:
        found = read(said.encode("utf-8", "surrogatepass"), _INPUT)["backend"]
        return tuple(one for one in found if isinstance(one, str))
    except (JsonRefused, LookupError, TypeError):
        return ()


def take_part(connection: Connection) -> None:
    """One row of what is the most."""
    connection.execute(select(IMAGES).limit(1)).all()


def read_records(connection: Connection) -> Records:
    """All that is wanted, in the transaction that the connection is in."""
    images = {one.id: one for one in map(_image, connection.execute(select(IMAGES)))}
    copies = tuple(map(_copy, connection.execute(select(LOCATIONS))))
    return Records(images, copies, _locks(connection), _to_stores(connection))


def read_lock_records(connection: Connection) -> Records:
    """Only what speaks of import locks: no images, and the copies of those that are locked."""
    locked = select(PROPERTIES.c.image_id).where(
        PROPERTIES.c.name == LOCK, PROPERTIES.c.deleted == false()
    )
    theirs = select(LOCATIONS).where(LOCATIONS.c.image_id.in_(locked))
    copies = tuple(map(_copy, connection.execute(theirs)))
    return Records({}, copies, _locks(connection), _to_stores(connection))


def _locks(connection: Connection) -> dict[str, ImportLock]:
    return {one.image: one for one in map(lock_of, connection.execute(locks_query()))}


def _to_stores(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The stores that an import has still to write to, by image."""
    found = _properties(connection, _TO_STORES)
    return {image: _listed(value) for image, value in found.items()}


def _properties(connection: Connection, name: str) -> dict[str, str]:
    wanted = select(PROPERTIES.c.image_id, PROPERTIES.c.value).where(
        PROPERTIES.c.name == name, PROPERTIES.c.deleted == false()
    )
    return {text_of(image): text_of(value) for image, value in connection.execute(wanted)}


def _listed(value: str) -> tuple[str, ...]:
    return tuple(one for one in value.split(",") if one)


def _image(row: Row[Any]) -> Image:
    name, title, status, size, md5, updated, algorithm, value, deleted = tuple(row)
    return Image(
        id=text_of(name),
        name=text_of(title),
        status=text_of(status),
        size=size if isinstance(size, int) else None,
        md5=text_of(md5).lower(),
        algorithm=text_of(algorithm).lower(),
        value=text_of(value).lower(),
        deleted=bool(deleted),
        updated_ns=moment_ns(updated),
    )


def _copy(row: Row[Any]) -> Copy:
    image, value, data, status, deleted = tuple(row)
    active, doomed = not deleted and status == "active", status == "pending_delete"
    return Copy.of(text_of(image), text_of(value), text_of(data), active=active, doomed=doomed)
