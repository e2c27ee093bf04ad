"""System calls as a supervisor sees them, and which of them can change a disk."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_X86_64: Final = {
    "read": 0, "write": 1, "open": 2, "stat": 4, "fstat": 5, "lstat": 6, "pread64": 17,
    "pwrite64": 18, "readv": 19, "writev": 20, "fcntl": 72, "flock": 73, "fsync": 74,
    "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84,
    "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "readlink": 89, "chmod": 90,
    "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "utime": 132, "setxattr": 188,
    "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
    "fremovexattr": 199, "getdents64": 217, "utimes": 235, "openat": 257, "mkdirat": 258,
    "mknodat": 259, "fchownat": 260, "futimesat": 261, "newfstatat": 262, "unlinkat": 263,
    "renameat": 264, "linkat": 265, "symlinkat": 266, "readlinkat": 267, "fchmodat": 268,
    "utimensat": 280, "fallocate": 285, "pwritev": 296, "renameat2": 316, "copy_file_range": 326,
    "statx": 332, "openat2": 437, "fchmodat2": 452, "getsid": 124, "close": 3, "sendfile": 40,
    "exit_group": 231,
}  # fmt: skip
_GENERIC: Final = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15,
    "fremovexattr": 16, "fcntl": 25, "flock": 32, "mknodat": 33, "mkdirat": 34, "unlinkat": 35,
    "symlinkat": 36, "linkat": 37, "renameat": 38, "truncate": 45, "ftruncate": 46,
    "fallocate": 47, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "openat": 56,
    "close": 57, "getdents64": 61, "read": 63, "write": 64, "readv": 65, "writev": 66,
    "pread64": 67, "pwrite64": 68, "pwritev": 70, "sendfile": 71, "readlinkat": 78,
    "newfstatat": 79, "fstat": 80, "fsync": 82, "fdatasync": 83, "utimensat": 88, "getsid": 156,
    "renameat2": 276, "copy_file_range": 285, "statx": 291, "openat2": 437, "fchmodat2": 452,
    "exit_group": 94,
}  # fmt: skip
NUMBERS: Final = _X86_64 if platform.machine() == "x86_64" else _GENERIC
NAMES: Final = {number: name for name, number in NUMBERS.items()}

SEES: Final = frozenset(
    {
        "read", "pread64", "readv", "stat", "fstat", "lstat", "newfstatat", "statx", "readlink",
        "readlinkat", "getdents64", "fcntl", "flock", "close", "getsid",
        "exit_group",
    }
)  # fmt: skip
"""Those of the named calls that only look; the others (but for opening) can change a disk."""
OPENS: Final = frozenset({"open", "openat", "openat2", "creat"})
SYNCS: Final = frozenset({"fsync", "fdatasync"})
CHANGES: Final = frozenset(NUMBERS) - SEES
"""Those that can change a disk, and those that open: ``Call.changes`` tells which of these do."""
ALLOCATES: Final = OPENS | {"write", "writev", "pwrite64", "mkdir", "mkdirat", "symlinkat"}
"""Those that want room on a disk."""
_BY_DESCRIPTOR: Final = frozenset(
    {"write", "writev", "pwrite64", "pwritev", "read", "pread64", "readv", "fchmod", "fchown",
     "ftruncate", "fallocate", "flock", "fcntl", "fstat", "getdents64", *SYNCS}
)  # fmt: skip
_BELOW: Final = frozenset(
    {"openat", "openat2", "mkdirat", "mknodat", "fchownat", "newfstatat", "unlinkat", "renameat",
     "renameat2", "linkat", "readlinkat", "fchmodat", "fchmodat2", "utimensat", "statx"}
)  # fmt: skip
_BY_PATH: Final = frozenset(
    {"open", "stat", "lstat", "rename", "mkdir", "rmdir", "creat", "link", "unlink", "readlink",
     "chmod", "chown", "lchown", "utime", "utimes", "setxattr", "lsetxattr"}
)  # fmt: skip
_HERE: Final = 0xFFFFFF9C
"""``AT_FDCWD``: a path of its own, not below a descriptor."""
_LONGEST: Final = 512
_MAKES: Final = os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Call:
    """The ``number``-th call of this name in one run, from 1.  ``path`` is that of the descriptor
    that it is given, or the one that it is given itself; empty where it has none."""

    name: str
    number: int
    flags: int
    path: str

    @property
    def changes(self) -> bool:
        """Whether a disk may be another after it than before."""
        if self.name in OPENS:
            return self.name == "creat" or bool(self.flags & _MAKES)
        return self.name in NUMBERS and self.name not in SEES


def number_of(name: str) -> int:
    """The number of a call by the name that ``Call`` gives it."""
    return NUMBERS[name] if name in NUMBERS else int(name.removeprefix("call "))


def call(number: int, arguments: tuple[int, ...], nth: int, pid: int) -> Call:
    """The call that a process is about to make."""
    name = NAMES.get(number, f"call {number}")
    flags = arguments[1 if name == "open" else 2] if name in {"open", "openat"} else 0
    return Call(name, nth, flags, _path(name, pid, arguments))


def _path(name: str, pid: int, arguments: tuple[int, ...]) -> str:
    descriptor = arguments[0] & 0xFFFFFFFF
    if name in _BY_DESCRIPTOR or (name in _BELOW and descriptor != _HERE):
        with suppress(OSError):
            return os.readlink(f"/proc/{pid}/fd/{descriptor}")
        return ""
    if name in _BELOW or name in _BY_PATH:
        return _text(pid, arguments[int(name in _BELOW)])
    return ""


def _text(pid: int, address: int) -> str:
    """What a pointer of that process points at, up to its zero byte."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(_LONGEST).split(b"\0")[0].decode(errors="replace")
    except OSError:
        return ""
