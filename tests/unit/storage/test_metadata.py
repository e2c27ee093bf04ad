"""What a copy keeps beside the content, on real file systems."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.filesystems import NoMount, missing_tools, scratch

from cachewright.errors import Changed
from cachewright.model import CancelToken
from cachewright.storage import copying, metadata
from cachewright.storage.anchored import Directory
from cachewright.storage.copying import copy_tree
from cachewright.storage.metadata import copy_access, give_owner
from cachewright.storage.reading_back import hash_tree

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
CAPABILITY = "security.capability"
MAY_BIND = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
SOMEBODY = 12345


def access_list(group: int = 0, mask: int = 6) -> bytes:
    """Owner rw, ``SOMEBODY`` rw, owning group as given, others nothing."""
    nobody = 0xFFFFFFFF
    entries = ((1, 6, nobody), (2, 6, SOMEBODY), (4, group, nobody), (16, mask, nobody))
    packed = b"".join(struct.pack("<HHI", *one) for one in (*entries, (32, 0, nobody)))
    return struct.pack("<I", 2) + packed


@pytest.fixture(scope="module", params=["tmpfs", "ext4", "xfs", "btrfs"])
def disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    kind = str(request.param)
    missing = missing_tools((kind,))
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{missing} are not installed: run .ci/setup --dev")
    assert not missing
    try:
        with scratch(kind) as top:
            yield top
    except NoMount as reason:
        pytest.skip(f"this kernel or container mounts no {kind}: {reason}")


@pytest.fixture
def place(disk: Path) -> Path:
    made = disk / str(len(os.listdir(disk)))
    (made / "source").mkdir(parents=True)
    (made / "staging").mkdir()
    return made


def copied(place: Path, *, special_modes: bool = False) -> Path:
    token = CancelToken()
    with (
        Directory.open(os.fsencode(place / "source")) as source,
        Directory.open(os.fsencode(place / "staging")) as staging,
    ):
        told = copy_tree(source, staging, token, special_modes=special_modes)
        assert dict(hash_tree(staging, token)) == dict(told)
    return place / "staging"


def attributes(path: Path) -> dict[str, bytes]:
    """But for those in which xfs shows its access lists once more."""
    names = [name for name in os.listxattr(path) if not name.startswith("trusted.SGI_")]
    return {name: os.getxattr(path, name) for name in names}


def test_attributes_and_access_lists(place: Path) -> None:
    source = place / "source"
    (source / "sub").mkdir()
    for path in (source / "file", source / "sub" / "file"):
        path.write_bytes(b"x")
        os.setxattr(path, "user.origin", b"mirror\0raw\xff")
        os.setxattr(path, "trusted.own", b"not ours to keep")
        os.setxattr(path, ACCESS, access_list())
    os.setxattr(source / "sub", "user.dir", b"1")
    os.setxattr(source / "sub", DEFAULT, access_list(group=4))
    (source / "sub" / "read only").write_bytes(b"x")
    (source / "sub" / "read only").chmod(0o440)
    os.setxattr(source, "user.top", b"1")
    staging = copied(place)
    for name in (".", "file", "sub", "sub/file", "sub/read only"):
        wanted = attributes(source / name)
        wanted.pop("trusted.own", None)
        assert attributes(staging / name) == wanted, name
        if name != ".":
            assert (staging / name).stat().st_mode == (source / name).stat().st_mode
    assert attributes(staging / "file").keys() == {"user.origin", ACCESS}


def test_what_the_staging_place_hands_down_is_taken_away(place: Path) -> None:
    (place / "source" / "sub").mkdir()
    (place / "source" / "sub" / "file").write_bytes(b"x")
    os.setxattr(place / "staging", DEFAULT, access_list())
    staging = copied(place)
    for name in (".", "sub", "sub/file"):
        assert attributes(staging / name) == {}
    assert (staging / "sub" / "file").stat().st_mode & 0o777 == 0o644


def test_nothing_is_taken_away_that_is_not_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but root may even ask to remove a capability."""
    (place / "source" / "file").write_bytes(b"x")

    def forbidden(*_what: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(metadata.os, "removexattr", forbidden)
    assert (copied(place, special_modes=True) / "file").read_bytes() == b"x"


def test_times_of_files_and_directories(place: Path) -> None:
    source = place / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "file").write_bytes(b"x")
    for number, name in enumerate(("a/b/file", "a/b", "a", "."), start=1):
        os.utime(source / name, ns=(10**18 + number, 10**18 + 1000 * number))
    staging = copied(place)
    for number, name in enumerate(("a/b/file", "a/b", "a", "."), start=1):
        assert (staging / name).stat().st_mtime_ns == 10**18 + 1000 * number


