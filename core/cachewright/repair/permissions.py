"""The step that gives back a lost execute permission, by descriptor, and its undoing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cachewright.errors import CachewrightError, Changed, Refused
from cachewright.model import Outcome, PlanStep, Result, StepKind
from cachewright.repair.operations import LEFT_OPEN, PutBack, Unfinished
from cachewright.repair.records import pack, unpack
from cachewright.repair.work import Work, held, outcome
from cachewright.storage.anchored import Directory
from cachewright.text import decode_name


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One file below an entry, with its permission bits before and after."""

    name: bytes
    inode: int
    old: int
    new: int

    def as_json(self) -> dict[str, Any]:
        return {"name": pack(self.name), "inode": self.inode, "old": self.old, "new": self.new}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModeChange:
        return cls(unpack(data["name"]), data["inode"], data["old"], data["new"])


def file_names(detail: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The files of a step's ``detail``: ``{"files": [...]}`` with names relative to the entry,
    each as ``text.encode_name`` spells it.  ``ValueError`` if odd."""
    files = detail.get("files")
    if not isinstance(files, list | tuple) or not files:
        raise ValueError("the step does not say which files")
    return tuple(map(decode_name, files))


def restore_exec_bit(work: Work, step: PlanStep) -> Outcome:
    """Whoever may read a file may run it again.  Only regular files with a single link: the
    mode of a hard-linked one would change elsewhere too (reliability.md T4)."""
    if stat.S_ISLNK(step.identity.mode):
        reason = "it is a link, and nothing is changed where it leads"
        raise Refused(path=step.path, reason=reason)
    relative = work.relative(step)
    if relative not in {entry.relative for entry in work.knowledge.entries}:
        raise Refused(path=step.path, reason="it is no entry that its format knows")
    try:
        names = file_names(step.detail)
    except ValueError as error:
        raise Refused(path=step.path, reason=str(error)) from error
    gates = work.gates(relative)
    with held(work.root, gates, step.path), work.subject(step) as subject:
        subject.recheck()
        subject.refuse_writers(work.look)
        with subject.parent.open_directory(subject.name) as entry:
            changes = [_planned(entry, name) for name in names]
            listed = [change.as_json() for change in changes]
            with (
                work.operation(step, gates, changes=listed) as running,
                changed_modes(entry, changes),
            ):
                running.done(changes=listed)
    return outcome(step, Result.DONE, "It may be run again.", running.id)


def _planned(entry: Directory, name: bytes) -> ModeChange:
    fd = entry.open_file(name)
    try:
        found = os.fstat(fd)
    finally:
        os.close(fd)
    if found.st_nlink != 1:
        reason = "it is a hard link: the mode would change under its other names too"
        raise Refused(path=entry.where(name), reason=reason)
    old = stat.S_IMODE(found.st_mode)
    return ModeChange(name, found.st_ino, old, old | (old & _READ) >> _READ_TO_RUN)


_READ: Final = 0o444
_READ_TO_RUN: Final = 2


@contextmanager
def changed_modes(entry: Directory, changes: Sequence[ModeChange]) -> Iterator[None]:
    """Change all modes durably for good; when the block or a change fails, back again."""
    done: list[ModeChange] = []
    try:
        for change in changes:
            set_mode(entry, change.name, change.inode, change.old, change.new)
            done.append(change)
        yield
    except BaseException as error:
        for change in reversed(done):
            _back(entry, change, error)
        if done and isinstance(error, Exception):
            raise PutBack(str(error)) from error
        raise


def _back(entry: Directory, change: ModeChange, error: BaseException) -> None:
    try:
        set_mode(entry, change.name, change.inode, change.new, change.old)
    except (OSError, CachewrightError) as failure:
        raise _not_set_back(entry.where(change.name), change.old, failure) from error


def set_mode(entry: Directory, name: bytes, inode: int, old: int, new: int) -> None:
    """Change the mode of the file that has this inode and mode, and one link; durable.  When it
    raises, the mode is as it was (``Unfinished`` where even that cannot be had)."""
    fd = entry.open_file(name)
    try:
        found = os.fstat(fd)
        if (found.st_ino, stat.S_IMODE(found.st_mode), found.st_nlink) != (inode, old, 1):
            raise Changed(path=entry.where(name), what="the file or its mode")
        os.fchmod(fd, new)
        try:
            os.fsync(fd)
        except OSError as error:
            _set_back(fd, entry.where(name), old, error)
            raise
    finally:
        os.close(fd)


def _set_back(fd: int, path: bytes, old: int, error: OSError) -> None:
    try:
        os.fchmod(fd, old)
    except OSError as failure:
        raise _not_set_back(path, old, failure) from error


def _not_set_back(path: bytes, old: int, failure: Exception) -> Unfinished:
    reason = f"its mode could not be set back to {old:o} ({failure})"
    return Unfinished(path=path, reason=reason, state=LEFT_OPEN)


MENDERS: Final = {StepKind.RESTORE_EXEC_BIT: restore_exec_bit}
