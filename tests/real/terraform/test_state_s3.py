"""State locks of the real terraform in a real S3 and DynamoDB server, through the command."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import wire

from cachewright.report import schema

ID = "00000000-0000-0000-0000-000000000000"
OTHER = json.dumps({"ID": ID, "Who": "other@there", "Operation": "OperationTypePlan"}).encode()


@dataclass
class Site:
    """A project whose state is in a bucket, and our command, which asks by way of the wire."""

    shop: Any
    aws: Any
    between: wire.Wire
    bucket: str
    table: str
    environment: dict[str, str]
    extra: str = "use_lockfile = true"

    def __post_init__(self) -> None:
        self.project = self.shop.top / "project"
        self.project.mkdir()
        self.started, self.go = self.project / "started", self.project / "go"
        os.mkfifo(self.started)
        os.mkfifo(self.go)
        (self.project / "main.tf").write_text(
            f"""terraform {{
              backend "s3" {{
                bucket                      = "{self.bucket}"
                key                         = "app/terraform.tfstate"
                region                      = "us-east-1"
                access_key                  = "test"
                secret_key                  = "test"
                endpoints                   = {{ s3 = "{self.aws.endpoint}",
                                                 dynamodb = "{self.aws.endpoint}" }}
                use_path_style              = true
                skip_credentials_validation = true
                skip_requesting_account_id  = true
                skip_metadata_api_check     = true
                skip_region_validation      = true
                {self.extra}
              }}
            }}
            resource "terraform_data" "wait" {{
              triggers_replace = [timestamp()]
              provisioner "local-exec" {{
                command = "echo here > started; cat go"
              }}
            }}
            """
        )
        self.shop.init(self.project)

    @property
    def key(self) -> str:
        return "app/terraform.tfstate.tflock"

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}"

    @contextmanager
    def applying(self) -> Iterator[subprocess.Popen[str]]:
        """``terraform apply``, holding its lock until it is let go on."""
        fd = os.open(self.started, os.O_RDONLY | os.O_NONBLOCK)
        try:
            apply = self.shop.start(self.project, "apply", "-auto-approve", "-no-color")
            assert select.select([fd], [], [], 60)[0], "apply did not get so far"
            yield apply
        finally:
            os.close(fd)

    def let_go(self, apply: subprocess.Popen[str], code: int = 0) -> str:
        self.go.write_text("on\n")
        said: str = self.shop.finish(apply, code)
        return said

    def killed(self) -> None:
        """An apply that was killed, and whose lock stays for ever."""
        with self.applying() as apply:
            apply.send_signal(signal.SIGKILL)
            # What it started lives on, and has its output open.
            self.let_go(apply, -signal.SIGKILL)

    def plan(self, code: int = 0) -> str:
        said: str = self.shop.run(self.project, "plan", "-no-color", "-input=false", code=code)
        return said

    def command(self, *arguments: str, code: int, reach: bool = True) -> dict[str, Any]:
        """Our command with ``--json``: what it said."""
        how = ["--endpoint-url", self.between.endpoint] if reach else []
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "cachewright", *arguments, *how, "--json"],
            env=self.environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )
        assert ran.returncode == code, (ran.stdout, ran.stderr)
        assert b"Traceback" not in ran.stderr
        said: dict[str, Any] = json.loads(ran.stdout)
        if said["schema"] != "cachewright.error/1":
            kind = said["schema"].removeprefix("cachewright.").removesuffix("/1")
            jsonschema.Draft202012Validator(schema.load(kind)).validate(said)
        return said

    def locks(self, root: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.command("locks", root or self.root, code=0)["locks"]
        return found

    def unlock(self, lock_id: str, *more: str, code: int, root: str = "") -> dict[str, Any]:
        return self.command("unlock", root or self.root, lock_id, *more, code=code)

    @property
    def body(self) -> bytes | None:
        found: bytes | None = self.aws.body(self.bucket, self.key)
        return found


@pytest.fixture
def site(
    shop: Any, aws: Any, between: wire.Wire, credentials: dict[str, str], tmp_path: Path
) -> Callable[..., Site]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "CACHEWRIGHT_STATE_DIR": str(tmp_path / "state"),
        **credentials,
    }

    def make(extra: str = "use_lockfile = true") -> Site:
        table = aws.table()
        extra = extra.replace("TABLE", table)
        return Site(shop, aws, between, aws.bucket(), table, environment, extra)

    return make


def test_the_lock_of_a_running_apply_is_shown_and_released_by_its_id(
    site: Callable[..., Site],
) -> None:
    place = site()
    with place.applying() as apply:
        info = json.loads(place.body or b"")
        etag = place.aws.s3.head_object(Bucket=place.bucket, Key=place.key)["ETag"]
        (lock,) = place.locks()
        assert (lock["id"], lock["kind"], lock["verdict"]) == (info["ID"], "object", "unproven")
        assert lock["owner"] == info
        assert lock["owner"]["Operation"] == "OperationTypeApply"
        assert lock["path"] == f"{place.root}/{place.key}"
        assert lock["subject"] == f"State {place.bucket}/app/terraform.tfstate"
        assert (lock["etag"], lock["garbage"]) == (etag, False)
        seen = {one["fact"]: one["detail"] for one in lock["evidence"]}
        assert f"(pid {apply.pid})" in seen["programs"]
        assert "as this one is called" in seen["host"]

        wrong = place.unlock(ID, "--confirm", ID, code=4)
        assert info["ID"] in wrong["error"]["message"]
        (refused,) = place.unlock(info["ID"], "--confirm", ID, code=4)["outcomes"]
        assert refused["result"] == "refused"
        unasked = place.unlock(info["ID"], code=4)
        assert "must be typed" in unasked["error"]["message"]
        assert not place.between.of("DELETE", place.key)
        assert json.loads(place.body or b"") == info

        (done,) = place.unlock(info["ID"], "--confirm", info["ID"], code=0)["outcomes"]
        assert (done["result"], done["step"]) == ("done", "release-object-lock")
        (delete,) = place.between.of("DELETE", place.key)
        assert delete.headers["if-match"] == etag
        assert place.body is None
        assert place.locks() == []
        said = place.let_go(apply, 1)
    assert "Error releasing the state lock" in said
    assert place.plan()


def test_a_lock_that_was_taken_in_between_stays(site: Callable[..., Site]) -> None:
    place = site()
    place.killed()
    (lock,) = place.locks()

    def in_between(asked: wire.Asked) -> wire.Reply | None:
        if (asked.method, asked.key) == ("DELETE", place.key):
            place.aws.put(place.bucket, place.key, OTHER)
        return None

    place.between.rule = in_between
    (refused,) = place.unlock(lock["id"], "--confirm", lock["id"], code=4)["outcomes"]
    assert refused["result"] == "refused"
    assert "another lock is there now" in refused["reason"]
    assert place.body == OTHER
    assert len(place.between.of("DELETE", place.key)) == 1


@pytest.mark.parametrize("body", [b"", b"garbage"])
def test_what_terraform_cannot_unlock_is_shown_and_released(
    site: Callable[..., Site], body: bytes
) -> None:
    place = site()
    place.aws.put(place.bucket, place.key, body)
    assert "Error acquiring the state lock" in place.plan(1)
    place.shop.run(place.project, "force-unlock", "-force", ID, code=1)
    checked = place.command("check", place.root, code=1)
    (finding,) = checked["findings"]
    assert (finding["kind"], finding["severity"]) == ("garbage-lock", "problem")
    assert finding["repair"]["confirm"] == "typed"
    (lock,) = place.locks()
    assert (lock["garbage"], lock["id"]) == (True, place.key)
    place.unlock(place.key, "--confirm", place.key, code=0)
    assert place.plan()


def test_locks_of_workspaces_are_told_apart(site: Callable[..., Site]) -> None:
    place = site()
    place.killed()
    place.shop.run(place.project, "workspace", "new", "-no-color", "blue")
    with place.applying() as apply:
        found = {one["subject"]: one["path"] for one in place.locks()}
        place.let_go(apply)
    assert found == {
        f"State {place.bucket}/app/terraform.tfstate": f"{place.root}/{place.key}",
        f"State {place.bucket}/env:/blue/app/terraform.tfstate, workspace blue": (
            f"{place.root}/env:/blue/{place.key}"
        ),
    }


def test_a_lock_that_is_put_back_locks_terraform_out_again(site: Callable[..., Site]) -> None:
    place = site()
    place.killed()
    before = place.body
    (lock,) = place.locks()
    (done,) = place.unlock(lock["id"], "--confirm", lock["id"], code=0)["outcomes"]
    assert place.plan()
    (undone,) = place.command("undo", done["undo"], code=0, reach=False)["outcomes"]
    assert undone["result"] == "done"
    assert place.body == before
    said = place.plan(1)
    assert lock["id"] in said
    place.shop.run(place.project, "force-unlock", "-force", lock["id"])
    assert place.plan()


def test_a_lock_in_a_table_is_released_and_its_digest_stays(site: Callable[..., Site]) -> None:
    place = site('dynamodb_table = "TABLE"')
    root = f"dynamodb://{place.table}"
    item = f"{place.bucket}/app/terraform.tfstate"
    with place.applying() as apply:
        place.let_go(apply)
    assert list(place.aws.items(place.table)) == [f"{item}-md5"]
    place.killed()
    before = place.aws.items(place.table)
    info = json.loads(before[item]["Info"]["S"])
    said = place.command("locks", root, code=0)
    (lock,) = said["locks"]
    assert (lock["id"], lock["owner"], lock["path"]) == (info["ID"], info, f"{root}/{item}")
    (note,) = said["notes"]
    assert f"{item}-md5 is the digest of the state {item}" in note
    kinds = {one["kind"] for one in place.command("check", root, code=0)["findings"]}
    assert kinds == {"not-a-lock", "unproven-lock"}

    place.unlock(ID, "--confirm", ID, code=4, root=root)
    assert place.aws.items(place.table) == before
    (done,) = place.unlock(info["ID"], "--confirm", info["ID"], code=0, root=root)["outcomes"]
    assert list(place.aws.items(place.table)) == [f"{item}-md5"]
    assert place.plan()
    place.command("undo", done["undo"], code=0, reach=False)
    assert place.aws.items(place.table) == before
    assert info["ID"] in place.plan(1)


def test_a_store_that_ignores_conditions_is_found_out(site: Callable[..., Site]) -> None:
    place = site()
    place.killed()
    before = place.body
    place.between.rule = lambda asked: place.between.forward(asked.without("if-match"))
    (lock,) = place.locks()
    typed = (lock["id"], "--confirm", lock["id"])
    (refused,) = place.unlock(*typed, code=4)["outcomes"]
    assert "deletes without regard to conditions" in refused["reason"]
    assert "--without-condition" in refused["reason"]
    assert place.body == before
    place.unlock(*typed, "--without-condition", code=0)
    assert place.body is None
    assert place.plan()


def test_the_project_folder_names_the_command_that_shows_its_locks(
    site: Callable[..., Site],
) -> None:
    place = site('use_lockfile = true\n dynamodb_table = "TABLE"')
    place.killed()
    place.shop.run(place.project, "workspace", "new", "-no-color", "blue")
    with place.applying() as apply:
        document = place.command("locks", str(place.project), code=0, reach=False)
        assert document["locks"] == []
        (note,) = document["notes"]
        assert "test" not in note.replace(place.bucket, "").replace(place.table, "")  # the keys
        assert place.aws.endpoint not in note
        commands = [
            shlex.split(one[one.index("cachewright") :])
            for one in note.split("; ")
            if "cachewright locks" in one
        ]
        found = [{one["path"] for one in place.locks(words[2])} for words in commands]
        place.let_go(apply)
    default, blue, table = found
    assert default == {f"{place.root}/{place.key}"}
    assert blue == {f"{place.root}/env:/blue/{place.key}"}
    assert len(table) > 1
    (finding,) = place.command("check", str(place.project), code=0, reach=False)["findings"]
    assert (finding["kind"], finding["explanation"]) == ("state-elsewhere", note)
