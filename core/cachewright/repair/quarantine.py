"""Quarantine: where what a repair takes away is kept until its grace is over.

It lies beside the cache's root, never below it: names that come and go inside a cache can make
its tool see an empty one (terraform.md 3.5).  It is on the same file system, so that keeping and
putting back are single renames, and private to its owner.

Layout: ``.cachewright-quarantine/<operation>/item`` with ``record.json`` beside it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import CachewrightError, Changed, Escapes, NoQuarantine
from cachewright.model import QUARANTINE_NAME
from cachewright.repair.exclusive import exclusive
from cachewright.repair.records import pack
from cachewright.storage.anchored import Directory, identity
from cachewright.storage.swap import sync_directory

if TYPE_CHECKING:
    from cachewright.formats.base import Format

ITEM: Final = b"item"
"""What is kept."""
STAGE: Final = b"stage"
"""What is made to be exchanged with something in the cache, and for a moment what came out."""
ALONE: Final = b"alone"
"""A single file on its way out of its staging directory."""
SPARE: Final = b"spare"
"""What was taken out of the way, where that needs more than one step."""
AWAY: Final = b"away"
"""What gives way to what gets its place back, where names cannot be exchanged."""
RECORD: Final = b"record.json"
_LOCK: Final = b"lock"
_OTHERS: Final = 0o077


class Quarantine:
    """A quarantine held open.  ``close`` it, or use it as a context manager of ``opened``."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    @property
    def path(self) -> bytes:
        return self.directory.path

    @classmethod
    def for_root(cls, root: Directory, form: Format | None = None) -> Quarantine:
        """The quarantine for the cache at ``root``, made where it is missing.

        Beside the root if that is the same file system and may be written; else at the place
        below the root that the format calls harmless; else ``NoQuarantine``.
        """
        try:
            with _parent_of(root) as parent:
                return cls(_private(parent, QUARANTINE_NAME, root))
        except (NoQuarantine, OSError) as error:
            harmless = form.harmless_quarantine() if form is not None else None
            if harmless is None:
                raise NoQuarantine(path=root.path, reason=_reason(error)) from error
        try:
            holder, name = root.parent_of(harmless)
            with holder:
                return cls(_private(holder, name, root))
        except OSError as error:
            raise NoQuarantine(path=root.path, reason=_reason(error)) from error

    @classmethod
    def at(cls, path: bytes) -> Quarantine:
        """The quarantine that the journal says is at ``path``; errors as ``Directory.open``."""
        return cls(Directory.open(path))

    def close(self) -> None:
        self.directory.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep every other Cachewright away for the block; ``InUse`` if one is at work."""
        with exclusive(self.directory, _LOCK):
            yield

    @contextmanager
    def place(self, operation: str, about: Mapping[str, Any]) -> Iterator[Directory]:
        """A new private directory for one operation, with a durable record of what it is for.

        When the block raises and nothing is kept there, it is removed again.
        """
        name = operation.encode()
        with self.directory.make_directory(name) as made:
            try:
                _write_record(made, {"operation": operation, **about})
                sync_directory(made)
                sync_directory(self.directory)
                yield made
            except Exception:
                self.discard(made, name)
                raise

    def discard(self, place: Directory, name: bytes) -> None:
        """Remove an operation's place, unless anything but its record is there."""
        with suppress(OSError, CachewrightError):
            names = place.names()
            if names == [RECORD]:
                os.unlink(RECORD, dir_fd=place.fd)
            if names in ([], [RECORD]):
                os.rmdir(name, dir_fd=self.directory.fd)


def _reason(error: NoQuarantine | OSError) -> str:
    return error.values["reason"] if isinstance(error, NoQuarantine) else str(error.strerror)


def _parent_of(root: Directory) -> Directory:
    """The directory that holds the root, proven to be so and to be the same file system."""
    head, name = os.path.split(root.path)
    if not name:
        raise NoQuarantine(path=root.path, reason="it is the top of the whole file tree")
    try:
        parent = Directory.open(head)
    except CachewrightError as error:
        raise NoQuarantine(path=root.path, reason=str(error)) from error
    try:
        with parent.open_directory(name, one_mount=True) as found:
            same = (found.identity.device, found.identity.inode) == (
                root.identity.device,
                root.identity.inode,
            )
    except Escapes as error:
        parent.close()
        raise NoQuarantine(path=root.path, reason="the cache is a mount of its own") from error
    except BaseException:
        parent.close()
        raise
    if not same:
        parent.close()
        raise Changed(path=root.path, what="another directory is there now")
    return parent


def _private(parent: Directory, name: bytes, root: Directory) -> Directory:
    """Open or make the directory, owned by us and closed to others, on the root's device."""
    try:
        parent.make_directory(name).close()
    except FileExistsError:
        pass
    else:
        sync_directory(parent)
    try:
        made = parent.open_directory(name, one_mount=True)
    except (Escapes, NotADirectoryError) as error:
        reason = f"{parent.path.decode(errors='replace')} holds something else of its name"
        raise NoQuarantine(path=root.path, reason=reason) from error
    why = _unfit(os.fstat(made.fd), root)
    if why:
        made.close()
        raise NoQuarantine(path=root.path, reason=why)
    return made


def _unfit(found: os.stat_result, root: Directory) -> str:
    if found.st_dev != root.identity.device:
        return "the directory beside the cache is on another file system"
    if found.st_uid != os.geteuid():
        return "the quarantine beside the cache belongs to another user"
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        return "the quarantine beside the cache is open to other users"
    return ""


def _write_record(place: Directory, record: Mapping[str, Any]) -> None:
    fd = place.create_file(RECORD, 0o600)
    with open(fd, "wb") as file:
        file.write(json.dumps(record, indent=2).encode("ascii") + b"\n")
        file.flush()
        os.fsync(fd)


def kept_at(place: Directory, operation: str, size: int) -> dict[str, Any]:
    """Where the kept copy lies, for the journal."""
    return {
        "place": operation,
        "item": pack(place.where(ITEM)),
        "identity": place.identity_of(ITEM).as_json(),
        "size": size,
    }


def same_thing(
    found: os.stat_result,
    recorded: Mapping[str, Any],
    *,
    within: Directory,
    unchanged: bool = False,
) -> bool:
    """Whether this is the very file or directory that was recorded, by inode and type.

    It must lie on the file system of ``within``, the directory that it was found in.  That
    one's number is not compared with the recorded one: it may be another after the next mount.
    An inode is given to the next file as soon as the former is gone; with ``unchanged`` the
    time of change must fit as well, which also tells a directory that got or lost a name.
    """
    now = identity(found)
    same = (now.inode, stat.S_IFMT(now.mode)) == (recorded["inode"], stat.S_IFMT(recorded["mode"]))
    here = now.device == within.identity.device
    return same and here and (not unchanged or now.ctime_ns == recorded["ctime_ns"])
