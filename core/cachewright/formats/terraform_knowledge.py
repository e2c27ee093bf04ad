"""What is known of one scanned provider cache (the contract's ``Knowledge``)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from cachewright.errors import CachewrightError
from cachewright.formats import terraform_poison
from cachewright.formats.base import (
    Entry,
    Expected,
    Gate,
    GoodCopy,
    Judgement,
    Knowledge,
    LockPlace,
    Role,
    StagingPlace,
    Verification,
)
from cachewright.formats.terraform_judge import Case, Form, judge
from cachewright.formats.terraform_layout import ENTRY_DEPTH, PLATFORM_LOCK, Package, executable
from cachewright.formats.terraform_poison import PoisonTest, Seen
from cachewright.formats.terraform_projects import LockRecord, Projects, uses
from cachewright.formats.terraform_sources import Sources
from cachewright.formats.terraform_vouching import Vouching
from cachewright.formats.terraform_words import refused_archive
from cachewright.model import Finding, LockKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_LOCK_SUFFIX: Final = b".lock"


class TerraformKnowledge(Knowledge):
    """Joins the inventory, the lock files and the sources.

    ``makes_locks``: whether the product that uses this cache creates ``OS_ARCH.lock`` itself,
    so that Cachewright may create a missing one to hold it.
    """

    def __init__(
        self,
        root: Directory,
        tree: Tree,
        projects: Projects,
        sources: Sources,
        notices: Sequence[Finding],
        *,
        makes_locks: bool,
    ) -> None:
        self._root = root
        self._tree = tree
        self._projects = projects
        self._sources = sources
        self._notices = notices
        self._makes_locks = makes_locks
        self._vouching = Vouching(projects, sources)
        self._seen: dict[Package, Seen] = {}
        self._poison = PoisonTest(self._vouching, sources, self._seen)
        self.entries = self._read_entries()

    def _tops(self, role: Role) -> list[int]:
        """Rows with this role that lie directly in a container."""
        tree = self._tree
        rows = np.flatnonzero(tree.role == role)
        return [int(row) for row in rows[tree.role[tree.parent[rows]] == Role.CONTAINER]]

    def _read_entries(self) -> tuple[Entry, ...]:
        rows = [(self._tree.path(row), row) for row in self._tops(Role.ENTRY)]
        hosts = {relative.partition(b"/")[0] for relative, _row in rows}
        return tuple(self._entry(relative, row, len(hosts) > 1) for relative, row in sorted(rows))

    def _entry(self, relative: bytes, row: int, many_hosts: bool) -> Entry:
        package = Package.of(relative)
        host, _, name = package.address.partition(b"/")
        platform = display(package.platform)
        target = None
        if stat.S_ISLNK(int(self._tree.mode[row])):
            target = os.path.realpath(self._root.where(relative))
        return Entry(
            name=display(relative),
            title=f"{display(name)} {display(package.version)}",
            subtitle=f"{platform} · {display(host)}" if many_hosts else platform,
            relative=relative,
            row=row,
            link_target=target,
        )

    def _form(self, entry: Entry) -> Form:
        mode = int(self._tree.mode[entry.row])
        if entry.link_target is not None:
            try:
                mode = os.stat(entry.link_target).st_mode
            except (OSError, ValueError):
                return Form.DANGLING
        return Form.DIRECTORY if stat.S_ISDIR(mode) else Form.OTHER

    def expected(self, entry: Entry) -> Expected:
        """What lock files and mirrors' indexes record; archives are hashed only to judge."""
        whole = self._vouching.expected(Package.of(entry.relative), with_archives=False)
        missing = "" if whole else "No lock file or mirror that was looked at records its h1."
        return Expected(whole=whole, missing=missing)

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        package = Package.of(entry.relative)
        actual = seen.whole.get("h1") if seen.files else None
        standing = self._vouching.standing(package, actual)
        if actual is not None:
            name = executable(seen.files, package.kind)
            started = "" if name is None else seen.files[name].sha256
            self._seen[package] = Seen(actual, standing.verdict, started)
        case = Case(
            entry=entry,
            path=self._root.where(entry.relative),
            package=package,
            form=self._form(entry),
            seen=seen,
            standing=standing,
            expected=self._vouching.expected(package, with_archives=True),
            copies=lambda: self.copies(entry),
        )
        return judge(case)

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        package = Package.of(entry.relative)
        unbelieved = {
            record: poison.values
            for record in self._vouching.records(package.release)
            if (poison := self._poison.poison(record)) is not None
        }
        own = {os.path.realpath(self._root.where(entry.relative)), entry.link_target}
        return [
            copy
            for copy in self._vouching.copies(package, unbelieved)
            if os.path.realpath(copy.path) not in own
        ]

    def locks(self) -> Sequence[LockPlace]:
        rows = [(self._tree.path(row), row) for row in self._tops(Role.LOCK)]
        return [
            LockPlace(
                id=display(relative),
                kind=LockKind.POSIX,
                relative=relative,
                row=row,
                subject=display(relative.removesuffix(_LOCK_SUFFIX)),
            )
            for relative, row in sorted(rows)
        ]

    def staging(self) -> Sequence[StagingPlace]:
        rows = [(self._tree.path(row), row) for row in self._tops(Role.STAGING)]
        return [
            StagingPlace(
                name=display(relative), relative=relative, row=row, gates=self._gates_beside(row)
            )
            for relative, row in sorted(rows)
        ]

    def _gates_beside(self, row: int) -> tuple[Gate, ...]:
        """The locks that exist in the directory that holds a staging place."""
        tree = self._tree
        return tuple(
            Gate(LockKind.POSIX, tree.path(beside), create=False)
            for beside in tree.children(int(tree.parent[row]))
            if int(tree.role[beside]) == Role.LOCK and PLATFORM_LOCK.fullmatch(tree.name(beside))
        )

    def gate(self, relative: bytes) -> Gate | None:
        """The lock beside the entry that ``relative`` is or lies in (terraform.md 3.4)."""
        parts = relative.split(b"/")
        if len(parts) < ENTRY_DEPTH:
            return None
        lock = b"/".join(parts[:ENTRY_DEPTH]) + _LOCK_SUFFIX
        if self._makes_locks:
            return Gate(LockKind.POSIX, lock, create=True)
        try:
            found = self._root.stat(lock)
        except (OSError, CachewrightError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return Gate(LockKind.POSIX, lock, create=False)

    def users(self, entry: Entry) -> tuple[bytes, ...]:
        package = Package.of(entry.relative)
        path = self._root.where(entry.relative)
        place = self._place(entry)
        found = {
            record.project
            for record in self._vouching.records(package.release)
            if uses(record, package, path, place)
        }
        return tuple(sorted(found))

    def _place(self, entry: Entry) -> tuple[int, int] | None:
        if entry.link_target is None:
            return int(self._tree.device[entry.row]), int(self._tree.inode[entry.row])
        try:
            found = os.stat(entry.link_target)
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino

    def findings(self) -> Iterable[Finding]:
        """Damaged lock files, wrong lines in them, and sources that could not be used."""
        yield from self._projects.findings
        yield from self._notices
        for entry in self.entries:
            for archive, record in self._vouching.refused(Package.of(entry.relative)):
                yield refused_archive(archive, record)
        told = list(terraform_poison.findings(self._poison, self._own_records()))
        # Read last: looking for wrong lines may have read more sources.
        yield from self._sources.findings
        yield from told

    def _own_records(self) -> list[LockRecord]:
        """Records of provider versions that this cache holds in some form."""
        releases = {Package.of(entry.relative).release for entry in self.entries}
        return [record for release in sorted(releases) for record in self._projects.of(release)]
