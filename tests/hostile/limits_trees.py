"""Trees at the edge of what a file system holds, as content of caches of real formats."""

from __future__ import annotations

import ctypes
import hashlib
import os
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cachewright.demo.provider import Provider, h1, lock_file, pack, unpack, write
from cachewright.storage.anchored import Directory

SPARSE: Final = 8 << 40
FUTURE_NS: Final = 4_000_000_000 * 10**9
"""In the year 2096."""
PAST_NS: Final = -300_000_000 * 10**9
"""In the year 1960."""


def deepen(top: Path, depth: int) -> dict[str, bytes]:
    """Directories in each other, some with a file, the last one too; the files by name."""
    files: dict[str, bytes] = {}
    with Directory.open(os.fsencode(top)) as root:
        here = root.make_directory(b"d")
        for level in range(1, depth + 1):
            if level % 500 == 0 or level == depth:
                _put(here, b"deep")
                files["/".join(["d"] * level) + "/f"] = b"deep"
            if level < depth:
                below = here.make_directory(b"d")
                here.close()
                here = below
        here.close()
    return files


def _put(here: Directory, content: bytes) -> None:
    with open(here.create_file(b"f", 0o644), "wb") as file:
        file.write(content)


class Providers:
    """A cache of two providers, of which one was tampered with, and what vouches for both."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.root, self.mirror, self.projects = (
            top / name for name in ("cache", "mirror", "projects")
        )
        self.good, self.bad = Provider("good", "1.0.0", 4), Provider("bad", "2.0.0", 4)
        unpack(self.good, str(self.root))
        self.entry = Path(unpack(self.bad, str(self.root)))
        pack(self.bad, str(self.mirror))
        self.record({})

    def record(self, more: Mapping[str, bytes]) -> None:
        """Have the lock file say that the second provider has these files, too."""
        content = {**self.bad.files(), **more}
        recorded = {self.good: [self.good.h1()], self.bad: [h1(content)]}
        write(str(self.projects / "one" / ".terraform.lock.hcl"), lock_file(recorded))

    def near(self) -> list[str | bytes | Path]:
        return ["--project", self.projects, "--source", self.mirror]


def listed(root: Path, content: Mapping[str, bytes]) -> None:
    """A list of checksums of these files in this folder, sound or not."""
    lines = (f"{hashlib.sha256(one).hexdigest()}  {name}\n" for name, one in content.items())
    (root / "SHA256SUMS").write_text("".join(lines))


def fill(root: Path, count: int, each: int = 1000) -> None:
    """So many small files, spread over directories, each with a list of what it holds."""
    for first in range(0, count, each):
        folder = root / f"{first // each:05}"
        folder.mkdir(parents=True)
        names = [f"{number:07}" for number in range(first, min(first + each, count))]
        here = os.open(folder, os.O_RDONLY)
        for name in names:
            fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here)
            os.write(fd, name.encode())
            os.close(fd)
        os.close(here)
        listed(folder, {name: name.encode() for name in names})


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


def _device(path: str) -> None:
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def _block(path: str) -> None:
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 200))


ODD: Final[Mapping[str, Callable[[str], None]]] = {
    "fifo": os.mkfifo,
    "socket": _socket,
    "device": _device,
    "block": _block,
    "loop": lambda path: os.symlink(os.path.basename(path), path),
    "round-1": lambda path: os.symlink("round-2", path),
    "round-2": lambda path: os.symlink("round-1", path),
    "out": lambda path: os.symlink("/dev/zero", path),
}
"""What is no file, by the name it is given."""


def odd(folder: Path) -> list[str]:
    """One of each that may be made here; their names."""
    made = []
    for name, make in ODD.items():
        try:
            make(str(folder / name))
        except PermissionError:
            continue  # a container may forbid devices
        made.append(name)
    return made


class Opens:
    """Tells whether anything in a folder was opened, by inotify."""

    _IN_OPEN: Final = 0x20
    _HEAD: Final = struct.Struct("iIII")

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watch = libc.inotify_add_watch(self._fd, os.fsencode(folder), self._IN_OPEN)
        if min(self._fd, watch) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def seen(self) -> set[str]:
        """Names opened since."""
        names: set[str] = set()
        while True:
            try:
                events = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return names
            while events:
                *_others, length = self._HEAD.unpack_from(events)
                end = self._HEAD.size + length
                names.add(os.fsdecode(events[self._HEAD.size : end].rstrip(b"\0")))
                events = events[end:]

    def close(self) -> None:
        os.close(self._fd)
