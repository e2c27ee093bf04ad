"""The whole way, by the command line, beside the real terraform: the promises of the manual."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

NAME = "tf.example.com/acme/toy/1.2.3/linux_amd64"
BINARY = "terraform-provider-toy_v1.2.3_x5"
QUICK = ("--floor", "0", "--observe", "0.3s", "--settle", "1s")


class Command:
    """Runs ``cachewright`` as a person would, with a state directory of its own."""

    def __init__(self, shop: Any) -> None:
        self.environment = {
            **shop.environment,
            "CACHEWRIGHT_STATE_DIR": str(shop.top / "state"),
        }
        self.cache = shop.cache

    def run(self, *arguments: object, code: int | None = 0) -> dict[str, Any]:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "cachewright", *map(str, arguments), "--json"],
            env=self.environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=100,
        )
        assert code is None or ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def check(self, *arguments: object, code: int | None = None) -> dict[str, Any]:
        return self.run("check", self.cache, *QUICK, *arguments, code=code)


@pytest.fixture
def command(shop: Any) -> Command:
    return Command(shop)


def entry_of(document: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["entries"] if one["name"] == name)
    return found


def kinds(document: dict[str, Any], severity: str = "problem") -> list[str]:
    return [one["kind"] for one in document["findings"] if one["severity"] == severity]


def test_a_real_init_checks_as_ok_with_the_lock_files_own_h1(shop: Any, command: Command) -> None:
    shop.archive()
    project = shop.project()
    shop.init(project)
    document = command.check("--project", project, code=0)
    entry = entry_of(document)
    assert entry["verdict"] == "ok"
    (recorded,) = re.findall(r'"h1:([^"]+)"', (project / ".terraform.lock.hcl").read_text())
    assert entry["actual"] == [{"algorithm": "h1", "value": recorded}]
    assert entry["users"] == [str(project)]
    assert document["findings"] == []


def damage(entry: Path, how: str) -> None:
    binary = entry / BINARY
    if how == "flipped":
        content = bytearray(binary.read_bytes())
        content[len(content) // 2] ^= 1
        binary.write_bytes(content)
    elif how == "extra":
        (entry / "notes.txt").write_text("mine")
    elif how == "missing":
        (entry / "LICENSE.txt").unlink()
    else:
        binary.chmod(0o644)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("flipped", ("corrupt-entry", "corrupt", BINARY)),
        ("extra", ("foreign-file", "corrupt", "notes.txt")),
        ("missing", ("missing-file", "corrupt", "LICENSE.txt")),
        ("exec bit", ("lost-exec-bit", "ok", BINARY)),
    ],
    ids=["flipped", "extra", "missing", "exec bit"],
)
def test_damage_is_found_named_repaired_and_put_back(
    shop: Any, command: Command, how: str, expected: tuple[str, str, str]
) -> None:
    kind, verdict, file = expected
    shop.archive()
    project = shop.project()
    shop.init(project)
    damage(shop.entry(), how)
    document = command.check("--project", project, code=1)
    assert entry_of(document)["verdict"] == verdict
    (finding,) = document["findings"]
    assert (finding["kind"], finding["files"]) == (kind, [file])
    plan = ("--project", project, *QUICK)
    dry = command.run("repair", command.cache, *plan)
    assert [one["result"] for one in dry["outcomes"]] == ["skipped"]
    done = command.run("repair", command.cache, *plan, "--apply", "--yes")
    assert [one["result"] for one in done["outcomes"]] == ["done"]
    assert command.check("--project", project, code=0)["findings"] == []
    assert "successfully initialized" in shop.init(project, "-lockfile=readonly")
    command.run("undo")
    again = command.check("--project", project, code=1)
    assert [one["kind"] for one in again["findings"]] == [kind]


def large_archive(shop: Any, megabytes: int) -> None:
    block = os.urandom(1 << 20)
    content = b"".join(at.to_bytes(4, "little") + block[4:] for at in range(megabytes))
    files = {BINARY: (content, 0o755), "LICENSE.txt": (b"MIT\n", 0o644)}
    shop.archive(files=files, packing=zipfile.ZIP_STORED)


def test_what_a_killed_init_left_half_unpacked_is_found_and_republished(
    shop: Any, command: Command
) -> None:
    large_archive(shop, 300)
    first = shop.project("first")
    shop.init(first)
    good = (shop.entry() / BINARY).stat().st_size
    shutil.rmtree(shop.entry())
    killed = shop.start(shop.project("killed"), "init", "-no-color")
    binary = shop.entry() / BINARY
    while not binary.exists() or not binary.stat().st_size:
        assert killed.poll() is None, "it ended before it could be killed"
        os.sched_yield()
    killed.kill()
    shop.finish(killed, code=-signal.SIGKILL)
    assert 0 < binary.stat().st_size < good
    document = command.check("--project", first, code=1)
    (finding,) = document["findings"]
    assert entry_of(document)["verdict"] == "corrupt"
    assert sorted(finding["files"]) == sorted([BINARY, "LICENSE.txt"])
    assert finding["repair"]["step"] == "republish-entry"
    command.run("repair", command.cache, "--project", first, *QUICK, "--apply", "--yes")
    assert entry_of(command.check("--project", first, code=0))["verdict"] == "ok"


def test_a_check_beside_a_real_init_says_busy_and_never_corrupt(
    shop: Any, command: Command
) -> None:
    """The lock file and the mirror are known, so a half-written entry would mismatch."""
    large_archive(shop, 300)
    first = shop.project("first")
    shop.init(first)
    seen: list[tuple[str, set[int]]] = []
    running: set[int] = set()
    ended = threading.Event()

    def keep_writing() -> None:
        try:
            for number in range(200):
                if ended.is_set():
                    break
                process = shop.start(shop.project(f"next{number}"), "init", "-no-color")
                running.add(process.pid)
                shop.finish(process)
        finally:
            ended.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(20):
            document = command.check("--project", first)
            entry = entry_of(document)
            seen.append((entry["verdict"], {one["pid"] for one in entry["holders"]}))
    finally:
        ended.set()
        writer.join()
    verdicts = {verdict for verdict, _pids in seen}
    assert verdicts <= {"ok", "busy"}, seen
    assert any(verdict == "busy" and pids & running for verdict, pids in seen), seen
    assert entry_of(command.check("--project", first, code=0))["verdict"] == "ok"


def test_wrong_lines_of_a_real_race_are_named_dropped_and_init_is_clean(
    shop: Any, command: Command
) -> None:
    large_archive(shop, 80)
    projects = [shop.project(f"p{number}") for number in range(8)]
    for attempt in range(5):
        running = [shop.start(project, "init", "-no-color") for project in projects]
        for process in running:
            shop.finish(process)
        good = {f"h1:{one['value']}" for one in actual(command, projects)}
        wrong = {path: lines(path) - good for path in projects if lines(path) - good}
        if wrong:
            break
        assert attempt < 4, "five rounds of eight inits did not race"
        for project in projects:
            (project / ".terraform.lock.hcl").unlink()
    options = [word for project in projects for word in ("--project", project)]
    document = command.check(*options, code=1)
    found = [one for one in document["findings"] if one["kind"] == "poisoned-checksum"]
    assert {one["path"] for one in found} == {str(path / ".terraform.lock.hcl") for path in wrong}
    assert entry_of(document)["verdict"] == "ok"
    command.run("repair", command.cache, *options, *QUICK, "--apply", "--yes")
    for project in projects:
        assert lines(project) == good
        output = shop.init(project, "-lockfile=readonly")
        assert "Warning" not in output
        assert "Installing" not in output
    assert command.check(*options, code=0)["findings"] == []


def actual(command: Command, projects: Sequence[Path]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = entry_of(command.check("--project", projects[0]))["actual"]
    return found


def lines(project: Path) -> set[str]:
    return set(re.findall(r'"(h1:[^"]+)"', (project / ".terraform.lock.hcl").read_text()))


HOLD_LOCK = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
fcntl.lockf(fd, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_held_platform_lock_names_its_holder_and_is_never_removed(
    shop: Any, command: Command, child: Any
) -> None:
    shop.archive()
    project = shop.project()
    shop.init(project)
    lock = shop.entry().with_name("linux_amd64.lock")
    with child(HOLD_LOCK, lock) as holder:
        (held,) = command.run("locks", command.cache)["locks"]
        assert (held["verdict"], held["kind"]) == ("held", "posix")
        assert [one["pid"] for one in held["holders"]] == [holder.pid]
        assert "lock:write" in held["holders"][0]["how"]
        assert sys.executable.rpartition("/")[2] in held["holders"][0]["command"]
        damage(shop.entry(), "flipped")
        options = ("--project", project, *QUICK, "--apply", "--yes")
        refused = command.run("repair", command.cache, *options, code=4)
        assert [one["result"] for one in refused["outcomes"]] == ["refused"]
        assert str(holder.pid) in refused["outcomes"][0]["reason"]
    (free,) = command.run("locks", command.cache)["locks"]
    assert (free["verdict"], free["holders"]) == ("free", [])
    before = lock.stat()
    stale = command.run("repair", command.cache, "--stale", "--apply", "--yes", *QUICK)
    assert stale["outcomes"] == []
    assert os.path.samestat(lock.stat(), before)
    with lock.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("kind", ["cwd", "open", "mmap"])
def test_stale_staging_is_removed_by_one_click_unless_somebody_is_in_it(
    shop: Any, command: Command, kind: str, inside: Any
) -> None:
    shop.archive()
    shop.init(shop.project())
    left = shop.entry().with_name(".temp123")
    left.mkdir()
    (left / BINARY).write_bytes(b"half of a provider")
    clean = ("repair", command.cache, "--stale", "--apply", "--yes", *QUICK)
    with inside(kind, left / BINARY) as holder:
        (place,) = command.check()["staging"]
        assert place["verdict"] == "held"
        assert holder.pid in [one["pid"] for one in place["holders"]]
        assert command.run(*clean)["outcomes"] == []
        assert left.is_dir()
    document = command.check(code=1)
    assert [one["verdict"] for one in document["staging"]] == ["stale"]
    assert kinds(document) == ["stale-staging"]
    (outcome,) = command.run(*clean)["outcomes"]
    assert outcome["result"] == "done"
    assert not left.exists()
    command.run("undo", outcome["undo"])
    assert (left / BINARY).read_bytes() == b"half of a provider"


def test_a_plan_made_before_somebody_came_is_refused(
    shop: Any, command: Command, inside: Any
) -> None:
    shop.archive()
    shop.init(shop.project())
    left = shop.entry().with_name(".temp123")
    left.mkdir()
    (left / BINARY).write_bytes(b"half of a provider")
    plan = shop.top / "plan.json"
    command.run("plan", command.cache, "-o", plan, *QUICK)
    run = ("repair", command.cache, "--plan", plan, "--apply", "--yes", *QUICK)
    with inside("open", left / BINARY):
        (outcome,) = command.run(*run, code=4)["outcomes"]
    assert outcome["result"] == "refused"
    (left / "more").write_text("the writer goes on")
    (outcome,) = command.run(*run, code=4)["outcomes"]
    assert outcome["result"] == "refused"
    assert sorted(path.name for path in left.iterdir()) == ["more", BINARY]
