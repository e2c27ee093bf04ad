"""What lies outside a cache, and whether anything there was touched."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

WORD: Final = b"canary"
"""In every file outside, and in none inside."""
_FILES: Final = (
    "record",
    "d/f",
    "d/e/f",
    "p/entry/data",
    "p/entry/run",
    "p/entry/sub/more",
    "p/item/f",
    "q/tree/f",
)

_Facts = dict[str, tuple[object, ...]]


@dataclass
class Outside:
    """A tree of its own beside the arena.  ``linked``: its files have names in the arena, whose
    moves show in their times and link counts, so only content and mode are compared."""

    top: Path
    linked: bool = False
    _before: _Facts = field(default_factory=dict)

    def make(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)
        for name in _FILES:
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(WORD + b"\npoison\n" + name.encode())
            path.chmod(0o640)

    def remember(self) -> None:
        self._before = self._now()

    def touched(self) -> bool:
        return self._now() != self._before

    def _now(self) -> _Facts:
        """Everything about every file and directory but when it was read."""
        facts: _Facts = {}
        waiting = [os.fspath(self.top)]
        while waiting:
            path = waiting.pop()
            status = os.lstat(path)
            content = b""
            if stat.S_ISDIR(status.st_mode):
                waiting.extend(f"{path}/{name}" for name in os.listdir(path))
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb", buffering=0) as file:
                    content = file.read()
            about: tuple[object, ...] = (status.st_mode, status.st_uid, status.st_gid, content)
            if not self.linked:
                about = (*about, status.st_ino, status.st_nlink, status.st_ctime_ns)
            facts[path] = about
        return facts
