"""What is kept in quarantine, as the journal knows it, and its end."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from cachewright import holders
from cachewright.errors import CachewrightError, Changed, InUse
from cachewright.holders.naming import names_of
from cachewright.inventory.tree import scan_subtree
from cachewright.model import Outcome, Result, StepKind
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.journal import Journal
from cachewright.repair.operations import (
    Operation,
    PutBack,
    beyond_return,
    new_id,
    operation,
    operations,
)
from cachewright.repair.quarantine import ITEM, Quarantine, same_thing
from cachewright.repair.records import unpack
from cachewright.repair.reopening import kept_place
from cachewright.repair.subject import LookAround
from cachewright.repair.work import verdict_on
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree
from cachewright.storage.swap import sync_directory
from cachewright.text import display

GRACE_S: Final = 7 * 86400.0
"""How long things are kept before a click may delete them (reliability.md A2)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Something in quarantine.  ``id`` is the operation that put it there, ``original`` its
    old path, ``kept`` where it lies now, ``root`` the cache it belongs to."""

    id: str
    at_ns: int
    original: bytes
    kept: bytes
    size: int
    step: StepKind
    root: bytes


def kept_items(journal: Journal, root: bytes | None = None) -> tuple[Kept, ...]:
    """What is kept and still there, the oldest first: of the cache at ``root``, or of all that
    this journal knows."""
    return tuple(
        kept
        for one in operations(journal.records())
        if (kept := _kept(one)) is not None and root in {None, kept.root}
    )


def _kept(one: Operation) -> Kept | None:
    if one.kept is None:
        return None
    item = unpack(one.kept["item"])
    if not os.path.lexists(item):
        return None
    root = unpack(one.started["root"])
    return Kept(one.id, one.at_ns, one.path, item, int(one.kept["size"]), one.step, root)


def purge(
    journal: Journal,
    older_than_s: float = GRACE_S,
    root: bytes | None = None,
    *,
    look: LookAround = holders.survey,
) -> tuple[Outcome, ...]:
    """Delete for good what has been kept longer than ``older_than_s`` seconds.

    Only what this journal records, only if it is the very thing that was put there, and only if
    nobody has any of it in use; deleted by descriptor, never through a link or into a mount.
    One that is refused does not stop the others.
    """
    known = {one.id: one for one in operations(journal.records())}
    before_ns = time.time_ns() - int(older_than_s * 1_000_000_000)
    due = [kept for kept in kept_items(journal, root) if kept.at_ns <= before_ns]
    return tuple(_purge(journal, known[kept.id], kept, look) for kept in due)


def _purge(journal: Journal, one: Operation, kept: Kept, look: LookAround) -> Outcome:
    try:
        quarantine = Quarantine.at(unpack(one.started["quarantine"]))
        try:
            refuse_for_root(quarantine.directory)
            with quarantine.exclusive():
                _delete(journal, one, quarantine, look)
        finally:
            quarantine.close()
        was = f"Deleted for good. It had been at {display(kept.original)}."
        result, reason = Result.DONE, was
    except (PutBack, OSError, CachewrightError) as error:
        result, reason = verdict_on(error)
    return Outcome(one.step, kept.kept, result, reason, None, one.subject)


def _delete(journal: Journal, one: Operation, quarantine: Quarantine, look: LookAround) -> None:
    recorded = one.kept or {}
    with kept_place(one, quarantine) as place:
        if not one.purge_started and not same_thing(
            place.stat(ITEM), recorded["identity"], within=place, unchanged=True
        ):
            raise Changed(path=place.where(ITEM), what="a name was added or taken away")
        refuse_users(place, look)
        about = {name: one.started[name] for name in ("step", "subject", "path", "root")}
        # Once the journal may have its start, it is finished whatever comes.
        begun = partial(beyond_return, place.where(ITEM), "a part of it may be deleted")
        purging = {**about, "purges": one.id}
        with begun(), operation(journal, new_id(), purging) as running, begun():
            delete_item(place)
            running.done()
        name = str(recorded["place"]).encode()
        quarantine.discard(place, name)


def delete_item(place: Directory) -> None:
    """Delete what is kept in an operation's place, durably."""
    remove_tree(place, ITEM)
    sync_directory(place)


def refuse_users(place: Directory, look: LookAround) -> None:
    """``InUse`` where anybody uses what is kept in an operation's place."""
    tree = scan_subtree(place, ITEM)
    places = set(zip(tree.device.tolist(), tree.inode.tolist(), strict=True))
    here = place.where(ITEM)
    survey = look([here], frozenset(device for device, _inode in places))
    users = [one for one in survey.of(places, here) if one.pid != os.getpid()]
    if users:
        raise InUse(path=here, reason=f"{names_of(users)} has it in use")
