"""The open files of one process, without touching file systems that may hang."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cachewright.holders.mounts import mounts
from cachewright.holders.processes import GONE, Process, Stat


@dataclass(frozen=True, slots=True)
class OpenFile:
    """One descriptor.  ``number`` is its name below the process, e.g. ``fd/7``.

    ``device`` and ``inode`` are what ``stat`` says; -1 where asking fails or could hang.
    """

    number: str
    path: bytes
    write: bool
    directory: bool
    device: int
    inode: int


def remote_points(prefixes: Sequence[bytes]) -> tuple[bytes, ...]:
    """Where file systems are mounted that a server answers for, apart from those that hold one
    of ``prefixes``: ``stat`` of a file there waits for a server that may be gone."""
    points = (
        mount.point.rstrip(b"/") + b"/"
        for mount in mounts()
        if not mount.local and mount.point != b"/" and _served(mount.type)
    )
    return tuple(
        point for point in points if not any(one.startswith(point.rstrip(b"/")) for one in prefixes)
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


def descriptors(process: Process, stat: Stat, avoid: tuple[bytes, ...]) -> Iterator[OpenFile]:
    """Every descriptor that has a path; ``PermissionError`` where we may not look.

    Threads that unshared their descriptors are not told apart: the kernel shows those of the
    main thread.  The sole-opener probe sees such files.
    """
    for part in parts(process, stat):
        for name in process.names(f"{part}fd"):
            try:
                found = _look(process, f"{part}fd/{name}", avoid)
            except GONE:
                continue
            if found is not None:
                yield found


def _look(process: Process, number: str, avoid: tuple[bytes, ...]) -> OpenFile | None:
    path = process.link(number)
    if not path.startswith(b"/"):
        return None  # a pipe, a socket, an event
    # The permission bits of the link itself tell how the file was opened.
    link = os.lstat(number, dir_fd=process.fd)
    write = bool(link.st_mode & modes.S_IWUSR)
    if avoid and path.startswith(avoid):
        return OpenFile(number, path, write, directory=False, device=-1, inode=-1)
    try:
        target = os.stat(number, dir_fd=process.fd)
    except (*GONE, PermissionError):
        raise
    except OSError:  # its file system fails (a stale handle, a dead FUSE): the path still counts
        return OpenFile(number, path, write, directory=False, device=-1, inode=-1)
    return OpenFile(
        number, path, write, modes.S_ISDIR(target.st_mode), target.st_dev, target.st_ino
    )
