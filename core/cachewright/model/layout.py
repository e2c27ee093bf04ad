"""What lies where in a cache: roles, rules, locks' places and the gates of repairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final

from cachewright.model.verdicts import LockKind


class Role(IntEnum):
    """What a path is to its cache.  Content of an entry or a staging place inherits its role."""

    FOREIGN = 0
    CONTAINER = 1
    ENTRY = 2
    METADATA = 3
    LOCK = 4
    STAGING = 5


class Type(Enum):
    """Types of file that a rule can ask for; ``OTHER`` are pipes, sockets and devices."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` (a bytes pattern, matched whole) at ``depth`` components below the root (at any,
    if it is ``ANY_DEPTH``), of one of the ``types``, has ``role``.  ``under``, where given, must
    match the whole path of the directory that it lies in, relative to the root.  Rules are tried
    in order, only below containers; the first that fits wins; a name that none fits is foreign
    and never touched."""

    depth: int
    name: re.Pattern[bytes]
    types: frozenset[Type]
    role: Role
    under: re.Pattern[bytes] | None = None


ANY_DEPTH: Final = 0
"""``Rule.depth`` of a rule that holds wherever there is a container."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One of the tool's own locks, to be held while repairing: its kind and place below the
    root.  ``create``: the tool itself creates the file when it is missing, so we may.
    ``read_only``: the file is content that must not even be opened for writing, so a read lock
    is taken, which excludes every writer's lock (DESIGN 6.4)."""

    kind: LockKind
    relative: bytes
    create: bool
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class LockPlace:
    """A lock's place below the root, whether anything lies there now or not.

    ``row`` is its row in the inventory, -1 where there is none.  ``guards``: the kernel lock
    that an info file describes, without which it says nothing.  ``id`` is what to type where
    the lock's own record names no ID.  ``record`` is the name of the owner file in a lock that
    is a directory, if its tool writes one.
    """

    id: str
    kind: LockKind
    relative: bytes
    row: int
    subject: str
    owner: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    guards: Gate | None = None
    record: bytes = b""


@dataclass(frozen=True, slots=True)
class Access:
    """How a store that is no directory is reached; what is not said is left to the store's own
    environment.  Never holds a secret: it is journaled, so that an undo finds the store again.
    ``timeout_s`` is the longest wait for any one answer."""

    endpoint_url: str | None = None
    profile: str | None = None
    region: str | None = None
    path_style: bool | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Directories:
    """What a person says beside the root of a cache that lies in several directories: its stores
    by name, its staging and its image cache, all absolute.

    ``address`` is the root as it was given, where that holds a password; it is used to ask, and
    never shown, journaled or written to a plan.
    """

    stores: tuple[tuple[str, bytes], ...] = ()
    staging: bytes | None = None
    image_cache: bytes | None = None
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Location:
    """A cache found on this computer."""

    format: str
    root: bytes
    name: str


QUARANTINE_NAME: Final = b".cachewright-quarantine"
