"""The manual's recipe: a format in a package of its own is installed, and everything knows it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MANUAL = (Path(__file__).parents[2] / "README.md").read_text()
Command = Callable[..., tuple[int, Any]]


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own that has Cachewright, and the package that the manual shows."""
    place = tmp_path_factory.mktemp("outsider")
    venv.create(place / "env", with_pip=True)
    program = place / "env" / "bin" / "python"
    ours = sysconfig.get_path("purelib")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = subprocess.check_output([program, "-c", where], text=True).strip()
    Path(theirs, "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    package = place / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(block("toml"))
    (package / "cachewright_parcel.py").write_text(block("py"))
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([program, *install, "--no-build-isolation", package], check=True, timeout=100)
    return program


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    place = tmp_path / "cache"
    place.mkdir()
    index = {}
    for name in ("good-1.0.parcel", "bad-2.0.parcel"):
        (place / name).write_bytes(name.encode())
        index[name] = hashlib.sha256(name.encode()).hexdigest()
    (place / "bad-2.0.parcel").write_bytes(b"bad-2.1.parcel")
    (place / "new-3.0.parcel").write_bytes(b"nobody wrote it down")
    (place / "index.json").write_text(json.dumps(index))
    (place / ".fetch-1").write_bytes(b"half")
    return place


@pytest.fixture
def command(python: Path, cache: Path, tmp_path: Path) -> Command:
    def run(*arguments: str) -> tuple[int, Any]:
        ran = subprocess.run(
            [python, "-P", "-m", "cachewright", *arguments, "--json"],
            env={
                **os.environ,
                "CACHEWRIGHT_STATE_DIR": str(tmp_path / "state"),
                "PARCEL_CACHE": str(cache),
            },
            capture_output=True,
            check=False,
            timeout=60,
        )
        return ran.returncode, json.loads(ran.stdout)

    return run


def test_an_installed_format_is_checked_repaired_and_undone(command: Command, cache: Path) -> None:
    looking = ("--floor", "0s", "--observe", "0s")
    code, checked = command("check", str(cache), *looking)
    assert (code, checked["format"]) == (1, "parcel")
    assert {one["name"]: one["verdict"] for one in checked["entries"]} == {
        "good-1.0.parcel": "ok",
        "bad-2.0.parcel": "corrupt",
        "new-3.0.parcel": "unverifiable",
    }
    assert [one["verdict"] for one in checked["staging"]] == ["stale"]
    code, done = command("repair", str(cache), "--apply", *looking)
    assert (code, [one["result"] for one in done["outcomes"]]) == (0, ["done"] * 2)
    assert sorted(os.listdir(cache)) == ["good-1.0.parcel", "index.json", "new-3.0.parcel"]
    assert command("check", str(cache), *looking)[0] == 0
    assert command("undo")[0] == command("undo")[0] == 0
    assert (cache / "bad-2.0.parcel").read_bytes() == b"bad-2.1.parcel"
    assert (cache / ".fetch-1").exists()


def test_an_installed_format_is_discovered(command: Command, cache: Path) -> None:
    code, found = command("discover")
    assert code == 0
    assert ("parcel", str(cache)) in {(one["format"], one["root"]) for one in found["caches"]}


def test_without_the_package_nobody_knows_it(cache: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "cachewright", "check", str(cache)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
