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
    """Types of file that a rule can ask for."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` (a bytes pattern, matched whole) at ``depth`` components below the root, of one
    of the ``types``, has ``role``.  Rules are tried in order, only below containers; the first
    that fits wins; a name that none fits is foreign and never touched."""

    depth: int
    name: re.Pattern[bytes]
    types: frozenset[Type]
    role: Role


@dataclass(frozen=True, slots=True)
class Gate:
    """One of the tool's own locks, to be held while repairing: its kind and place below the
    root.  ``create``: the tool itself creates the file when it is missing, so we may."""

    kind: LockKind
    relative: bytes
    create: bool


@dataclass(frozen=True, slots=True)
class LockPlace:
    """A lock's place below the root and what releases or describes it."""

    id: str
    kind: LockKind
    relative: bytes
    row: int
    subject: str
    owner: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Location:
    """A cache found on this computer."""

    format: str
    root: bytes
    name: str


QUARANTINE_NAME: Final = b".cachewright-quarantine"
