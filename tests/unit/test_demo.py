from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from cachewright.demo import cache as planted
from cachewright.demo.company import Company
from cachewright.demo.scratch import PREFIX, staged
from cachewright.errors import Refused, WorkerFailed
from cachewright.report import schema


def demo(*arguments: str, temporary: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cachewright", "demo", *arguments],
        env={**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demo finds in itself, as JSON; nothing of it is left behind."""
    temporary = tmp_path_factory.mktemp("tmp")
    ran = demo("--json", temporary=temporary)
    assert ran.returncode == 1, ran.stderr
    assert [one.name for one in temporary.iterdir()] == []
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def test_it_is_the_check_document(shown: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema.load("check")).validate(shown)
    assert shown["complete"] is True


def test_every_entry_has_the_verdict_it_was_made_for(shown: dict[str, Any]) -> None:
    verdicts = {one["name"]: one["verdict"] for one in shown["entries"]}
    assert verdicts == {
        planted.CLOUD.name: "ok",
        planted.CLOUD_OLD.name: "ok",
        planted.DNS.name: "ok",
        planted.RANDOM.name: "ok",
        planted.FLIPPED.name: "corrupt",
        planted.TRUNCATED.name: "corrupt",
        planted.EXTRA.name: "corrupt",
        planted.NOT_EXECUTABLE.name: "ok",
        planted.DISPUTED.name: "disputed",
        planted.HEADLESS.name: "incomplete",
        planted.UNVOUCHED.name: "unverifiable",
        planted.WRITTEN.name: "busy",
        planted.LOCKED.name: "ok",
    }


def test_every_trouble_is_found_and_nothing_else(shown: dict[str, Any]) -> None:
    root = Path(shown["root"])
    found = {(one["path"], one["kind"], one["verdict"]) for one in shown["findings"]}
    projects = root.parent / "projects"

    def entry(provider: planted.Provider) -> str:
        return str(root / provider.name)

    assert found == {
        (entry(planted.FLIPPED), "corrupt-entry", "corrupt"),
        (entry(planted.TRUNCATED), "corrupt-entry", "corrupt"),
        (entry(planted.EXTRA), "foreign-file", "corrupt"),
        (entry(planted.NOT_EXECUTABLE), "lost-exec-bit", "ok"),
        (entry(planted.DISPUTED), "disputed-digest", "disputed"),
        (entry(planted.HEADLESS), "incomplete-entry", "incomplete"),
        (entry(planted.WRITTEN), "busy-entry", "busy"),
        (str(root / planted.STALE), "stale-staging", "stale"),
        (str(root / planted.LIVE), "live-staging", "held"),
        (str(root / planted.UNPROVEN), "unproven-staging", "unproven"),
        (f"{entry(planted.LOCKED)}.lock", "held-lock", "held"),
        (str(projects / "billing/.terraform.lock.hcl"), "poisoned-checksum", "corrupt"),
        (str(projects / "office/.terraform.lock.hcl"), "unexplained-checksum", "unverifiable"),
    }
    assert len(found) == len(shown["findings"])


def test_a_good_copy_names_the_bad_file(shown: dict[str, Any]) -> None:
    files = {one["path"].removeprefix(shown["root"] + "/"): one for one in shown["findings"]}
    assert files[planted.FLIPPED.name]["files"] == [planted.FLIPPED.executable]
    assert files[planted.FLIPPED.name]["repair"]["step"] == "republish-entry"
    assert files[planted.EXTRA.name]["files"] == ["notes.txt"]
    assert files[planted.TRUNCATED.name]["files"] == []


def test_a_held_lock_names_its_holder_and_a_free_one_is_left_alone(shown: dict[str, Any]) -> None:
    verdicts = {one["path"].removeprefix(shown["root"] + "/"): one for one in shown["locks"]}
    assert verdicts[f"{planted.CLOUD.name}.lock"]["verdict"] == "free"
    held = verdicts[f"{planted.LOCKED.name}.lock"]
    assert held["verdict"] == "held"
    assert "cachewright.demo.actor" in held["holders"][0]["command"]


def test_the_plain_demo_prints_what_check_prints(tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    ran = demo("--no-window", "--directory", str(directory), temporary=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "13 entries" in ran.stdout.decode()
    assert f"CACHEWRIGHT_STATE_DIR={directory / 'state'}" in ran.stdout.decode()
    assert (directory / "plugin-cache" / planted.CLOUD.name).is_dir()
    ran = demo("--no-window", "--directory", str(directory), temporary=tmp_path)
    assert ran.returncode == 4
    assert b"empty directory" in ran.stderr


def test_no_process_outlives_the_demo() -> None:
    with staged() as stage:
        children = psutil.Process().children()
        actors = [one for one in children if "cachewright.demo.actor" in one.cmdline()]
        assert len(actors) == 3
    assert not any(one.is_running() for one in actors)
    assert not os.path.exists(os.path.dirname(stage.cache))


def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    program = (
        "from cachewright.demo.scratch import staged\n"
        "import psutil, signal\n"
        f"with staged({str(tmp_path / 'scratch')!r}):\n"
        "    print(*(one.pid for one in psutil.Process().children()), flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        actors = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        assert len(actors) == 3
        process.kill()
    _, alive = psutil.wait_procs(actors, timeout=60)
    assert not alive


def test_a_demo_that_is_asked_to_end_tidies_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cachewright", "demo", "--no-window"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while not list(tmp_path.glob(f"{PREFIX}*/plugin-cache")):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(Refused, match="empty directory"), staged(str(tmp_path)):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def test_a_demo_whose_window_is_killed_tidies_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cachewright", "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while not list(tmp_path.glob("*/state/journal*")):  # the window shows its history
            assert process.poll() is None
            time.sleep(0.05)
        children = psutil.Process(process.pid).children()
        actors = [one for one in children if "cachewright.demo.actor" in one.cmdline()]
        assert len(actors) == 3
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    assert not any(one.is_running() for one in actors)


def test_an_actor_ends_when_its_time_is_over(tmp_path: Path) -> None:
    with Company(seconds=0.1) as company:
        actor = psutil.Process(company.start("lock", str(tmp_path / "lock")))
        assert actor.wait(timeout=60) == 0


def test_an_actor_that_cannot_start_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with Company(60) as company, pytest.raises(WorkerFailed, match="did not start"):
        company.start("write", str(missing))
