"""Try hostile archives through the real extractor, beside a directory that nothing may reach."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.counts import Row
from tests.hostile.archives_cases import Case
from tests.hostile.archives_flips import flips
from tests.hostile.archives_tar import tars
from tests.hostile.archives_zip import zips

from cachewright.digests import BLOCK
from cachewright.errors import SourceUnusable
from cachewright.model import CancelToken
from cachewright.repair.sources import write_source
from cachewright.storage import beneath
from cachewright.storage.anchored import Directory
from cachewright.storage.reading_back import hash_tree

PART: Final = "archives"
AIM: Final = 40
HANG_S: Final = 60.0
"""Whatever takes longer than this did not know an end."""


@dataclass
class Counts:
    """What became of some archives."""

    trials: int = 0
    outside: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)
    bombs: int = 0
    unbounded: list[str] = field(default_factory=list)
    most_bytes: int = 0
    longest_s: float = 0.0


@dataclass(frozen=True)
class Arena:
    """``top/outside`` is what nothing may reach, ``top/place/into`` where archives are let."""

    top: Path

    @property
    def outside(self) -> Path:
        return self.top / "outside"

    @property
    def into(self) -> Path:
        return self.top / "into"

    @property
    def archive(self) -> Path:
        return self.top / "packed" / "archive"

    def fill(self) -> None:
        for place in (self.outside / "deep", self.archive.parent):
            place.mkdir(parents=True)
        (self.outside / "canary").write_bytes(b"canary")
        (self.outside / "deep" / "canary").write_bytes(b"deep canary")

    def empty(self) -> None:
        for left in os.scandir(self.top):
            if left.is_dir(follow_symlinks=False):
                shutil.rmtree(left.path)
            else:
                os.unlink(left.path)

    def holds(self, path: str) -> bool:
        """The controls must not harm the computer that they run on."""
        return os.path.normpath(path).startswith(f"{self.top}/")

    def seen(self) -> dict[str, object]:
        """All that could tell of a touch, hard links and modes included."""
        found: dict[str, object] = {}
        for place, directories, files in os.walk(self.top):
            if place == str(self.top):
                directories[:] = [name for name in directories if name == "outside"]
            for name in [*directories, *files]:
                one = os.lstat(os.path.join(place, name))
                times = (one.st_mtime_ns, one.st_ctime_ns)
                found[os.path.join(place, name)] = (one.st_ino, one.st_mode, one.st_nlink, times)
        found[""] = sorted(os.listdir(self.top))
        return found


@contextlib.contextmanager
def arena() -> Iterator[Arena]:
    """Gone again afterwards, whatever was made in it."""
    top = Path(tempfile.mkdtemp(prefix="cachewright-hostile-"))
    try:
        one = Arena(top)
        one.fill()
        yield one
    finally:
        shutil.rmtree(top)


@contextlib.contextmanager
def one_by_one(wanted: bool) -> Iterator[None]:
    """Resolve names as on a kernel without openat2, if wanted."""
    before = beneath.has_openat2
    if wanted:
        beneath.has_openat2 = lambda: False  # type: ignore[assignment]
    try:
        yield
    finally:
        beneath.has_openat2 = before


def run(quick: bool) -> list[Row]:
    with arena() as place:
        cases = [*zips(place.outside), *tars(place.outside)]
        rows = _tried(cases, place, "zip and tar")
        if not quick:
            with one_by_one(wanted=True):
                rows += _tried(cases, place, "zip and tar, name by name")
        rows += _tried(list(flips(quick)), place, "changed bytes")
        rows.append(_naive(cases, place))
    return rows


def _tried(cases: list[Case], place: Arena, where: str) -> list[Row]:
    counts = Counts()
    for case in cases:
        _try(case, place, counts)

    def row(what: str, bad: list[str], trials: int, aim: int, note: str = "") -> Row:
        return Row(PART, f"{where}: {what}", trials, len(bad), aim, note or ", ".join(bad[:3]))

    most = f"at most {counts.most_bytes:,} bytes written of one refused, {counts.longest_s:.1f} s"
    return [
        row("written outside", counts.outside, counts.trials, AIM),
        row("links, devices, set-ID made", counts.made, counts.trials, AIM),
        row("not taken or refused as wanted", counts.astray, counts.trials, AIM),
        row("bombs not stopped", counts.unbounded, counts.trials, counts.bombs, most),
    ]


def _try(case: Case, place: Arena, counts: Counts) -> None:
    place.archive.write_bytes(case.content)
    place.into.mkdir(mode=0o700)
    before, began = place.seen(), time.monotonic()
    try:
        taken = _let_in(place)
        spent = time.monotonic() - began
        counts.trials += 1
        counts.bombs += case.bomb
        if place.seen() != before:
            counts.outside.append(case.name)
        odd, written = _looked_through(place.into)
        if odd:
            counts.made.append(case.name)
        if taken is None or not case.fate.allows(taken):
            counts.astray.append(case.name)
        if not taken:
            counts.most_bytes = max(counts.most_bytes, written)
            if written > len(case.content) + 2 * BLOCK:
                counts.unbounded.append(case.name)
        if spent > HANG_S:
            counts.unbounded.append(case.name)
        counts.longest_s = max(counts.longest_s, spent)
    finally:
        shutil.rmtree(place.into)


def _let_in(place: Arena) -> bool | None:
    """Whether it was taken; None where what was told to be there is not what is there."""
    token = CancelToken()
    with Directory.open(os.fsencode(place.into)) as staging:
        try:
            told = write_source(os.fsencode(place.archive), "entry", staging, token)
        except SourceUnusable:
            return False
        return True if hash_tree(staging, token) == told else None


def _looked_through(into: Path) -> tuple[int, int]:
    """How many things are there that are no plain files or directories, and bytes in all."""
    odd = written = 0
    for place, directories, files in os.walk(into):
        for name in [*directories, *files]:
            found = os.lstat(os.path.join(place, name))
            plain = stat.S_ISDIR(found.st_mode) or (
                stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            )
            odd += not plain or bool(found.st_mode & 0o7002)
            written += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return odd, written


def _naive(cases: list[Case], place: Arena) -> Row:
    """The same archives by the means that come to hand: the harness sees what they do."""
    harmed = trials = 0
    for case in cases:
        if case.bomb:
            continue
        place.archive.write_bytes(case.content)
        place.into.mkdir(mode=0o700)
        before = place.seen()
        with contextlib.suppress(Exception):
            _naively(case)(place)
        trials += 1
        odd, _ = _looked_through(place.into)
        harmed += bool(odd) or place.seen() != before
        place.empty()
        place.fill()
    return Row(PART, "extractall and plain paths", trials, harmed, AIM, expects_bad=True)


def _naively(case: Case) -> Callable[[Arena], None]:
    return _unzip_by_path if case.name.startswith("zip") else _extractall


def _extractall(place: Arena) -> None:
    def near(member: tarfile.TarInfo, into: str) -> tarfile.TarInfo | None:
        return member if place.holds(os.path.join(into, member.name)) else None

    with tarfile.open(place.archive) as archive:
        archive.extractall(place.into, filter=near)  # noqa: S202 - what it does is to be seen


def _unzip_by_path(place: Arena) -> None:
    """As many small programs do it."""
    with zipfile.ZipFile(place.archive) as archive:
        for info in archive.infolist():
            path = os.path.join(place.into, info.orig_filename)
            if not place.holds(path):
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if stat.S_ISLNK(info.external_attr >> 16):
                os.symlink(archive.read(info), path)
            elif not path.endswith("/"):
                Path(path).write_bytes(archive.read(info))
