"""Put a whole new tree in the place of an old one, so that no reader ever finds neither.

The order is that of reliability.md B3: complete private staging, durable; read back and
verified; the target looked at again; one exchange; the old tree kept.  Killed anywhere in
between, the place holds the whole old or the whole new tree, and nothing is lost.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import CachewrightError, Changed, Escapes, Refused, StepFailed
from cachewright.inventory.tree import scan_subtree
from cachewright.repair.operations import PutBack, Unfinished, taking_back
from cachewright.repair.quarantine import ALONE, ITEM, SPARE, STAGE, kept_at
from cachewright.storage.anchored import Directory
from cachewright.storage.metadata import copy_access, give_owner
from cachewright.storage.reading_back import hash_tree, sync_tree
from cachewright.storage.removal import remove_tree
from cachewright.storage.swap import (
    ExchangeUnsupported,
    exchange,
    rename_noreplace,
    supports_exchange,
    sync_directory,
)

if TYPE_CHECKING:
    from cachewright.digests import Cancellable, FileDigest
    from cachewright.model import Identity
    from cachewright.repair.operations import Running
    from cachewright.repair.subject import LookAround, Subject

Files = Mapping[bytes, "FileDigest"]

_ROOT_USER: Final = 0
_NEW_MODE: Final = 0o755
_NO_EXCHANGE: Final = (
    "this file system cannot exchange two names in one step, and no lock of the cache's tool can "
    "be held that would keep others away in between"
)


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be published.  ``write`` fills an empty private directory and returns what it
    wrote; ``verify`` raises unless the files, as read back from disk, are good.  ``single``: the
    one file that is written is published by itself, not the directory."""

    write: Callable[[Directory], Files]
    verify: Callable[[Files], None]
    single: bool = False


