"""The local backend's locks beside the real terraform: held, left behind, taken away, put back."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Result
from cachewright.workbench import Options, Workbench

WAITS = """
resource "terraform_data" "hold" {
  provisioner "local-exec" {
    command = "cat gate"
  }
}
"""
APPLY = ("apply", "-auto-approve", "-no-color", "-input=false")
PLAN = ("plan", "-no-color", "-input=false")


@dataclass
class Setting:
    """One project whose state is somewhere, and the real terraform at work in it."""

    shop: Any
    folder: Path
    state: str = "terraform.tfstate"
    info: str = ".terraform.tfstate.lock.info"
    subject: str = "State terraform.tfstate"
    options: tuple[str, ...] = ()
    writer: int = -1
    environment: dict[str, str] = field(default_factory=dict)

    def apply(self) -> subprocess.Popen[str]:
        """Start an apply; it holds the lock when this returns, and until ``let_go``."""
        process: subprocess.Popen[str] = self.shop.start(self.folder, *APPLY, *self.options)
        while self.writer < 0:
            assert process.poll() is None, process.communicate()[0]
            try:  # there is a reader as soon as the apply has come to its command
                self.writer = os.open(self.folder / "gate", os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                time.sleep(0.01)
        return process

    def let_go(self) -> None:
        """Let the command end that an apply waits for, or that outlived its apply."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End it by force, and then what it had started, which goes on by itself."""
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.let_go()
        process.communicate()
        self.shop.started.remove(process)

    def command(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """``cachewright`` as a person would run it."""
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "cachewright", *map(str, arguments), "--json"],
            env={**self.shop.environment, "CACHEWRIGHT_STATE_DIR": str(self.shop.top / "mine")},
            capture_output=True,
            check=False,
            text=True,
            timeout=100,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def refused(self, *arguments: object) -> str:
        """What is said when exit code 4 says no."""
        document = self.command(*arguments, code=4)
        if "error" in document:
            return str(document["error"]["message"])
        (outcome,) = document["outcomes"]
        assert outcome["result"] == "refused"
        return str(outcome["reason"])

    def locks(self) -> dict[str, dict[str, Any]]:
        """By path below the project."""
        found = self.command("locks", self.folder)["locks"]
        return {os.path.relpath(one["path"], self.folder): one for one in found}

    def verdicts(self) -> tuple[str, str]:
        found = self.locks()
        return found[self.state]["verdict"], found[self.info]["verdict"]


def as_it_is(shop: Any) -> Setting:
    return Setting(shop, project(shop))


def in_a_workspace(shop: Any) -> Setting:
    folder = project(shop)
    shop.run(folder, "workspace", "new", "blue")
    below = "terraform.tfstate.d/blue/"
    return Setting(
        shop,
        folder,
        below + "terraform.tfstate",
        below + ".terraform.tfstate.lock.info",
        "State terraform.tfstate, workspace blue",
    )


def of_another_name(shop: Any) -> Setting:
    folder = project(shop)
    options = ("-state=foo/bar.state",)
    (folder / "foo").mkdir()
    return Setting(
        shop, folder, "foo/bar.state", "foo/.bar.state.lock.info", "State foo/bar.state", options
    )


def by_the_backends_settings(shop: Any) -> Setting:
    folder = project(
        shop, 'terraform {\n  backend "local" {\n    path = "s/prod.tfstate"\n  }\n}\n'
    )
    return Setting(
        shop, folder, "s/prod.tfstate", "s/.prod.tfstate.lock.info", "State s/prod.tfstate"
    )


def project(shop: Any, configuration: str = "") -> Path:
    folder = shop.top / "infra"
    folder.mkdir()
    (folder / "main.tf").write_text(configuration + WAITS)
    os.mkfifo(folder / "gate")
    shop.init(folder)
    return folder


@pytest.fixture(params=[as_it_is, in_a_workspace, of_another_name, by_the_backends_settings])
def setting(request: pytest.FixtureRequest, shop: Any) -> Iterator[Setting]:
    made = request.param(shop)
    yield made
    made.let_go()


