"""File systems that are full, read-only or made of layers: a sentence, and nothing half done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Result, StepKind
from cachewright.repair.journal import Journal
from cachewright.storage.anchored import Directory

ENTRY = StepKind.QUARANTINE_ENTRY
STAGING = StepKind.QUARANTINE_STAGING
REPUBLISH = StepKind.REPUBLISH_ENTRY

Mount = Callable[..., Path]


@pytest.fixture
def mount(only_root: None, tmp_path: Path) -> Iterator[Mount]:
    """Mounts something at a new folder; skips where this container may not."""
    del only_root
    made: list[Path] = []

    def at(name: str, *arguments: str) -> Path:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *arguments, place], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"this system may not mount here: {done.stderr.decode().strip()}")
        made.append(place)
        return place

    yield at
    for place in reversed(made):
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def on(bench: Any, tmp_path: Path) -> Iterator[Callable[[Path], Any]]:
    """The same cache, copied to another place; its journal lies elsewhere."""
    opened: list[Any] = []

    def placed(place: Path, *, copy: bool = True) -> Any:
        if copy:
            subprocess.run(["cp", "-a", bench.path, place / "cache"], check=True)
        root = Directory.open(os.fsencode(place / "cache"))
        journal = Journal.open(os.fsencode(tmp_path / "state-there"))
        opened.extend((root, journal))
        return type(bench)(place / "cache", root, journal)

    yield placed
    for one in opened:
        one.close()


def listing(top: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(one.relative_to(top)): (
            one.lstat().st_ino,
            one.read_bytes() if one.is_file() else b"",
        )
        for one in sorted(top.rglob("*"))
    }


def fill(place: Path) -> None:
    """Until not one more byte or name fits."""
    with suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with suppress(OSError):
        for number in range(100_000):
            (place / f"f{number}").touch()
    left = os.statvfs(place)
    assert (left.f_bavail, left.f_favail) == (0, 0)


@pytest.mark.parametrize("step", [ENTRY, STAGING, REPUBLISH])
def test_a_full_disk(mount: Mount, on: Any, step: StepKind) -> None:
    place = mount("full", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "none")
    there = on(place)
    there.knowledge.good_copies = [there.good_copy()]
    (place / ".cachewright-quarantine").mkdir(mode=0o700)
    (place / ".cachewright-quarantine" / "lock").touch()
    plan = there.plan_of(step, ".tmp-1" if step is STAGING else "bad")
    fill(place)
    before = listing(place)
    (outcome,) = there.run(plan)
    assert outcome.result is Result.FAILED
    assert outcome.reason == "No space left on device. Nothing was changed."
    assert listing(place) == before


def test_a_disk_that_is_full_half_way_through_a_copy(mount: Mount, on: Any) -> None:
    place = mount("small", "-t", "tmpfs", "-o", "size=1m", "none")
    there = on(place)
    there.knowledge.good_copies = [there.good_copy()]
    (place / "filler").write_bytes(bytes((1 << 20) - (100 << 10)))
    big = place.parent / "big"
    big.mkdir()
    (big / "data").write_bytes(b"x" * (1 << 20))
    plan, before = there.plan_of(REPUBLISH, "bad", source=os.fsencode(big)), listing(place)
    (outcome,) = there.run(plan)
    assert outcome.result is not Result.DONE
    after = listing(place)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {".cachewright-quarantine", ".cachewright-quarantine/lock"}


def test_a_read_only_disk(mount: Mount, on: Any) -> None:
    place = mount("ro", "-t", "tmpfs", "none")
    there = on(place)
    plan, before = there.plan_of(ENTRY, "bad"), listing(place)
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    (outcome,) = there.run(plan)
    assert outcome.result is Result.REFUSED
    assert "Read-only file system" in outcome.reason
    assert listing(place) == before


def test_a_directory_in_an_image_layer(mount: Mount, on: Any, bench: Any) -> None:
    top = mount("layers", "-t", "tmpfs", "none")
    for name in ("lower", "upper", "work"):
        (top / name).mkdir()
    subprocess.run(["cp", "-a", bench.path, top / "lower" / "cache"], check=True)
    layers = f"lowerdir={top}/lower,upperdir={top}/upper,workdir={top}/work"
    place = mount("merged", "-t", "overlay", "-o", f"{layers},redirect_dir=off", "overlay")
    there = on(place, copy=False)
    before = listing(place / "cache")
    for step, name in ((ENTRY, "bad"), (STAGING, ".tmp-1")):
        (outcome,) = there.run(there.plan_of(step, name))
        assert outcome.result is Result.REFUSED
        assert "image layer" in outcome.reason
    assert listing(place / "cache") == before
    assert os.listdir(place / ".cachewright-quarantine") == ["lock"]
