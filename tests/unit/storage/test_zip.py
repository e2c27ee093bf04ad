from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cachewright.errors import Cancelled, SourceUnusable
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.storage.archives.limits import ArchiveLimits
from cachewright.storage.archives.zip_content import ZipContent
from cachewright.storage.reading_back import hash_tree

Fill = Callable[[zipfile.ZipFile], None]


def info(name: str, mode: int = stat.S_IFREG | 0o644, system: int = 3) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.filename = name  # the class would cut a NUL and turn separators
    made.create_system = system
    made.compress_type = zipfile.ZIP_DEFLATED
    made.external_attr = mode << 16
    return made


@pytest.fixture
def made(tmp_path: Path) -> Callable[[Fill], bytes]:
    def make(fill: Fill) -> bytes:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            fill(archive)
        return os.fsencode(tmp_path / "a.zip")

    return make


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / "staging").mkdir()
    with Directory.open(os.fsencode(tmp_path / "staging")) as directory:
        yield directory


def good(archive: zipfile.ZipFile) -> None:
    archive.writestr(info("bin/tool", stat.S_IFREG | 0o4757), b"#!" * 100_000)
    archive.writestr(info("docs/", stat.S_IFDIR | 0o755), b"")
    archive.writestr(info("LICENSE", 0, system=0), b"free")
    archive.writestr(info("odd/\N{LATIN SMALL LETTER E WITH ACUTE}"), b"")


def test_unpacks_what_it_says(made: Callable[[Fill], bytes], staging: Directory) -> None:
    path = made(good)
    token = CancelToken()
    with ZipContent.open(path) as archive:
        names = [(member.name, member.directory) for member in archive.members]
        written = archive.write_into(staging, token)
        assert archive.digest(["sha256"], token) == written
        assert (
            archive.whole_digest(token)
            == hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
        )
    assert names == [
        (b"LICENSE", False),
        (b"bin/tool", False),
        (b"docs", True),
        ("odd/é".encode(), False),
    ]
    assert dict(hash_tree(staging, token)) == dict(written)
    assert staging.stat(b"bin/tool").st_mode & 0o7777 == 0o755
    assert staging.stat(b"LICENSE").st_mode & 0o7777 == 0o644
    assert staging.names(b"docs") == []


def test_reads_one_member_up_to_a_limit(made: Callable[[Fill], bytes]) -> None:
    token = CancelToken()
    with ZipContent.open(made(good)) as archive:
        assert archive.read(b"LICENSE", 4, token) == b"free"
        for name, limit, reason in (
            (b"LICENSE", 3, "larger than 3 bytes"),
            (b"docs", 9, "a member is missing"),
            (b"none", 9, "a member is missing"),
        ):
            with pytest.raises(SourceUnusable, match=reason):
                archive.read(name, limit, token)


def test_raw_names_survive(made: Callable[[Fill], bytes], staging: Directory) -> None:
    path = made(lambda archive: archive.writestr(info("aaaa"), b"x"))
    file = Path(os.fsdecode(path))
    file.write_bytes(file.read_bytes().replace(b"aaaa", b"\xff\xfea\x80"))
    with ZipContent.open(path) as archive:
        archive.write_into(staging, CancelToken())
    assert staging.names() == [b"\xff\xfea\x80"]


def link(archive: zipfile.ZipFile) -> None:
    archive.writestr(info("link", stat.S_IFLNK | 0o777), b"/etc")
    archive.writestr(info("link/passwd"), b"x")


HOSTILE_NAMES = {
    "parent": "../out",
    "deep parent": "a/../../out",
    "absolute": "/out",
    "double slash": "a//b",
    "dot": "./a",
    "only dots": "..",
    "parent directory": "../",
    "backslash": "a\\b",
    "backslash parent": "..\\out",
    "drive": "C:\\out",
    "long component": "n" * 256,
    "long path": "/".join(["n" * 200] * 21),
    "too deep": "/".join(["d"] * 129),
    "empty": "/",
}

HOSTILE_KINDS = {
    "symlink": stat.S_IFLNK | 0o777,
    "device": stat.S_IFCHR | 0o666,
    "block device": stat.S_IFBLK | 0o666,
    "fifo": stat.S_IFIFO | 0o666,
    "socket": stat.S_IFSOCK | 0o666,
    "directory without slash": stat.S_IFDIR | 0o755,
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES.keys())
@pytest.mark.parametrize("directory", [False, True], ids=["file", "directory"])
def test_names_that_lead_elsewhere_make_it_unusable(
    made: Callable[[Fill], bytes], name: str, directory: bool
) -> None:
    name = name.rstrip("/") + "/" if directory else name
    mode = stat.S_IFDIR | 0o755 if directory else stat.S_IFREG | 0o644

    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr(info("fine"), b"x")
        archive.writestr(info(name, mode), b"")

    with pytest.raises(SourceUnusable):
        ZipContent.open(made(fill))


@pytest.mark.parametrize("mode", HOSTILE_KINDS.values(), ids=HOSTILE_KINDS.keys())
def test_only_files_and_directories_are_taken(made: Callable[[Fill], bytes], mode: int) -> None:
    with pytest.raises(SourceUnusable):
        ZipContent.open(made(lambda archive: archive.writestr(info("a", mode), b"/etc/passwd")))


