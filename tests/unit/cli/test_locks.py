from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jsonschema

from cachewright.demo.company import Company
from cachewright.demo.provider import write
from cachewright.report import schema

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Cache = Any


def test_a_cache_without_locks_says_so(command: Command, cache: Cache) -> None:
    ran = command("locks", str(cache.root))
    assert (ran.returncode, ran.stdout) == (0, b"There are no locks here.\n")


def test_the_holder_of_a_lock_is_named(command: Command, cache: Cache) -> None:
    lock = f"{cache.root}/{cache.good.name}.lock"
    with Company(60) as company:
        pid = company.start("lock", lock)
        ran = command("locks", str(cache.root), "--json")
        shown = command("locks", str(cache.root)).stdout.decode()
    document = json.loads(ran.stdout)
    jsonschema.Draft202012Validator(schema.load("locks")).validate(document)
    (one,) = document["locks"]
    assert (one["path"], one["kind"], one["verdict"]) == (lock, "posix", "held")
    assert [holder["pid"] for holder in one["holders"]] == [pid]
    assert "lock:write" in one["holders"][0]["how"]
    assert f"pid {pid}" in shown
    ran = command("locks", str(cache.root), "--json")
    assert [each["verdict"] for each in json.loads(ran.stdout)["locks"]] == ["free"]


def test_watching_tells_what_changed(cache: Cache, environment: dict[str, str]) -> None:
    lock = f"{cache.root}/{cache.good.name}.lock"
    write(lock, b"")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cachewright", "locks", str(cache.root), "--watch"],
        env=environment,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline(), process.stdout.readline()]
        assert b"free" in seen[-1]
        with Company(60) as company:
            company.start("lock", lock)
            while b"held" not in seen[-1]:
                seen.append(process.stdout.readline())
                assert seen[-1]
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
