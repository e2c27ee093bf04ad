"""``locks --watch`` on a real terminal, without one, and for programs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cachewright.cli.locks import _every
from cachewright.cli.options import Look
from cachewright.cli.screen import Screen
from cachewright.demo.company import Company
from cachewright.demo.provider import write
from cachewright.report import schema

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Cache = Any

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME = "\x1b[H"
CONTROL = re.compile(r"\x1b\[(K|J|H|1m|0m|\?1049[hl]|\?25[hl])")


class Terminal:
    """A terminal with the command in it, and all that was written to it."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.main, other = pty.openpty()
        self.resize(40, 200)
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cachewright", "locks", "--watch", *arguments],
            env={"TERM": "xterm", **environment},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline, self.said[-3000:]
            ready, _, _ = select.select([self.main], [], [], 0.2)
            if ready:
                self.said += os.read(self.main, 65536).decode()

    def frames(self) -> list[list[str]]:
        """Every whole screen that was drawn, as lines of text."""
        drawn = self.said.split(HOME)[1:]
        whole = (one.partition("\x1b[J")[0] for one in drawn if "\x1b[J" in one)
        return [[CONTROL.sub("", line) for line in re.split("\r+\n", one)] for one in whole]

    def shows(self, *words: str) -> None:
        """Wait for a screen with one line that has all these words."""
        start = len(self.frames())

        def there() -> bool:
            lines = (line for frame in self.frames()[start:] for line in frame)
            return any(all(word in line for word in words) for line in lines)

        self.read_until(there)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end, and read all that it still says."""
        self.process.send_signal(number)
        with suppress(OSError):  # how its end shows here
            while select.select([self.main], [], [], 60)[0]:
                self.said += os.read(self.main, 65536).decode()
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.main)


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str, **other: str) -> Terminal:
        opened.append(Terminal(["--every", "0.3s", *arguments], environment | other))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def lock(cache: Cache) -> str:
    path = f"{cache.root}/{cache.good.name}.lock"
    write(path, b"")
    return path


def test_a_terminal_is_drawn_anew_and_given_back(
    cache: Cache, lock: str, terminal: Callable[..., Terminal]
) -> None:
    name = f"{cache.good.name}.lock"
    screen = terminal(str(cache.root))
    screen.shows("free", "over", name)
    assert screen.said.startswith(ENTER)
    assert "1 lock: 1 free." in screen.frames()[0]
    assert all("changed" not in line for frame in screen.frames() for line in frame)
    with Company(60) as company:
        pid = company.start("lock", lock)
        screen.shows("changed", "held", f"pid {pid}", name)
        assert any(line.startswith("Last looked at ") for line in screen.frames()[-1])
    screen.shows("changed", "free")
    Path(lock).unlink()
    Path(f"{cache.root}/{cache.bad.name}.lock").touch()
    screen.shows("gone", name)
    screen.shows("new", "free", f"{cache.bad.name}.lock")
    assert screen.end() == 0
    _, _, after = screen.said.rpartition(LEAVE)
    assert screen.said.count(ENTER) == screen.said.count(LEAVE) == 1
    assert f"{cache.bad.name}.lock" in after, "the last look stays when the screen is gone"
    assert "Ctrl-C" not in after


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_is_given_back_however_it_ends(
    number: signal.Signals, cache: Cache, lock: str, terminal: Callable[..., Terminal]
) -> None:
    del lock
    screen = terminal(str(cache.root))
    screen.shows("free")
    assert screen.end(number) == 0
    assert screen.said.count(LEAVE) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_every_size(
    encoding: str, cache: Cache, lock: str, tmp_path: Path, terminal: Callable[..., Terminal]
) -> None:
    """Some characters take two cells, and a terminal that does not know them gets them spelled."""
    for number in range(30):
        Path(lock).with_name(f"a{number}_b.lock").touch()
    wide = tmp_path / ("日本語" * 20)
    cache.root.rename(wide)
    screen = terminal(str(wide), PYTHONIOENCODING=encoding)
    screen.shows("free", f"{cache.good.name}.lock")
    assert ("日本語" in screen.said) is (encoding == "utf-8")
    for rows, columns in ((10, 60), (3, 20), (1, 1), (50, 300)):
        screen.resize(rows, columns)
        before = len(screen.frames())
        screen.read_until(lambda seen=before: len(screen.frames()) > seen + 1)  # type: ignore[misc]
        latest = screen.frames()[-1]
        assert len(latest) <= max(rows, 2)
        assert all(cells(line) < max(columns, 2) for line in latest)
    assert screen.end() == 0


def test_another_size_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    main, other = pty.openpty()
    with open(other, "w", encoding="utf-8") as stdout, open(main, "rb", buffering=0):
        monkeypatch.setattr(sys, "stdout", stdout)
        screen = Screen()
        assert screen.outdated
        screen.draw([("text", False)])
        assert not screen.outdated
        fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 70, 0, 0))
        assert screen.outdated


def cells(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line)


def test_what_is_cut_off_is_counted(
    cache: Cache, lock: str, terminal: Callable[..., Terminal]
) -> None:
    for number in range(30):
        Path(lock).with_name(f"a{number}_b.lock").touch()
    screen = terminal(str(cache.root))
    screen.shows("31 locks: 31 free.")
    whole = len(screen.frames()[-1])
    screen.resize(10, 200)
    screen.shows("more lines: the window is too small for them.")
    assert screen.frames()[-1][-1].startswith(f"… {whole - 9} more lines")


def test_hostile_names_draw_nothing(
    cache: Cache, lock: str, tmp_path: Path, terminal: Callable[..., Terminal]
) -> None:
    del lock
    hostile = tmp_path / "\x1b[2J\x1b]0;owned\x07\r\n\u202egnirts\x9b5n"
    cache.root.rename(hostile)
    screen = terminal(str(hostile))
    screen.shows("\\x1b[2J")
    screen.shows("free")
    screen.end()
    left = re.sub("\r+\n", "", CONTROL.sub("", screen.said))
    assert left.isprintable()


def test_it_pauses_and_goes_on(cache: Cache, lock: str, terminal: Callable[..., Terminal]) -> None:
    """Ctrl-Z gives the terminal back; the program draws anew when it goes on."""
    del lock
    screen = terminal(str(cache.root))
    screen.shows("free")
    screen.process.send_signal(signal.SIGTSTP)
    screen.read_until(lambda: screen.said.endswith(LEAVE))
    os.waitid(os.P_PID, screen.process.pid, os.WSTOPPED | os.WNOWAIT)
    screen.process.send_signal(signal.SIGCONT)
    screen.read_until(lambda: screen.said.count(ENTER) == 2)
    screen.shows("free")
    assert screen.end() == 0
    assert screen.said.count(LEAVE) == 2


def test_a_second_ctrl_c_ends_a_look_that_hangs_and_gives_it_back(
    cache: Cache, lock: str, environment: dict[str, str], terminal: Callable[..., Terminal]
) -> None:
    del lock
    looks = Path(environment["HOME"]) / "looks"
    screen = terminal(str(cache.root), PYTHONPATH=counting(looks, hangs_after=2))
    screen.read_until(lambda: looks_made(looks) > 2)
    screen.process.send_signal(signal.SIGINT)
    assert screen.end(signal.SIGTERM) == 130
    assert screen.said.count(LEAVE) == 1


def test_a_terminal_that_cannot_be_drawn_on_gets_blocks(
    cache: Cache, lock: str, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal(str(cache.root), TERM="dumb")
    screen.read_until(lambda: lock in screen.said)
    with Company(60) as company:
        company.start("lock", lock)
        screen.read_until(lambda: "held" in screen.said)
    assert screen.end() == 0
    assert "\x1b" not in screen.said


def started(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "cachewright", "locks", *arguments]
    return subprocess.Popen(
        [*command, "--watch", "--every", "0.2s"], env=environment, stdout=subprocess.PIPE
    )


def test_programs_get_a_document_on_a_line_for_each_change(
    cache: Cache, lock: str, environment: dict[str, str]
) -> None:
    validator = jsonschema.Draft202012Validator(schema.load("locks"))
    with started([str(cache.root), "--json"], environment) as process:
        assert process.stdout is not None
        documents = [json.loads(process.stdout.readline())]
        with Company(60) as company:
            pid = company.start("lock", lock)
            documents.append(json.loads(process.stdout.readline()))
        documents.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, b"")
    for one in documents:
        validator.validate(one)
    verdicts = [[each["verdict"] for each in one["locks"]] for one in documents]
    assert verdicts == [["free"], ["held"], ["free"]]
    assert [holder["pid"] for holder in documents[1]["locks"][0]["holders"]] == [pid]


def test_nothing_is_said_while_nothing_changes(
    cache: Cache, lock: str, environment: dict[str, str]
) -> None:
    """Two looks go by between two changes, of which only the changes are told."""
    looks = Path(environment["HOME"]) / "looks"
    with started([str(cache.root)], environment | {"PYTHONPATH": counting(looks)}) as process:
        assert process.stdout is not None
        first = [process.stdout.readline(), process.stdout.readline()]
        assert b"free" in first[1]
        seen = looks_made(looks)
        deadline = time.monotonic() + 60
        while looks_made(looks) < seen + 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, b"")
    del lock


COUNTING = """
import os, sys, time
def made(event, arguments):
    if event == "open" and arguments[0] == "/proc/locks":
        with open({path!r}, "ab") as file:
            file.write(b".")
        while os.stat({path!r}).st_size > {hangs_after}:
            time.sleep(0.05)  # in between, signals are heard
sys.addaudithook(made)
"""


def counting(looks: Path, hangs_after: int = 1 << 30) -> str:
    """A folder for PYTHONPATH that makes each look leave a mark, and hang after so many."""
    folder = looks.with_name("counting")
    folder.mkdir()
    code = COUNTING.format(path=str(looks), hangs_after=hangs_after)
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    return str(folder)


def looks_made(looks: Path) -> int:
    return looks.stat().st_size if looks.exists() else 0


@pytest.mark.parametrize(
    "wrong", [["--every", "1s"], ["--watch", "--every", "0"], ["--watch", "--every", "soon"]]
)
def test_a_wrong_interval_is_refused(wrong: list[str], command: Command, cache: Cache) -> None:
    ran = command("locks", str(cache.root), *wrong)
    assert (ran.returncode, ran.stdout) == (2, b"")


def test_stores_are_asked_less_often() -> None:
    def every(root: bytes) -> float:
        return _every(Look(root, None, (), (), 0, 0, 0, None), None, watch=True)

    assert (every(b"/cache"), every(b"s3://bucket/prefix"), every(b"dynamodb://table")) == (
        1,
        10,
        10,
    )
