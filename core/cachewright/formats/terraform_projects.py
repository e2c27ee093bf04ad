"""Finds the lock files below project directories, and what each project has installed.

Iterative, by descriptor, without following a link (terraform.md 1.3, 2.1).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, NotARegularFile, TooLarge
from cachewright.formats.hcl import Broken
from cachewright.formats.terraform_layout import PLATFORM, Package, Release
from cachewright.formats.terraform_lockfile import LIMIT, parse
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import CancelToken

LOCK_NAME: Final = b".terraform.lock.hcl"
_SKIPPED: Final = frozenset({b".terraform", b".git", b".hg", b".svn", b"node_modules"})
MAX_DIRECTORIES: Final = 250_000
MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Installed:
    """One provider in a project's ``.terraform``: a link into a cache, or a copy of its own.

    ``target`` is what the link says, made absolute but not resolved; None for a copy.
    ``place`` is device and inode of the directory it leads to, None where it leads nowhere.
    """

    platform: bytes
    path: bytes
    target: bytes | None
    place: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class LockRecord:
    """One ``provider`` block of one project's lock file; values without their scheme."""

    lock: bytes
    project: bytes
    release: Release
    provider: str
    h1: frozenset[str]
    zh: frozenset[str]
    installed: tuple[Installed, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether it says anything that an unpacked entry can be held against."""
        return bool(self.h1)


@dataclass(slots=True)
class Projects:
    """All records found, and what could not be read."""

    records: dict[Release, list[LockRecord]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def of(self, release: Release) -> Sequence[LockRecord]:
        return self.records.get(release, ())


def read_projects(paths: Sequence[bytes], cancel: CancelToken) -> Projects:
    """Every lock file below ``paths``; where there are none given, the working directory's
    own, if it has one."""
    found = Projects()
    if not paths:
        here = os.getcwdb()
        paths = (here,) if os.path.lexists(os.path.join(here, LOCK_NAME)) else ()
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if os.path.basename(path) == LOCK_NAME:
            _read_below(os.path.dirname(path) or b".", found, seen, cancel, depth=0)
        else:
            _read_below(path, found, seen, cancel, depth=MAX_DEPTH)
    return found


def _read_below(
    path: bytes, found: Projects, seen: set[tuple[int, int]], cancel: CancelToken, depth: int
) -> None:
    try:
        top = Directory.open(path)
    except CachewrightError as error:
        found.findings.append(_unreadable(path, str(error)))
        return
    with top:
        waiting = [(b"", depth)]
        while waiting:
            cancel.check()
            relative, left = waiting.pop()
            if len(seen) >= MAX_DIRECTORIES:
                found.findings.append(_too_many(top.path))
                return
            names = _look(top, relative, found, seen)
            if left and names:
                below = relative + b"/" if relative else b""
                waiting.extend((below + name, left - 1) for name in reversed(names))


def _look(
    top: Directory, relative: bytes, found: Projects, seen: set[tuple[int, int]]
) -> list[bytes]:
    """Read the directory's own lock file; the names of the directories below it."""
    try:
        opened = top.open_directory(relative)
    except (OSError, CachewrightError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        found.findings.append(_unreadable(top.where(relative), reason))
        return []
    with opened:
        place = (opened.identity.device, opened.identity.inode)
        if place in seen:
            return []
        seen.add(place)
        below: list[bytes] = []
        has_lock = False
        with os.scandir(opened.fd) as names:
            for entry in names:
                name = os.fsencode(entry.name)
                has_lock = has_lock or name == LOCK_NAME
                if name not in _SKIPPED and entry.is_dir(follow_symlinks=False):
                    below.append(name)
        if has_lock:
            _read_lock(opened, found)
    return sorted(below)


def _read_lock(project: Directory, found: Projects) -> None:
    path = project.where(LOCK_NAME)
    try:
        content = project.read(LOCK_NAME, LIMIT)
    except TooLarge:
        found.findings.append(
            _damaged(path, f"it is larger than {LIMIT >> 10} KiB and was not read")
        )
        return
    except NotARegularFile:
        found.findings.append(_damaged(path, "it is no regular file and was not opened"))
        return
    except (OSError, CachewrightError) as error:
        found.findings.append(_unreadable(path, getattr(error, "strerror", None) or str(error)))
        return
    if not content:
        found.findings.append(_damaged(path, "it is empty", Severity.NOTICE))
        return
    try:
        blocks = parse(content)
    except Broken as error:
        found.findings.append(_damaged(path, str(error)))
        return
    for block in blocks:
        release = Release(block.provider.encode(), block.version.encode())
        record = LockRecord(
            path,
            project.path,
            release,
            block.provider,
            block.values("h1"),
            block.values("zh"),
            tuple(_installed(project, release)),
        )
        found.records.setdefault(release, []).append(record)


def _installed(project: Directory, release: Release) -> Iterator[Installed]:
    base = b"/".join((b".terraform/providers", release.address, release.version))
    try:
        opened = project.open_directory(base)
    except (OSError, CachewrightError):
        return
    with opened:
        for name in opened.names():
            if not PLATFORM.fullmatch(name):
                continue
            path = opened.where(name)
            mode = opened.stat(name).st_mode
            target = None
            if stat.S_ISLNK(mode):
                target = os.path.normpath(os.path.join(opened.path, opened.read_link(name)))
            elif not stat.S_ISDIR(mode):
                continue
            yield Installed(name, path, target, _place(path))


def _place(path: bytes) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def uses(record: LockRecord, package: Package, path: bytes, place: tuple[int, int] | None) -> bool:
    """Whether the project's link leads to this entry, by what it says or where it ends."""
    return any(
        one.platform == package.platform
        and (one.target == path or (place is not None and one.place == place))
        for one in record.installed
    )


def _damaged(path: bytes, reason: str, severity: Severity = Severity.PROBLEM) -> Finding:
    return Finding(
        kind=FindingKind.DAMAGED_METADATA,
        severity=severity,
        verdict=EntryVerdict.UNREADABLE,
        subject=display(path),
        path=path,
        explanation=f"This lock file vouches for nothing: {reason}.",
    )


def _unreadable(path: bytes, reason: str) -> Finding:
    return Finding(
        kind=FindingKind.UNREADABLE,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.UNREADABLE,
        subject=display(path),
        path=path,
        explanation=f"Lock files were not looked for here: {reason.rstrip('.')}.",
    )


def _too_many(path: bytes) -> Finding:
    return Finding(
        kind=FindingKind.UNREADABLE,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNCHECKED,
        subject=display(path),
        path=path,
        explanation=f"Lock files were looked for in the first {MAX_DIRECTORIES} directories only. "
        "Name the project directories more closely.",
    )
