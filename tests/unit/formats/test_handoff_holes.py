"""Ranges that were never written, as far as the file system tells."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_trees import Folder, Verdict, digest

from cachewright.formats import handoff_holes, handoff_knowledge
from cachewright.formats.handoff import Handoff
from cachewright.formats.handoff_holes import Filling, filling, look, range_words, size_words
from cachewright.locks.filesystems import FilesystemFacts
from cachewright.model import FindingKind, Says
from cachewright.storage.anchored import Directory

MIB = 1 << 20


def of(place: Path, kind: str = "ext4") -> Filling:
    fd = os.open(place, os.O_RDONLY)
    try:
        return filling(fd, os.fstat(fd), kind)
    finally:
        os.close(fd)


def reserved(place: Path, size: int, *written: tuple[int, bytes]) -> Path:
    """Room for the whole file is there from the start, as boto3's process pool and aria2 do it."""
    with place.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        for offset, content in written:
            os.pwrite(file.fileno(), content, offset)
    return place


def test_a_written_file_has_none(tmp_path: Path) -> None:
    place = tmp_path / "whole"
    place.write_bytes(b"x" * (MIB + 17))
    assert of(place) == Filling(MIB + 17)
    place.write_bytes(b"")
    assert of(place) == Filling(0)


def test_holes_in_front_between_and_behind(tmp_path: Path) -> None:
    place = tmp_path / "file"
    with place.open("wb") as file:
        file.truncate(5 * MIB)
        for offset in (MIB, 3 * MIB):
            os.pwrite(file.fileno(), b"x" * MIB, offset)
    found = of(place)
    assert found.missing == ((0, MIB), (2 * MIB, 3 * MIB), (4 * MIB, 5 * MIB))
    assert found.missing_bytes == 3 * MIB
    assert not found.unknown


def test_zeros_that_were_written_are_no_hole(tmp_path: Path) -> None:
    place = tmp_path / "zeros"
    place.write_bytes(bytes(MIB))
    assert of(place).missing == ()


def test_reserved_room_is_told_even_after_it_was_read(tmp_path: Path) -> None:
    place = reserved(tmp_path / "file", 4 * MIB, (MIB, b"x" * MIB))
    expected = ((0, MIB), (2 * MIB, 4 * MIB))
    assert of(place).missing == expected
    place.read_bytes()
    assert of(place).missing == expected


def test_reserved_room_that_was_written_a_moment_ago_is_not_missing(tmp_path: Path) -> None:
    place = reserved(tmp_path / "file", MIB, (0, b"x" * MIB))
    assert of(place).missing == ()


def test_very_many_ranges_are_not_all_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff_holes, "_RANGES_AT_MOST", 5)
    place = tmp_path / "file"
    with place.open("wb") as file:
        file.truncate(40 * 8192)
        for number in range(20):
            os.pwrite(file.fileno(), b"x" * 4096, number * 16384)
    found = of(place)
    assert len(found.missing) == 5
    assert found.more


@pytest.mark.parametrize("kind", ["vfat", "fuse.sshfs", "9p", ""])
def test_a_file_system_that_cannot_tell_is_said_to(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"x" * MIB)
    assert "does not tell which ranges of a file were written" in of(place, kind).unknown


def test_a_hole_is_believed_wherever_it_is_told_of(tmp_path: Path) -> None:
    place = tmp_path / "file"
    with place.open("wb") as file:
        file.truncate(MIB)
    assert of(place, "fuse.sshfs").missing == ((0, MIB),)


def test_no_answer_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"x")

    def seek(_fd: int, _at: int, _how: int) -> int:
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(os, "lseek", seek)
    assert "is not known" in of(place).unknown


def test_another_file_by_the_same_name_is_not_looked_at(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"x")
    found = place.stat()
    with Directory.open(os.fsencode(tmp_path)) as root:
        assert look(root, b"file", (found.st_dev, found.st_ino), "ext4") == Filling(1)
        assert look(root, b"file", (found.st_dev, found.st_ino + 1), "ext4") is None
        assert look(root, b"gone", (found.st_dev, found.st_ino), "ext4") is None


