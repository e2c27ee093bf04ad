"""Where a scenario plays: a cache, what vouches for it, Cachewright's state, all below one top."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cachewright.formats.base import References
from cachewright.inventory.tree import scan_subtree
from cachewright.model import CheckResult, Role
from cachewright.repair.journal import Journal
from cachewright.repair.operations import Operation, operations
from cachewright.workbench import Options, Workbench

QUARANTINE = ".cachewright-quarantine"
OURS = ".cachewright-"
"""What every name begins with that Cachewright makes beside somebody's things."""


@dataclass(frozen=True)
class Stage:
    """``checked`` remembers what a real check found, for every stage made at this place."""

    top: Path
    checked: dict[str, CheckResult] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.top / "cache"

    @property
    def project(self) -> Path:
        return self.top / "project"

    @property
    def mirror(self) -> Path:
        return self.top / "mirror"

    @property
    def state(self) -> Path:
        return self.top / "state"

    @property
    def quarantine(self) -> Path:
        return self.top / QUARANTINE

    @property
    def options(self) -> Options:
        """As the faces open a cache, but without waiting long between two looks."""
        there = [os.fsencode(one) for one in (self.project, self.mirror)]
        return Options(
            projects=(there[0],),
            sources=(there[1],) if self.mirror.exists() else (),
            jobs=1,
            floor_s=0.0,
            observe_s=0.01,
            settle_s=0.0,
        )

    def clear(self) -> None:
        """An empty stage; all that Cachewright remembers lies in it too."""
        if self.top.exists():
            _remove(self.top)
        self.top.mkdir()
        os.environ["CACHEWRIGHT_STATE_DIR"] = os.fspath(self.state)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        with closing(Journal.open(os.fsencode(self.state))) as journal:
            yield journal

    def operations(self) -> tuple[Operation, ...]:
        with self.journal() as journal:
            journal.verify()
            return operations(journal.records())

    @contextmanager
    def opened(self) -> Iterator[Workbench]:
        """The cache, read but not checked: nothing but this process has looked at it."""
        with Workbench.open(os.fsencode(self.cache), options=self.options) as bench:
            form = bench._format
            bench.tree = scan_subtree(bench.directory, b"", Role.CONTAINER, form.rules)
            references = References(
                bench.options.projects, bench.options.sources, bench.options.environment
            )
            bench._knowledge = form.read(bench.directory, bench.tree, references)
            yield bench

    def check(self, name: str) -> CheckResult:
        """What a check finds on the stage called ``name``, which is always made alike; a plan
        is then made of it and of what lies there by now."""
        if name not in self.checked:
            with Workbench.open(os.fsencode(self.cache), options=self.options) as bench:
                self.checked[name] = bench.check()
        return self.checked[name]


def _remove(top: Path) -> None:
    """Also what a scenario made unreadable, or a killed process left so."""

    def again(_what: object, path: str, _error: object) -> None:
        with suppress(FileNotFoundError):
            parent = os.path.dirname(path)
            os.chmod(parent, stat.S_IRWXU)
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)

    shutil.rmtree(top, onerror=again)
