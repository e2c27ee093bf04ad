from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import click
import pytest

from cachewright.cli import main, verbs
from cachewright.errors import CachewrightError, Refused

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def test_the_version_is_that_of_the_package(command: Command) -> None:
    ran = command("--version")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode() == f"cachewright {metadata.version('cachewright')}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["check", "--help"]])
def test_starting_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from cachewright.cli.main import run\n"
        f"assert run({arguments!r}) == 0\n"
        "heavy = {'numpy', 'rich', 'tree_sitter', 'PySide6', 'psutil', 'humanize', 'portalocker'}\n"
        "loaded = heavy & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


def test_help_names_every_verb(command: Command) -> None:
    told = command("--help").stdout.decode()
    for name in verbs.VERBS:
        assert f"\n  {name} " in told


@pytest.mark.parametrize("name", [*verbs.VERBS, verbs.WINDOW])
def test_every_verb_has_help_of_its_own(name: str) -> None:
    group = main.cachewright
    found = group.get_command(click.Context(group), name)
    assert found is not None
    assert found.help
    assert all(one.help for one in found.params if isinstance(one, click.Option))


def test_a_usage_error_is_one_sentence_and_code_2(command: Command) -> None:
    ran = command("check", "--floor", "soon", "/")
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert ran.stderr.count(b"\n") == 1
    assert b"'soon' is not a time" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("undo", b"a\x1b[2Jb\nc\xff"),
        ("check", "/", "--format", b"a\x1b[2Jb\nc\xff"),
        ("check", "/", b"--floor=a\x1b[2Jb\nc\xff"),
        ("plan", "/", b"--only=a\x1b[2Jb\nc\xff"),
        ("check", "sqlite:///x", b"--store=a\x1b[2Jb\nc\xff"),
    ],
    ids=["undo", "format", "floor", "only", "store"],
)
def test_what_was_typed_is_said_again_safely(
    command: Command, arguments: tuple[str | bytes, ...]
) -> None:
    ran = command(*arguments)
    assert ran.returncode == 2
    assert b"a\\x1b[2Jb\\nc\\xff" in ran.stderr
    assert ran.stderr.count(b"\n") == 1
    assert b"\x1b" not in ran.stderr


def test_with_json_a_usage_error_is_one_object(command: Command) -> None:
    ran = command("check", "--json")
    assert ran.returncode == 2
    assert json.loads(ran.stdout)["error"]["kind"] == "usage"
    assert json.loads(ran.stdout)["error"]["exit_code"] == 2


def test_a_group_without_its_verb_shows_help(command: Command) -> None:
    ran = command("quarantine")
    assert ran.returncode == 2
    assert b"purge" in ran.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_a_missing_root_is_told_in_a_sentence(
    command: Command, tmp_path: Path, as_json: bool
) -> None:
    missing = tmp_path / "gone\x1b[31m"
    ran = command("check", str(missing), *(["--json"] if as_json else []))
    assert ran.returncode == 3
    assert ran.stderr.count(b"\n") == 1
    assert b"gone\\x1b[31m does not exist" in ran.stderr
    if as_json:
        error = json.loads(ran.stdout)["error"]
        assert error == {
            "kind": "root-missing",
            "message": ran.stderr.decode().strip(),
            "exit_code": 3,
        }
    else:
        assert ran.stdout == b""


def raising(error: BaseException) -> click.Command:
    def act() -> None:
        raise error

    return click.Command("check", callback=act)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(path=b"/c", reason="in use"), 4),
        (CachewrightError(reason="so it is"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_is_raised_on_purpose_has_its_own_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    monkeypatch.setattr(main.cachewright, "get_command", lambda _ctx, _name: raising(error))
    assert main.run(["check"]) == code
    told = capsys.readouterr().err.strip()
    assert "\n" not in told
    assert "Traceback" not in told


def test_what_nobody_expected_is_logged_and_called_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    error = ZeroDivisionError("by \x07 nothing")
    monkeypatch.setattr(main.cachewright, "get_command", lambda _ctx, _name: raising(error))
    assert main.run(["check"]) == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "This is a bug" in told
    assert "Traceback" not in told
    assert "\x07" not in told
    log = tmp_path / "state" / "errors.log"
    assert str(log) in told
    assert "Traceback" in log.read_text()
    assert "ZeroDivisionError" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", "/dev/null/state")
    monkeypatch.setattr(
        main.cachewright, "get_command", lambda _ctx, _name: raising(ZeroDivisionError("x"))
    )
    assert main.run(["check"]) == 3
    assert "log could not be written" in capsys.readouterr().err


def test_a_log_is_never_written_through_a_link(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "errors.log").symlink_to(victim)
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(
        main.cachewright, "get_command", lambda _ctx, _name: raising(ZeroDivisionError("x"))
    )
    assert main.run(["check"]) == 3
    assert "log could not be written" in capsys.readouterr().err
    assert victim.read_text() == "mine"


def test_the_module_is_the_command(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("cachewright")
    ran = subprocess.run(
        [script, "--version"], check=True, capture_output=True, cwd=tmp_path, env=os.environ
    )
    assert ran.stdout.startswith(b"cachewright ")
