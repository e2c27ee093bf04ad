"""Second processes that hold things, for tests of who holds what."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

import pytest

PRELUDE = """
import ctypes, fcntl, mmap, os, struct, sys
def ready(*what):
    print('ready', *what, flush=True)
    sys.stdin.readline()
def lock(fd, command, kind=fcntl.F_WRLCK):
    fcntl.fcntl(fd, command, struct.pack('hhqqi4x', kind, 0, 0, 0, 0))
def bare_mmap(path, write, shared=None):
    # Without a descriptor, which Python's own mmap keeps.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    fd = os.open(path, os.O_RDWR if write else os.O_RDONLY)
    flags = 1 if (write if shared is None else shared) else 2  # MAP_SHARED, MAP_PRIVATE
    at = libc.mmap(None, 4096, 3 if write else 1, flags, fd, 0)
    assert at not in (None, ctypes.c_void_p(-1).value), ctypes.get_errno()
    os.close(fd)
"""


class Other:
    """Another process that does something, says so, and then waits to be ended."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said: list[bytes] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def hear(self) -> list[bytes]:
        """Wait until it says that it is ready, with what it has to tell."""
        words = self.out.readline().split()
        assert words[:1] == [b"ready"], f"the other process failed: {words}"
        self.said = words[1:]
        return self.said

    def go_on(self) -> list[bytes]:
        """Let it go on until it says once more that it is ready."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.hear()

    def stop(self) -> None:
        """Stop it as a terminal does, and wait until it is stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def end(self) -> None:
        """Let it go on to its end; children that share its pipes have ended too by then."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        if not self.out.closed:
            self.out.read()
            self.out.close()
        self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.end()


class Starter(Protocol):
    def __call__(self, code: str, *arguments: object, hear: bool = True) -> Other: ...


@pytest.fixture
def other() -> Iterator[Starter]:
    """Start another Python: ``other("f = open(sys.argv[1]); ready()", path)``."""
    started: list[Other] = []

    def start(code: str, *arguments: object, hear: bool = True) -> Other:
        command = [sys.executable, "-I", "-S", "-c", PRELUDE + code]
        command += [os.fsdecode(str(one)) for one in arguments]
        one = Other(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        started.append(one)
        if hear:
            one.hear()
        return one

    yield start
    for one in started:
        one.end()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something that another process does has become visible."""

    def wait(happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not happened():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.005)

    return wait


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A directory of another file system, and where it shows as the lower layer of an overlay:
    there, ``stat`` and the kernel's tables give different device numbers for one file."""
    shm = Path("/dev/shm")  # noqa: S108 - not for files of ours, only a second file system
    if os.geteuid() != 0 or not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs root and a second file system")
    lower, merged = Path(tempfile.mkdtemp(dir=shm)), tmp_path / "merged"
    for name in ("upper", "work", "merged"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir={lower},upperdir={tmp_path}/upper,workdir={tmp_path}/work,xino=off"
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, str(merged)]
    try:
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("may not mount an overlay")
        yield lower, merged
    finally:
        subprocess.run(["umount", str(merged)], check=False, capture_output=True)
        shutil.rmtree(lower)