class Publication:
    """One publication of ``content`` at ``target``; ``place`` is private, empty, on the same
    file system and outside the cache.  Use the methods in their order, each once."""

    def __init__(self, target: Subject, place: Directory, look: LookAround) -> None:
        self.target = target
        self.place = place
        self._look = look
        self.files: Files = {}
        self._made: set[tuple[int, int]] = set()

    def stage(self, content: Content, cancel: Cancellable, *, gate_held: bool) -> None:
        """Write, make durable, read back, verify.  Whatever raises, the target is untouched.

        Where the exchange that ``swap`` will want cannot be had, nothing is written at all.
        """
        with self.place.make_directory(STAGE) as stage:
            self._made.add((stage.identity.device, stage.identity.inode))
            if not (gate_held or self.target.missing or supports_exchange(stage)):
                raise Refused(path=self.target.path, reason=_NO_EXCHANGE)
            written = content.write(stage)
            self._give_owner(stage)
            sync_tree(stage)
            self.files = hash_tree(stage, cancel)
            if _contents(self.files) != _contents(written):
                raise StepFailed(
                    path=self.target.path,
                    reason="what was written is not what the disk gives back",
                    state="Nothing was changed.",
                )
            content.verify(self.files)
            if content.single:
                self._leave_alone(stage)
            else:
                self._give_access(stage)
            sync_directory(stage)
        if content.single:
            os.rmdir(STAGE, dir_fd=self.place.fd)
            rename_noreplace(self.place, ALONE, self.place, STAGE)
        sync_directory(self.place)

    def _leave_alone(self, stage: Directory) -> None:
        """Take the one file out of its directory, to be what is exchanged."""
        (name,) = self.files
        if stat.S_ISREG(self.target.judged.mode):
            fd = stage.open_file(name)
            try:
                os.fchmod(fd, stat.S_IMODE(self.target.judged.mode) & 0o777)
                os.fsync(fd)
            finally:
                os.close(fd)
        rename_noreplace(stage, name, self.place, ALONE)
        found = self.place.stat(ALONE)
        self._made.add((found.st_dev, found.st_ino))

    def made(self) -> tuple[Identity, str]:
        """Identity and signature of what is staged, by which it is known wherever it lies."""
        tree = scan_subtree(self.place, STAGE)
        return self.place.identity_of(STAGE), tree.signature(0)

    def swap(self, *, gate_held: bool) -> None:
        """Look at the target once more, exchange it with the stage, look at what came out.

        ``gate_held``: the tool's own lock keeps its readers and writers away, so where the file
        system knows no exchange the two renames in place of it are safe; else ``Refused``.
        ``PutBack`` where the target was changed or opened for writing at the last moment.
        """
        target = self.target
        target.recheck()
        target.refuse_writers(self._look)
        if target.missing:
            self._move_in()
        else:
            self._exchange(gate_held)
            self._inspect_old()
        try:
            sync_directory(target.parent)
            if not target.missing:
                rename_noreplace(self.place, STAGE, self.place, ITEM)
            sync_directory(self.place)
        except OSError as error:
            self.revert()
            raise PutBack(f"it could not be made durable ({error})") from error

    def revert(self) -> None:
        """Put the old tree back, the new one into the stage; ``Unfinished`` if that fails."""
        target = self.target
        with taking_back(target.path):
            if target.missing:
                rename_noreplace(target.parent, target.name, self.place, STAGE)
            else:
                self._old_back(ITEM if self.place.exists(ITEM) else STAGE)
            sync_directory(target.parent)
            sync_directory(self.place)

    def _old_back(self, old: bytes) -> None:
        target = self.target
        try:
            exchange(self.place, old, target.parent, target.name)
        except ExchangeUnsupported:
            rename_noreplace(target.parent, target.name, self.place, SPARE)
            rename_noreplace(self.place, old, target.parent, target.name)
            rename_noreplace(self.place, SPARE, self.place, old)
        if old != STAGE:
            rename_noreplace(self.place, old, self.place, STAGE)

    def drop_stage(self) -> None:
        """Remove what was staged and not published.  Only ever the new tree: after an exchange
        the old one has this name for a moment."""
        for name in (ALONE, STAGE):
            with suppress(OSError, CachewrightError):
                found = self.place.stat(name)
                if (found.st_dev, found.st_ino) in self._made:
                    remove_tree(self.place, name)

    def _move_in(self) -> None:
        target = self.target
        try:
            rename_noreplace(self.place, STAGE, target.parent, target.name)
        except FileExistsError:
            raise Changed(path=target.path, what="something is there now") from None

    def _exchange(self, gate_held: bool) -> None:
        target = self.target
        try:
            exchange(self.place, STAGE, target.parent, target.name)
        except ExchangeUnsupported:
            if not gate_held:
                raise Refused(path=target.path, reason=_NO_EXCHANGE) from None
            self._two_renames()

    def _two_renames(self) -> None:
        """Old out, new in; the journal knows of both, so a crash in between can be finished."""
        target = self.target
        rename_noreplace(target.parent, target.name, self.place, ITEM)
        try:
            rename_noreplace(self.place, STAGE, target.parent, target.name)
        except BaseException:
            rename_noreplace(self.place, ITEM, target.parent, target.name)
            raise
        rename_noreplace(self.place, ITEM, self.place, STAGE)

    def _inspect_old(self) -> None:
        old = self.target.moved(self.place, STAGE)
        try:
            old.recheck_moved()
            old.refuse_writers(self._look)
        except BaseException as error:
            self.revert()
            if isinstance(error, Exception):
                raise PutBack(str(error)) from error
            raise

    def _give_access(self, stage: Directory) -> None:
        """Whoever could enter the old entry, by mode or access list, may enter the new one."""
        judged = stat.S_IMODE(self.target.judged.mode) & 0o777
        os.fchmod(stage.fd, judged if self.target.is_directory else _NEW_MODE)
        with (
            suppress(NotADirectoryError, FileNotFoundError, Escapes),  # ``recheck`` will tell
            self.target.parent.open_directory(self.target.name) as old,
        ):
            copy_access(old.fd, stage.fd)

    def _give_owner(self, stage: Directory) -> None:
        """As root, give the new tree to whom the old one (or its directory) belongs: else the
        tool could not change its own cache any more."""
        if os.geteuid() != _ROOT_USER:
            return
        try:
            like = self.target.parent.stat(self.target.name)
        except FileNotFoundError:
            like = os.fstat(self.target.parent.fd)
        give_owner(stage, like.st_uid, like.st_gid)


def as_published(target: Subject) -> dict[str, Any]:
    """Identity and signature of what lies at the target now, for whoever takes it back.

    The signature knows every file but not the place, so it outlasts a later publication that
    is itself taken back.
    """
    signature = scan_subtree(target.parent, target.name).signature(0)
    return {**target.parent.identity_of(target.name).as_json(), "signature": signature}


def publish_tree(
    publication: Publication,
    content: Content,
    running: Running,
    *,
    gate_held: bool,
    size: int,
    cancel: Cancellable,
) -> Publication:
    """All of a publication, journaled as done at its end.  When anything raises, the target is
    as it was and the stage is gone; ``size`` is that of the old tree, for the record."""
    target, place = publication.target, publication.place
    try:
        publication.stage(content, cancel, gate_held=gate_held)
        running.prepared(*publication.made())
        publication.swap(gate_held=gate_held)
        try:
            kept = None if target.missing else kept_at(place, running.id, size)
            running.done(kept=kept, place=running.id, published=as_published(target))
        except BaseException as error:
            publication.revert()
            if isinstance(error, Exception):
                raise PutBack(str(error)) from error
            raise
    except Unfinished:
        raise  # what lies in the stage may be all that there is of the old tree
    except Exception:
        publication.drop_stage()
        raise
    return publication


def _contents(files: Files) -> dict[bytes, tuple[int, str]]:
    """What must be the same before and after: names, sizes and SHA-256."""
    return {name: (digest.size, digest.values["sha256"]) for name, digest in files.items()}
