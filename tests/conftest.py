"""Options and second processes that all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from cachewright.formats import registry

sys.path.insert(0, str(Path(__file__).parent / "stores"))
pytest_plugins = ["store_servers"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        metavar="DIR",
        type=Path,
        default=None,
        help="Write screenshots of the window's pages, in both themes, into this folder.",
    )


def pytest_xdist_auto_num_workers() -> int:
    """For ``-n auto``: more than there are processors, because tests also wait."""
    count = os.cpu_count() or 1
    return count + (count + 1) // 2


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    """The folder for screenshots, or None where none are wanted."""
    folder: Path | None = request.config.getoption("--screenshots")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def only_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


STRANGER = Path(__file__).parent / "stranger"


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a format that somebody else installed, here and in second processes."""
    registry._installed.cache_clear()
    monkeypatch.syspath_prepend(STRANGER)
    before = os.environ.get("PYTHONPATH")
    every = os.pathsep.join([str(STRANGER), *([before] if before else [])])
    monkeypatch.setenv("PYTHONPATH", every)
    yield "stranger"
    registry._installed.cache_clear()


@contextmanager
def _child(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A second process that runs ``source`` and says ``ready`` on its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def child() -> Callable[..., AbstractContextManager[subprocess.Popen[str]]]:
    """Starts a second process from source text; used with ``with``, it is ended after it."""
    return _child


INSIDE = """
import mmap, os, sys
kind, path = sys.argv[1:]
if kind == "cwd":
    os.chdir(os.path.dirname(path))
elif kind == "open":
    file = open(path, "rb")
else:
    with open(path, "rb") as file:
        view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def inside(
    child: Callable[..., AbstractContextManager[subprocess.Popen[str]]],
) -> Callable[[str, Path], AbstractContextManager[subprocess.Popen[str]]]:
    """A process that has a file's directory as ``cwd``, or the file ``open`` or ``mmap``'ed."""
    return lambda kind, path: child(INSIDE, kind, path)
