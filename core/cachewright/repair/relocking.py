"""Undo the release of a lock that was a record in a store: write the record again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import AnswerLost, LockThere, Refused, StepFailed
from cachewright.formats.base import References
from cachewright.formats.registry import by_name
from cachewright.inventory.tree import scan_subtree
from cachewright.locks.store import Stored
from cachewright.model import Access, LockKind
from cachewright.repair.exclusive import STATE_LOCK, exclusive
from cachewright.repair.operations import Operation, beyond_return, new_id, operation
from cachewright.repair.records import unpack
from cachewright.repair.reopening import open_root

if TYPE_CHECKING:
    from cachewright.locks.store import LockStore
    from cachewright.repair.journal import Journal
    from cachewright.repair.subject import LookAround

_COPIED: Final = (
    "step", "subject", "path", "root", "root_identity", "format", "access", "gates",
    "quarantine", "lock", "key",
)  # fmt: skip


def put_back(journal: Journal, undone: Operation, look: LookAround) -> str:
    """Write the released record where it was, if nothing is there; says what became of it.

    Raises ``LockThere`` where another lock has its place.
    """
    del look
    stored = record_of(undone)
    with exclusive(journal.state, STATE_LOCK), opened_store(undone) as store:
        if store.read(stored.key) is not None:
            raise LockThere(path=undone.path)
        copied = {name: undone.started[name] for name in _COPIED if name in undone.started}
        with operation(journal, new_id(), {**copied, "undoes": undone.id}) as running:
            said = _write(store, stored, undone)
            with beyond_return(undone.path, "it is there again, which could not be written down"):
                running.done()
    return said


def _write(store: LockStore, stored: Stored, undone: Operation) -> str:
    try:
        if not store.put_back(stored):
            raise LockThere(path=undone.path)
    except AnswerLost as error:
        now = store.read(stored.key)
        if now is None or now.body != stored.body:
            seen = "nothing is there" if now is None else "another lock is there"
            reason = f"{error.values['reason']}. It was read again, and {seen}"
            state = "It was not asked again; the request may still arrive."
            raise StepFailed(path=undone.path, reason=reason, state=state) from error
        return "The answer was lost, but the lock is there again."
    return "The lock is there again, as it was."


def record_of(undone: Operation) -> Stored:
    """The record that was released, or was about to be; ``Refused`` if it was not kept whole."""
    record: Mapping[str, Any] = undone.started["record"]
    body = base64.b64decode(record["body"], validate=True)
    if not record["whole"]:
        raise Refused(path=undone.path, reason="it was too large to be kept whole")
    return Stored(
        key=str(undone.started["key"]),
        body=body,
        version=str(record["version"]),
        size=len(body),
        attributes={str(name): str(value) for name, value in record["attributes"].items()},
    )


@contextmanager
def opened_store(undone: Operation) -> Iterator[LockStore]:
    """The store that the lock was in, opened as it was then."""
    form = by_name(str(undone.started["format"]))
    if undone.started["lock"] == LockKind.OBJECT.value or "access" in undone.started:
        address = unpack(undone.started["root"]).decode("utf-8")
        with closing(form.open_store(address, Access(**undone.started["access"]))) as store:
            yield store
        return
    with open_root(undone) as root:
        knowledge = form.read(root, scan_subtree(root), References())
        leases = knowledge.leases()
        if leases is None:
            raise Refused(path=undone.path, reason="this cache has no leases any more")
        yield leases
