"""Which file systems are this computer's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cachewright.holders.mounts import LOCAL_TYPES
from cachewright.locks.filesystems import facts
from cachewright.storage.anchored import Directory


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    made = tmp_path / "a b" / "cache"
    made.mkdir(parents=True)
    return made


def exported(cache: Path, *lines: str) -> bool:
    table = cache.parent.parent / "etab"
    table.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    with Directory.open(os.fsencode(cache)) as root:
        return facts(root, (str(table),)).exported


def test_a_file_system_of_this_computer_is_conclusive(cache: Path) -> None:
    with Directory.open(os.fsencode(cache)) as root:
        found = facts(root)
    assert found.type in LOCAL_TYPES
    assert found.conclusive
    assert found.type in found.why


def test_an_unknown_kind_is_not_local() -> None:
    with Directory.open(b"/proc/self") as root:
        found = facts(root)
    assert (found.type, found.local, found.conclusive) == ("proc", False, False)
    assert "proc" in found.why


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse", "9p", "virtiofs", "ceph", "gfs2"]
)
def test_what_others_share_is_not_on_the_list(kind: str) -> None:
    assert kind not in LOCAL_TYPES


def test_an_export_above_at_or_below_counts(cache: Path) -> None:
    below = cache / "entry"
    below.mkdir()
    for path in (cache.parent, cache, below):
        spelled = str(path).replace(" ", r"\040")
        assert exported(cache, "# Version 1.1", f"{spelled}\t*(rw,sync,no_subtree_check)")


def test_an_export_elsewhere_does_not_count(cache: Path) -> None:
    neighbour = cache.with_name("cache2")
    neighbour.mkdir()
    spelled = str(neighbour).replace(" ", r"\040")
    assert not exported(cache, f"{spelled}\t*(rw)", "# /", "")
    assert not exported(cache, "/proc\t*(rw)"), "another file system, exported whole"
    assert not exported(cache)


@pytest.mark.usefixtures("only_root")
def test_an_export_of_another_mount_of_it_counts(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "srv"
    other.mkdir()
    bind = ["mount", "--bind", str(cache.parent), str(other)]
    if subprocess.run(bind, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        assert exported(cache, f"{other}\t*(rw)")
        assert not exported(cache, f"{other / 'elsewhere'}\t*(rw)")
    finally:
        subprocess.run(["umount", str(other)], check=True)


def test_exports_that_cannot_be_read_count(cache: Path) -> None:
    with Directory.open(os.fsencode(cache)) as root:
        found = facts(root, (str(cache),))  # a directory: there, but not to be read
        assert found.exported
        assert "could not be read" in found.why
        assert not facts(root, (str(cache / "missing"),)).exported
