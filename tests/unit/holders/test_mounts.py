"""Mounts as the kernel tells them."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from cachewright.holders.mounts import Mount, covering, mount_of, mounts, unescape


def test_the_mount_of_a_descriptor_is_what_others_say(tmp_path: Path) -> None:
    points = {one.mountpoint: one.fstype for one in psutil.disk_partitions(all=True)}
    above = next(str(one) for one in [tmp_path, *tmp_path.parents] if str(one) in points)
    fd = os.open(tmp_path, os.O_RDONLY)
    mount = mount_of(fd)
    os.close(fd)
    assert mount is not None
    assert (os.fsdecode(mount.point), mount.type) == (above, points[above])


def test_proc_is_not_local() -> None:
    fd = os.open("/proc/self", os.O_RDONLY)
    mount = mount_of(fd)
    os.close(fd)
    assert mount is not None
    assert mount.type == "proc"
    assert not mount.local


def test_a_closed_descriptor_has_no_mount(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    os.close(fd)
    assert mount_of(fd) is None


def test_blanks_in_names_are_undone() -> None:
    assert unescape(rb"/a\040b\134c\011d") == b"/a b\\c\td"


def made(number: int, point: bytes) -> Mount:
    return Mount(number, number, b"/", point, "ext4", "rw")


@pytest.mark.parametrize(
    ("path", "expected"),
    [(b"/a/b/c", 3), (b"/a/b", 3), (b"/a/bc", 2), (b"/a", 2), (b"/x", 1), (b"/", 1)],
)
def test_the_deepest_mount_covers(path: bytes, expected: int) -> None:
    table = (made(1, b"/"), made(2, b"/a"), made(3, b"/a/b"))
    found = covering(path, table)
    assert found is not None
    assert found.id == expected


def test_of_two_mounts_on_one_point_the_later_shows() -> None:
    found = covering(b"/a/x", (made(1, b"/a"), made(2, b"/a")))
    assert found is not None
    assert found.id == 2


def test_what_is_mounted_while_we_look_shows(tmp_path: Path) -> None:
    known = {mount.point for mount in mounts()}
    assert b"/proc" in known
    assert os.fsencode(tmp_path) not in known
