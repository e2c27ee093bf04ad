"""The command line on a Glance: a database with directories named beside it, or a configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.formats.glance_making import CONTENT, Made

from cachewright.cli.exit_code import ExitCode
from cachewright.cli.main import run
from cachewright.model import Directories, StepKind
from cachewright.workbench import Options

QUICK = ["--floor", "0s", "--observe", "0s", "--settle", "0s"]
Said = Callable[[], Any]


@pytest.fixture
def glance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return Made(tmp_path / "glance")


@pytest.fixture
def asked(glance: Made) -> list[str]:
    root = os.fsdecode(glance.address)
    stores = [f"--store={name}={glance.top / name}" for name in ("fast", "slow")]
    staging, cache = glance.top / "staging", glance.top / "cache"
    return [root, *stores, f"--staging={staging}", f"--image-cache={cache}", *QUICK]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: json.loads(capsys.readouterr().out)


def test_the_whole_way_from_a_check_to_an_undo(
    glance: Made, asked: list[str], said: Said, tmp_path: Path
) -> None:
    orphan = glance.image(name="<i>half</i>")
    path = glance.file("slow", orphan)
    task = glance.lock(orphan)
    glance.file("staging", orphan)
    assert run(["check", *asked, "--json"]) == ExitCode.FINDINGS
    result = said()
    assert (result["format"], result["root"]) == ("glance", os.fsdecode(glance.address))
    assert {one["kind"] for one in result["findings"]} == {"orphan", "stale-staging", "stale-lock"}
    assert [one["id"] for one in result["locks"]] == [task]

    plan = tmp_path / "plan.json"
    assert run(["plan", *asked, "--stale", "-o", str(plan), "--json"]) == ExitCode.FINE
    steps = [one["step"] for one in said()["steps"]]
    assert steps == [StepKind.RELEASE_LEASE, StepKind.QUARANTINE_STAGING]
    assert run(["repair", *asked, "--plan", str(plan), "--json"]) == ExitCode.FINE
    assert {one["reason"] for one in said()["outcomes"]} == {"dry run"}
    assert run(["repair", *asked, "--plan", str(plan), "--apply", "--json"]) == ExitCode.FINE
    assert [one["result"] for one in said()["outcomes"]] == ["done", "done"]
    assert path.exists()
    assert run(["locks", *asked, "--json"]) == ExitCode.FINE
    assert said()["locks"] == []
    assert run(["undo", "--json"]) == ExitCode.FINE
    assert run(["undo", "--json"]) == ExitCode.FINE
    assert glance.sql("SELECT value FROM image_properties") == [(task,)]
    assert (glance.top / "staging" / orphan).exists()


def test_unlock_wants_the_task_typed(glance: Made, asked: list[str], said: Said) -> None:
    task = glance.lock(glance.image())
    assert run(["unlock", *asked, task, "--confirm", "no", "--json"]) == ExitCode.REFUSED
    said()
    assert run(["unlock", *asked, task, "--confirm", task, "--json"]) == ExitCode.FINE
    assert said()["outcomes"][0]["step"] == "release-lease"
    assert glance.sql("SELECT value FROM image_properties") == []


def test_a_repair_is_offered_as_a_command_that_names_the_directories(
    glance: Made, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    glance.file("slow", glance.image())
    assert run(["check", *asked]) == ExitCode.FINDINGS
    told = capsys.readouterr().out
    assert f"--store slow={glance.top}/slow --staging {glance.top}/staging" in told
    assert f"--image-cache {glance.top}/cache" in told


def test_publishing_over_an_image_is_refused_in_a_sentence(
    glance: Made, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    image = glance.published()
    assert run(["publish", *asked, f"fast/{image}"]) == ExitCode.REFUSED
    assert "cannot be used as a good copy" in capsys.readouterr().err
    assert run(["publish", *asked, "nowhere/x"]) == ExitCode.USAGE
    assert (glance.top / "fast" / image).read_bytes() == CONTENT


def test_a_database_of_others_is_told_of_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"")
    assert run(["check", f"sqlite:///{path}", *QUICK]) == ExitCode.INCOMPLETE
    told = capsys.readouterr().out
    assert "its tables are not those of a Glance version that is known (no such table" in told


@pytest.mark.parametrize("value", ["fast", "=dir", "fast=", "a/b=dir"])
def test_a_store_is_a_name_and_a_directory(value: str, glance: Made) -> None:
    assert run(["check", os.fsdecode(glance.address), "--store", value]) == ExitCode.USAGE


def test_what_holds_a_password_is_shown_nowhere() -> None:
    said = Directories(address="mysql+pymysql://u:hush@h/x")
    assert "hush" not in repr(said)
    assert "hush" not in repr(Options(directories=said))
