"""Small caches of formats that the core ships, each with one trouble."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cachewright.demo.provider import PLATFORM, Provider, h1, lock_file, pack, unpack, write

if TYPE_CHECKING:
    from tests.crash.stage import Stage

_DAY_S = 86400.0
_LONG_AGO_NS = 1_700_000_000_000_000_000
_DOCUMENTS = tuple(f"docs/page-{number}.md" for number in range(5))


@dataclass(frozen=True)
class Large(Provider):
    """One of eight files."""

    def files(self) -> dict[str, bytes]:
        pages = {name: f"# {self.kind}: {name}\n".encode() * 20 for name in _DOCUMENTS}
        return {**super().files(), **pages}


PROVIDER = Large("vault", "2.0.0", 4)
OTHER = Provider("tls", "4.0.4", 2)
ENTRY = f"cache/{PROVIDER.name}"
STAGING = f"{PROVIDER.address}/{PROVIDER.version}/.temp2381940227"


def plugin_cache(stage: Stage) -> None:
    """Terraform's, sound: a large entry and a small one, and a project that vouches for both."""
    for provider in (PROVIDER, OTHER):
        unpack(provider, os.fspath(stage.cache))
    recorded = {one: [one.h1()] for one in (PROVIDER, OTHER)}
    write(os.fspath(stage.project / ".terraform.lock.hcl"), lock_file(recorded))
    _rest(stage.cache)


def corrupt_entry(stage: Stage) -> None:
    plugin_cache(stage)
    executable = stage.cache / PROVIDER.name / PROVIDER.executable
    executable.write_bytes(executable.read_bytes()[:-99] + b"changed" * 20)
    (executable.parent / "docs" / "page-0.md").write_bytes(b"also changed")
    _rest(stage.cache)


def corrupt_entry_with_mirror(stage: Stage) -> None:
    corrupt_entry(stage)
    pack(PROVIDER, os.fspath(stage.mirror))


def lost_permissions(stage: Stage) -> None:
    """Three files of one entry may not be run any more."""
    plugin_cache(stage)
    for name in runnable(stage):
        name.chmod(0o644)


def runnable(stage: Stage) -> tuple[Path, ...]:
    place = stage.cache / PROVIDER.name
    return (place / PROVIDER.executable, place / "docs" / "page-1.md", place / "README.md")


def left_staging(stage: Stage) -> None:
    plugin_cache(stage)
    for name in ("part", "inner/part", "inner/more"):
        write(os.fspath(stage.cache / STAGING / name), b"half" * 500)
    _rest(stage.cache)


def poisoned_checksum(stage: Stage) -> None:
    """A lock file that holds, beside the right checksum, that of a half-written provider."""
    plugin_cache(stage)
    files = PROVIDER.files()
    half = {**files, PROVIDER.executable: files[PROVIDER.executable][:99]}
    recorded = {PROVIDER: [PROVIDER.h1(), h1(half)], OTHER: [OTHER.h1()]}
    write(os.fspath(stage.project / ".terraform.lock.hcl"), lock_file(recorded))
    pack(PROVIDER, os.fspath(stage.mirror))
    served = {PLATFORM: {"hashes": [PROVIDER.h1()], "url": PROVIDER.archive}}
    index = stage.mirror / PROVIDER.address / f"{PROVIDER.version}.json"
    write(os.fspath(index), json.dumps({"archives": served}).encode())


def compiler_cache(stage: Stage, *, counted: bool = True) -> None:
    """clcache's, with a wrong count, or with none at all."""
    for name in ("one", "two"):
        stem, includes = _md5(name), _md5("includes")
        key = _md5(stem + includes)
        place = stage.cache / "objects" / key[:2] / key
        write(os.fspath(place / "object"), b"\x64\x86" + bytes(62))
        write(os.fspath(place / "output.txt"), f"{name}.cpp\r\n".encode())
        line = {"includeFiles": [], "includesContentHash": includes, "objectHash": key}
        manifest = stage.cache / "manifests" / stem[:2] / f"{stem}.json"
        write(os.fspath(manifest), json.dumps({"entries": [line]}).encode())
    if counted:
        told = {"CacheEntries": 9, "CacheSize": 9, "CacheHits": 5}
        write(os.fspath(stage.cache / "stats.txt"), json.dumps(told).encode())
    _rest(stage.cache)


