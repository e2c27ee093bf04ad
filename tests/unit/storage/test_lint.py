"""Nothing in core walks, copies, moves, deletes or unpacks by path: the linter holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
BANNED = {
    "import shutil\n\nshutil.rmtree(top)\n": "shutil",
    "import shutil\n\nshutil.copytree(top, top)\n": "shutil",
    "import shutil\n\nshutil.move(top, top)\n": "shutil",
    "import shutil\n\nshutil.unpack_archive(top)\n": "shutil",
    "from shutil import copyfile\n": "shutil",
    "import os\n\nos.walk(top)\n": "os.walk",
    "from os import walk\n": "os.walk",
    "import os\n\nos.fwalk(top)\n": "os.fwalk",
    "import os\n\nos.removedirs(top)\n": "os.removedirs",
    "import os\n\nos.renames(top, top)\n": "os.renames",
    "import os\n\nos.replace(top, top)\n": "os.replace",
    "import tempfile\n\ntempfile.TemporaryDirectory()\n": "tempfile.TemporaryDirectory",
    "import tempfile\n\ntempfile.mktemp()\n": "tempfile.mktemp",
    "import zipfile\n\nzipfile.ZipFile(top).extractall(top)\n": "zipfile",
    "from zipfile import ZipFile\n": "zipfile",
    "import tarfile\n\ntarfile.open(top).extract(top)\n": "tarfile",
    "from pathlib import Path\n\nPath(top).unlink()\n": "pathlib",
    "import pathlib\n\npathlib.Path(top).rmdir()\n": "pathlib",
    "import glob\n\nglob.glob(top)\n": "glob",
}


def flagged(code: str, name: str) -> list[str]:
    """What the linter, as it is configured, says of such a file at such a place."""
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--no-cache"]
    done = subprocess.run(
        [*ruff, "--output-format", "json", "--stdin-filename", os.fspath(TOP / name), "-"],
        input=code,
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
    )
    assert done.returncode in {0, 1}, done.stderr
    return [one["message"] for one in json.loads(done.stdout)]


@pytest.mark.parametrize("code", BANNED, ids=lambda code: code.splitlines()[-1])
def test_the_linter_bites_in_core(code: str) -> None:
    for name in ("core/cachewright/repair/some.py", "core/cachewright/some.py"):
        said = flagged(f"top = ''\n{code}", name)
        assert any(f"`{BANNED[code]}` is banned" in one for one in said), (name, said)


def test_it_lets_be_what_acts_by_descriptor() -> None:
    code = "import os\n\nfd = 0\nos.unlink('a', dir_fd=fd)\nos.rmdir('a', dir_fd=fd)\n"
    assert flagged(code, "core/cachewright/storage/some.py") == []


def test_nothing_silences_it() -> None:
    core = TOP / "core"
    quiet = [path for path in core.rglob("*.py") if "TID251" in path.read_text(encoding="utf-8")]
    assert quiet == []