def test_a_file_that_should_be_longer() -> None:
    assert Filling(10).up_to(15).missing == ((10, 15),)
    assert Filling(10, ((8, 10),)).up_to(15).missing == ((8, 15),)
    assert Filling(10).up_to(10).missing == ()


def test_words() -> None:
    assert size_words(1) == "1 byte"
    assert size_words(999) == "999 bytes"
    assert size_words(MIB) == "1.0 MB (1,048,576 bytes)"
    many = tuple((at * 10, at * 10 + 5) for at in range(5))
    assert range_words(many) == "0 to 4, 10 to 14, 20 to 24 and 2 more ranges"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "folder"
    path.mkdir()
    return Folder(path, Handoff())


def test_what_hashing_hides_was_looked_at_before(folder: Folder) -> None:
    reserved(folder.path / "data.bin", 2 * MIB, (0, b"x" * MIB))
    looked = folder.look()
    assert looked.verdicts == {"data.bin": Verdict.INCOMPLETE}
    assert "bytes 1,048,576 to 2,097,151." in looked.why("data.bin")
    assert folder.look().why("data.bin") == looked.why("data.bin")


def test_where_nobody_can_tell_that_is_said(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff_holes, "TELLING", frozenset())
    folder.put("data.bin", b"x" * 5000)
    looked = folder.look()
    assert looked.verdicts == {"data.bin": Verdict.UNVERIFIABLE}
    assert "whether any is missing is not known" in looked.why("data.bin")
    folder.put("data.bin.part", b"x" * 5000)
    assert "is not known" in folder.look().why("data.bin.part")


WRITER = "import sys; f = open(sys.argv[1], 'r+b'); print('ready', flush=True); sys.stdin.read()"


@pytest.mark.parametrize("name", ["data.bin.part", "data.bin"])
def test_who_does_not_show_in_the_list_of_processes_still_keeps_it_busy(
    folder: Folder, child: Callable[..., Any], name: str
) -> None:
    """Here nobody looks at processes at all: the kernel alone says that somebody writes."""
    place = folder.put(name, b"half")
    folder.put("data.bin.sha256", digest(b"half and half"))
    with child(WRITER, place):
        looked = folder.look()
    assert looked.verdicts == {name: Verdict.BUSY}
    finding = looked.one(FindingKind.BUSY_ENTRY)
    assert (
        "A process that cannot be named from here has it open for writing." in finding.explanation
    )
    assert finding.repairs == ()
    bad = folder.look()
    assert bad.verdicts[name] in {Verdict.INCOMPLETE, Verdict.CORRUPT}


def test_that_nobody_writes_is_evidence(folder: Folder) -> None:
    folder.put("data.bin.part", b"half")
    finding = folder.look().one(FindingKind.INCOMPLETE_ENTRY)
    (said,) = (one for one in finding.evidence if one.fact == "writers")
    assert said.says is Says.DEAD
    assert "nobody on this computer has it open for writing" in finding.explanation


def test_of_a_file_system_with_a_server_behind_it_the_kernel_is_not_asked(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4.")
    monkeypatch.setattr(handoff_knowledge.filesystems, "facts", lambda _root: far)
    folder.put("data.bin.part", b"half")
    finding = folder.look().one(FindingKind.INCOMPLETE_ENTRY)
    (said,) = (one for one in finding.evidence if one.fact == "writers")
    assert said.says is Says.UNKNOWN
    assert "nobody who could be inspected has it open for writing" in finding.explanation


def test_what_is_told_while_somebody_writes(folder: Folder) -> None:
    place = folder.put("data.bin.6eF3aB12")
    with place.open("r+b") as file:
        file.truncate(2 * MIB)
        file.write(b"x" * MIB)
    with folder.read() as (_root, _tree, knowledge):
        (entry,) = knowledge.entries
        with place.open("r+b") as file:
            file.seek(MIB)
            file.write(b"y" * (MIB // 2))
        said = knowledge.while_written(entry)
    assert "boto3" in said
    assert "bytes 1,572,864 to 2,097,151." in said
    assert "Its size was not believed" in said