def test_set_id_bits_and_capabilities_only_if_asked_for(place: Path) -> None:
    source = place / "source"
    (source / "sub").mkdir()
    (source / "tool").write_bytes(b"x")
    (source / "tool").chmod(0o6755)
    (source / "sub").chmod(0o3775)
    (source / "bind").write_bytes(b"x")
    try:
        os.setxattr(source / "bind", CAPABILITY, MAY_BIND)
    except PermissionError:
        pytest.skip("this container may not set file capabilities")
    staging = copied(place)
    assert [stat.S_IMODE((staging / name).stat().st_mode) for name in ("tool", "sub")] == [
        0o755,
        0o775,
    ]
    assert attributes(staging / "bind") == {}
    (place / "again").mkdir()
    (place / "staging").rename(place / "first")
    (place / "again").rename(place / "staging")
    staging = copied(place, special_modes=True)
    with Directory.open(os.fsencode(staging)) as tree:
        give_owner(tree, 1234, 5678)
    assert [stat.S_IMODE((staging / name).stat().st_mode) for name in ("tool", "sub")] == [
        0o6755,
        0o3775,
    ]
    assert attributes(staging / "bind") == {CAPABILITY: MAY_BIND}
    owners = {
        ((staging / name).stat().st_uid, (staging / name).stat().st_gid)
        for name in os.listdir(staging)
    }
    assert owners == {(1234, 5678)}


def test_hard_links_inside_are_kept_and_none_leads_out(place: Path) -> None:
    source = place / "source"
    (source / "sub").mkdir()
    (source / "one").write_bytes(b"content")
    (source / "sub" / "two").hardlink_to(source / "one")
    (source / "shared").write_bytes(b"also outside")
    (place / "outside").hardlink_to(source / "shared")
    staging = copied(place)
    one, two = (staging / "one").stat(), (staging / "sub" / "two").stat()
    assert (one.st_ino, one.st_nlink) == (two.st_ino, 2)
    assert one.st_ino != (source / "one").stat().st_ino
    assert ((staging / "shared").stat().st_nlink, (place / "outside").stat().st_nlink) == (1, 2)
    (staging / "shared").write_bytes(b"changed")
    assert (place / "outside").read_bytes() == b"also outside"


def test_links_that_the_target_cannot_make_become_copies(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = place / "source"
    (source / "one").write_bytes(b"content")
    (source / "two").hardlink_to(source / "one")

    def no_links(*_names: object, **_more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    staging = copied(place)
    assert [(staging / name).stat().st_nlink for name in ("one", "two")] == [1, 1]
    assert (staging / "two").read_bytes() == b"content"


def test_a_linked_file_written_to_between_its_names_is_noticed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = place / "source"
    (source / "one").write_bytes(b"content")
    (source / "two").hardlink_to(source / "one")
    copy = copying._copy_file

    def then_written(*arguments: object) -> object:
        done = copy(*arguments)  # type: ignore[arg-type]
        (source / "one").write_bytes(b"changed")
        return done

    monkeypatch.setattr(copying, "_copy_file", then_written)
    with pytest.raises(Changed):
        copied(place)


def test_a_directory_that_got_a_name_meanwhile_is_noticed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "source" / "one").write_bytes(b"content")
    copy = copying._copy_file

    def then_more(*arguments: object) -> object:
        done = copy(*arguments)  # type: ignore[arg-type]
        (place / "source" / "more").touch()
        return done

    monkeypatch.setattr(copying, "_copy_file", then_more)
    with pytest.raises(Changed, match="something in it"):
        copied(place)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_access_lists_cannot_be_held_nobody_gets_more(
    place: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The owning group had nothing; the mode alone would give it what the mask allows."""
    source = place / "source"
    (source / "file").write_bytes(b"x")
    os.setxattr(source / "file", ACCESS, access_list(group=0, mask=6))
    os.setxattr(source / "file", "user.any", b"1")
    assert (source / "file").stat().st_mode & 0o777 == 0o660

    def no_attributes(_fd: int, name: str, *_value: bytes) -> None:
        raise OSError(code if name == ACCESS else errno.EOPNOTSUPP, "no")

    monkeypatch.setattr(metadata.os, "setxattr", no_attributes)
    monkeypatch.setattr(metadata.os, "removexattr", no_attributes)
    staging = copied(place)
    assert (staging / "file").stat().st_mode & 0o777 == 0o600


def test_any_other_failure_of_an_attribute_is_an_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "source" / "file").write_bytes(b"x")
    os.setxattr(place / "source" / "file", "user.any", b"1")

    def full(*_what: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(metadata.os, "setxattr", full)
    with pytest.raises(OSError, match="No space"):
        copied(place)


def test_access_of_a_directory_alone(place: Path) -> None:
    source, staging = place / "source", place / "staging"
    os.setxattr(source, ACCESS, access_list())
    os.setxattr(source, DEFAULT, access_list())
    os.setxattr(source, "user.any", b"1")
    with (
        Directory.open(os.fsencode(source)) as one,
        Directory.open(os.fsencode(staging)) as other,
    ):
        copy_access(one.fd, other.fd)
    assert attributes(staging) == {ACCESS: access_list(), DEFAULT: access_list()}
    assert staging.stat().st_mode == source.stat().st_mode
