from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cachewright.cli import output

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def test_json_is_ascii_whatever_it_carries(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit({"name": "ü\u202e\x1b[31m"})
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "\x1b" not in shown
    assert json.loads(shown) == {"name": "ü\u202e\x1b[31m"}


def test_a_table_lines_up_and_makes_names_safe() -> None:
    lines = output.table(("A", "B"), [("one\x1b", "2"), ("x", "three")])
    assert lines == ["A        B", "one\\x1b  2", "x        three"]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_reader_that_goes_away_is_no_error(command: Command, option: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = command(option, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_closed_stdout_is_no_error(command: Command) -> None:
    ran = command("--version", stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=closing)
    assert (ran.returncode, ran.stderr) == (0, b"")


def closing() -> None:
    os.close(1)


def test_a_full_disk_is_told(command: Command) -> None:
    with open("/dev/full", "wb") as full:
        ran = command("--version", stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 3
    assert b"No space left" in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_terminal_that_knows_no_utf8_gets_escapes(command: Command, cache: Any) -> None:
    root = cache.root.rename(cache.root.with_name("ü"))
    strict = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ran = command("check", str(root), *cache.options(), env=strict)
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout.isascii()
    assert b"/\\xfc (Terraform" in ran.stdout


def test_a_file_never_takes_the_place_of_a_closed_stream() -> None:
    program = (
        "import os\n"
        "from cachewright.cli.output import prepare_streams\n"
        "os.close(1)\n"
        "prepare_streams()\n"
        "assert os.open('/dev/null', os.O_RDONLY) > 2\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_there_is_nobody_to_ask_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert not output.asks()


def test_colour_is_left_out_where_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    output.say([output.styled("Problem", "red")])
    assert capsys.readouterr().out == "Problem\n"


def test_a_name_that_ends_with_blanks_keeps_them_in_a_table() -> None:
    lines = output.table(("ID", "PATH"), [("1", "/a  "), ("22", "")])
    assert lines == ["ID  PATH", "1   /a  ", "22"]
