"""End an interrupted rewriting of a record file, or the undoing of one.

Three things can lie at the record's name and at the unguessable name beside it: what we wrote
(known by what was recorded before it got its place), the old content (known by its digest), and
what somebody saved meanwhile, which is never removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.plan import below
from cachewright.repair.quarantine import same_thing
from cachewright.repair.records import Event, unpack
from cachewright.repair.recovering.scene import Ending, Scene, refuse_without
from cachewright.repair.rewriting import LIMIT, forget_content, sha256_of
from cachewright.storage.anchored import Directory
from cachewright.storage.swap import exchange, rename_noreplace, sync_directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.repair.operations import Operation


@dataclass(frozen=True, slots=True)
class _Record:
    """The record's directory, its name, and the name beside it."""

    scene: Scene
    parent: Directory
    name: bytes
    beside: bytes

    def digest(self, name: bytes) -> str | None:
        """SHA-256 of a file there; None where there is no plain file of a record's size."""
        with suppress(OSError, CachewrightError):
            return sha256_of(self.parent.read(name, LIMIT))
        return None

    def drop_beside(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.beside, dir_fd=self.parent.fd)
        sync_directory(self.parent)

    def left_beside(self) -> Ending:
        where = display(self.parent.where(self.beside))
        reason = f"It was interrupted while somebody else saved the file. Theirs lies in {where}."
        return Ending(Event.FAILED, reason)


@contextmanager
def _record(scene: Scene) -> Iterator[_Record]:
    one = scene.one
    beside = unpack(str(one.started["beside"]))
    if below(unpack(one.started["root"]), one.path) is None:
        with Directory.open(os.path.dirname(one.path)) as parent:
            refuse_for_root(parent)
            yield _Record(scene, parent, os.path.basename(one.path), beside)
        return
    with scene.subject() as (parent, name):
        yield _Record(scene, parent, name, beside)


def end_rewriting(scene: Scene) -> Ending:
    one = scene.one
    with _record(scene) as record:
        ending = _end(record, one.started["old"], one.started["new"])
        if ending.event is Event.ROLLED_BACK:
            forget_content(scene.journal.state, one.id)
        return ending


def end_setting_back(scene: Scene) -> Ending:
    """An undo: of a record that was made, by taking it away; of another, by rewriting it."""
    undone = refuse_without(scene.undone, scene.one)
    written = (undone.ended or {})["new"]
    with _record(scene) as record:
        if (undone.ended or {})["old"] is None:
            return _end_removing(record, written)
        return _end(record, written, (undone.ended or {})["old"])


def _end(record: _Record, old: str | None, new: str) -> Ending:
    scene, there = record.scene, record.parent.exists(record.beside)
    if scene.one.prepared is None or scene.is_made(record.parent, record.beside):
        record.drop_beside()  # it never got its place
        return Ending.taken_back()
    if scene.is_made(record.parent, record.name):
        if there and record.digest(record.beside) != old:
            return _given_back(record)
        sync_directory(record.parent)
        record.drop_beside()
        mode = record.parent.stat(record.name).st_mode & 0o7777
        return Ending.finished(new=new, old=old, mode=mode)
    if there and record.digest(record.beside) != old:
        return record.left_beside()
    record.drop_beside()
    if there:
        reason = "It was interrupted, and somebody has saved the file since. Theirs is left there."
        return Ending(Event.FAILED, reason)
    return Ending.taken_back()


def _given_back(record: _Record) -> Ending:
    """What somebody had saved when we exchanged it gets its name again."""
    parent = record.parent
    exchange(parent, record.beside, parent, record.name)
    if record.scene.is_made(parent, record.beside):
        record.drop_beside()
        return Ending.taken_back()
    # It was saved once more at this very moment: that one has the name.
    exchange(parent, record.beside, parent, record.name)
    return record.left_beside()


def _end_removing(record: _Record, written: str) -> Ending:
    parent = record.parent
    if not parent.exists(record.beside):
        return Ending.taken_back()
    if record.digest(record.beside) == written:
        sync_directory(parent)
        return Ending.finished()  # it tells that it is, so it is swept up only afterwards
    if parent.exists(record.name):
        return record.left_beside()
    rename_noreplace(parent, record.beside, parent, record.name)
    sync_directory(parent)
    return Ending.taken_back()


def drop_left_over(one: Operation, undone: Operation | None) -> None:
    """Remove the file beside a record that an operation, done by then, could not remove itself:
    only if it has the very content that was there before."""
    ended = (undone or one).ended or {}
    known = {ended.get("old"), ended.get("new")} - {None}
    beside = unpack(str(one.started["beside"]))
    with suppress(OSError, CachewrightError):
        path = os.path.join(os.path.dirname(one.path), beside)
        if not os.path.lexists(path):
            return
        with Directory.open(os.path.dirname(one.path)) as parent:
            refuse_for_root(parent)
            if sha256_of(parent.read(beside, LIMIT)) in known:
                os.unlink(beside, dir_fd=parent.fd)
                sync_directory(parent)


def drop_unused(one: Operation) -> None:
    """Remove the file beside a record that was written for an operation which was taken back:
    only the very one that was made, never what somebody saved and was exchanged with it."""
    made = (one.prepared or {}).get("made")
    beside = unpack(str(one.started["beside"]))
    with suppress(OSError, CachewrightError):
        if not os.path.lexists(os.path.join(os.path.dirname(one.path), beside)):
            return
        with Directory.open(os.path.dirname(one.path)) as parent:
            refuse_for_root(parent)
            if made is None or same_thing(parent.stat(beside), made, within=parent):
                os.unlink(beside, dir_fd=parent.fd)
                sync_directory(parent)
