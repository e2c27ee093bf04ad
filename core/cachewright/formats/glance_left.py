"""Files under their final names that no record speaks of: who has them open, and is that all?

Glance writes every file under its final name, without a lock: only open descriptors tell a file
that is being written from one that a killed writer left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import CachewrightError
from cachewright.holders.naming import names_of
from cachewright.locks import filesystems
from cachewright.model import Confirm, Evidence, Holder, Says

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_QUIET_NS: Final = 60 * 1_000_000_000
"""What changed more recently is not called left behind by one click."""


@dataclass(frozen=True, slots=True)
class Use:
    """What can be seen of one file's users.  ``confirm``: one click only where nobody can have
    it open, and it is quiet."""

    holders: tuple[Holder, ...]
    evidence: tuple[Evidence, ...]
    confirm: Confirm

    @property
    def written(self) -> bool:
        return any(one.writes for one in self.holders)


def uses(root: Directory, names: Sequence[bytes]) -> Mapping[bytes, Use]:
    """Every file of ``names`` (relative to ``root``) that is still there."""
    if not names:
        return {}
    survey = holders.survey([root.path], frozenset({root.identity.device}))
    facts = filesystems.facts(root)
    found: dict[bytes, Use] = {}
    for name in names:
        try:
            now = root.stat(name)
        except (OSError, CachewrightError):
            continue
        users = survey.of({(now.st_dev, now.st_ino)}, root.where(name))
        evidence = [
            _open(users),
            Evidence("filesystem", Says.DEAD if facts.conclusive else Says.UNKNOWN, facts.why),
            _unshown(root, name, survey.unshown),
            _quiet(now.st_mtime_ns),
        ]
        sure = all(one.says is Says.DEAD for one in evidence)
        confirm = Confirm.CLICK if sure else Confirm.TYPED
        found[name] = Use(users, tuple(evidence), confirm)
    return found


def _open(users: Sequence[Holder]) -> Evidence:
    if users:
        return Evidence("open-files", Says.ALIVE, f"Open in {names_of(users)}.")
    return Evidence("open-files", Says.DEAD, "No process that could be asked has it open.")


def _unshown(root: Directory, name: bytes, why: str) -> Evidence:
    """Processes that do not show are answered for by the kernel (DESIGN 6a)."""
    fact = "uninspected"
    if not why:
        return Evidence(fact, Says.DEAD, "Every process could be inspected.")
    if _alone(root, name):
        return Evidence(fact, Says.DEAD, f"{why} The kernel says that nobody has it open.")
    return Evidence(fact, Says.UNKNOWN, why)


def _alone(root: Directory, name: bytes) -> bool:
    try:
        fd = root.open_file(name)
    except (OSError, CachewrightError):
        return False
    try:
        return holders.sole_opener(fd) is True
    finally:
        os.close(fd)


def _quiet(changed_ns: int) -> Evidence:
    age_ns = time.time_ns() - changed_ns
    if age_ns < _QUIET_NS:
        said = "It changed within the last minute, or in the future."
        return Evidence("age", Says.UNKNOWN, said)
    return Evidence("age", Says.DEAD, "It has not changed for a minute at least.")
