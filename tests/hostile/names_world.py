"""Caches full of hostile names: of entries, files, locks, staging, owners, holders and folders."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.hostile.names_cases import FEW, NAMES, fitting
from tests.hostile.names_terminal import state

from cachewright.demo.provider import Provider, lock_file, pack, unpack, write
from cachewright.formats import registry

_STRANGER: Final = Path(__file__).parents[1] / "stranger"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system where fsync costs nothing
_ESCAPES: Final = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"))


def text(name: bytes) -> str:
    """As a program in Python has it, bytes that are not UTF-8 as lone surrogates."""
    return name.decode("utf-8", "surrogateescape")


def lock_name(name: bytes) -> bytes:
    return fitting(name, b"x", b".lock")


def held_name(name: bytes) -> bytes:
    return fitting(name, b"x", b".flock")


def staged_name(name: bytes) -> bytes:
    return fitting(name, b".terraform-provider-", b".zip")


@dataclass(frozen=True)
class World:
    """Where everything lies below ``top``."""

    top: bytes
    some: tuple[bytes, ...]
    """The names of those in ``repaired``."""

    def at(self, *names: bytes) -> bytes:
        return os.path.join(self.top, *names)

    @property
    def files(self) -> bytes:
        """One file for each name, every one corrupt, its good copy in ``mirror``."""
        return self.at(b"files")

    @property
    def mirror(self) -> bytes:
        return self.at(b"mirror")

    @property
    def repaired(self) -> bytes:
        """As ``files``, of some of the names; the good copies are in ``mirror-of-some``."""
        return self.at(b"repaired")

    @property
    def in_window(self) -> bytes:
        """Likewise, for the window; its good copies are in ``mirror-of-window``."""
        return self.at(b"in-window")

    @property
    def locks(self) -> bytes:
        """A stranger's cache: a record for each name, and a kernel lock that a process of this
        name holds."""
        return self.at(b"locks")

    @property
    def project(self) -> bytes:
        """A project folder whose workspaces have these names, each with a lock by that owner."""
        return self.at(b"project")

    @property
    def deep(self) -> bytes:
        """A folder below folders with all of the names."""
        return self.at(*NAMES.values())

    @property
    def providers(self) -> bytes:
        """In ``deep``: a cache of providers, staging with every name in it, and in its corrupt
        entry files with every name."""
        return os.path.join(self.deep, b"cache")

    @property
    def provider_options(self) -> list[str | bytes]:
        projects, mirror = (os.path.join(self.deep, one) for one in (b"projects", b"mirror"))
        return ["--project", projects, "--source", mirror]


def content(number: int, *, good: bool) -> bytes:
    return b"%s %d" % (b"good" if good else b"BAD!", number)


def fill_files(root: bytes, mirror: bytes, names: Sequence[bytes]) -> None:
    """Every file corrupt by a list as ``sha256sum`` writes it."""
    lines = []
    for place in (root, mirror):
        os.makedirs(place, exist_ok=True)
    for number, name in enumerate(names):
        for place, good in ((root, False), (mirror, True)):
            Path(os.fsdecode(os.path.join(place, name))).write_bytes(content(number, good=good))
        lines.append(listed(name, content(number, good=True)))
    Path(os.fsdecode(os.path.join(root, b"SHA256SUMS"))).write_bytes(b"".join(lines))


def listed(name: bytes, good: bytes) -> bytes:
    """A line of a list of checksums, escaped as GNU does it."""
    spelled = name
    for raw, escaped in _ESCAPES:
        spelled = spelled.replace(raw, escaped)
    mark = b"\\" if spelled != name else b""
    return mark + hashlib.sha256(good).hexdigest().encode() + b"  " + spelled + b"\n"


def _fill_locks(root: bytes) -> None:
    os.makedirs(root)
    Path(os.fsdecode(os.path.join(root, b"stranger.cache"))).touch()
    for name in NAMES.values():
        said = {"id": f"id-{text(name)}", "who": text(name), text(name): "says"}
        record = Path(os.fsdecode(os.path.join(root, lock_name(name))))
        record.write_text(json.dumps(said))


def _fill_project(root: bytes) -> None:
    for name in NAMES.values():
        folder = os.path.join(root, b"terraform.tfstate.d", name)
        os.makedirs(folder)
        said = {
            "ID": f"id-{text(name)}", "Who": text(name), "Operation": text(name),
            "Info": text(name), "Version": "1.9", "Created": "", "Path": text(name),
        }  # fmt: skip
        info = Path(os.fsdecode(os.path.join(folder, b".terraform.tfstate.lock.info")))
        info.write_text(json.dumps(said))


def _fill_providers(world: World) -> None:
    cache, projects, mirror = (
        os.fsdecode(os.path.join(world.deep, one)) for one in (b"cache", b"projects", b"mirror")
    )
    bad = Provider("bad", "2.0.0", 4)
    unpack(bad, cache)
    pack(bad, mirror)
    write(f"{projects}/one/.terraform.lock.hcl", lock_file({bad: [bad.h1()]}))
    for name in NAMES.values():
        write(os.path.join(cache, bad.name, os.fsdecode(name)), b"foreign")
        staged = os.fsdecode(staged_name(name))
        write(os.path.join(cache, bad.address, staged), b"half")


@contextlib.contextmanager
def _held(root: bytes) -> Iterator[None]:
    """A process of each name, that holds the lock of that name."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name in NAMES.values():
            path = os.path.join(root, held_name(name))
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            sleep = shutil.which("sleep") or "/bin/sleep"
            started.append(subprocess.Popen([name, b"600"], executable=sleep, stdin=fd))
            os.close(fd)
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


@contextlib.contextmanager
def stranger() -> Iterator[None]:
    """A stranger's format is installed, here and in second processes."""
    before = os.environ.get("PYTHONPATH")
    registry._installed.cache_clear()
    sys.path.insert(0, str(_STRANGER))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_STRANGER), *([before] if before else [])])
    try:
        yield
    finally:
        sys.path.remove(str(_STRANGER))
        registry._installed.cache_clear()
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def room() -> Iterator[Path]:
    """A folder for a while, where a repair is soon durable."""
    folder = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    made = Path(tempfile.mkdtemp(prefix="cachewright-names-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made)


@contextlib.contextmanager
def world(*, quick: bool) -> Iterator[World]:
    """All of it, with the processes, and a state directory of its own."""
    with room() as folder, state(folder), stranger():
        some = [NAMES[one] for one in FEW] if quick else list(NAMES.values())
        made = World(os.fsencode(folder), tuple(some))
        fill_files(made.files, made.mirror, list(NAMES.values()))
        fill_files(made.repaired, made.at(b"mirror-of-some"), some)
        fill_files(made.in_window, made.at(b"mirror-of-window"), some)
        _fill_locks(made.locks)
        _fill_project(made.project)
        _fill_providers(made)
        with _held(made.locks):
            yield made
