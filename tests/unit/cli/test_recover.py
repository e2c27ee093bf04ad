"""The real command, killed at its exchange, and what the next ones say and do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Cache = Any

KILLED = """
import os, sys
from cachewright.repair import publication
real = publication.exchange
def deadly(*arguments):
    real(*arguments)
    os.kill(os.getpid(), 9)
publication.exchange = deadly
from cachewright.cli.main import main
main()
"""


@pytest.fixture
def killed(cache: Cache, environment: dict[str, str]) -> Cache:
    """A cache whose bad provider was just exchanged when the repair was killed."""
    wish = ["repair", str(cache.root), "--only", "republish-entry", "--apply"]
    ran = subprocess.run(
        [sys.executable, "-P", "-c", KILLED, *wish, *cache.options()],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == -9, ran.stderr
    return cache


def test_check_tells_of_it_and_recover_ends_it(command: Command, killed: Cache) -> None:
    checked = json.loads(command("check", str(killed.root), "--json", *killed.options()).stdout)
    (note,) = checked["notes"]
    assert note.startswith("1 repair of this cache has no end in the journal")
    told = command("recover")
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"finished" in told.stdout
    assert command("recover").stdout == b"Nothing was interrupted.\n"
    checked = json.loads(command("check", str(killed.root), "--json", *killed.options()).stdout)
    assert checked.get("notes", []) == []
    assert {one["verdict"] for one in checked["entries"]} == {"ok"}


@pytest.mark.parametrize("verb", ["repair", "undo", "publish"])
def test_what_changes_something_ends_it_first(command: Command, killed: Cache, verb: str) -> None:
    words = {
        "repair": ["repair", str(killed.root), "--apply", *killed.options()],
        "undo": ["undo"],
        "publish": ["publish", str(killed.root), killed.bad.name, *killed.options()],
    }[verb]
    ran = command(*words)
    assert ran.returncode == 0, ran.stderr
    assert b"finished now" in ran.stderr
    assert command("recover").stdout == b"Nothing was interrupted.\n"


@pytest.mark.usefixtures("killed")
def test_a_journal_that_was_torn_off_is_no_reason_to_stop(
    command: Command, environment: dict[str, str]
) -> None:
    state = Path(environment["CACHEWRIGHT_STATE_DIR"])
    with (state / "journal.jsonl").open("ab") as file:
        file.write(b'{"at_ns":17')
    verified = command("journal", "--verify")
    assert verified.returncode != 0
    assert command("recover").returncode == 0
    assert command("journal", "--verify").returncode == 0
    assert (state / "journal.torn").read_bytes() == b'{"at_ns":17\n'
