"""A copy of the product and its tests in which one guard is taken out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from tests.guards.guards import Guard

_TOP: Final = Path(__file__).parents[2]
_COPIED: Final = ("core", "gui", "assets", "tests", "pyproject.toml", "README.md")
_PATIENCE_S: Final = 600


class Copy:
    """Made on entry, removed at the end; the original is never touched."""

    def __enter__(self) -> Self:
        self.top = Path(tempfile.mkdtemp(prefix="cachewright-guard-"))
        for name in _COPIED:
            original = _TOP / name
            if original.is_dir():
                shutil.copytree(
                    original, self.top / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(original, self.top / name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.top)

    def take_out(self, guard: Guard) -> None:
        """Replace the guard's text, which must be there exactly once."""
        file = self.top / "core" / "cachewright" / guard.file
        text = file.read_text()
        if text.count(guard.text) != 1:
            raise ValueError(f"{guard.name}: its text is not there once in {guard.file}")
        file.write_text(text.replace(guard.text, guard.without))

    def failing(self, tests: Sequence[str]) -> list[str]:
        """Which of the tests fail, by name; all of them where they cannot even be run."""
        places = [str(self.top / name) for name in ("core", "gui", "assets")]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
            cwd=self.top,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*places, str(self.top)])},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        failed = [_name(line) for line in lines]
        if ran.returncode and not failed:
            raise RuntimeError(ran.stdout[-2000:] + ran.stderr[-2000:])
        return failed


def _name(line: str) -> str:
    """``FAILED tests/x.py::test_name[a b] - why`` is ``test_name[a b]``."""
    return line.partition(" ")[2].partition(" - ")[0].rpartition("::")[2]
