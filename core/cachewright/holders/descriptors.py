"""The open files of one process, without touching file systems that may hang."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cachewright.holders.mounts import mounts
from cachewright.holders.processes import GONE, Process, Stat, shown_link

Concerns = Callable[[int, int, str], bool]
"""Whether a descriptor is worth telling of, by device, inode and path."""


class OpenFile(NamedTuple):
    """One descriptor.  ``number`` is its name below the process, e.g. ``fd/7``.

    ``device`` and ``inode`` are what ``stat`` says; -1 where asking fails or could hang.
    """

    number: str
    path: str
    write: bool
    directory: bool
    device: int
    inode: int


def remote_points(prefixes: Sequence[bytes]) -> tuple[str, ...]:
    """Where file systems are mounted that a server answers for, apart from those that hold one
    of ``prefixes``: ``stat`` of a file there waits for a server that may be gone."""
    points = (
        mount.point.rstrip(b"/") + b"/"
        for mount in mounts()
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


def descriptors(
    process: Process, stat: Stat, avoid: tuple[str, ...], concerns: Concerns
) -> Iterator[OpenFile]:
    """Every descriptor that has a path and concerns us; ``PermissionError`` where we may not
    look.

    Threads that unshared their descriptors are not told apart: the kernel shows those of the
    main thread.  The sole-opener probe sees such files.
    """
    for part in parts(process, stat):
        fd = process.directory(f"{part}fd")
        try:
            for name in os.listdir(fd):
                try:
                    found = _look(fd, name, avoid, concerns)
                except GONE:
                    continue
                if found is not None:
                    yield found._replace(number=f"{part}fd/{name}")
        finally:
            os.close(fd)


def _look(fd: int, name: str, avoid: tuple[str, ...], concerns: Concerns) -> OpenFile | None:
    """``number`` is only the name in the directory ``fd``."""
    path = shown_link(name, fd)
    if path[:1] != "/":
        return None  # a pipe, a socket, an event
    device, inode, directory = -1, -1, False
    if not (avoid and path.startswith(avoid)):
        try:
            target = os.stat(name, dir_fd=fd)
        except (*GONE, PermissionError):
            raise
        except OSError:
            pass  # its file system fails (a stale handle, a dead FUSE): the path still counts
        else:
            device, inode = target.st_dev, target.st_ino
            directory = modes.S_ISDIR(target.st_mode)
    if not concerns(device, inode, path):
        return None
    # The permission bits of the link itself tell how the file was opened.
    write = bool(os.lstat(name, dir_fd=fd).st_mode & modes.S_IWUSR)
    return OpenFile(name, path, write, directory, device, inode)
