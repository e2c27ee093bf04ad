"""Plants one of each trouble in a provider cache, with projects and a mirror that tell of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cachewright.demo.company import Company
from cachewright.demo.provider import (
    PLATFORM,
    Provider,
    h1,
    lock_file,
    pack,
    unpack,
    write,
)

CLOUD: Final = Provider("cloud", "4.2.0", 3072)
CLOUD_OLD: Final = Provider("cloud", "4.1.0", 2560)
DNS: Final = Provider("dns", "3.3.0", 640)
RANDOM: Final = Provider("random", "3.6.1", 192)
FLIPPED: Final = Provider("vault", "2.0.0", 896)
TRUNCATED: Final = Provider("network", "1.8.2", 1280)
EXTRA: Final = Provider("archive", "2.4.0", 256)
NOT_EXECUTABLE: Final = Provider("tls", "4.0.4", 320)
DISPUTED: Final = Provider("template", "2.2.0", 128)
HEADLESS: Final = Provider("helm", "2.12.0", 512)
UNVOUCHED: Final = Provider("null", "3.2.1", 96)
WRITTEN: Final = Provider("storage", "5.1.0", 1024)
LOCKED: Final = Provider("monitor", "0.9.0", 448, namespace="lab")

STALE: Final = f"{TRUNCATED.address}/{TRUNCATED.version}/.temp2381940227"
LIVE: Final = f"{DNS.address}/{DNS.version}/.temp1173645021"
UNPROVEN: Final = f"{RANDOM.address}/{RANDOM.version}/.terraform-temp-918273645"

_ALL: Final = (
    CLOUD,
    CLOUD_OLD,
    DNS,
    RANDOM,
    FLIPPED,
    TRUNCATED,
    EXTRA,
    NOT_EXECUTABLE,
    DISPUTED,
    HEADLESS,
    UNVOUCHED,
    WRITTEN,
    LOCKED,
)
_MIRRORED: Final = (CLOUD, FLIPPED, EXTRA, NOT_EXECUTABLE)

_DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything lies: absolute paths."""

    cache: str
    projects: str
    mirror: str
    state: str

    @classmethod
    def below(cls, scratch: str) -> Stage:
        names = ("plugin-cache", "projects", "mirror", "state")
        return cls(*(os.path.join(scratch, name) for name in names))


def plant(stage: Stage, company: Company) -> None:
    """Fill the stage and put the processes to work."""
    for provider in _ALL:
        unpack(provider, stage.cache)
    for provider in _MIRRORED:
        pack(provider, stage.mirror)
    _record(stage)
    _damage(stage)
    _leave_behind(stage)
    _rest(stage.cache)
    _put_to_work(stage, company)


def _record(stage: Stage) -> None:
    """Projects whose lock files vouch; two of them disagree, two hold a checksum too many."""
    good = [one for one in _ALL if one not in {CLOUD_OLD, UNVOUCHED}]
    _project(stage, "website", {one: [one.h1()] for one in good})
    _project(stage, "legacy", {CLOUD_OLD: [CLOUD_OLD.h1()], DISPUTED: [_half(DISPUTED)]})
    _project(stage, "billing", {CLOUD: [CLOUD.h1(), _half(CLOUD)]})
    _project(stage, "office", {DNS: [DNS.h1(), _half(DNS)]})
    _index(stage, CLOUD)
    for provider in (CLOUD, DNS, RANDOM):
        _install(stage, "website", provider)


def _half(provider: Provider) -> str:
    """The checksum that ``init`` records when it hashes what another is still writing."""
    files = provider.files()
    whole = files[provider.executable]
    return h1(files | {provider.executable: whole[: len(whole) // 2]})


def _project(stage: Stage, name: str, recorded: Mapping[Provider, Sequence[str]]) -> None:
    write(os.path.join(stage.projects, name, ".terraform.lock.hcl"), lock_file(recorded))


def _install(stage: Stage, project: str, provider: Provider) -> None:
    """Link the entry into a project, as ``init`` does."""
    place = os.path.join(stage.projects, project, ".terraform", "providers", provider.name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.symlink(os.path.join(stage.cache, provider.name), place)


def _index(stage: Stage, provider: Provider) -> None:
    """What ``providers mirror`` writes beside an archive: its checksum by platform."""
    content = {"archives": {PLATFORM: {"hashes": [provider.h1()], "url": provider.archive}}}
    path = os.path.join(stage.mirror, provider.address, f"{provider.version}.json")
    write(path, json.dumps(content).encode())


def _damage(stage: Stage) -> None:
    def inside(provider: Provider, name: str) -> str:
        return os.path.join(stage.cache, provider.name, name)

    flipped = inside(FLIPPED, FLIPPED.executable)
    with open(flipped, "r+b") as file:
        file.seek(4096)
        byte = file.read(1)
        file.seek(4096)
        file.write(bytes([byte[0] ^ 1]))
    truncated = inside(TRUNCATED, TRUNCATED.executable)
    os.truncate(truncated, os.path.getsize(truncated) // 3)
    write(inside(EXTRA, "notes.txt"), b"Left here by somebody.\n")
    os.chmod(inside(NOT_EXECUTABLE, NOT_EXECUTABLE.executable), 0o644)
    os.unlink(inside(HEADLESS, HEADLESS.executable))


def _leave_behind(stage: Stage) -> None:
    """Staging places, and a lock file that nobody holds."""
    for place in (STALE, LIVE, UNPROVEN):
        write(os.path.join(stage.cache, place, "part"), bytes(96 * 1024))
    write(os.path.join(stage.cache, f"{CLOUD.name}.lock"), b"")


def _rest(cache: str) -> None:
    """Let everything be a day old, but for one staging place, whose time lies ahead."""
    then = time.time() - _DAY_S
    for directory, _, names in os.walk(cache):
        for name in names:
            os.utime(os.path.join(directory, name), (then, then))
    ahead = time.time() + _DAY_S
    os.utime(os.path.join(cache, UNPROVEN, "part"), (ahead, ahead))


def _put_to_work(stage: Stage, company: Company) -> None:
    company.start("write", os.path.join(stage.cache, WRITTEN.name, WRITTEN.executable))
    company.start("fill", os.path.join(stage.cache, LIVE))
    company.start("lock", os.path.join(stage.cache, f"{LOCKED.name}.lock"))
