from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn

from cachewright.cli import progress
from cachewright.cli.progress import MovingLine, PlainLines, left, sentence, share, stage_words
from cachewright.model import Progress


def test_a_line_tells_how_far_and_how_long() -> None:
    now = Progress("verify", 1204, 8310, 500, 1000)
    assert sentence(now, 240) == "Verifying: 1,204 of 8,310, 50 %, about 4 min left"
    assert sentence(Progress("scan", 7), 9) == "Looking through the cache: 7"
    assert sentence(Progress("scan", 10, 10), 9) == "Looking through the cache: 10 of 10, 100 %"


def test_bytes_tell_the_time_better_than_counts() -> None:
    assert share(Progress("verify", 1, 2, 30, 40)) == (30, 40, True)
    assert share(Progress("scan", 1, 2)) == (1, 2, False)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (240, "4 min"), (7300, "2 h")]
)
def test_time_left_is_told_roughly(seconds: float, words: str) -> None:
    assert left(seconds) == words


def test_a_stage_nobody_named_yet_is_shown_safely() -> None:
    assert stage_words("new\x1bstage") == "New\\x1bstage"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_plain_lines_come_at_most_every_two_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    lines = PlainLines()
    for clock.now in (100.5, 101.9, 102.1, 103.0, 104.0, 104.2):
        lines.progress(Progress("scan", int(clock.now)))
    assert capsys.readouterr().err.splitlines() == [
        "Looking through the cache: 102",
        "Looking through the cache: 104",
    ]


def test_a_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown() as watcher:
        watcher.progress(Progress("scan", 1, 2))
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_the_moving_line_shows_no_hostile_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    columns = (
        TextColumn("{task.description}|{task.fields[counts]}|{task.fields[what]}", markup=False),
    )
    with Bars(*columns, console=Console(file=screen, force_terminal=True, width=80)) as bars:
        line = MovingLine(bars)
        line.progress(Progress("verify", 1, 2, 10, 20, what="bad\x1b[31m[red]name"))
        bars.refresh()
        line.progress(Progress("watch", 3, 60))
    shown = screen.getvalue()
    assert "Verifying|1 of 2|bad\\x1b[31m[red]name" in shown
    assert "Watching staging places (seconds)|3 of 60|" in shown
