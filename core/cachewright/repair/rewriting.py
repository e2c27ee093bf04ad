"""The steps that write a record file anew, and the swaps that undoing shares.

The new content is written beside the file and exchanged with it in one step; what comes out is
compared byte by byte with what was judged.  Somebody who saved the file in between gets it back.
A record outside the cache is reached by its own path, one inside below the pinned root and with
the tool's locks held; there it may also be missing, and is made.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from cachewright.errors import CachewrightError, Changed, Refused
from cachewright.model import Gate, Identity, Outcome, PlanStep, Result, StepKind
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.operations import PutBack, Running, taking_back
from cachewright.repair.plan import below
from cachewright.repair.records import pack
from cachewright.repair.subject import LookAround, Subject
from cachewright.repair.work import Work, held, outcome
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree
from cachewright.storage.swap import (
    ExchangeUnsupported,
    exchange,
    rename_noreplace,
    sync_directory,
)

LIMIT: Final = 16 << 20
"""Bytes of a record file; lock files have some kilobytes."""

KEPT: Final = b"kept"
CONTENT: Final = b"content"
_ROOT_USER: Final = 0
_INSIDE_ONLY: Final = frozenset({StepKind.RECOUNT_STATISTICS})


def rewrite_record(work: Work, step: PlanStep) -> Outcome:
    """Write a record anew as the format says; the old bytes are kept in the state directory."""
    with _opened(work, step) as (subject, gates):
        if subject.missing:
            return _make_record(work, step, subject, gates)
        parent, name, judged = subject.parent, subject.name, subject.judged
        subject.recheck()
        subject.refuse_writers(work.look)
        old = parent.read(name, LIMIT)
        new = _rewritten(work, step, old)
        beside = unguessable_name()
        with work.operation(
            step, gates, beside=pack(beside), old=sha256_of(old), new=sha256_of(new)
        ) as running:
            keep_content(work.journal.state, running.id, old)
            with replaced_content(
                subject, beside, old=old, new=new, look=work.look, running=running
            ):
                running.done(new=sha256_of(new), old=sha256_of(old), mode=stat.S_IMODE(judged.mode))
        with suppress(OSError):  # somebody took it away again: a later step will see that
            work.written[step.path] = parent.identity_of(name)
    return outcome(step, Result.DONE, "Rewritten; the old content is kept.", running.id)


def _make_record(work: Work, step: PlanStep, subject: Subject, gates: tuple[Gate, ...]) -> Outcome:
    """A record that was missing, in one step and never over anything."""
    subject.recheck()
    new = _rewritten(work, step, b"")
    beside = unguessable_name()
    fields = {"beside": pack(beside), "old": None, "new": sha256_of(new)}
    with (
        work.operation(step, gates, **fields) as running,
        new_content(subject, beside, new, running),
    ):
        running.done(new=sha256_of(new), old=None)
    return outcome(step, Result.DONE, "Written; there was none before.", running.id)


@contextmanager
def _opened(work: Work, step: PlanStep) -> Iterator[tuple[Subject, tuple[Gate, ...]]]:
    """The record pinned, with the locks that are held for it."""
    judged = work.written.get(step.path, step.identity)
    relative = below(work.root.path, step.path)
    if relative is None:
        with record_file(step.path, judged) as subject:
            yield subject, ()
        return
    gates = work.gates(relative)
    with held(work.root, gates, step.path), work.subject(step) as found:
        subject = replace(found, judged=judged)
        if not subject.missing and not stat.S_ISREG(judged.mode):
            raise Refused(path=step.path, reason="it is not a regular file")
        yield subject, gates


@contextmanager
def record_file(path: bytes, judged: Identity | None = None) -> Iterator[Subject]:
    """A record file with its directory pinned, as it was judged (as it is now, without)."""
    with Directory.open(os.path.dirname(path)) as parent:
        refuse_for_root(parent)
        name = os.path.basename(path)
        expected = judged or parent.identity_of(name)
        if not stat.S_ISREG(expected.mode):
            raise Refused(path=path, reason="it is not a regular file")
        yield Subject(parent, name, path, expected, None)


def _rewritten(work: Work, step: PlanStep, old: bytes) -> bytes:
    relative = below(work.root.path, step.path)
    try:
        detail = step.detail
        if relative is not None:
            detail = work.knowledge.renewed(step.step, relative, detail)
        elif step.step in _INSIDE_ONLY:
            raise ValueError("it does not lie in the cache")  # noqa: TRY301 - told like all else
        new = work.form.rewrite(step.step, detail, old)
    except ValueError as error:
        raise Refused(path=step.path, reason=str(error)) from error
    if new == old:
        raise Refused(path=step.path, reason="there is nothing to change in it any more")
    return new


def unguessable_name() -> bytes:
    return b".cachewright-" + secrets.token_hex(16).encode()


@contextmanager
def replaced_content(
    subject: Subject,
    beside: bytes,
    *,
    old: bytes,
    new: bytes,
    look: LookAround,
    running: Running,
) -> Iterator[None]:
    """Put ``new`` in the place of ``old``, durably, in one step; run the block; then drop the
    old file.  When anything fails the old file, or what somebody saved meanwhile, is there."""
    parent = subject.parent
    ours = _write_beside(subject, beside, new)
    try:
        running.prepared(parent.identity_of(beside))
        subject.recheck()
        _exchange(subject, beside)
        try:
            _inspect(subject.moved(parent, beside), old, look)
            sync_directory(parent)
            yield
        except BaseException as error:
            with taking_back(subject.path):
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


@contextmanager
def new_content(subject: Subject, beside: bytes, new: bytes, running: Running) -> Iterator[None]:
    """Put ``new`` where nothing is, durably, in one step; run the block.  When anything fails
    nothing is there again."""
    parent = subject.parent
    ours = _write_beside(subject, beside, new)
    try:
        running.prepared(parent.identity_of(beside))
        try:
            rename_noreplace(parent, beside, parent, subject.name)
        except FileExistsError:
            raise Changed(path=subject.path, what="something is there now") from None
        try:
            sync_directory(parent)
            yield
        except BaseException as error:
            with taking_back(subject.path):
                rename_noreplace(parent, subject.name, parent, beside)
            if isinstance(error, Exception):
                raise PutBack(str(error)) from error
            raise
    except BaseException:
        _drop(parent, beside, ours)
        raise


@contextmanager
def removed_content(
    subject: Subject, beside: bytes, content: bytes, look: LookAround
) -> Iterator[None]:
    """Take away a record that was made, durably, in one step; run the block; then drop it.
    When anything fails it, or what somebody saved meanwhile, is there again."""
    parent = subject.parent
    subject.recheck()
    rename_noreplace(parent, subject.name, parent, beside)
    try:
        _inspect(subject.moved(parent, beside), content, look)
        sync_directory(parent)
        yield
    except BaseException as error:
        with taking_back(subject.path):
            rename_noreplace(parent, beside, parent, subject.name)
        if isinstance(error, Exception):
            raise PutBack(str(error)) from error
        raise
    with suppress(OSError):  # it is away, durably; what is left lies beside its place
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
    """A durable file beside the one it will replace, with its mode and owner (where there is
    none, as its directory's allow); its inode."""
    parent = subject.parent
    like = os.fstat(parent.fd) if subject.missing else parent.stat(subject.name)
    allowed = 0o666 if subject.missing else 0o777
    fd = parent.create_file(name, stat.S_IMODE(like.st_mode) & allowed)
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


def forget_content(state: Directory, operation: str) -> None:
    """Remove what an operation kept that was taken back."""
    with suppress(FileNotFoundError), state.open_directory(KEPT) as kept:
        remove_tree(kept, operation.encode())


def kept_content(state: Directory, operation: str) -> bytes:
    """The old bytes that an operation kept; ``Refused`` where they are gone."""
    relative = b"/".join([KEPT, operation.encode(), CONTENT])
    try:
        return state.read(relative, LIMIT)
    except (OSError, CachewrightError) as error:
        raise Refused(path=state.where(relative), reason=f"it cannot be read ({error})") from error


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


REWRITERS: Final = {
    StepKind.DROP_POISONED_CHECKSUM: rewrite_record,
    StepKind.RECOUNT_STATISTICS: rewrite_record,
}
