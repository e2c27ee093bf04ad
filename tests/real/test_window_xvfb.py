"""The real window on a real X server, with real keys and clicks, over the real workbench.

The demo's cache is opened: it holds every kind of trouble, and processes that use it.  With
``--screenshots DIR`` every page is written there, in both themes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cachewright.demo.cache import CLOUD, STALE, Stage
from cachewright.demo.scratch import staged

PAGES = ("problems", "contents", "locks", "staging", "history")
PATIENCE_S = 60.0


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, but CI is meant to have it")
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server of its own; its number is told by itself."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        [
            *(tool("Xvfb"), "-displayfd", str(writer), "-screen", "0", "1280x820x24"),
            *("-nolisten", "tcp", "-noreset"),
        ],
        pass_fds=(writer,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as told:
        number = told.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.1)


@dataclass
class Screen:
    """A running window, and hands on its keyboard and mouse."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    shots: Path | None
    theme: str

    def xdotool(self, *words: str) -> str:
        ran = subprocess.run(
            [tool("xdotool"), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.stdout.strip()

    def window(self, name: str) -> str:
        return self.xdotool("search", "--onlyvisible", "--name", name).split("\n")[0]

    def title(self) -> str:
        return self.xdotool("getwindowname", self.window("Cachewright"))

    def wait_at_rest(self) -> None:
        until(self._rests, "the check is over")

    def _rests(self) -> bool:
        """While work runs the title says so, before a dot."""
        title = self.title()
        return "provider cache" in title and "·" not in title

    def wait_for(self, name: str) -> str:
        until(lambda: bool(self.window(name)), f"{name} is open")
        return self.window(name)

    def keys(self, *keys: str, to: str = "Cachewright") -> None:
        """Press keys in the window of that name; there is no window manager that gives focus."""
        self.xdotool("windowfocus", "--sync", self.window(to))
        self.xdotool("key", "--delay", "60", *keys)

    def click(self, window: str, right: int, bottom: int) -> None:
        """A real click, so far from the window's lower right corner."""
        shape = dict(
            line.split("=")
            for line in self.xdotool("getwindowgeometry", "--shell", window).split("\n")
        )
        x = int(shape["X"]) + int(shape["WIDTH"]) - right
        y = int(shape["Y"]) + int(shape["HEIGHT"]) - bottom
        self.xdotool("mousemove", str(x), str(y), "click", "1")

    def picture(self, name: str) -> None:
        if self.shots is not None:
            time.sleep(0.4)  # the eye wants what the next frame shows
            file = self.shots / f"{name}-{self.theme}.png"
            subprocess.run(
                [tool("import"), "-window", "root", str(file)], env=self.environment, check=True
            )

    def close(self) -> int:
        self.keys("ctrl+q")
        return self.process.wait(PATIENCE_S)


Opener = Callable[..., Screen]


@pytest.fixture
def opened(
    display: str, stage: Stage, tmp_path: Path, screenshots: Path | None
) -> Iterator[Opener]:
    """Open the window on the stage's cache, as a person does from a terminal."""
    tool("xdotool")
    processes: list[subprocess.Popen[bytes]] = []

    def make(theme: str = "light") -> Screen:
        settings = tmp_path / "config" / "cachewright" / "window.ini"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(f"[General]\ntheme={theme}\n")
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"QT_QPA_PLATFORM", "WAYLAND_DISPLAY"}
        } | {
            "DISPLAY": display,
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "CACHEWRIGHT_STATE_DIR": str(tmp_path / "state"),
        }
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "cachewright", stage.cache),
                *("--project", stage.projects, "--source", stage.mirror),
                *("--floor", "0", "--observe", "1s", "--settle", "0s"),
            ],
            env=environment,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        screen = Screen(process, environment, screenshots, theme)
        screen.wait_for("Cachewright")
        return screen

    yield make
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_opens_by_its_key(opened: Opener, theme: str) -> None:
    screen = opened(theme)
    screen.wait_at_rest()
    for number, page in enumerate(PAGES, start=1):
        screen.keys(f"ctrl+{number}")
        screen.keys("Down")
        screen.picture(page)
    screen.keys("ctrl+1", "ctrl+r")
    review = screen.wait_for("Review repairs")
    screen.picture("review")
    screen.keys("Return", to="Review repairs")
    until(lambda: not screen.window("Review repairs"), "Enter has cancelled the review")
    assert review
    assert screen.close() == 0
    assert screen.process.stderr is not None
    assert screen.process.stderr.read() == b""


def test_stale_staging_is_removed_by_a_click_and_put_back_by_undo(
    opened: Opener, stage: Stage
) -> None:
    stale = Path(stage.cache) / STALE
    screen = opened()
    screen.wait_at_rest()
    assert stale.is_dir()
    screen.keys("ctrl+shift+r")
    review = screen.wait_for("Review repairs")
    assert stale.is_dir(), "looking at the plan changes nothing"
    screen.click(review, right=80, bottom=30)
    until(lambda: not stale.exists(), "the staging place is gone")
    screen.wait_at_rest()
    screen.keys("ctrl+5")
    screen.picture("repaired")
    kept = list(Path(stage.cache).parent.glob(".cachewright-quarantine/*/item"))
    assert len(kept) == 1, "it is kept beside the cache"
    screen.keys("ctrl+z")
    until(stale.is_dir, "the staging place is back")
    screen.wait_at_rest()
    assert screen.close() == 0


def test_closing_while_work_runs_stops_it_cleanly(opened: Opener, stage: Stage) -> None:
    """An entry of 500 GB of nothing keeps the check busy for as long as anybody wants."""
    executable = Path(stage.cache) / CLOUD.name / CLOUD.executable
    os.truncate(executable, 500 * 10**9)
    screen = opened()
    until(lambda: screen.title().startswith("Verifying"), "it verifies")
    screen.picture("verifying")
    children = psutil.Process(screen.process.pid).children(recursive=True)
    begun = time.monotonic()
    assert screen.close() == 0
    assert time.monotonic() - begun < PATIENCE_S
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == [], "no worker is left behind"
    assert screen.process.stderr is not None
    assert screen.process.stderr.read() == b""
