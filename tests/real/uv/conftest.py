"""Caches that the real uv wrote, from wheels made here and served on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.real.tools import environment
from tests.real.uv.index import Index
from tests.real.uv.wheels import make_wheel

from cachewright.report import document
from cachewright.workbench import Options, Workbench

PACKAGES = [f"toy{number:02}" for number in range(30)]
QUICK = ("--floor", "0", "--observe", "0.1s", "--settle", "0.1s")
_SECONDS = 60


@dataclass
class Shop:
    """One cache directory, the uv that uses it, and ``cachewright`` to look at it."""

    top: Path
    uv: Path
    index: Index
    cache: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    targets: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.top / "home"),
            "UV_CACHE_DIR": str(self.cache),
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_LOCK_TIMEOUT": "5",
            "CACHEWRIGHT_STATE_DIR": str(self.top / "state"),
        }

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [self.uv, *map(str, arguments)],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: object, code: int = 0) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=_SECONDS)
        assert process.returncode == code, output
        return output

    def installing(self, *packages: str, offline: bool = False) -> tuple[object, ...]:
        """The arguments of an installation into a new folder, ``target``."""
        self.targets += 1
        where = ("--target", self.target, "--python", sys.executable)
        how = ("--offline",) if offline else ()
        return ("pip", "install", *where, "--default-index", self.index.url, *how, *packages)

    @property
    def target(self) -> Path:
        return self.top / f"target{self.targets}"

    def install(self, *packages: str, offline: bool = False, code: int = 0) -> str:
        return self.run(*self.installing(*packages, offline=offline), code=code)

    def downloads(self) -> list[str]:
        """Wheels that were asked for since this was last called."""
        asked = [one for one in self.index.asked if one.endswith(".whl")]
        self.index.asked.clear()
        return asked

    def link(self, package: str) -> Path:
        found = self.cache.glob(f"wheels-v*/index/*/{package}/*")
        return next(one for one in found if one.is_symlink())

    def pointer(self, package: str) -> Path:
        link = self.link(package)
        return link.with_name(f"{link.name}.http")

    def archive(self, package: str) -> Path:
        return self.link(package).resolve()

    def command(self, verb: str, *arguments: object, code: int | None = 0) -> dict[str, Any]:
        """Run ``cachewright`` as a person would; what it prints with ``--json``."""
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "cachewright", verb, *map(str, arguments), "--json"],
            env=self.environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=_SECONDS,
        )
        assert code is None or ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def check(self, *, problems: bool, sources: Sequence[Path] = ()) -> dict[str, Any]:
        """What ``cachewright check --json`` prints, without the start of another Python."""
        options = Options(
            sources=tuple(os.fsencode(one) for one in sources),
            jobs=1,
            floor_s=0,
            observe_s=0.1,
            settle_s=0.1,
            environment=self.environment,
        )
        bench = Workbench.open(os.fsencode(self.cache), options=options)
        try:
            result = bench.check()
        finally:
            bench.close()
        told: dict[str, Any] = json.loads(json.dumps(document.check(result)))
        assert bool(found(told)) == problems, told["findings"]
        return told

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()


def found(document: dict[str, Any], severity: str = "problem") -> list[dict[str, Any]]:
    return [one for one in document["findings"] if one["severity"] == severity]


def shape(document: dict[str, Any], severity: str = "problem") -> list[tuple[str, Sequence[str]]]:
    return [(one["kind"], one["files"]) for one in found(document, severity)]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        make_wheel(folder, package)
    return folder


@pytest.fixture(scope="session")
def index(wheels: Path) -> Iterator[Index]:
    index = Index(wheels)
    yield index
    index.close()


@pytest.fixture(scope="session")
def filled(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """A cache with so many packages, made once by each uv that is asked for; to be copied."""
    made: dict[tuple[str, int], Path] = {}

    def fill(tool: str, count: int) -> Path:
        if (tool, count) not in made:
            top = tmp_path_factory.mktemp(tool)
            shop = Shop(top, environment(tool) / "uv", index, top / "cache")
            shop.install(*PACKAGES[:count])
            shutil.rmtree(shop.target)
            made[tool, count] = shop.cache
        return made[tool, count]

    return fill


@pytest.fixture
def shops(
    tmp_path: Path, index: Index, filled: Callable[[str, int], Path]
) -> Iterator[Callable[..., Shop]]:
    """Makes shops whose cache has so many packages; none: the cache does not exist yet."""
    made: list[Shop] = []

    def make(tool: str = "uv", count: int = 3) -> Shop:
        top = tmp_path / f"shop{len(made)}"
        top.mkdir()
        shop = Shop(top, environment(tool) / "uv", index, top / "cache")
        made.append(shop)
        if count:
            shutil.copytree(filled(tool, count), shop.cache, symlinks=True)
        index.asked.clear()
        index.halfway.clear()
        index.go_on.clear()
        index.slow.clear()
        return shop

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(shops: Callable[..., Shop]) -> Shop:
    return shops()
