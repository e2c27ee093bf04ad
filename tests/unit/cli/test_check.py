from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cachewright.cli.check import _beyond
from cachewright.model import CheckResult, Gap
from cachewright.report import schema

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Cache = Any


def told(ran: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The one object on stdout, held against the schema it names."""
    document: dict[str, Any] = json.loads(ran.stdout)
    name = document["schema"].removeprefix("cachewright.").removesuffix("/1")
    jsonschema.Draft202012Validator(schema.load(name)).validate(document)
    return document


def test_check_explains_what_is_wrong(command: Command, cache: Cache) -> None:
    ran = command("check", str(cache.root), *cache.options())
    shown = ran.stdout.decode()
    assert ran.returncode == 1, ran.stderr
    assert "2 entries" in shown
    assert "1 ok, 1 corrupt" in shown
    assert f"Problem: {cache.bad.name} (corrupt-entry)" in shown
    assert f"    {cache.bad.executable}\n" in shown
    assert "  Why:\n    ! Differs from h1:" in shown
    assert "2 problems found." in shown
    assert "\x1b" not in shown


def test_check_as_json_is_the_contract(command: Command, cache: Cache) -> None:
    ran = command("check", "--json", *cache.options(), str(cache.root))
    assert ran.returncode == 1, ran.stderr
    document = told(ran)
    assert document["root"] == str(cache.root)
    assert document["format"] == "terraform"
    assert document["complete"] is True
    verdicts = {one["name"]: one["verdict"] for one in document["entries"]}
    assert verdicts == {cache.good.name: "ok", cache.bad.name: "corrupt"}
    expected = {one["name"]: one["expected"] for one in document["entries"]}
    assert expected[cache.good.name] == [
        {
            "algorithm": "h1",
            "value": cache.good.h1().removeprefix("h1:"),
            "source": str(cache.projects / "one" / ".terraform.lock.hcl"),
        }
    ]
    kinds = {one["kind"]: one for one in document["findings"]}
    assert set(kinds) == {"corrupt-entry", "stale-staging"}
    assert kinds["corrupt-entry"]["files"] == [cache.bad.executable]
    assert kinds["corrupt-entry"]["repair"]["step"] == "republish-entry"
    assert kinds["stale-staging"]["path"] == str(cache.staging)


def test_findings_only_leaves_fine_entries_out(command: Command, cache: Cache) -> None:
    ran = command("check", str(cache.root), "--json", "--findings-only", *cache.options())
    assert [one["name"] for one in told(ran)["entries"]] == [cache.bad.name]


def test_a_clean_cache_says_so(command: Command, cache: Cache) -> None:
    for path in (cache.root / cache.bad.name, cache.staging):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    ran = command("check", str(cache.root), *cache.options())
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.decode().endswith("No problems found.\n")


def test_without_verifying_nothing_is_called_corrupt(command: Command, cache: Cache) -> None:
    ran = command("check", str(cache.root), "--no-verify", "--json", *cache.options())
    document = told(ran)
    assert document["summary"]["corrupt"] == 0
    assert document["summary"]["unchecked"] == 2


def test_a_suggested_command_can_be_run_as_it_stands(command: Command, cache: Cache) -> None:
    shown = command("check", str(cache.root), *cache.options()).stdout.decode()
    line = next(one for one in shown.splitlines() if "cachewright repair" in one)
    arguments = line.split()[1:-1]  # without --apply: a dry run
    ran = command(*arguments)
    assert ran.returncode == 0, ran.stderr
    assert b"1 step" in ran.stdout


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_ctrl_c_stops_and_says_so(
    cache: Cache, environment: dict[str, str], as_json: list[str]
) -> None:
    arguments = ["check", str(cache.root), *cache.options(), "--observe", "1h", *as_json]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cachewright", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()  # it waits for the second look by now
        assert b"Watching" in line
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Stopped as asked" in errors
    assert b"Traceback" not in errors
    if as_json:
        assert json.loads(shown)["error"]["exit_code"] == 130
    else:
        assert shown == b""


def without_privilege(arguments: list[str]) -> list[str]:
    """Root reads everything; without two capabilities it is a user like others."""
    if os.geteuid():
        return arguments
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--", *arguments]


def test_what_cannot_be_read_makes_the_check_incomplete(
    cache: Cache, environment: dict[str, str]
) -> None:
    for file in cache.staging.iterdir():
        file.unlink()
    cache.staging.rmdir()
    secret = cache.root / cache.bad.name
    secret.chmod(0)
    arguments = [sys.executable, "-P", "-m", "cachewright", "check", str(cache.root), "--json"]
    ran = subprocess.run(
        without_privilege([*arguments, *cache.options()]),
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    secret.chmod(0o755)
    assert ran.returncode == 3, (ran.stdout, ran.stderr)
    document = told(ran)
    assert document["complete"] is False
    assert [one["path"] for one in document["gaps"]] == [str(secret)]


def test_a_root_that_cannot_be_read_is_told(cache: Cache, environment: dict[str, str]) -> None:
    cache.root.chmod(0)
    ran = subprocess.run(
        without_privilege([sys.executable, "-P", "-m", "cachewright", "check", str(cache.root)]),
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    cache.root.chmod(0o755)
    assert (ran.returncode, ran.stdout) == (3, b"")
    assert ran.stderr.count(b"\n") == 1
    assert b"cannot be read" in ran.stderr


@pytest.mark.parametrize("verb", ["check", "locks", "plan", "repair"])
def test_a_root_that_is_no_cache_is_told(command: Command, tmp_path: Path, verb: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("file", "empty"):
        ran = command(verb, str(tmp_path / name))
        assert (ran.returncode, ran.stdout) == (2, b"")
        assert ran.stderr.count(b"\n") == 1
    ran = command(verb, str(tmp_path / "empty"), "--format", "no-such")
    assert ran.returncode == 2
    assert b"no cache format named no-such" in ran.stderr


def test_names_that_are_no_text_are_safe_to_show(command: Command, cache: Cache) -> None:
    odd = os.fsencode(cache.root) + b"/registry.example.com/acme/\xff\x1b[31m\n"
    os.mkdir(odd)
    ran = command("check", str(cache.root), *cache.options())
    assert ran.returncode == 1
    assert b"\x1b" not in ran.stdout
    assert b"\\xff\\x1b[31m\\n" in ran.stdout
    document = told(command("check", str(cache.root), "--json", *cache.options()))
    foreign = [one for one in document["findings"] if one["kind"] == "foreign-file"]
    assert len(foreign) == 1
    assert "files_base64" in foreign[0]


def test_what_cannot_be_shown_is_told_below(command: Any, tmp_path: Path) -> None:
    """clcache's locks are nowhere on a disk."""
    place = tmp_path / "objects" / "ab" / ("ab" * 16)
    place.mkdir(parents=True)
    (place / "object").write_bytes(b"\x64\x86object")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "config.txt").write_text('{"MaximumCacheSize": 1}')
    ran = command("check", str(tmp_path), "--json")
    document = json.loads(ran.stdout)
    assert document["format"] == "clcache"
    (note,) = document["notes"]
    assert "mutexes" in note
    jsonschema.validate(document, schema.load("check"))
    assert note.encode() in command("check", str(tmp_path)).stdout


def test_what_could_not_be_read_is_told_once() -> None:
    gap = Gap(b"/c/x", "it could not be read")
    result = CheckResult(b"/c", "toy", "Toy", (), (), (), (), (gap,))
    assert _beyond(["/c/x could not be read: no.", "Another note."], result) == ["Another note."]
