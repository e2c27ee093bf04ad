"""A crowd of processes that hold files in every way, as a busy build machine has.

A program of its own, ``crowd.py CACHE ELSEWHERE COUNT``, so that each process is a fork of a small
interpreter.  It says on one line how many descriptors they have and which processes own
OFD locks, and ends with all of them when its standard input does, also when whoever started it is
killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

FILES = 8
"""Files of the cache that each holder has open, every other one for writing."""
THIRD = 3
"""So many files elsewhere, so many times /dev/null, and so many ends of pipes besides."""
DIRECTORIES = 100
LEAVES_ALONE = 4
"""One process in so many holds nothing of the cache."""

_READ_WRITE, _SHARED = 3, 1


def plant(cache: Path, elsewhere: Path) -> None:
    for number in range(DIRECTORIES):
        leaf = cache / f"entry-{number:03}"
        leaf.mkdir(parents=True)
        for index in range(FILES):
            (leaf / f"file-{index}").write_bytes(b"x" * 4096)
    (cache / "tool").write_bytes(Path("/bin/cat").read_bytes())
    (cache / "tool").chmod(0o755)
    elsewhere.mkdir()


def flock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX)


def posix(fd: int) -> None:
    fcntl.lockf(fd, fcntl.LOCK_EX)


def ofd(fd: int) -> None:
    whole_file = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, whole_file)


def mapped(fd: int) -> None:
    """Map it and close the descriptor, which Python's own mmap keeps."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    os.ftruncate(fd, 4096)
    if libc.mmap(None, 4096, _READ_WRITE, _SHARED, fd, 0) in {None, ctypes.c_void_p(-1).value}:
        raise OSError(ctypes.get_errno(), "mmap")
    os.close(fd)


def run(fd: int) -> None:
    """Become the cache's program, which ends with its standard input."""
    os.execv(f"/proc/self/fd/{fd}", ["tool"])  # noqa: S606 - no shell is wanted


SHARES: Mapping[Callable[[int], None], int] = {flock: 75, posix: 72, ofd: 75, mapped: 72, run: 6}
"""How many of each 300 holders do what with a file of their own."""


def roles(count: int) -> list[Callable[[int], None] | None]:
    """What each process does; None: it holds nothing of the cache."""
    turns = [((one + 0.5) / share, role) for role, share in SHARES.items() for one in range(share)]
    mixed = [role for _turn, role in sorted(turns, key=lambda turn: turn[0])]
    holders = count - count // LEAVES_ALONE
    found = [mixed[number % len(mixed)] for number in range(holders)]
    return [*found, *[None] * (count - holders)]


def hold(cache: Path, elsewhere: Path, number: int, role: Callable[[int], None] | None) -> None:
    """Open everything, for the program that it may become as well."""
    fds = [os.open(elsewhere / f"log-{one}", os.O_RDWR | os.O_CREAT) for one in range(THIRD)]
    fds += [os.open(os.devnull, os.O_RDWR) for _ in range(THIRD)]
    fds += [end for _ in range(THIRD // 2) for end in os.pipe()]
    if role is not None:
        leaf = cache / f"entry-{number % DIRECTORIES:03}"
        fds += [
            os.open(leaf / f"file-{index}", os.O_RDWR if index % 2 else os.O_RDONLY)
            for index in range(FILES)
        ]
    for fd in fds:
        os.set_inheritable(fd, True)
    if role is run:
        run(os.open(cache / "tool", os.O_RDONLY | os.O_CLOEXEC))
    elif role is not None:
        role(os.open(cache / f"lock-{number}", os.O_RDWR | os.O_CREAT))


def member(work: Callable[[], None], end: int, ready: int) -> None:
    """One process: ``ready`` closes when it holds everything, and it ends when ``end`` does."""
    os.dup2(end, 0)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.closerange(3, ready)
    os.closerange(ready + 1, ready + 16)
    try:
        work()
        os.close(ready)
        os.read(0, 1)
    finally:
        os._exit(0)


def main() -> int:
    cache, elsewhere, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    plant(cache, elsewhere)
    end, ours = os.pipe()
    told, ready = os.pipe()
    children = []
    for number, role in enumerate(roles(count)):
        child = os.fork()
        if not child:
            member(lambda: hold(cache, elsewhere, number, role), end, ready)  # noqa: B023 - at once
        children.append(child)
    os.close(ready)
    os.read(told, 1)
    held = sum(len(os.listdir(f"/proc/{child}/fd")) for child in children)
    owners = [child for child, role in zip(children, roles(count), strict=True) if role is ofd]
    print(held, *owners, flush=True)
    sys.stdin.read()
    os.close(ours)
    for child in children:
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
