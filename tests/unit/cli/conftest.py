from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cachewright.demo.provider import Provider, lock_file, pack, unpack, write

Ran = subprocess.CompletedProcess[bytes]
Command = Callable[..., Ran]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a person with no settings, no display, and a state of their own."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {"HOME": str(home), "CACHEWRIGHT_STATE_DIR": str(tmp_path / "state")}


@dataclass(frozen=True)
class Cache:
    """A small provider cache: one good entry, one with a flipped byte whose archive lies in the
    mirror, and one staging place that nobody fills any more."""

    root: Path
    projects: Path
    mirror: Path
    good: Provider
    bad: Provider
    staging: Path

    def options(self) -> list[str]:
        """As a test wants to be answered: soon."""
        places = ["--project", str(self.projects), "--source", str(self.mirror)]
        return [*places, "--floor", "0", "--observe", "0.2", "--settle", "0"]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    good, bad = Provider("good", "1.0.0", 4), Provider("bad", "2.0.0", 4)
    root, projects, mirror = (tmp_path / name for name in ("cache", "projects", "mirror"))
    for provider in (good, bad):
        unpack(provider, str(root))
    pack(bad, str(mirror))
    lock = lock_file({good: [good.h1()], bad: [bad.h1()]})
    write(str(projects / "one" / ".terraform.lock.hcl"), lock)
    executable = root / bad.name / bad.executable
    content = bytearray(executable.read_bytes())
    content[100] ^= 1
    executable.write_bytes(content)
    staging = root / good.address / good.version / ".temp123"
    write(str(staging / "part"), b"half")
    return Cache(root, projects, mirror, good, bad, staging)


@pytest.fixture
def command(environment: dict[str, str]) -> Command:
    """Runs the real command in a process of its own."""

    def run(*arguments: str | bytes, env: Mapping[str, str] | None = None, **how: Any) -> Ran:
        how.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [sys.executable, "-P", "-m", "cachewright", *arguments],
            env={**environment, **(env or {})},
            capture_output="stdout" not in how,
            check=False,
            **{"timeout": 60, **how},
        )

    return run
