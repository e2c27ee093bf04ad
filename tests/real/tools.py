"""The real tools whose caches are looked at, each in a Python environment of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


def environment(name: str) -> Path:
    """The directory of programs of one tool's environment, which ``.ci/setup --dev`` made;
    without it the test is skipped, or fails where CI promises it."""
    tools = Path(os.environ.get("CACHEWRIGHT_TOOLS") or Path(sys.prefix, "tools"))
    programs = (tools / name / "bin").absolute()
    if not programs.is_dir():
        reason = f"{name} is not installed below {tools}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, but CI is meant to have it")
        pytest.skip(reason)
    return programs
