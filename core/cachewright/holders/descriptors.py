"""The open files of one process, without touching file systems that may hang."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cachewright.holders.interest import Interest
from cachewright.holders.mounts import Mount
from cachewright.holders.processes import GONE, Process, Stat, shown_link

_PLACELESS: Final = ("pipe:[", "socket:[", "anon_inode:")
"""How the kernel calls what lies in no directory."""


class OpenFile(NamedTuple):
    """One descriptor.  ``number`` is its name below the process, e.g. ``fd/7``.

    ``device`` and ``inode`` are what ``stat`` says; -1 where asking fails or could hang.
    ``counts`` is what ``Interest`` says of it.
    """

    number: str
    path: str
    write: bool
    directory: bool
    device: int
    inode: int
    counts: bool | None


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which descriptors are told of: what is of interest, and whatever may have a lock.

    ``avoid`` are paths that are not asked about, since that could hang.  ``nowhere`` are
    devices that have nothing to tell of; what is learned of them is added.
    """

    interest: Interest
    locked: frozenset[int]
    avoid: tuple[str, ...]
    nowhere: set[int]


def remote_points(prefixes: Sequence[bytes], table: Sequence[Mount]) -> tuple[str, ...]:
    """Where file systems are mounted that a server answers for, apart from those that hold one
    of ``prefixes``: ``stat`` of a file there waits for a server that may be gone."""
    points = (
        mount.point.rstrip(b"/") + b"/"
        for mount in table
        if not mount.local and mount.point != b"/" and _served(mount.type)
    )
    return tuple(
        os.fsdecode(point)
        for point in points
        if not any(one.startswith(point.rstrip(b"/")) for one in prefixes)
    )


def _served(kind: str) -> bool:
    return kind.startswith(("nfs", "cifs", "smb", "fuse", "9p", "ceph", "lustre", "afs", "virtio"))


def parts(process: Process, stat: Stat) -> tuple[str, ...]:
    """Where in /proc/PID the files of a process are found: at the top, or, where its main
    thread has ended, in the threads that go on."""
    if not (stat.zombie and stat.threads > 1):
        return ("",)
    threads = (name for name in process.names("task") if name != str(process.pid))
    return tuple(f"task/{name}/" for name in threads)


def descriptors(process: Process, stat: Stat, sieve: Sieve) -> Iterator[OpenFile]:
    """Every descriptor that has a path and passes the sieve; ``PermissionError`` where we may
    not look.

    Threads that unshared their descriptors are not told apart: the kernel shows those of the
    main thread.  The sole-opener probe sees such files.
    """
    for part in parts(process, stat):
        fd = process.directory(f"{part}fd")
        try:
            for name in os.listdir(fd):
                try:
                    found = _look(fd, name, part, sieve)
                except GONE:
                    continue
                if found is not None:
                    yield found
        finally:
            os.close(fd)


def _look(fd: int, name: str, part: str, sieve: Sieve) -> OpenFile | None:
    path = shown_link(name, fd) if sieve.avoid else None
    device, inode, directory = -1, -1, False
    if path is None or not path.startswith(sieve.avoid):
        try:
            target = os.stat(name, dir_fd=fd)
        except (*GONE, PermissionError):
            raise
        except OSError:
            pass  # its file system fails (a stale handle, a dead FUSE): the path still counts
        else:
            device = target.st_dev
            if device in sieve.nowhere:
                return None
            inode, directory = target.st_ino, modes.S_ISDIR(target.st_mode)
    if path is None:
        path = shown_link(name, fd)
    if path[:1] != "/":
        if path.startswith(_PLACELESS):
            sieve.nowhere.add(device)
        return None
    counts = sieve.interest.of(device, inode, path)
    if counts is False and inode not in sieve.locked:
        return None
    # The permission bits of the link itself tell how the file was opened.
    write = bool(os.lstat(name, dir_fd=fd).st_mode & modes.S_IWUSR)
    return OpenFile(f"{part}fd/{name}", path, write, directory, device, inode, counts)
