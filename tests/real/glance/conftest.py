"""The real image API, served from a directory of its own, killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.real.tools import environment

HERE = Path(__file__).parent
DIRECTORIES = ("etc", "fast", "slow", "staging", "tasks", "image-cache", "locks")
MIB = 1 << 20

PASTE = """
[composite:glance-api-tried]
paste.composite_factory = glance.api:root_app_factory
/: api
/healthcheck: healthcheck
"""
PIPELINE = "tried = versionnegotiation context cache rootapp\n"

CONFIG = """
[DEFAULT]
enabled_backends = fast:file, slow:file
enabled_import_methods = [glance-direct,copy-image]
worker_self_reference_url = http://127.0.0.1:1
image_cache_dir = {top}/image-cache
[database]
connection = {database}
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {top}/fast
[slow]
filesystem_store_datadir = {top}/slow
[os_glance_staging_store]
filesystem_store_datadir = {top}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {top}/tasks
[oslo_concurrency]
lock_path = {top}/locks
[oslo_policy]
policy_file = {top}/etc/policy.yaml
enforce_scope = False
enforce_new_defaults = False
[paste_deploy]
flavor = tried
config_file = {top}/etc/paste.ini
"""
RULES = (
    "default", "add_image", "delete_image", "get_image", "get_images", "modify_image",
    "publicize_image", "communitize_image", "upload_image", "download_image", "set_image_location",
    "get_image_location", "get_task", "get_tasks", "add_task", "modify_task", "copy_image",
    "tasks_api_access", "stage_image", "import_image", "delete_image_location",
)  # fmt: skip
HEADERS = {
    "X-Identity-Status": "Confirmed",
    "X-Project-Id": "1" * 32,
    "X-User-Id": "2" * 32,
    "X-Roles": "admin,member,reader",
}


def until(done: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for an event that is seen from outside only."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.02)


def write_configuration(top: Path, programs: Path, database: str) -> Path:
    for name in DIRECTORIES:
        (top / name).mkdir(parents=True, exist_ok=True)
    paste = (programs.parent / "etc/glance/glance-api-paste.ini").read_text()
    paste = paste.replace("[composite:api]\n", f"{PASTE}\n[composite:api]\n")
    paste = paste.replace("factory = glance.api:pipeline_factory\n",
                          f"factory = glance.api:pipeline_factory\n{PIPELINE}")  # fmt: skip
    (top / "etc/paste.ini").write_text(paste)
    (top / "etc/policy.yaml").write_text("".join(f'"{one}": ""\n' for one in RULES))
    config = top / "etc/glance-api.conf"
    config.write_text(CONFIG.format(top=top, database=database))
    return config


def make_tables(config: Path, programs: Path) -> None:
    made = subprocess.run(
        [programs / "glance-manage", "--config-file", config, "db_sync"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr


class Mother:
    """Has imported the service, and starts it in processes of their own."""

    def __init__(self, programs: Path) -> None:
        self.process = subprocess.Popen(
            [programs / "python", HERE / "serve.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.ready = False

    def serve(self, top: Path) -> int:
        return self._ask(f"serve {top}")

    def _ask(self, line: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if not self.ready:
            assert self.process.stdout.readline() == "ready\n"
            self.ready = True
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def rows(self, config: Path, directory: Path) -> dict[str, str]:
        """What ``rows.py`` made in the database of a configuration."""
        answer = config.with_suffix(".json")
        self._ask(f"rows {config} {directory} {answer}")
        until(answer.exists, "the making of rows")
        made: dict[str, str] = json.loads(answer.read_text())
        return made

    def close(self) -> None:
        self.process.communicate(timeout=30)


@dataclass
class Api:
    """One installation of the service below one directory."""

    top: Path
    programs: Path
    template: Path
    mother: Mother
    pid: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = self.top / "glance.sqlite"
        self.ids: dict[str, str] = {}
        self.config = write_configuration(self.top, self.programs, f"sqlite:///{self.database}")
        shutil.copyfile(self.template, self.database)

    def start(self) -> None:
        assert not self.pid
        (self.top / "port").unlink(missing_ok=True)
        self.pid = self.mother.serve(self.top)
        try:
            until((self.top / "port").exists, "the start of the service")
        except AssertionError as error:
            raise AssertionError((self.top / "log").read_text()[-4000:]) from error
        self.url = f"http://127.0.0.1:{(self.top / 'port').read_text()}/v2"

    def kill(self) -> None:
        """As ``kill -9`` does; whoever waits for an answer gets none."""
        os.kill(self.pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{self.pid}").exists(), "the end of the service")
        self.pid = 0
        for thread in self.threads:
            thread.join(30)
        self.threads.clear()

    def close(self) -> None:
        if self.pid:
            self.kill()

    def stop_writers(self) -> None:
        (self.top / "stop").touch()

    def let_writers_go(self) -> None:
        (self.top / "stop").unlink(missing_ok=True)

    def ask(
        self,
        method: str,
        path: str,
        content: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        raw = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        body = None if method in {"GET", "DELETE"} else raw
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url + path,
            body,
            {**HEADERS, "Content-Type": kind, **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def image(self, name: str) -> str:
        code, said = self.ask(
            "POST",
            "/images",
            {"name": name, "disk_format": "raw", "container_format": "bare"},
        )
        assert code == 201, said
        return str(json.loads(said)["id"])

    def shown(self, image: str) -> dict[str, Any]:
        code, said = self.ask("GET", f"/images/{image}")
        assert code == 200, said
        found: dict[str, Any] = json.loads(said)
        return found

    def upload(self, image: str, content: bytes, store: str = "fast") -> None:
        code, said = self.ask(
            "PUT", f"/images/{image}/file", content, {"X-Image-Meta-Store": store}
        )
        assert code == 204, said

    def stage(self, image: str, content: bytes) -> None:
        code, said = self.ask("PUT", f"/images/{image}/stage", content)
        assert code == 204, said

    def imported(self, image: str, method: str, *stores: str) -> tuple[int, bytes]:
        wish = {"method": {"name": method}, "stores": list(stores)}
        return self.ask("POST", f"/images/{image}/import", wish)

    def begin(self, call: Callable[[], object]) -> None:
        """A request that is killed with the service."""

        def asked() -> None:
            with contextlib.suppress(OSError, AssertionError, urllib.error.URLError, Exception):
                call()

        thread = threading.Thread(target=asked, daemon=True)
        thread.start()
        self.threads.append(thread)

    def sql(self, statement: str, *values: object) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as base, base:
            return base.execute(statement, values).fetchall()

    def age(self, minutes: int = 61, *images: str) -> None:
        """As if all that was written to the records had been written so much earlier."""
        back = f"-{minutes} minutes"
        for image in images:
            self.sql(
                "UPDATE tasks SET updated_at = strftime('%Y-%m-%d %H:%M:%f', updated_at, ?) "
                "WHERE image_id = ?",
                back,
                image,
            )

    def ends(self, image: str) -> None:
        """Until no task of the image is at work any more."""
        at_work = (
            "SELECT 1 FROM image_properties WHERE image_id = ? AND deleted = 0 "
            "AND name = 'os_glance_import_task'"
        )
        until(lambda: not self.sql(at_work, image), "the end of the import")

    def size(self, place: str, image: str) -> int:
        path = self.top / place / image
        return path.stat().st_size if path.exists() else -1

    def waits(self, place: str, image: str) -> None:
        """Until an operation has written its first part there, and stopped."""
        until(lambda: self.size(place, image) >= MIB, f"writing {place}/{image}")


@pytest.fixture(scope="session")
def programs() -> Path:
    return environment("glance")


@pytest.fixture(scope="session")
def mother(programs: Path) -> Iterator[Mother]:
    made = Mother(programs)
    yield made
    made.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, programs: Path, mother: Mother) -> Path:
    """An empty database, made by the service's own tool while the service is imported."""
    del mother
    top = tmp_path_factory.mktemp("glance-tables")
    config = write_configuration(top, programs, f"sqlite:///{top / 'glance.sqlite'}")
    make_tables(config, programs)
    return top / "glance.sqlite"


@pytest.fixture
def api(
    tmp_path: Path,
    programs: Path,
    mother: Mother,
    template: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Api]:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    made = Api(tmp_path / "glance", programs, template, mother)
    made.start()
    yield made
    made.close()
