"""The step that mends a record file outside the cache, and the swap that undoing shares.

The new content is written beside the file and exchanged with it in one step; what comes out is
compared byte by byte with what was judged.  Somebody who saved the file in between gets it back.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from cachewright.errors import CachewrightError, Changed, Refused
from cachewright.model import Identity, Outcome, PlanStep, Result, StepKind
from cachewright.repair.operations import PutBack
from cachewright.repair.records import pack
from cachewright.repair.subject import LookAround, Subject
from cachewright.repair.work import Work, outcome
from cachewright.storage.anchored import Directory
from cachewright.storage.swap import ExchangeUnsupported, exchange, sync_directory

LIMIT: Final = 16 << 20
"""Bytes of a record file; lock files have some kilobytes."""

KEPT: Final = b"kept"
CONTENT: Final = b"content"
_ROOT_USER: Final = 0


def drop_poisoned_checksum(work: Work, step: PlanStep) -> Outcome:
    """Rewrite a lock file as the format says; the old bytes are kept in the state directory."""
    with record_file(step.path, work.written.get(step.path, step.identity)) as subject:
        parent, name, judged = subject.parent, subject.name, subject.judged
        subject.recheck()
        subject.refuse_writers(work.look)
        old = parent.read(name, LIMIT)
        new = _rewritten(work, step, old)
        beside = unguessable_name()
        with work.operation(
            step, beside=pack(beside), old=sha256_of(old), new=sha256_of(new)
        ) as running:
            keep_content(work.journal.state, running.id, old)
            with replaced_content(subject, beside, old, new, work.look):
                running.done(new=sha256_of(new), old=sha256_of(old), mode=stat.S_IMODE(judged.mode))
        with suppress(OSError):  # somebody took it away again: a later step will see that
            work.written[step.path] = parent.identity_of(name)
    return outcome(step, Result.DONE, "Rewritten; the old content is kept.", running.id)


@contextmanager
def record_file(path: bytes, judged: Identity | None = None) -> Iterator[Subject]:
    """A record file with its directory pinned, as it was judged (as it is now, without)."""
    with Directory.open(os.path.dirname(path)) as parent:
        name = os.path.basename(path)
        expected = judged or parent.identity_of(name)
        if not stat.S_ISREG(expected.mode):
            raise Refused(path=path, reason="it is not a regular file")
        yield Subject(parent, name, path, expected, None)


def _rewritten(work: Work, step: PlanStep, old: bytes) -> bytes:
    try:
        new = work.form.rewrite(step.step, step.detail, old)
    except ValueError as error:
        raise Refused(path=step.path, reason=str(error)) from error
    if new == old:
        raise Refused(path=step.path, reason="there is nothing to change in it any more")
    return new


def unguessable_name() -> bytes:
    return b".cachewright-" + secrets.token_hex(16).encode()


@contextmanager
def replaced_content(
    subject: Subject, beside: bytes, old: bytes, new: bytes, look: LookAround
) -> Iterator[None]:
    """Put ``new`` in the place of ``old``, durably, in one step; run the block; then drop the
    old file.  When anything fails the old file, or what somebody saved meanwhile, is there."""
    parent = subject.parent
    ours = _write_beside(subject, beside, new)
    try:
        subject.recheck()
        _exchange(subject, beside)
        try:
            _inspect(subject.moved(parent, beside), old, look)
            sync_directory(parent)
            yield
        except BaseException as error:
            exchange(parent, beside, parent, subject.name)
            if isinstance(error, Exception):
                raise PutBack(str(error)) from error
            raise
    except BaseException:
        _drop(parent, beside, ours)
        raise
    with suppress(OSError):  # the new content is there, durably; what is left lies beside it
        os.unlink(beside, dir_fd=parent.fd)
        sync_directory(parent)


def _inspect(out: Subject, old: bytes, look: LookAround) -> None:
    """Whether what came out is the judged file, byte for byte, and nobody writes to it."""
    out.recheck_moved()
    if out.parent.read(out.name, LIMIT) != old:
        raise Changed(path=out.path, what="its content")
    out.refuse_writers(look)


def _drop(parent: Directory, beside: bytes, ours: int) -> None:
    """Remove the file beside, but only while it is our own: never what somebody saved."""
    with suppress(OSError):
        if parent.stat(beside).st_ino == ours:
            os.unlink(beside, dir_fd=parent.fd)
        sync_directory(parent)


def _exchange(subject: Subject, beside: bytes) -> None:
    try:
        exchange(subject.parent, beside, subject.parent, subject.name)
    except ExchangeUnsupported:
        reason = "this file system cannot exchange two names in one step"
        raise Refused(path=subject.path, reason=reason) from None


def _write_beside(subject: Subject, name: bytes, content: bytes) -> int:
    """A durable file beside the one it will replace, with its mode and owner; its inode."""
    like = subject.parent.stat(subject.name)
    fd = subject.parent.create_file(name, stat.S_IMODE(like.st_mode) & 0o777)
    made = os.fstat(fd).st_ino
    try:
        with open(fd, "wb") as file:
            if os.geteuid() == _ROOT_USER:
                os.fchown(fd, like.st_uid, like.st_gid)
            file.write(content)
            file.flush()
            os.fsync(fd)
    except BaseException:
        _drop(subject.parent, name, made)
        raise
    return made


def keep_content(state: Directory, operation: str, content: bytes) -> None:
    """Keep a record file's old bytes below the state directory, durably."""
    with suppress(FileExistsError):
        state.make_directory(KEPT).close()
    with state.open_directory(KEPT) as kept, kept.make_directory(operation.encode()) as place:
        fd = place.create_file(CONTENT, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
        sync_directory(place)
        sync_directory(kept)
    sync_directory(state)


def kept_content(state: Directory, operation: str) -> bytes:
    """The old bytes that an operation kept; ``Refused`` where they are gone."""
    relative = b"/".join([KEPT, operation.encode(), CONTENT])
    try:
        return state.read(relative, LIMIT)
    except (OSError, CachewrightError) as error:
        raise Refused(path=state.where(relative), reason=f"it cannot be read ({error})") from error


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


REWRITERS: Final = {StepKind.DROP_POISONED_CHECKSUM: drop_poisoned_checksum}
