"""Hand-over folders that real writers fill, looked at and tidied through the whole workbench."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import CheckResult, EntryVerdict, FindingKind, Result, StepKind
from cachewright.workbench import Options, Workbench, undo

QUICK: Mapping[str, Any] = {"floor_s": 0.0, "observe_s": 0.1, "settle_s": 0.3, "environment": {}}
MIB = 1 << 20


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "state"
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(place))
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "inbox"
    place.mkdir()
    return place


def bench(folder: Path, **more: Any) -> Workbench:
    return Workbench.open(os.fsencode(folder), options=Options(**{**QUICK, **more}))


def check(folder: Path, **more: Any) -> CheckResult:
    with bench(folder, **more) as opened:
        return opened.check()


def verdicts(result: CheckResult) -> dict[str, EntryVerdict]:
    return {one.name: one.verdict for one in result.entries}


@pytest.fixture
def rsync(tmp_path: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A slow rsync that was told not to write in place, as it is by default."""
    if shutil.which("rsync") is None:
        reason = "rsync is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    source = tmp_path / "source.bin"
    with source.open("wb") as file:
        file.truncate(64 * MIB)  # a minute's work: it is not done before it is looked at
    command = ["rsync", "--bwlimit=1m", str(source), f"{folder}/"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        deadline = time.monotonic() + 20
        while not any(one.stat().st_size for one in folder.iterdir()):
            assert time.monotonic() < deadline, "rsync wrote nothing"
            time.sleep(0.02)
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_what_a_real_rsync_is_at_and_what_it_leaves_when_killed(
    folder: Path, rsync: subprocess.Popen[bytes]
) -> None:
    (entry,) = check(folder).entries
    assert (entry.title, entry.verdict) == ("source.bin", EntryVerdict.BUSY)
    assert re.fullmatch(r"\.source\.bin\.[0-9A-Za-z]{6}", entry.name)
    os.killpg(rsync.pid, signal.SIGKILL)
    rsync.wait()
    (entry,) = check(folder).entries
    assert entry.verdict is EntryVerdict.INCOMPLETE
    assert "rsync" in entry.why


def incomplete(folder: Path) -> Path:
    place = folder / "data.bin.6eF3aB12"
    place.write_bytes(b"half")
    return place


def test_what_is_left_goes_to_quarantine_only_when_typed_and_comes_back(folder: Path) -> None:
    place = incomplete(folder)
    with bench(folder) as opened:
        opened.check()
        assert opened.plan(stale_only=True).steps == ()
        plan = opened.plan()
        (step,) = plan.steps
        assert (step.step, step.wanted) == (StepKind.QUARANTINE_ENTRY, "data.bin.6eF3aB12")
        (refused,) = opened.repair(plan, apply=True)
        assert refused.result is Result.REFUSED
        assert place.exists()
        (done,) = opened.repair(plan, apply=True, confirmations={step.id: step.wanted})
    assert done.result is Result.DONE
    assert not place.exists()
    assert undo(done.undo).result is Result.DONE
    assert place.read_bytes() == b"half"


WRITER = "import sys; f = open(sys.argv[1], 'ab'); print('ready', flush=True); sys.stdin.read()"


def test_a_writer_that_comes_back_keeps_its_file(folder: Path, child: Callable[..., Any]) -> None:
    place = incomplete(folder)
    with bench(folder) as opened:
        opened.check()
        (step,) = (plan := opened.plan()).steps
        with child(WRITER, place) as writer:
            (outcome,) = opened.repair(plan, apply=True, confirmations={step.id: step.wanted})
    assert outcome.result is Result.REFUSED
    assert f"pid {writer.pid}" in outcome.reason
    assert place.exists()


def test_nothing_is_offered_for_what_is_being_written(
    folder: Path, child: Callable[..., Any]
) -> None:
    place = incomplete(folder)
    with child(WRITER, place), bench(folder) as opened:
        result = opened.check()
        assert [one.kind for one in result.findings] == [FindingKind.BUSY_ENTRY]
        assert opened.plan().steps == ()


def test_a_bad_file_is_replaced_by_a_good_copy(folder: Path, tmp_path: Path) -> None:
    good = os.urandom(3000)
    (folder / "data.bin").write_bytes(b"bad")
    (folder / "data.bin.md5").write_text(hashlib.md5(good, usedforsecurity=False).hexdigest())
    (folder / "data.bin.done").touch()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/data.bin").write_bytes(good)
    with bench(folder, sources=(os.fsencode(tmp_path / "copy"),)) as opened:
        assert verdicts(opened.check()) == {"data.bin": EntryVerdict.CORRUPT}
        (outcome,) = opened.repair(opened.plan(), apply=True)
    assert outcome.result is Result.DONE
    assert verdicts(check(folder)) == {"data.bin": EntryVerdict.OK}


LATE = """
import os, sys, time
place, content = sys.argv[1], b'x' * 100000
with open(place, 'wb') as file:
    file.truncate(len(content))
    print('ready', flush=True)
    for at in range(0, len(content), 10000):
        file.seek(at)
        file.write(content[at:at + 10000])
        file.flush()
        time.sleep(0.15)
print('done', flush=True)
sys.stdin.read()
"""


def test_a_file_that_a_finished_writer_filled_between_the_looks_is_not_damaged(
    folder: Path, child: Callable[..., Any]
) -> None:
    place, content = folder / "data.bin", b"x" * 100000
    (folder / "data.bin.sha256").write_text(hashlib.sha256(content).hexdigest())
    seen = set()
    with child(LATE, place):
        while place.read_bytes() != content:
            result = check(folder)
            seen |= set(verdicts(result).values())
            assert result.problems == ()
    assert seen <= {EntryVerdict.BUSY, EntryVerdict.OK}
    assert verdicts(check(folder)) == {"data.bin": EntryVerdict.OK}


def test_nothing_of_a_hostile_folder_reaches_the_terminal(folder: Path) -> None:
    for name in (b"\x1b[2J.part", b"\x1b]0;t\x07.6eF3aB12", b"n\nl.done", "a\u202eb.tmp".encode()):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"half")
    (folder / "manifest.json").write_bytes(b'{"files": [{"name": "\\u001b[2J", "size": 4}]}')
    command = [sys.executable, "-m", "cachewright", "check", str(folder)]
    for how in ([], ["--json"]):
        said = subprocess.run([*command, *how], capture_output=True, check=False)
        assert said.returncode == 1
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", said.stdout)
        assert "\u202e".encode() not in said.stdout