_OPENED, _WRITTEN = 0x20, 0x2 | 0x8  # IN_OPEN; IN_MODIFY, IN_CLOSE_WRITE
_MOVED_OR_CHANGED = 0x4 | 0x400 | 0x800  # IN_ATTRIB, IN_DELETE_SELF, IN_MOVE_SELF


@contextmanager
def only_read(path: Path) -> Iterator[None]:
    """Whatever any process does meanwhile: the file is opened, and never for writing; neither
    its content nor its name, mode, owner or times change."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = path.lstat()
    content = path.read_bytes()
    fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        watched = _OPENED | _WRITTEN | _MOVED_OR_CHANGED
        assert libc.inotify_add_watch(fd, os.fsencode(path), watched) >= 0
        yield
        seen = os.read(fd, 1 << 20)
    finally:
        os.close(fd)
    masks = 0
    while seen:
        _watch, mask, _cookie, length = struct.unpack_from("=iIII", seen)
        masks |= mask
        seen = seen[16 + length :]
    assert masks == _OPENED
    after = path.lstat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert path.read_bytes() == content


def test_held_left_behind_taken_away_and_put_back(setting: Setting) -> None:
    folder, state, info = setting.folder, setting.state, setting.info
    apply = setting.apply()
    with only_read(folder / state):
        found = setting.locks()
        for one in (found[state], found[info]):
            assert one["verdict"] == "held"
            assert [holder["pid"] for holder in one["holders"]] == [apply.pid]
            assert one["subject"] == setting.subject
        record = json.loads((folder / info).read_text())
        assert found[info]["owner"] == record
        assert found[info]["id"] == record["ID"]
        refused = setting.refused("unlock", folder, record["ID"], "--confirm", record["ID"])
        assert f"(pid {apply.pid})" in refused
    before = (folder / info).read_bytes()
    setting.kill(apply)
    with only_read(folder / state):
        checked = setting.command("check", folder, code=1)
        locks = {os.path.relpath(one["path"], folder): one["verdict"] for one in checked["locks"]}
        assert (locks[state], locks[info]) == ("free", "stale")
        assert [one["kind"] for one in checked["findings"]] == ["stale-lock"]
        assert (folder / info).read_bytes() == before
        outcomes = setting.command("repair", folder, "--stale", "--apply", "--yes")["outcomes"]
        assert [(one["result"], one["path"]) for one in outcomes] == [("done", str(folder / info))]
        assert not (folder / info).exists()
        setting.command("undo")
        assert (folder / info).read_bytes() == before
    assert setting.shop.run(folder, *PLAN, *setting.options)
    assert not (folder / info).exists()


def test_while_it_is_held_nothing_is_offered_or_done(shop: Any) -> None:
    setting = as_it_is(shop)
    apply = setting.apply()
    with only_read(setting.folder / setting.state), only_read(setting.folder / setting.info):
        (finding,) = setting.command("check", setting.folder)["findings"]
        assert (finding["kind"], finding["severity"]) == ("held-lock", "notice")
        assert (finding["path"], finding["repairs"]) == (str(setting.folder / setting.info), [])
        assert setting.command("repair", setting.folder, "--apply", "--yes")["outcomes"] == []
        for wanted in (setting.state, setting.folder / setting.info):
            said = setting.refused("unlock", setting.folder, wanted, "--confirm", wanted)
            assert f"(pid {apply.pid})" in said
    setting.let_go()
    shop.finish(apply)
    assert not (setting.folder / setting.info).exists()


def test_a_typed_id_takes_a_left_behind_one_away_too(shop: Any) -> None:
    setting = as_it_is(shop)
    setting.kill(setting.apply())
    wanted = setting.locks()[setting.info]["id"]
    setting.refused("unlock", setting.folder, "another-id", "--confirm", "another-id")
    setting.refused("unlock", setting.folder, wanted, "--confirm", "another-id")
    with only_read(setting.folder / setting.state):
        setting.command("unlock", setting.folder, wanted, "--confirm", wanted)
    assert not (setting.folder / setting.info).exists()
    assert setting.shop.run(setting.folder, *PLAN)


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 5000])
def test_garbage_is_no_more_than_what_its_lock_is(content: bytes, shop: Any) -> None:
    """Terraform overwrites it without reading it."""
    setting = as_it_is(shop)
    apply = setting.apply()
    (setting.folder / setting.info).write_bytes(content)
    assert setting.verdicts() == ("held", "held")
    setting.kill(apply)
    assert setting.verdicts() == ("free", "stale")
    outcomes = setting.command("repair", setting.folder, "--stale", "--apply", "--yes")["outcomes"]
    assert [one["result"] for one in outcomes] == ["done"]


def test_one_that_a_new_apply_took_over_since_it_was_planned_is_left(shop: Any) -> None:
    """The same file is another lock by now."""
    setting = as_it_is(shop)
    setting.kill(setting.apply())
    plan = shop.top / "plan.json"
    setting.command("plan", setting.folder, "-o", plan)
    apply = setting.apply()
    repair = ("repair", setting.folder, "--plan", plan, "--apply", "--yes")
    with only_read(setting.folder / setting.state):
        assert f"(pid {apply.pid})" in setting.refused(*repair)
    assert setting.verdicts() == ("held", "held")
    setting.let_go()
    shop.finish(apply)


def test_an_open_bench_sees_applies_come_and_go(shop: Any) -> None:
    """Without another scan, as ``locks --watch`` and the window look."""
    setting = as_it_is(shop)
    options = Options(environment=shop.environment)
    with Workbench.open(os.fsencode(setting.folder), options=options) as bench:

        def now() -> dict[str, str]:
            return {os.path.relpath(os.fsdecode(one.path), setting.folder): one.verdict.value
                    for one in bench.locks()}  # fmt: skip

        assert now() == {}
        apply = setting.apply()
        assert now() == {setting.state: "held", setting.info: "held"}
        setting.kill(apply)
        assert now() == {setting.state: "free", setting.info: "stale"}
        shop.run(setting.folder, *PLAN)
        assert now() == {setting.state: "free"}
        apply = setting.apply()
        assert now() == {setting.state: "held", setting.info: "held"}
        setting.let_go()
        shop.finish(apply)
        assert now() == {setting.state: "free"}


def test_state_outside_of_the_folder_is_named(shop: Any) -> None:
    backend = 'terraform {\n  backend "local" {\n    path = "../there/x.tfstate"\n  }\n}\n'
    setting = Setting(shop, project(shop, backend))
    document = setting.command("locks", setting.folder)
    assert document["locks"] == []
    (note,) = document["notes"]
    assert f"keeps its state in {shop.top / 'there'}, outside the folder" in note
    (finding,) = setting.command("check", setting.folder)["findings"]
    assert (finding["kind"], finding["severity"]) == ("state-elsewhere", "notice")


def repairs_beside_applies(shop: Any, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    """Each time what a killed apply left is taken away while another apply begins: it finds the
    lock free, whoever comes first."""
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(shop.top / "mine"))
    setting = as_it_is(shop)
    setting.kill(setting.apply())
    info = setting.folder / setting.info
    left = info.read_bytes()
    (setting.folder / "main.tf").write_text('resource "terraform_data" "quick" {}\n')
    began = time.monotonic()
    shop.run(setting.folder, *APPLY)
    usual = time.monotonic() - began
    results: Counter[Result] = Counter()
    chance = random.Random(1)  # noqa: S311 - no secret
    options = Options(environment=shop.environment, observe_s=0)
    with Workbench.open(os.fsencode(setting.folder), options=options) as bench:
        for _round in range(rounds):
            info.write_bytes(left)
            bench.check()
            plan = bench.plan(stale_only=True)
            assert len(plan.steps) == 1
            process = shop.start(setting.folder, *APPLY)
            time.sleep(chance.uniform(0, usual))  # the one comes first, or the other
            results.update(one.result for one in bench.repair(plan, apply=True))
            shop.finish(process)
            info.unlink(missing_ok=True)
    print(f"{rounds} applies beside as many repairs, 0 failed; repairs: {dict(results)}")
    assert results.total() == rounds
    assert set(results) <= {Result.DONE, Result.REFUSED}


def test_no_apply_ever_fails_because_of_a_repair_beside_it(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repairs_beside_applies(shop, monkeypatch, 15)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_no_apply_ever_fails_beside_many_repairs(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repairs_beside_applies(shop, monkeypatch, 400)
