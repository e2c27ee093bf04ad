"""Find the places of a journaled operation again, and prove that they are the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachewright.errors import CachewrightError, Changed, Refused
from cachewright.model import Gate, LockKind
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.exclusive import STATE_LOCK, exclusive
from cachewright.repair.journal import Journal
from cachewright.repair.operations import Operation
from cachewright.repair.plan import below
from cachewright.repair.quarantine import ITEM, Quarantine, same_thing
from cachewright.repair.records import unpack
from cachewright.repair.work import held
from cachewright.storage.anchored import Directory


@dataclass(frozen=True, slots=True)
class Reopened:
    """The root of the cache that an operation acted in, and its quarantine if there is one."""

    root: Directory
    quarantine: Quarantine | None

    def need_quarantine(self) -> Quarantine:
        """The quarantine of an operation that could not have been without one."""
        if self.quarantine is None:
            raise Refused(path=self.root.path, reason="its quarantine is gone")
        return self.quarantine


@contextmanager
def reopened(operation: Operation, journal: Journal) -> Iterator[Reopened]:
    """The operation's places, with the tool's locks held and other Cachewrights kept away."""
    root = open_root(operation)
    try:
        packed = operation.started.get("quarantine")
        if packed is None or not os.path.lexists(unpack(packed)):
            with exclusive(journal.state, STATE_LOCK), _gates(operation, root):
                yield Reopened(root, None)
            return
        quarantine = Quarantine.at(unpack(packed))
        try:
            with quarantine.exclusive(), _gates(operation, root):
                yield Reopened(root, quarantine)
        finally:
            quarantine.close()
    finally:
        root.close()


def open_root(operation: Operation) -> Directory:
    """The cache's top directory; ``Changed`` where another one has its path by now,
    ``Refused`` where root has to leave it alone."""
    path, recorded = unpack(operation.started["root"]), operation.started["root_identity"]
    try:
        root = Directory.open(path)
    except CachewrightError as error:
        raise Refused(path=operation.path, reason=str(error)) from error
    if not same_thing(os.fstat(root.fd), recorded, within=root):
        root.close()
        raise Changed(path=path, what="another directory is there now")
    try:
        refuse_for_root(root)
    except Refused:
        root.close()
        raise
    return root


@contextmanager
def _gates(operation: Operation, root: Directory) -> Iterator[None]:
    with held(root, gates_of(operation), operation.path):
        yield


def gates_of(operation: Operation) -> tuple[Gate, ...]:
    """The tool's locks that were held for it."""
    return tuple(
        Gate(
            LockKind(one["kind"]),
            unpack(one["relative"]),
            create=bool(one["create"]),
            read_only=bool(one.get("read_only", False)),  # records of older versions lack it
        )
        for one in operation.started["gates"]
    )


@contextmanager
def subject_place(operation: Operation, root: Directory) -> Iterator[tuple[Directory, bytes]]:
    """The pinned directory that the operation's subject was in, and its name there."""
    relative = below(unpack(operation.started["root"]), operation.path)
    if relative is None:
        raise Refused(path=operation.path, reason="it does not lie in the cache")
    try:
        parent, name = root.parent_of(relative)
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(path=operation.path, reason="the directory it was in is gone") from None
    with parent:
        yield parent, name


@contextmanager
def kept_place(operation: Operation, quarantine: Quarantine) -> Iterator[Directory]:
    """The place in quarantine where an operation's copy is kept, proven to be what was
    recorded."""
    path, kept = operation.path, operation.kept
    if kept is None:
        raise Refused(path=path, reason="nothing of it is kept")
    with own_place(str(kept["place"]), quarantine, path) as place:
        if not place.exists(ITEM) or not same_thing(
            place.stat(ITEM), kept["identity"], within=place
        ):
            raise Refused(path=path, reason="what is in quarantine is not what was put there")
        yield place


@contextmanager
def own_place(name: str, quarantine: Quarantine, path: bytes) -> Iterator[Directory]:
    """An operation's own place in quarantine; ``Refused`` where it is gone."""
    try:
        place = quarantine.directory.open_directory(name.encode())
    except (OSError, CachewrightError) as error:
        raise Refused(path=path, reason=f"its kept copy cannot be reached ({error})") from error
    with place:
        yield place
