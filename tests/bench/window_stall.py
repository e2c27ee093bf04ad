"""How long the window ever stalls while it scans, verifies and scrolls 200,000 files.

A timer of 5 ms in the window's thread measures the longest time between two of its ticks; every
50 ms the Contents page scrolls by one page.  The real window over the real workbench, in a scratch
directory; run with ``python -m tests.bench.window_stall [--files N] [--directory DIR]``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from cachewright.workbench import Options
from cachewright_gui import theme
from cachewright_gui.app import steady
from cachewright_gui.backend import Core
from cachewright_gui.pages.cache_page import CONTENTS
from cachewright_gui.state import State
from cachewright_gui.store import Recent, Store
from cachewright_gui.window import MainWindow

PROVIDERS: Final = 20
TICK_MS: Final = 5
SCROLL_MS: Final = 50
SETTLE_MS: Final = 500
"""The window is on the screen before anything is measured."""
LIMIT_S: Final = 300.0


@dataclass(frozen=True)
class Stall:
    """Times in milliseconds; ``page`` is what one page took to paint."""

    files: int
    seconds: float
    longest: float
    p99: float
    pages_scrolled: int
    page_median: float
    page_longest: float
    idle_longest: float
    """Of a process that only sleeps, at the same time: what the machine itself adds."""
    complete: bool


_SLEEPER: Final = """
import os, select, time
longest, last = 0.0, time.monotonic()
while not select.select([0], [], [], 0.005)[0]:
    now = time.monotonic()
    longest, last = max(longest, now - last), now
print(longest * 1000)
"""


@contextmanager
def sleeper() -> Iterator[Callable[[], float]]:
    """Another process with the same timer; the call ends it and gives its longest gap."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield lambda: float(process.communicate(b"end")[0])
    finally:
        process.kill()
        process.wait()


def plant(top: Path, files: int) -> tuple[Path, Path]:
    """A provider cache of so many files, and a project whose lock file vouches for it."""
    cache, project = top / "plugin-cache", top / "project"
    project.mkdir(parents=True)
    each = max(files // PROVIDERS, 1)
    lock = []
    for number in range(PROVIDERS):
        name = f"provider{number:02d}"
        entry = cache / "registry.terraform.io" / "bench" / name / "1.0.0" / "linux_amd64"
        entry.mkdir(parents=True)
        for index in range(each - 1):
            place = entry / f"d{index // 2500}"
            if index % 2500 == 0:
                place.mkdir()
            (place / f"file-{index:06d}.txt").write_bytes(b"%d\n" % index * 40)
        (entry / f"terraform-provider-{name}_v1.0.0_x5").write_bytes(os.urandom(4_000_000))
        lock.append(
            f'provider "registry.terraform.io/bench/{name}" {{\n  version = "1.0.0"\n'
            f'  hashes = [\n    "h1:{number:043d}=",\n  ]\n}}\n'
        )
    (project / ".terraform.lock.hcl").write_text("\n".join(lock))
    return cache, project


class Driver:
    """Ticks, scrolls, and opens every directory as it appears."""

    def __init__(self, window: MainWindow) -> None:
        self.view, self.model = window.cache.contents.view, window.cache.contents.model
        self.gaps: list[float] = []
        self.pages: list[float] = []
        self._last = time.perf_counter()
        self._timers = [QTimer(window), QTimer(window)]
        for timer, interval, call in zip(
            self._timers, (TICK_MS, SCROLL_MS), (self._tick, self._scroll), strict=True
        ):
            timer.setTimerType(Qt.TimerType.PreciseTimer)
            timer.setInterval(interval)
            timer.timeout.connect(call)

    def start(self) -> None:
        self._last = time.perf_counter()
        for timer in self._timers:
            timer.start()

    def stop(self) -> None:
        for timer in self._timers:
            timer.stop()
        self.gaps.sort()
        self.pages.sort()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1e3)
        self._last = now

    def _scroll(self) -> None:
        for place in range(min(self.model.rowCount(), 400) - 1, -1, -1):
            row = int(self.model.rows[place])
            if self.model.can_open(row) and not self.model.is_open(row):
                self.model.expand(place)
        bar = self.view.verticalScrollBar()
        at_end = bar.value() >= bar.maximum()
        bar.setValue(0 if at_end else bar.value() + self.view.viewport().height())
        if self.view.last_paint_s:
            self.pages.append(self.view.last_paint_s * 1e3)


def wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def check(window: MainWindow, cache: Path, options: Options) -> State:
    """Open the cache and wait until it was looked at, and shown."""
    loop = QEventLoop()
    window.open_root(Recent(os.fsencode(cache), projects=options.projects), options)
    session = window.session
    assert session is not None
    session.checked.connect(loop.quit)
    QTimer.singleShot(int(LIMIT_S * 1000), loop.quit)
    loop.exec()
    wait(1500)
    return session.state


def measure(cache: Path, project: Path) -> Stall:
    """Open the cache in the window and scroll until everything is verified."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    theme.apply(app, theme.Choice.LIGHT)
    options = Options(projects=(os.fsencode(project),), observe_s=1.0)
    window = MainWindow(Core(), Store(), options)
    steady()
    window.resize(1280, 820)
    window.show()
    window.cache.go_to(CONTENTS)
    wait(SETTLE_MS)
    driver = Driver(window)
    begin = time.monotonic()
    with sleeper() as longest_of_sleeper:
        driver.start()
        state = check(window, cache, options)
        idle_longest = longest_of_sleeper()
    driver.stop()
    gaps, pages = driver.gaps, driver.pages
    assert state.inventory is not None
    figure = Stall(
        files=int(state.inventory.files_below[0]),
        seconds=round(time.monotonic() - begin, 1),
        longest=round(gaps[-1], 1),
        p99=round(gaps[len(gaps) * 99 // 100], 1),
        pages_scrolled=len(pages),
        page_median=round(pages[len(pages) // 2], 2),
        page_longest=round(pages[-1], 2),
        idle_longest=round(idle_longest, 1),
        complete=state.result is not None,
    )
    window.close()
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--directory", type=Path, help="planted here, and kept")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    top = chosen.directory or Path(tempfile.mkdtemp(prefix="cachewright-bench-"))
    settings = tempfile.mkdtemp(prefix="cachewright-bench-")
    os.environ["XDG_CONFIG_HOME"] = settings
    os.environ["CACHEWRIGHT_STATE_DIR"] = settings
    try:
        if not (top / "plugin-cache").exists():
            plant(top, chosen.files)
        figure = measure(top / "plugin-cache", top / "project")
    finally:
        shutil.rmtree(settings)
        if chosen.directory is None:
            shutil.rmtree(top)
    if chosen.json:
        print(json.dumps(asdict(figure)))
    else:
        print(
            f"{figure.files:,} files in {figure.seconds} s: longest stall {figure.longest} ms, "
            f"99 of 100 below {figure.p99} ms; {figure.pages_scrolled} pages, "
            f"one in {figure.page_median} ms (at most {figure.page_longest} ms); "
            f"a process that only sleeps stalled {figure.idle_longest} ms"
        )
    return 0 if figure.complete else 1


if __name__ == "__main__":
    sys.exit(main())
