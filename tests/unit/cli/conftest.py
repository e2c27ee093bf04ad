from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Ran = subprocess.CompletedProcess[bytes]
Command = Callable[..., Ran]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a person with no settings, no display, and a state of their own."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {"HOME": str(home), "CACHEWRIGHT_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture
def command(environment: dict[str, str]) -> Command:
    """Runs the real command in a process of its own."""

    def run(*arguments: str | bytes, env: Mapping[str, str] | None = None, **how: Any) -> Ran:
        how.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [sys.executable, "-P", "-m", "cachewright", *arguments],
            env={**environment, **(env or {})},
            capture_output="stdout" not in how,
            timeout=60,
            check=False,
            **how,
        )

    return run
