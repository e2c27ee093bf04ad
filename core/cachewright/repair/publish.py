"""Publish a directory or archive atomically: for programs that keep caches of their own."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachewright import holders
from cachewright.inventory.tree import scan_subtree
from cachewright.model import CancelToken, StepKind
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.journal import Journal
from cachewright.repair.operations import PutBack, new_id, operation
from cachewright.repair.plan import MISSING
from cachewright.repair.publication import Content, Publication, publish_tree
from cachewright.repair.quarantine import ITEM, Quarantine
from cachewright.repair.records import pack
from cachewright.repair.recover import recover
from cachewright.repair.sources import write_source
from cachewright.repair.subject import Subject
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.digests import FileDigest

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


@dataclass(frozen=True, slots=True)
class Published:
    """What ``publish`` did.  ``kept`` is where the old content lies now, None if there was
    none; ``undo`` is what ``cachewright undo`` takes; ``digests`` are those of the files that
    are there now, by name relative to the target."""

    path: bytes
    kept: bytes | None
    undo: str
    digests: Mapping[bytes, FileDigest]


def publish(
    target: Path,
    source: Path,
    *,
    root: Path | None = None,
    verify: Callable[[Mapping[bytes, FileDigest]], None] | None = None,
    state_dir: Path | None = None,
    cancel: CancelToken | None = None,
) -> Published:
    """Put the content of ``source`` (a directory, or an archive: zip, tar, tar.gz, tar.bz2,
    tar.xz) at ``target``, at once.

    What a caller may rely on:

    - A reader that opens ``target`` finds the whole old or the whole new content at any moment;
      the new one is complete and on disk before the two are exchanged.  A reader that has the
      old directory open keeps it.  (One that opens each file by its full path may see files of
      both.)
    - The bytes are hashed while they are written, made durable, read back and compared; then
      ``verify``, if given, is called with every file's SHA-256 and may raise to stop it all.
    - Nothing is deleted: the old content goes to quarantine beside ``root`` (the cache's top
      directory, ``target``'s own directory if not given) and ``undo`` brings it back.
    - Regular files and directories only.  Of a directory's, permission bits, times, ``user.*``
      attributes, access lists, hard links among them and holes are kept; set-ID bits are not.
      The new top directory gets the mode and access lists of the old one, and as root all of
      it gets the old one's owner.
    - When this returns, all of it is durable.  When it raises, ``target`` is as it was.

    Raises ``SourceUnusable``, ``InUse`` (somebody writes to ``target``, or another Cachewright
    is at work), ``Changed``, ``NoQuarantine``, ``Refused`` (no atomic exchange on this file
    system), ``StepFailed``, ``JournalDamaged``, ``OSError``.
    """
    path = os.path.abspath(os.fsencode(target))
    top = os.path.dirname(path) if root is None else os.path.abspath(os.fsencode(root))
    token = cancel or CancelToken()
    content = Content(
        write=lambda staging: write_source(os.fsencode(source), display(path), staging, token),
        verify=verify or _accept,
    )
    journal = Journal.open(None if state_dir is None else os.fsencode(state_dir))
    try:
        with Directory.open(top) as cache:
            refuse_for_root(cache)
            recover(journal, root=cache.path)
            journal.verify()
            return _publish(cache, os.path.relpath(path, top), content, journal, token)
    except PutBack as error:
        raise _why(error) from error
    finally:
        journal.close()


def _why(put_back: PutBack) -> BaseException:
    """What made it be put back: callers know that error, and that all is as it was."""
    why: BaseException = put_back
    while isinstance(why, PutBack) and why.__cause__ is not None:
        why = why.__cause__
    return why


def _accept(_digests: Mapping[bytes, FileDigest]) -> None:
    """The caller has no digests of its own."""


def _publish(
    cache: Directory, relative: bytes, content: Content, journal: Journal, cancel: CancelToken
) -> Published:
    parent, name = cache.parent_of(relative)
    with parent:
        subject = _as_it_is(parent, name, cache.where(relative))
        quarantine = Quarantine.for_root(cache)
        try:
            with quarantine.exclusive():
                return _carry_out(
                    cache=cache,
                    quarantine=quarantine,
                    subject=subject,
                    content=content,
                    journal=journal,
                    cancel=cancel,
                )
        finally:
            quarantine.close()


def _carry_out(
    *,
    cache: Directory,
    quarantine: Quarantine,
    subject: Subject,
    content: Content,
    journal: Journal,
    cancel: CancelToken,
) -> Published:
    subject.refuse_writers(holders.survey)
    about = _about(cache, quarantine, subject)
    with (
        operation(journal, new_id(), about) as running,
        quarantine.place(running.id, {"path": about["path"], "step": about["step"]}) as place,
    ):
        done = publish_tree(
            Publication(subject, place, holders.survey),
            content,
            running,
            gate_held=False,
            size=0,
            cancel=cancel,
        )
        kept = None if subject.missing else place.where(ITEM)
    return Published(subject.path, kept, running.id, done.files)


def _as_it_is(parent: Directory, name: bytes, path: bytes) -> Subject:
    """The target as it is now: nothing was judged before, the caller knows what it is."""
    try:
        now = parent.identity_of(name)
    except FileNotFoundError:
        return Subject(parent, name, path, MISSING, None)
    signature = scan_subtree(parent, name).signature(0) if stat.S_ISDIR(now.mode) else None
    return Subject(parent, name, path, now, signature)


def _about(cache: Directory, quarantine: Quarantine, subject: Subject) -> dict[str, Any]:
    return {
        "step": StepKind.REPUBLISH_ENTRY.value,
        "subject": display(subject.name),
        "path": pack(subject.path),
        "root": pack(cache.path),
        "root_identity": cache.identity.as_json(),
        "identity": subject.judged.as_json(),
        "signature": subject.signature,
        "gates": [],
        "quarantine": pack(quarantine.path),
    }
