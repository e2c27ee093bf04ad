"""``cachewright baseline`` as a command of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from cachewright.cli import output
from cachewright.cli.baseline import baseline
from cachewright.report import schema

KEY = "ab" * 16
SOON = ("--settle", "0", "--observe", "0")


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    for key in (KEY, "cd" * 16):
        place = root / "objects" / key[:2] / key
        place.mkdir(parents=True)
        (place / "object").write_bytes(b"\x64\x86object")
        (place / "output.txt").touch()
    (root / "manifests").mkdir()
    return root


def test_it_is_taken_once_and_compared_with(command: Any, objects: Path) -> None:
    said = command("baseline", str(objects), *SOON)
    assert (said.returncode, b"2 entries recorded, 4 files" in said.stdout) == (0, True)
    again = command("baseline", str(objects), *SOON, "--json")
    assert again.returncode == 4
    assert json.loads(again.stdout)["error"]["kind"] == "baseline-exists"
    (objects / "objects" / "ab" / KEY / "object").write_bytes(b"\x64\x86OBJECT")
    checked = command("check", str(objects), *SOON, "--json")
    kinds = [one["kind"] for one in json.loads(checked.stdout)["findings"]]
    assert (checked.returncode, "differs-from-baseline" in kinds) == (1, True)
    replaced = command("baseline", str(objects), *SOON, "--replace", "--json")
    assert replaced.returncode == 0
    jsonschema.validate(json.loads(replaced.stdout), schema.load("baseline"))
    checked = command("check", str(objects), *SOON, "--json")
    kinds = [one["kind"] for one in json.loads(checked.stdout)["findings"]]
    assert "differs-from-baseline" not in kinds


def test_what_is_left_out_is_named_and_shows_in_the_code(command: Any, objects: Path) -> None:
    (objects / "objects" / "ab" / KEY / "object").unlink()
    said = command("baseline", str(objects), *SOON)
    assert said.returncode == 3
    assert f"1 entry left out:\n  {KEY}: It is incomplete.".encode() in said.stdout


def test_a_store_has_no_entries_to_record(command: Any) -> None:
    said = command("baseline", "dynamodb://locks")
    assert (said.returncode, b"of a directory" in said.stderr) == (2, True)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 4), ("\n", 4), ("y\n", 0)])
def test_somebody_at_a_terminal_is_asked_before_one_is_replaced(
    objects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(output, "asks", lambda: True)
    arguments = [str(objects), *SOON]
    first = CliRunner().invoke(baseline, arguments, standalone_mode=False)
    assert (first.return_value, "Replace" in first.output) == (0, False)
    (kept,) = (tmp_path / "state" / "baselines").iterdir()
    before = kept.read_bytes()
    second = CliRunner().invoke(baseline, arguments, input=answer, standalone_mode=False)
    assert "Replace the baseline of " in second.output
    assert getattr(second.exception, "exit_code", second.return_value) == code
    assert (kept.read_bytes() == before) is (code != 0)
