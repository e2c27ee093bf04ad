"""The contract of a place where locks are records: objects of a bucket, items of a table, rows.

The wire is a store's own; judging (``object_store``, ``lease``) and releasing are done here and
above, the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from cachewright.model import CancelToken, Claim, Gap


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it was read.

    ``key`` is its name in the store; ``version`` changes with every write of it (an ETag, or
    the exact value); ``body`` is the whole record, or its beginning where ``size`` is larger.
    ``attributes`` is what must be said again to write the same record (content type ...), text
    only.  ``is_lock`` is false for what lies beside locks and ``what`` then says what it is.
    ``changed_ns`` is when it was written and ``read_ns`` when it was read, both by the store's
    own clock; 0 where the store does not tell.
    """

    key: str
    body: bytes
    version: str
    size: int
    changed_ns: int = 0
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_lock: bool = True
    what: str = ""
    read_ns: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether the store compares before it deletes.  ``heeded`` None: it could not be tried.
    ``why`` is one plain sentence."""

    heeded: bool | None
    why: str


class LockStore(Protocol):
    """One opened store.  Every request ends within the access's time-out, is asked once, and
    raises a ``CachewrightError`` that names the object and what was left untouched."""

    @property
    def root(self) -> bytes:
        """What a person calls it: ``s3://bucket/prefix``."""

    def where(self, key: str) -> bytes:
        """The address of one record: ``s3://bucket/key``.  It ends in the key, so that
        ``where("")`` is what all addresses of the store begin with."""

    def list(self, cancel: CancelToken | None = None) -> tuple[Sequence[Stored], Sequence[Gap]]:
        """Every record that may be a lock, and what lies beside them; what could not be read
        is a gap.  ``cancel`` is polled between two requests."""

    def notes(self) -> Sequence[str]:
        """Plain sentences about locks that are known of and not in the list."""

    def read(self, key: str) -> Stored | None:
        """The record as it is now, or None where there is none."""

    def claim(self, stored: Stored) -> Claim:
        """What the record says of itself and its owner; ``Claim.garbage`` where it cannot be
        read.  Never raises."""

    def condition(self, key: str) -> Condition:
        """Try on an own scratch record beside ``key`` whether a delete heeds its condition."""

    def delete(self, stored: Stored, *, conditional: bool = True) -> bool:
        """Delete the record if it is still exactly ``stored``; False where it is another or
        gone, which then is left as it is.  Without ``conditional`` the store cannot compare: it
        is read again and compared right before, which leaves a moment in between.
        ``AnswerLost`` where it may or may not have been deleted: it is never asked twice."""

    def close(self) -> None:
        """Let go of connections; whoever opened the store closes it, and twice is harmless."""

    def put_back(self, stored: Stored) -> bool:
        """Write the record again if nothing has its key; False where something has.
        ``AnswerLost`` as for ``delete``."""
