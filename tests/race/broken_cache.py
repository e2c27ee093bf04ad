"""Caches with many troubles of every kind: what several Cachewrights repair at once."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cachewright.demo.provider import PLATFORM, Provider, h1, lock_file, pack, unpack, write
from cachewright.workbench import Options

_STRANGER: Final = Path(__file__).parents[1] / "stranger"
_DAYS_S: Final = 3 * 86400
KINDS: Final = 6
"""A corrupt entry with a good copy, one without, lost permissions, staging, a poisoned line; a
stale lock in a cache of its own."""


@dataclass(frozen=True)
class Broken:
    """``each`` troubles of every kind below ``top``."""

    top: Path
    each: int

    @property
    def caches(self) -> tuple[Path, Path]:
        return self.top / "providers" / "cache", self.top / "locks" / "cache"

    @property
    def options(self) -> Options:
        """As the faces open a cache, but without waiting between two looks."""
        return Options(
            projects=(os.fsencode(self.top / "projects"),),
            sources=(os.fsencode(self.top / "mirror"),),
            jobs=1,
            floor_s=0.0,
            observe_s=0.01,
            settle_s=0.0,
        )

    def make(self) -> None:
        for number in range(self.each):
            for kind in ("copied", "gone", "mode", "staged", "line"):
                self._provider(Provider(f"{kind}{number}", "1.0.0", 1), kind)
        _rest(self.caches[0])
        self._locks()

    def _provider(self, provider: Provider, kind: str) -> None:
        cache, mirror = os.fspath(self.caches[0]), os.fspath(self.top / "mirror")
        entry = Path(unpack(provider, cache))
        recorded = [provider.h1()]
        if kind in {"copied", "line"}:
            pack(provider, mirror)
        if kind in {"copied", "gone"}:
            (entry / provider.executable).write_bytes(b"not what it was")
        elif kind == "mode":
            (entry / provider.executable).chmod(0o644)
        elif kind == "staged":
            part = entry.parent / ".temp2381940227" / "part"
            write(os.fspath(part), b"half" * 100)
        else:
            recorded.append(h1({**provider.files(), provider.executable: b"half"}))
            served = {PLATFORM: {"hashes": recorded[:1], "url": provider.archive}}
            index = f"{mirror}/{provider.address}/{provider.version}.json"
            write(index, json.dumps({"archives": served}).encode())
        project = self.top / "projects" / provider.kind / ".terraform.lock.hcl"
        write(os.fspath(project), lock_file({provider: recorded}))

    def _locks(self) -> None:
        know_the_stranger()
        import stranger_cache

        cache = self.caches[1]
        cache.mkdir(parents=True)
        (cache / "stranger.cache").touch()
        record = json.dumps({"id": "old", **stranger_cache.whole_identity(), "start": 1})
        for number in range(self.each):
            (cache / f"x{number}.lock").write_text(record)


def know_the_stranger() -> None:
    """Another project's format, as if it were installed."""
    if str(_STRANGER) not in sys.path:
        sys.path.insert(0, str(_STRANGER))


def _rest(cache: Path) -> None:
    """Let everything be some days old, as what is found in a cache mostly is."""
    then = time.time() - _DAYS_S
    for place, _directories, names in os.walk(cache, topdown=False):
        for name in [*names, "."]:
            os.utime(os.path.join(place, name), (then, then))
