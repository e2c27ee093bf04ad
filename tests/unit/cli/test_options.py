from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from cachewright.cli.options import Look, duration, place


@pytest.mark.parametrize(
    ("spelled", "seconds"),
    [
        ("0", 0),
        ("60", 60),
        ("60s", 60),
        ("1.5h", 5400),
        ("24h", 86400),
        ("7d", 604800),
        ("2 w", 1209600),
        ("3M", 180),
    ],
)
def test_a_time_is_a_number_and_a_unit(spelled: str, seconds: float) -> None:
    assert duration(spelled) == seconds


@pytest.mark.parametrize("spelled", ["", "h", "-1h", "1y", "1h30m", "nan", "1e9s", "٣h"])
def test_anything_else_is_told_with_an_example(spelled: str) -> None:
    with pytest.raises(click.BadParameter, match="60s, 24h or 7d"):
        duration(spelled)


def test_a_path_becomes_absolute_bytes_and_keeps_its_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert place(f"{tmp_path}/./link/") == os.fsencode(tmp_path / "link")
    assert place("/a\udcff") == b"/a\xff"
    assert place("x") == os.path.join(os.getcwdb(), b"x")
    with pytest.raises(click.BadParameter, match="empty path"):
        place("")


def test_a_look_says_everything_to_the_workbench() -> None:
    look = Look(b"/c", "terraform", (b"/p",), (b"/m",), 1.0, 2.0, 3.0, 4, {"HOME": "/h"})
    options = look.options(verify=False)
    assert (options.projects, options.sources) == ((b"/p",), (b"/m",))
    assert (options.floor_s, options.observe_s, options.settle_s) == (1.0, 2.0, 3.0)
    assert (options.jobs, options.verify) == (4, False)
    assert options.environment == {"HOME": "/h"}
    given = ["--project", b"/p", "--source", b"/m", "--format", "terraform"]
    assert look.arguments() == [*given, "--floor", "1s", "--observe", "2s"]