def uncounted_cache(stage: Stage) -> None:
    compiler_cache(stage, counted=False)


def listed_tree(stage: Stage, *, there: bool = True) -> None:
    """Files that a list of checksums names; one of them is wrong, or missing."""
    good = b"as it was\n" * 100
    write(os.fspath(stage.cache / "good"), b"good\n")
    if there:
        write(os.fspath(stage.cache / "bad"), good[:-9] + b"not now!\n")
    lines = [(hashlib.sha256(one).hexdigest(), name) for name, one in _listed(good)]
    content = "".join(f"{value}  {name}\n" for value, name in lines)
    write(os.fspath(stage.cache / "SHA256SUMS"), content.encode())
    write(os.fspath(stage.mirror / "bad"), good)
    _rest(stage.cache)


def _listed(good: bytes) -> tuple[tuple[str, bytes], ...]:
    return (("bad", good), ("good", b"good\n"))


def incomplete_tree(stage: Stage) -> None:
    listed_tree(stage, there=False)


def project_folder(stage: Stage) -> None:
    """Terraform's, with what a crashed ``apply`` tells of a lock that nobody holds."""
    said = {
        "ID": "6a1f4b9e-1c1c-4b6e-9e3b-0a4f6f1f7d10",
        "Operation": "OperationTypeApply",
        "Who": "somebody@somewhere",
        "Path": "terraform.tfstate",
    }
    write(os.fspath(stage.cache / "main.tf"), b"# made up\n")
    write(os.fspath(stage.cache / "terraform.tfstate"), b'{"version": 4, "serial": 1}\n')
    information = stage.cache / ".terraform.tfstate.lock.info"
    write(os.fspath(information), json.dumps(said).encode())
    _rest(stage.cache)


def strangers_lock(stage: Stage, suffix: str) -> None:
    """A cache of a format from elsewhere, and a lock whose owner is dead."""
    import stranger_cache

    write(os.fspath(stage.cache / "stranger.cache"), b"")
    record = json.dumps({"id": "old", **stranger_cache.whole_identity(), "start": 1})
    lock = stage.cache / f"x{suffix}"
    if suffix == ".lnk":
        lock.symlink_to(record)
    elif suffix == ".dir":
        write(os.fspath(lock / "owner.json"), record.encode())
    else:
        write(os.fspath(lock), record.encode())


def strangers_lease(stage: Stage) -> None:
    """The same format's lease, a row of an SQLite database."""
    import stranger_cache

    write(os.fspath(stage.cache / "stranger.cache"), b"")
    said = {"id": "old", "renewed_ns": _LONG_AGO_NS, "lasts_ns": 60 * 1_000_000_000}
    record = json.dumps({**said, **stranger_cache.whole_identity(), "start": 1})
    base = sqlite3.connect(stage.cache / "leases.db", isolation_level=None)
    with closing(base):
        base.execute("CREATE TABLE leases(name PRIMARY KEY, value)")
        base.execute("INSERT INTO leases VALUES ('old', ?)", (record,))


def source_folder(stage: Stage) -> None:
    """Eight files that somebody's program wants to have in its cache."""
    unpack(PROVIDER, os.fspath(stage.mirror))


def folder_to_replace(stage: Stage) -> None:
    source_folder(stage)
    for number in range(8):
        write(os.fspath(stage.cache / "entry" / f"file-{number}"), b"old" * 100)


def no_folder_yet(stage: Stage) -> None:
    source_folder(stage)
    stage.cache.mkdir()


def _rest(cache: Path) -> None:
    """Let everything be some days old, as what is found in a cache mostly is."""
    then = time.time() - 3 * _DAY_S
    for directory, _, names in os.walk(cache, topdown=False):
        for name in [*names, "."]:
            os.utime(os.path.join(directory, name), (then, then))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
