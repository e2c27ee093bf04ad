"""What was observed: identities, digests, holders, single observations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cachewright.model.verdicts import Says


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file or directory was looked at; compared again at the moment of acting.

    ``mtime_ns`` and ``ctime_ns`` of a directory change with its children, so a tree is also
    guarded by ``tree_signature`` where the step's subject is a tree.
    """

    device: int
    inode: int
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def as_json(self) -> dict[str, int]:
        return {
            "device": self.device,
            "inode": self.inode,
            "mode": self.mode,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
            "ctime_ns": self.ctime_ns,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Identity:
        return cls(**{name: int(data[name]) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation: what was looked at, what was seen, when, and what it speaks for."""

    fact: str
    says: Says
    detail: str
    at_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class Digest:
    """An algorithm and its value, spelled as the cache's own tool spells it.

    ``h1`` values carry no ``h1:`` prefix here or in JSON: the algorithm says it.
    """

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class ExpectedDigest:
    """A recorded digest and the file (or row) that records it."""

    algorithm: str
    value: str
    source: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock or has something open, mapped, executing or as cwd.

    ``started_ns`` is the wall-clock start derived from /proc; identity is the four of
    ``boot_id``, ``pid_namespace``, ``pid`` and ``start_ticks`` (DESIGN 6.3).
    ``how`` lists e.g. ``lock:write`` ``lock:read`` ``open:write`` ``open:read`` ``mmap`` ``exe``
    ``cwd`` ``root``.  ``state`` is ``stopped`` for a stopped process, else ``running``.
    """

    pid: int
    started_ns: int
    user: str
    command: str
    how: tuple[str, ...]
    state: str = "running"
    start_ticks: int = 0
    boot_id: str = ""
    pid_namespace: int = 0

    @property
    def key(self) -> tuple[str, int, int, int]:
        return (self.boot_id, self.pid_namespace, self.pid, self.start_ticks)

    @property
    def writes(self) -> bool:
        """Whether it can change what it holds through a descriptor or mapping it has now."""
        return any(way in {"open:write", "mmap:write", "lock:write"} for way in self.how)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lock's own record says of itself and of its owner, as its format reads it.

    Nothing here is believed: it is what evidence is looked for by.  ``id`` is what the tool
    itself calls this lock; ``owner`` are the fields a person is shown.  An identity is whole
    with ``boot_id``, ``pid_namespace``, ``pid`` and ``start_ticks``; 0 or empty means that the
    record does not tell.  ``machine`` is a machine id, never a host name, which is not unique.
    ``renewed_ns`` and ``lasts_ns`` are a lease's last heartbeat and length, by its own clock.
    ``garbage`` says why the record cannot be read, and is empty where it can.

    ``made_ns`` is when the lock was taken, by its owner's clock; ``host`` the name that the
    owner's computer gives itself; ``programs`` the names of the programs that take such locks;
    ``subject`` what the lock guards, where the record's place alone does not tell a person.
    """

    id: str = ""
    owner: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: str = ""
    boot_id: str = ""
    pid_namespace: int = 0
    pid: int = 0
    start_ticks: int = 0
    renewed_ns: int = 0
    lasts_ns: int = 0
    garbage: str = ""
    made_ns: int = 0
    host: str = ""
    programs: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be looked at: the check is not complete, and says where."""

    path: bytes
    reason: str
