"""Re-publishing an entry again and again beside real inits and a running provider."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from cachewright import workbench
from cachewright.model import Result
from cachewright.workbench import Options, Workbench

NAME = "tf.example.com/acme/toy/1.2.3/linux_amd64"
BINARY = "terraform-provider-toy_v1.2.3_x5"
SLEEPER = b"#!/bin/sh\nread line\n" + b"# " + b"x" * 4_000_000 + b"\n"
FILES = {BINARY: (SLEEPER, 0o755), "LICENSE.txt": (b"MIT\n", 0o644)}


def digests(entry: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in entry.iterdir()}


@pytest.mark.parametrize(
    ("publications", "inits"),
    [(25, 6), pytest.param(300, 40, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_nobody_is_disturbed_and_undo_brings_the_old_bytes(
    shop: Any, monkeypatch: pytest.MonkeyPatch, publications: int, inits: int
) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(shop.top / "state"))
    archive = shop.archive(files=FILES)
    first = shop.project("first")
    shop.init(first)
    before, node = digests(shop.entry()), shop.entry().stat().st_ino
    lock = (first / ".terraform.lock.hcl").read_bytes()
    outputs: list[str] = []
    failures: list[BaseException] = []

    def keep_initialising() -> None:
        try:
            for number in range(inits):
                project = shop.project(f"p{number}")
                (project / ".terraform.lock.hcl").write_bytes(lock)
                outputs.append(shop.init(project, "-lockfile=readonly"))
        except BaseException as error:  # noqa: BLE001 - raised by the test itself below
            failures.append(error)

    provider = subprocess.Popen([shop.entry() / BINARY], stdin=subprocess.PIPE)
    busy = threading.Thread(target=keep_initialising)
    busy.start()
    options = Options(projects=(os.fsencode(first),), environment=shop.environment)
    with Workbench.open(os.fsencode(shop.cache), options=options) as bench:
        done = [bench.publish(NAME, os.fsencode(archive)) for _ in range(publications)]
    busy.join()
    alive = provider.poll() is None
    provider.communicate(b"\n")
    assert failures == []
    assert [one.reason for one in done if one.result is not Result.DONE] == []
    assert len(outputs) == inits
    assert all("from the shared cache directory" in output for output in outputs)
    assert (alive, provider.returncode) == (True, 0)
    assert digests(shop.entry()) == before
    assert shop.entry().stat().st_ino != node
    for outcome in reversed(done):
        assert workbench.undo(outcome.undo).result is Result.DONE
    assert shop.entry().stat().st_ino == node
    assert digests(shop.entry()) == before
