from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cachewright.cli import window
from cachewright.cli.display_server import reason_against
from cachewright.cli.verbs import VERBS

Command = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 and Wayland")


@pytest.mark.parametrize("arguments", [[], ["."], ["--project", ".", "."]])
def test_without_a_display_one_line_names_the_verbs(command: Command, arguments: list[str]) -> None:
    ran = command(*arguments)
    assert ran.returncode == 3
    assert ran.stdout == b""
    assert ran.stderr.count(b"\n") == 1
    assert b"no display" in ran.stderr
    for name in VERBS:
        assert name.encode() in ran.stderr


def test_a_display_that_does_not_answer_is_told(command: Command) -> None:
    ran = command(env={"DISPLAY": ":4711"})
    assert ran.returncode == 3
    assert b":4711 does not answer" in ran.stderr


def test_a_misspelled_verb_is_no_path(command: Command, tmp_path: Path) -> None:
    ran = command("chekc", cwd=tmp_path)
    assert ran.returncode == 2
    assert b"neither a verb nor a path" in ran.stderr


def test_a_path_that_is_missing_or_a_file_is_told(command: Command, tmp_path: Path) -> None:
    ran = command(str(tmp_path / "gone"))
    assert (ran.returncode, ran.stderr.count(b"\n")) == (3, 1)
    (tmp_path / "file").touch()
    ran = command(str(tmp_path / "file"))
    assert (ran.returncode, ran.stderr.count(b"\n")) == (2, 1)


def test_a_configuration_file_may_be_opened(command: Command, tmp_path: Path) -> None:
    (tmp_path / "glance-api.conf").touch()
    ran = command(str(tmp_path / "glance-api.conf"))
    assert b"no display" in ran.stderr


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "wayland-9"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        yield place


def test_a_compositor_that_listens_is_a_display(listener: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(listener.parent), "WAYLAND_DISPLAY": listener.name}
    assert reason_against(environment) == ""
    os.unlink(listener)
    assert "wayland-9 does not answer" in reason_against(environment)


@pytest.mark.parametrize("name", ["nonsense", ":x", "host:1:2"])
def test_a_display_name_that_means_nothing_is_no_display(name: str) -> None:
    assert "does not answer" in reason_against({"DISPLAY": name})


def test_a_chosen_platform_needs_no_display() -> None:
    assert reason_against({"QT_QPA_PLATFORM": "offscreen"}) == ""


@pytest.mark.usefixtures("only_root")
def test_the_window_does_not_run_as_root_unless_told(command: Command, tmp_path: Path) -> None:
    offscreen = {"QT_QPA_PLATFORM": "offscreen"}
    refused = command(str(tmp_path), env=offscreen)
    assert (refused.returncode, refused.stderr.count(b"\n")) == (4, 1)
    assert b"does not run as root" in refused.stderr
    assert b"--as-root" in refused.stderr


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("told", ["option", "variable"])
def test_root_may_have_the_window_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    shown: list[bytes | None] = []
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(window, "run", lambda root, *_options: shown.append(root) or 0)
    arguments = [str(tmp_path)]
    if told == "variable":
        monkeypatch.setenv("CACHEWRIGHT_AS_ROOT", "1")
    else:
        arguments.append("--as-root")
    ended = CliRunner().invoke(window.open_window, arguments, standalone_mode=False)
    assert (ended.exception, shown) == (None, [os.fsencode(tmp_path)])
