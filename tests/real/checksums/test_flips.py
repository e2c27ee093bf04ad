"""Any byte of a tree with a list of checksums, and of a folder where each file has a sidecar."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.real.flips import SOME, flips

from cachewright.model import CheckResult
from cachewright.workbench import Options, Workbench

QUICK: dict[str, Any] = {"observe_s": 0.0, "settle_s": 0.0, "environment": {}, "jobs": 1}


def content(top: Path) -> list[Path]:
    made = [top / f"d{number % 3}" / f"file{number}.bin" for number in range(12)]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(5000))
    return made


def sums(top: Path, *files: Path) -> str:
    names = [one.relative_to(top) for one in files]
    return subprocess.check_output(["sha256sum", *names], cwd=top, text=True)


def with_list(top: Path) -> None:
    (top / "SHA256SUMS").write_text(sums(top, *content(top)))


def with_sidecars(top: Path) -> None:
    for path in content(top):
        path.with_name(f"{path.name}.sha256").write_text(sums(path.parent, path))
        path.with_name(f"{path.name}.done").touch()


@pytest.mark.parametrize("times", SOME)
@pytest.mark.parametrize(("form", "fill"), [("checksums", with_list), ("handoff", with_sidecars)])
def test_any_byte_of_content_is_found(form: str, fill: Any, tmp_path: Path, times: int) -> None:
    top = tmp_path / "tree"
    fill(top)

    def look() -> CheckResult:
        with Workbench.open(os.fsencode(top), format_name=form, options=Options(**QUICK)) as bench:
            return bench.check()

    done = flips([top], look, times)
    print(form, done)
    assert [one for one in done.unseen if one.endswith(".bin")] == []
    assert done.found
