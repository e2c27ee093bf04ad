"""What may be published from, and what of it arrives."""

from __future__ import annotations

import os
import stat
import struct
import tarfile
from pathlib import Path

import pytest

from cachewright.errors import SourceUnusable
from cachewright.model import CancelToken, Result
from cachewright.repair.journal import Journal
from cachewright.repair.publish import publish
from cachewright.repair.sources import write_source
from cachewright.repair.undo import undo
from cachewright.storage.anchored import Directory

ACCESS = "system.posix_acl_access"
HOLE = 1 << 20


@pytest.fixture
def target(tmp_path: Path) -> Path:
    entry = tmp_path / "cache" / "entry"
    entry.mkdir(parents=True)
    (entry / "f").write_bytes(b"old")
    return entry


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_a_tar_works_like_a_zip(target: Path, tmp_path: Path, packing: str) -> None:
    (tmp_path / "built" / "bin").mkdir(parents=True)
    (tmp_path / "built" / "bin" / "tool").write_bytes(b"#!new")
    (tmp_path / "built" / "bin" / "tool").chmod(0o755)
    packed = tmp_path / "named anyhow"
    with tarfile.open(packed, f"w:{packing}") as archive:
        archive.add(tmp_path / "built", arcname=".")
    done = publish(target, packed, state_dir=tmp_path / "state")
    assert list(done.digests) == [b"bin/tool"]
    assert (target / "bin" / "tool").read_bytes() == b"#!new"
    assert stat.S_IMODE((target / "bin" / "tool").stat().st_mode) == 0o755
    journal = Journal.open(os.fsencode(tmp_path / "state"))
    assert undo(journal, done.undo).result is Result.DONE
    journal.close()
    assert (target / "f").read_bytes() == b"old"


def test_a_harmful_tar_changes_nothing(target: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("fine"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, os.fspath(tmp_path)
        archive.addfile(link)
    with pytest.raises(SourceUnusable, match="a link"):
        publish(target, tmp_path / "bad.tgz", state_dir=tmp_path / "state")
    assert (target / "f").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path / ".cachewright-quarantine")) == ["lock"]


def test_what_is_no_archive_is_told_what_is(target: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive at all\n" * 100)
    with pytest.raises(SourceUnusable, match=r"no archive; read are .*tar\.xz"):
        publish(target, tmp_path / "text", state_dir=tmp_path / "state")


def test_all_that_is_kept_arrives_at_the_target(target: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "one").write_bytes(b"content")
    (source / "two").hardlink_to(source / "sub" / "one")
    os.setxattr(source / "two", "user.origin", b"mirror")
    with (source / "disk").open("wb") as file:
        file.truncate(HOLE)
    for name in ("sub/one", "sub", "disk"):
        os.utime(source / name, ns=(10**18, 10**18))
    publish(target, source, state_dir=tmp_path / "state")
    one, two = (target / "sub" / "one").stat(), (target / "two").stat()
    assert (one.st_ino, one.st_nlink) == (two.st_ino, 2)
    assert os.getxattr(target / "two", "user.origin") == b"mirror"
    assert ((target / "disk").stat().st_size, (target / "disk").stat().st_blocks) == (HOLE, 0)
    for name in ("sub/one", "sub", "disk"):
        assert (target / name).stat().st_mtime_ns == 10**18


@pytest.mark.usefixtures("only_root")
def test_the_new_one_is_whose_the_old_one_was(target: Path, tmp_path: Path) -> None:
    """Owner, mode and access list of the old top directory; the owner of all that is in it."""
    nobody = 0xFFFFFFFF
    entries = ((1, 7, nobody), (2, 5, 4321), (4, 0, nobody), (16, 5, nobody), (32, 0, nobody))
    listed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)
    os.setxattr(target, ACCESS, listed)
    os.chown(target, 1234, 5678)
    before = target.stat()
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_bytes(b"new")
    publish(target, source, state_dir=tmp_path / "state")
    assert os.getxattr(target, ACCESS) == listed
    after = target.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, 1234, 5678)
    for name in ("sub", "sub/f"):
        found = (target / name).stat()
        assert (found.st_uid, found.st_gid) == (1234, 5678)
        assert ACCESS not in os.listxattr(target / name)


@pytest.mark.parametrize("special_modes", [False, True])
def test_special_modes_of_a_directory_only_if_the_format_asks(
    tmp_path: Path, special_modes: bool
) -> None:
    for name in ("source", "staging"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "su").write_bytes(b"x")
    (tmp_path / "source" / "su").chmod(0o4755)
    with Directory.open(os.fsencode(tmp_path / "staging")) as staging:
        write_source(
            os.fsencode(tmp_path / "source"),
            "entry",
            staging,
            CancelToken(),
            special_modes=special_modes,
        )
    mode = stat.S_IMODE((tmp_path / "staging" / "su").stat().st_mode)
    assert mode == (0o4755 if special_modes else 0o755)
