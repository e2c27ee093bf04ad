"""Several inits at once on one empty cache: terraform itself writes wrong checksums."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cachewright.formats import registry
from cachewright.model import EntryVerdict as Verdict
from cachewright.model import FindingKind, StepKind

BINARY = "terraform-provider-toy_v1.2.3_x5"
NAME = "tf.example.com/acme/toy/1.2.3/linux_amd64"
INIT = ("init", "-no-color", "-input=false")
MEGABYTES = 80
HALF = MEGABYTES << 19


def h1_lines(project: Path) -> list[str]:
    return re.findall(r'"(h1:[^"]+)"', (project / ".terraform.lock.hcl").read_text())


class Missed(Exception):
    """The moment to stop a process had passed before we ran."""


def wait_until(condition: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    """Poll as often as the machine lets us; raises ``Missed`` when a process ended first."""
    while not condition():
        if any(process.poll() is not None for process in processes):
            raise Missed
        os.sched_yield()


def large_provider(shop: Any) -> None:
    block = os.urandom(1 << 20)
    content = b"".join(bytes([at]) + block[1:] for at in range(MEGABYTES))
    files = {BINARY: (content, 0o755), "z_last.txt": (b"end\n", 0o644)}
    shop.archive(files=files, packing=zipfile.ZIP_STORED)


def torn_pair(shop: Any) -> tuple[Path, Path]:
    """Two projects of which the first has recorded what was never published."""
    for attempt in range(8):
        first, second = shop.project(f"first{attempt}"), shop.project(f"second{attempt}")
        try:
            tear(shop, first, second)
        except Missed:
            shop.close()
        else:
            if h1_lines(first) != h1_lines(second):
                return first, second
        shutil.rmtree(shop.cache)
        shop.cache.mkdir()
    pytest.fail("no init could be stopped half-way")


def tear(shop: Any, first: Path, second: Path) -> None:
    """One init is stopped half-way; another empties its file and is stopped too; the first
    then goes on, and records the digest of what both have written."""
    binary = shop.entry() / BINARY

    def size() -> int:
        return binary.stat().st_size if binary.exists() else 0

    one = shop.start(first, *INIT)
    wait_until(lambda: size() >= HALF, one)
    one.send_signal(signal.SIGSTOP)
    two = shop.start(second, *INIT)
    wait_until(lambda: size() < HALF, two)
    two.send_signal(signal.SIGSTOP)
    one.send_signal(signal.SIGCONT)
    shop.finish(one)
    two.send_signal(signal.SIGCONT)
    shop.finish(two)


def staggered(shop: Any) -> list[Path]:
    """Eight inits, each started once the one before it has begun to unpack."""
    place = os.fsencode(shop.entry() / BINARY)

    def unpacks(process: subprocess.Popen[str]) -> bool:
        try:
            with os.scandir(f"/proc/{process.pid}/fd") as links:
                return any(os.fsencode(os.readlink(link.path)) == place for link in links)
        except OSError:
            return False

    projects = [shop.project(f"p{number}") for number in range(8)]
    running = []
    for project in projects:
        running.append(shop.start(project, *INIT))
        wait_until(lambda: running[-1].poll() is not None or unpacks(running[-1]))
    for process in running:
        shop.finish(process)
    return projects


def prove(shop: Any, projects: list[Path]) -> None:
    """Every wrong line is found, and what rewriting gives satisfies terraform."""
    looked = shop.look(*projects)
    good = f"h1:{looked.h1[NAME]}"
    assert looked.verdicts == {NAME: Verdict.OK}
    wrong = {
        os.fsencode(project / ".terraform.lock.hcl"): sorted(set(h1_lines(project)) - {good})
        for project in projects
        if set(h1_lines(project)) != {good}
    }
    poisoned = looked.of(FindingKind.POISONED_CHECKSUM)
    assert {one.path for one in poisoned} == set(wrong)
    assert looked.findings == poisoned
    form = registry.by_name("terraform")
    for finding in poisoned:
        offer = finding.repair
        assert offer.step is StepKind.DROP_POISONED_CHECKSUM
        (block,) = offer.detail["blocks"]
        assert block["drop"] == wrong[finding.path]
        lock = Path(os.fsdecode(finding.path))
        after = form.rewrite(offer.step, offer.detail, lock.read_bytes())
        lock.write_bytes(after)
        output = shop.init(lock.parent, "-lockfile=readonly")
        assert "Warning" not in output
        assert "Using previously-installed" in output
        assert lock.read_bytes() == after
        assert h1_lines(lock.parent) == [good]
    assert shop.look(*projects).findings == []


def test_a_checksum_of_a_half_written_provider_is_found_and_taken_out(shop: Any) -> None:
    large_provider(shop)
    first, second = torn_pair(shop)
    prove(shop, [first, second])


def test_eight_inits_at_once(shop: Any) -> None:
    large_provider(shop)
    projects = staggered(shop)
    prove(shop, projects)


def test_without_the_mirror_the_lock_files_just_disagree(shop: Any) -> None:
    large_provider(shop)
    first, second = torn_pair(shop)
    shutil.rmtree(shop.mirror)
    looked = shop.look(first, second)
    assert looked.verdicts == {NAME: Verdict.DISPUTED}
    (finding,) = looked.findings
    assert finding.kind is FindingKind.DISPUTED_DIGEST
    assert str(first) in finding.explanation
    assert str(second) in finding.explanation
