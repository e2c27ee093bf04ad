from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cachewright.report import schema

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Cache = Any


def told(ran: subprocess.CompletedProcess[bytes], name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ran.stdout)
    assert document["schema"] == f"cachewright.{name}/1", document
    jsonschema.Draft202012Validator(schema.load(name)).validate(document)
    return document


def test_a_plan_names_each_step(command: Command, cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    ran = command("plan", str(cache.root), "-o", str(file), "--json", *cache.options())
    assert ran.returncode == 0, ran.stderr
    document = told(ran, "plan")
    assert [one["step"] for one in document["steps"]] == ["quarantine-staging", "republish-entry"]
    assert json.loads(file.read_bytes())["steps"] == document["steps"]


def test_a_plan_that_cannot_be_written_is_told(command: Command, cache: Cache) -> None:
    ran = command("plan", str(cache.root), "-o", "/nowhere/plan.json", *cache.options())
    assert ran.returncode == 2
    assert b"cannot be written" in ran.stderr


def test_a_dry_run_changes_nothing(command: Command, cache: Cache) -> None:
    ran = command("repair", str(cache.root), "--json", *cache.options())
    assert ran.returncode == 0, ran.stderr
    outcomes = told(ran, "outcome")["outcomes"]
    assert [(one["result"], one["reason"]) for one in outcomes] == [("skipped", "dry run")] * 2
    assert cache.staging.is_dir()
    shown = command("repair", str(cache.root), *cache.options()).stdout.decode()
    assert "dry run: nothing was changed" in shown


def test_what_was_applied_can_be_listed_and_undone(command: Command, cache: Cache) -> None:
    ran = command("repair", str(cache.root), "--apply", "--json", *cache.options())
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    outcomes = told(ran, "outcome")["outcomes"]
    assert [one["result"] for one in outcomes] == ["done", "done"]
    assert not cache.staging.exists()
    assert command("check", str(cache.root), *cache.options()).returncode == 0

    items = told(command("quarantine", "list", str(cache.root), "--json"), "quarantine")["items"]
    assert {one["original"] for one in items} == {
        str(cache.staging),
        str(cache.root / cache.bad.name),
    }
    journal = told(command("journal", "--verify", "--json"), "journal")
    assert journal["verified_records"] >= 2
    assert {one["id"] for one in journal["operations"]} == {one["undo"] for one in outcomes}

    for outcome in outcomes:
        undone = command("undo", outcome["undo"], "--json")
        assert told(undone, "outcome")["outcomes"][0]["result"] == "done"
    assert cache.staging.is_dir()
    assert command("check", str(cache.root), *cache.options()).returncode == 1


def test_only_one_finding_can_be_repaired(command: Command, cache: Cache) -> None:
    ran = command("repair", str(cache.root), "--stale", "--apply", *cache.options())
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    assert b"1 done." in ran.stdout
    assert not cache.staging.exists()
    ran = command("repair", str(cache.root), "--only", "stale-staging", *cache.options())
    assert b"nothing to repair" in ran.stdout
    ran = command("repair", str(cache.root), "--finding", "0123456789abcdef", *cache.options())
    assert ran.returncode == 2
    assert b"No finding has the ID" in ran.stderr


def test_a_plan_that_no_longer_fits_is_refused(
    command: Command, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    command("plan", str(cache.root), "--stale", "-o", str(file), *cache.options())
    (cache.staging / "more").write_bytes(b"alive after all")
    ran = command("repair", str(cache.root), "--plan", str(file), "--apply", *cache.options())
    assert ran.returncode == 4, (ran.stdout, ran.stderr)
    assert b"Refused quarantine-staging" in ran.stdout
    assert (cache.staging / "more").exists()


def test_a_plan_of_another_cache_is_refused(command: Command, cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    command("plan", str(cache.root), "-o", str(file), *cache.options())
    other = tmp_path / "other"
    cache.root.rename(other)
    ran = command("repair", str(other), "--plan", str(file), "--apply", *cache.options())
    assert ran.returncode == 2
    assert f"{file} is not a plan".encode() in ran.stderr
    assert f"it was made for {cache.root}".encode() in ran.stderr


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "cachewright.plan/2"}', "\xff"])
def test_a_plan_that_is_none_is_told(
    command: Command, cache: Cache, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(content.encode("latin-1"))
    ran = command("repair", str(cache.root), "--plan", str(file), *cache.options())
    assert ran.returncode == 2
    assert ran.stderr.count(b"\n") == 1
    assert b"is not a plan" in ran.stderr


def test_a_plan_and_a_wish_exclude_each_other(command: Command, cache: Cache) -> None:
    ran = command("repair", str(cache.root), "--plan", "x", "--stale")
    assert ran.returncode == 2
    assert b"--plan says what to do" in ran.stderr


def test_an_entry_is_published_from_an_archive(command: Command, cache: Cache) -> None:
    archive = cache.mirror / cache.bad.address / cache.bad.archive
    ran = command(
        "publish",
        str(cache.root),
        cache.bad.name,
        "--from",
        str(archive),
        "--json",
        "--project",
        str(cache.projects),
    )
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    assert told(ran, "outcome")["outcomes"][0]["result"] == "done"
    published = cache.root / cache.bad.name / cache.bad.executable
    assert published.read_bytes() == cache.bad.files()[cache.bad.executable]


def test_an_entry_nobody_knows_cannot_be_published(command: Command, cache: Cache) -> None:
    ran = command("publish", str(cache.root), "no/such/entry")
    assert ran.returncode == 2
    assert b"No entry named no/such/entry" in ran.stderr


def test_there_may_be_nothing_to_undo_list_or_purge(command: Command) -> None:
    ran = command("undo")
    assert ran.returncode == 2
    assert b"nothing to undo" in ran.stderr
    assert b"Nothing was repaired here yet." in command("journal").stdout
    assert b"Nothing is kept" in command("quarantine", "list").stdout
    ran = command("quarantine", "purge")
    assert (ran.returncode, ran.stdout) == (0, b"There was nothing to delete.\n")


def test_what_is_kept_can_be_restored_and_purged(command: Command, cache: Cache) -> None:
    command("repair", str(cache.root), "--stale", "--apply", *cache.options())
    link = cache.root.with_name("link")
    link.symlink_to(cache.root)
    (item,) = told(command("quarantine", "list", str(link), "--json"), "quarantine")["items"]
    ran = command("quarantine", "restore", item["id"])
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    assert cache.staging.is_dir()
    command("repair", str(cache.root), "--stale", "--apply", *cache.options())
    assert command("quarantine", "purge", "--yes").returncode == 0
    assert len(told(command("quarantine", "list", "--json"), "quarantine")["items"]) == 1
    ran = command("quarantine", "purge", "--older-than", "0", "--json")
    assert told(ran, "outcome")["outcomes"][0]["result"] == "done"
    assert told(command("quarantine", "list", "--json"), "quarantine")["items"] == []
