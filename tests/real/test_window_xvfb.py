"""The real window on a real X server, with real keys and clicks, over the real workbench.

The demo's cache is opened: it holds every kind of trouble, and processes that use it; and
places of locks, held by real processes.  With ``--screenshots DIR`` every page is written there,
in both themes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from cachewright.demo.cache import CLOUD, STALE, Stage
from cachewright.demo.scratch import staged

PAGES = ("problems", "contents", "locks", "staging", "history")
PATIENCE_S = 60.0
STRANGER = Path(__file__).parent.parent / "stranger"


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
        return " — Cachewright" in title and "·" not in title

    def wait_for(self, name: str) -> str:
        until(lambda: bool(self.window(name)), f"{name} is open")
        return self.window(name)

    def keys(self, *keys: str, to: str = "Cachewright") -> None:
        """Press keys in the window of that name; there is no window manager that gives focus."""
        self.xdotool("windowfocus", "--sync", self.window(to))
        self.xdotool("key", "--delay", "60", *keys)

    def type(self, text: str, to: str) -> None:
        self.xdotool("windowfocus", "--sync", self.window(to))
        self.xdotool("type", "--delay", "40", text)

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


def ended_in_silence(screen: Screen) -> bool:
    assert screen.process.stderr is not None
    return screen.close() == 0 and screen.process.stderr.read() == b""


Opener = Callable[..., Screen]


@pytest.fixture
def opened(
    display: str, stage: Stage, tmp_path: Path, screenshots: Path | None
) -> Iterator[Opener]:
    """Open the window on the stage's cache, as a person does from a terminal."""
    tool("xdotool")
    processes: list[subprocess.Popen[bytes]] = []

    def make(theme: str = "light", on: Sequence[str] = (), **variables: str) -> Screen:
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
            "CACHEWRIGHT_AS_ROOT": "1",  # whoever runs the tests
            **variables,
        }
        sample = [stage.cache, "--project", stage.projects, "--source", stage.mirror]
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "cachewright", *(on or sample)),
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
    assert ended_in_silence(screen)


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


HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(fd, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""
"""Holds a POSIX lock on a file until its standard input is closed."""

LOCK_INFO = {
    "ID": "54dacc76-4307-835c-38da-9ae77bb5eb7c",
    "Operation": "OperationTypeApply",
    "Who": "ci@build-07",
    "Created": "2026-11-20T10:02:07.525143475Z",
    "Path": "terraform.tfstate",
}


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """Locks in a format that an outsider brings: unproven, left behind, held and free."""
    root = tmp_path / "strange"
    root.mkdir()
    (root / "stranger.cache").touch()
    (root / "build.lock").write_text(json.dumps({"id": "build-42", "pid": gone_pid()}))
    (root / "deploy.posix").touch()
    (root / "idle.posix").touch()
    for name in ("old", "new"):
        (root / f"{name}.data").touch()
        (root / f"{name}.info").write_text(json.dumps({"id": f"{name}-1"}))
    return root


def gone_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def open_dialog(screen: Screen) -> str:
    screen.keys("ctrl+u")
    return screen.wait_for("Force unlock")


def confirm(screen: Screen, wanted: str) -> None:
    """From Cancel, which has the focus, to the line in which the ID is typed, by keys."""
    screen.keys("Tab", "Tab", "Tab", "Tab", to="Force unlock")
    screen.type(wanted, to="Force unlock")


def gone(screen: Screen, window: str) -> None:
    until(lambda: not screen.window(window), f"{window} is closed")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_lock_is_released_by_keys_and_one_that_is_held_is_not(
    opened: Opener, strange: Path, child: Any, theme: str
) -> None:
    lock = strange / "build.lock"
    with child(HOLDER, strange / "deploy.posix"), child(HOLDER, strange / "new.data"):
        screen = opened(theme, [str(strange)], PYTHONPATH=str(STRANGER))
        screen.wait_at_rest()
        screen.keys("ctrl+3", "Home", "Down")
        screen.picture("real-locks-unproven")
        open_dialog(screen)
        screen.picture("real-unlock")
        screen.keys("Return", to="Force unlock")
        gone(screen, "Force unlock")
        open_dialog(screen)
        confirm(screen, "build-4")
        screen.keys("Tab", "space", "Return", to="Force unlock")
        gone(screen, "Force unlock")
        assert lock.exists(), "a part of its ID is not its ID"
        open_dialog(screen)
        confirm(screen, "build-42")
        screen.keys("Return", to="Force unlock")
        screen.picture("real-unlock-typed")
        assert screen.window("Force unlock")
        assert lock.exists(), "Enter does not unlock"
        screen.keys("space", to="Force unlock")
        until(lambda: not lock.exists(), "the lock is gone")
        screen.wait_at_rest()
        screen.picture("real-unlocked")
        screen.keys("ctrl+z")
        until(lock.exists, "the lock is back")
        screen.wait_at_rest()
        screen.keys("ctrl+3", "Home", "Down", "Down", "ctrl+u")
        screen.wait_for("not released by force")
        screen.picture("real-held")
        screen.keys("Return", to="not released by force")
        gone(screen, "not released by force")
        assert ended_in_silence(screen)
    assert (strange / "deploy.posix").exists()


def test_the_stale_locks_of_a_project_are_cleaned_and_come_back(
    opened: Opener, tmp_path: Path, child: Any
) -> None:
    project = tmp_path / "website"
    stale = project / "terraform.tfstate.d" / "staging" / ".terraform.tfstate.lock.info"
    stale.parent.mkdir(parents=True)
    for state in (project / "terraform.tfstate", stale.parent / "terraform.tfstate"):
        state.write_text('{"version": 4, "resources": []}')
        info = state.parent / ".terraform.tfstate.lock.info"
        info.write_text(json.dumps(LOCK_INFO))
    (project / "main.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    with child(HOLDER, project / "terraform.tfstate"):
        screen = opened(on=[str(project)])
        screen.wait_at_rest()
        screen.picture("project")
        screen.keys("ctrl+shift+r")
        review = screen.wait_for("Review repairs")
        screen.picture("project-review")
        screen.click(review, right=80, bottom=30)
        until(lambda: not stale.exists(), "the stale note is gone")
        screen.wait_at_rest()
        screen.picture("project-cleaned")
        held = project / ".terraform.tfstate.lock.info"
        assert held.exists(), "what is held is left alone"
        screen.keys("ctrl+z")
        until(stale.exists, "the note is back")
        screen.wait_at_rest()
        assert screen.close() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_object_lock_is_released_from_a_real_store(opened: Opener, aws: Any, theme: str) -> None:
    bucket = aws.bucket()
    body = json.dumps(LOCK_INFO | {"Path": f"{bucket}/prod/web.tfstate"}).encode()
    key = "prod/web.tfstate.tflock"
    aws.put(bucket, key, body)
    aws.put(bucket, "prod/empty.tfstate.tflock", b"")
    screen = opened(theme, [f"s3://{bucket}/prod", "--endpoint-url", aws.endpoint])
    screen.wait_at_rest()
    screen.keys("ctrl+3", "End")
    screen.picture("real-store")
    open_dialog(screen)
    confirm(screen, LOCK_INFO["ID"])
    screen.picture("real-store-unlock")
    screen.keys("Tab", "space", to="Force unlock")
    until(lambda: aws.body(bucket, key) is None, "the object is gone")
    screen.wait_at_rest()
    assert aws.keys(bucket) == ["prod/empty.tfstate.tflock"]
    screen.picture("real-store-unlocked")
    screen.keys("ctrl+z")
    until(lambda: aws.body(bucket, key) == body, "the object is back")
    screen.wait_at_rest()
    assert ended_in_silence(screen)
