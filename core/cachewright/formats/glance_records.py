"""What Glance's database says, as plain values (one moment of it)."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final

from cachewright.strict_json import JsonRefused, read

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_META_DATA: Final = 1 << 16
_FILE: Final = "file://"
_PLAIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

GOING_ON: Final = frozenset({"saving", "uploading", "importing"})
"""States in which somebody writes an image's bytes, or did when they were killed."""


def moment_ns(value: Any) -> int:
    """A time as any of the databases gives it (naive, UTC); 0 where it is none."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0
    if not isinstance(value, datetime):
        return 0
    at = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


@dataclass(frozen=True, slots=True)
class Image:
    """One row of ``images``.  ``size`` is None until the first copy is complete, ``md5`` and
    ``value`` (by ``algorithm``) are empty until then."""

    id: str
    name: str
    status: str
    size: int | None
    md5: str
    algorithm: str
    value: str
    deleted: bool
    updated_ns: int

    @property
    def title(self) -> str:
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class Copy:
    """One row of ``image_locations``.  ``path`` is the file's, None where it is none or cannot
    be read (it may be encrypted); ``readable`` tells which.  ``doomed``: its file is left to the
    service's own scrubber, which deletes it later."""

    image: str
    path: bytes | None
    readable: bool
    store: str
    active: bool
    doomed: bool = False

    @classmethod
    def of(cls, image: str, value: str, data: str, *, active: bool, doomed: bool) -> Copy:
        path = os.fsencode(value.removeprefix(_FILE)) if value.startswith(_FILE) else None
        return cls(image, path, bool(_PLAIN.match(value)), _store(data), active, doomed)


@lru_cache(maxsize=1024)
def _store(data: str) -> str:
    try:
        said = read(data.encode("utf-8", "surrogatepass"), _META_DATA) if data else {}
    except JsonRefused:
        return ""
    store = said.get("store") if isinstance(said, dict) else None
    return store if isinstance(store, str) else ""


@dataclass(frozen=True, slots=True)
class ImportLock:
    """A row that says which task imports an image, with that task, if it is there.

    ``body`` holds every value as the database has it: what a release compares.
    """

    image: str
    task: str
    since_ns: int
    status: str | None
    heartbeat_ns: int
    stores: tuple[str, ...]
    body: Mapping[str, str | None]


@dataclass(frozen=True)
class Records:
    """The whole, as it was at ``read_ns``.  ``why_not`` says why it could not be read, and is
    empty where it could; then nothing is known of any file."""

    images: Mapping[str, Image] = field(default_factory=dict)
    copies: Sequence[Copy] = ()
    locks: Mapping[str, ImportLock] = field(default_factory=dict)
    to_stores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    why_not: str = ""
    read_ns: int = field(default_factory=time.time_ns)

    @property
    def known(self) -> bool:
        return not self.why_not

    @cached_property
    def of_image(self) -> Mapping[str, Sequence[Copy]]:
        found: dict[str, list[Copy]] = defaultdict(list)
        for copy in self.copies:
            found[copy.image].append(copy)
        return found

    def image(self, name: bytes) -> Image | None:
        """The image that a file of this name is of, deleted ones left out."""
        found = self.images.get(id_of(name))
        return None if found is None or found.deleted else found


def id_of(name: bytes) -> str:
    """The image's ID in a file's name."""
    return name.partition(b".")[0].decode("ascii", "replace")