def test_a_link_to_write_through_makes_it_unusable(made: Callable[[Fill], bytes]) -> None:
    with pytest.raises(SourceUnusable):
        ZipContent.open(made(link))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "a/"), ("a", "a/b"), ("a/b", "a"), ("a/", "a/")]
)
def test_one_name_for_two_things_makes_it_unusable(
    made: Callable[[Fill], bytes], names: tuple[str, str]
) -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        for name in names:
            directory = name.endswith("/")
            archive.writestr(info(name, stat.S_IFDIR if directory else stat.S_IFREG), b"")

    with pytest.raises(SourceUnusable):
        ZipContent.open(made(fill))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (ArchiveLimits(members=2), "members"),
        (ArchiveLimits(total_bytes=1000), "unpack to"),
        (ArchiveLimits(ratio=10, harmless_bytes=1000), "times its size"),
        (ArchiveLimits(list_bytes=10), "list of members"),
    ],
)
def test_bombs_are_refused_by_what_they_declare(
    made: Callable[[Fill], bytes], limits: ArchiveLimits, why: str
) -> None:
    with pytest.raises(SourceUnusable, match=why):
        ZipContent.open(made(good), limits)


def patched(path: bytes, find: bytes, by: bytes, count: int = -1) -> None:
    file = Path(os.fsdecode(path))
    content = file.read_bytes()
    assert find in content
    file.write_bytes(content.replace(find, by, count))


def unpack(path: bytes, staging: Directory) -> None:
    with ZipContent.open(path) as archive:
        archive.write_into(staging, CancelToken())


def test_changed_content_is_noticed_by_its_crc(
    made: Callable[[Fill], bytes], staging: Directory
) -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr(info("a"), b"content", zipfile.ZIP_STORED)

    path = made(fill)
    patched(path, b"content", b"Content")
    with pytest.raises(SourceUnusable, match="CRC"):
        unpack(path, staging)


def test_content_longer_or_shorter_than_declared_is_noticed(
    made: Callable[[Fill], bytes], staging: Directory
) -> None:
    path = made(lambda archive: archive.writestr(info("a"), b"z" * 100_000))
    size = struct.pack("<L", 100_000)
    original = Path(os.fsdecode(path)).read_bytes()
    for declared in (99_999, 100_001):
        Path(os.fsdecode(path)).write_bytes(original)
        patched(path, size, struct.pack("<L", declared))
        with pytest.raises(SourceUnusable):
            unpack(path, staging)
        os.unlink(b"a", dir_fd=staging.fd)


@pytest.mark.parametrize("keep", [0, 10, 100, -30, -1])
def test_a_cut_off_archive_is_unusable(
    made: Callable[[Fill], bytes], staging: Directory, keep: int
) -> None:
    path = made(good)
    file = Path(os.fsdecode(path))
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(SourceUnusable):
        unpack(path, staging)


def test_every_changed_byte_is_harmless(made: Callable[[Fill], bytes], tmp_path: Path) -> None:
    """Whatever byte is wrong: unpacked as before, or unusable; nothing else, nothing outside."""

    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr(info("a/b"), b"b" * 50)
        archive.writestr(info("c/", stat.S_IFDIR | 0o755), b"")

    path = made(fill)
    file = Path(os.fsdecode(path))
    original = file.read_bytes()
    place = tmp_path / "places"
    place.mkdir()
    before = sorted(os.listdir(tmp_path))
    for at in range(len(original)):
        file.write_bytes(original[:at] + bytes([original[at] ^ 0xFF]) + original[at + 1 :])
        (place / str(at)).mkdir()
        with Directory.open(os.fsencode(place / str(at))) as staging:
            try:
                unpack(path, staging)
            except SourceUnusable:
                continue
            digests = hash_tree(staging, CancelToken())
            assert all(digest.size == 50 for digest in digests.values())
    assert sorted(os.listdir(tmp_path)) == before
    assert len(os.listdir(place)) == len(original)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(made: Callable[[Fill], bytes], method: int) -> None:
    with pytest.raises(SourceUnusable, match="packed"):
        ZipContent.open(made(lambda archive: archive.writestr(info("a"), b"x", method)))


def test_encrypted_members_are_refused(made: Callable[[Fill], bytes]) -> None:
    path = made(lambda archive: archive.writestr(info("a"), b"x"))
    content = bytearray(Path(os.fsdecode(path)).read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    Path(os.fsdecode(path)).write_bytes(content)
    with pytest.raises(SourceUnusable, match="encrypted"):
        ZipContent.open(path)


def test_what_is_no_archive_is_unusable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("no zip")
    for name in ("fifo", "text", "missing", "."):
        with pytest.raises(SourceUnusable):
            ZipContent.open(os.fsencode(tmp_path / name))


def test_nothing_is_ever_overwritten(made: Callable[[Fill], bytes], staging: Directory) -> None:
    os.symlink(b"../canary", b"LICENSE", dir_fd=staging.fd)
    with pytest.raises(FileExistsError):
        unpack(made(good), staging)


def test_stops_when_asked(made: Callable[[Fill], bytes], staging: Directory) -> None:
    token = CancelToken()
    token.cancel()
    with ZipContent.open(made(good)) as archive, pytest.raises(Cancelled):
        archive.write_into(staging, token)


def test_an_unusable_archive_leaves_no_descriptor_open(made: Callable[[Fill], bytes]) -> None:
    path = made(link)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SourceUnusable):
        ZipContent.open(path)
    assert len(os.listdir("/proc/self/fd")) == before
