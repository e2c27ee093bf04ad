"""What can be seen on this computer of whoever holds a lease: files that only its owner fills.

A lease's own rule lets others take it over after a while, which does not prove its owner dead
(DESIGN 6.8).  Proof is that what it was writing lies here, and that nobody can have it open.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import CachewrightError
from cachewright.locks import filesystems, lease
from cachewright.model import Claim, Evidence, Holder, Says
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.spread import Spread
    from cachewright.holders import Survey

_NS: Final = 1_000_000_000
_SKEW_NS: Final = 10 * _NS
"""The owner's clock wrote the lease, a file system's clock its files."""
_QUIET_NS: Final = 10 * _NS
"""Between two files an owner has none open for a moment."""
_FACT: Final = "owner"


@dataclass
class Witness:
    """One look at who has the files of a spread cache open."""

    spread: Spread
    roots: Sequence[Directory]
    _survey: Survey | None = field(default=None, init=False)

    def watch(self) -> lease.Watch:
        """What leases are judged by; a look of its own each time that it is called."""
        return lease.Watch(opened=self.opened, proof=self.proof)

    @property
    def survey(self) -> Survey:
        if self._survey is None:
            devices = frozenset(one.identity.device for one in self.roots)
            self._survey = holders.survey([one.path for one in self.roots], devices)
        return self._survey

    def users(self, paths: Sequence[bytes]) -> tuple[Holder, ...]:
        """Who has one of these files open, or one that lay there and was deleted since."""
        found: dict[tuple[str, int, int, int], Holder] = {}
        for path in paths:
            now = _stat(path)
            places = set() if now is None else {(now.st_dev, now.st_ino)}
            found |= {one.key: one for one in self.survey.of(places, self._resolved(path))}
        return tuple(sorted(found.values(), key=lambda one: one.pid))

    def opened(self, claim: Claim) -> tuple[Holder, ...]:
        """Who works on what the lease is about."""
        work = self.spread.work(claim)
        writing = (one for one in self.users(work.writes) if one.writes)
        every = {one.key: one for one in (*self.users(work.fills), *writing)}
        return tuple(every.values())

    def proof(self, claim: Claim) -> Evidence | None:
        """Whether its owner is proven gone from here, or why that cannot be told."""
        work = self.spread.work(claim)
        if work.never:
            return Evidence(_FACT, Says.DEAD, work.never)
        there = [(path, now) for path in (*work.fills, *work.writes) if (now := _stat(path))]
        new = [path for path, now in there if now.st_mtime_ns >= work.since_ns - _SKEW_NS]
        if not new or not work.since_ns:
            said = "Nothing that it wrote lies here: its owner may run on another computer."
            return Evidence(_FACT, Says.UNKNOWN, said)
        if any(time.time_ns() - now.st_mtime_ns < _QUIET_NS for _path, now in there):
            said = "What it wrote changed within the last seconds."
            return Evidence(_FACT, Says.UNKNOWN, said)
        for path, _now in there:
            why = self._doubt(path)
            if why:
                return Evidence(_FACT, Says.UNKNOWN, why)
        said = f"What it was writing lies here ({display(new[0])}), and nobody has it open."
        return Evidence(_FACT, Says.DEAD, said)

    def _doubt(self, path: bytes) -> str:
        """Why somebody who does not show may have the file open; empty where nobody can."""
        folder, name = os.path.split(path)
        try:
            with Directory.open(folder) as parent:
                facts = filesystems.facts(parent)
                if not facts.conclusive:
                    return facts.why
                if not self.survey.unshown:
                    return ""
                fd = parent.open_file(name)
                try:
                    return "" if holders.sole_opener(fd) else self.survey.unshown
                finally:
                    os.close(fd)
        except (OSError, CachewrightError):
            return f"{display(path)} could not be looked at."

    def _resolved(self, path: bytes) -> bytes:
        folder, name = os.path.split(path)
        return os.path.join(os.path.realpath(folder), name)


def _stat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (OSError, ValueError):
        return None
