from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.hostile.archives_tar_writer import END, ahead, extended, file, header, tar_of
from tests.hostile.archives_zip_writer import DEFLATED, Part, zip_of

from cachewright.errors import Cancelled, SourceUnusable
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.storage.archives.kinds import open_archive
from cachewright.storage.archives.limits import ArchiveLimits, Unhurried, Watch
from cachewright.storage.archives.packing import Inflate
from cachewright.storage.archives.tar_content import TarContent
from cachewright.storage.archives.zip_content import ZipContent
from cachewright.storage.reading_back import hash_tree

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
LONG = "/".join(["a directory with a name of some length"] * 5) + "/file"
TOOL = b"#!tool" * 500_000


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / "staging").mkdir()
    with Directory.open(os.fsencode(tmp_path / "staging")) as directory:
        yield directory


def honest(form: int) -> bytes:
    """As Python's own module writes it, from a directory as ``tar -C`` does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for name, content, mode in (
            ("./", None, 0o755),
            ("./bin/tool", TOOL, 0o6777),
            ("./docs", None, 0o550),
            ("./" + LONG, b"long", 0o600),
            ("./\N{LATIN SMALL LETTER E WITH ACUTE}", b"", 0o444),
        ):
            info = tarfile.TarInfo(name)
            info.mode = mode
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            archive.addfile(info, io.BytesIO(content or b""))
    return packed.getvalue()


def stored(tmp_path: Path, content: bytes) -> bytes:
    (tmp_path / "archive").write_bytes(content)
    return os.fsencode(tmp_path / "archive")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_unpacks_what_honest_writers_pack(
    tmp_path: Path, staging: Directory, form: int, pack: Callable[[bytes], bytes]
) -> None:
    path, token = stored(tmp_path, pack(honest(form))), CancelToken()
    with open_archive(path, token) as archive:
        written = archive.write_into(staging, token)
        assert archive.digest(["sha256"], token) == written
        assert archive.read(os.fsencode(LONG), 4, token) == b"long"
        whole = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
        assert archive.whole_digest(token) == whole
        assert [one.name for one in archive.members if one.directory] == [b"docs"]
    assert dict(hash_tree(staging, token)) == dict(written)
    assert written.keys() == {b"bin/tool", os.fsencode(LONG), "é".encode()}
    assert written[b"bin/tool"].sha256 == hashlib.sha256(TOOL).hexdigest()
    modes = {name: staging.stat(name).st_mode & 0o7777 for name in (b"bin/tool", b"docs", b"bin")}
    assert modes == {b"bin/tool": 0o775, b"docs": 0o750, b"bin": 0o755}


def test_kinds_are_told_by_content(tmp_path: Path) -> None:
    token = CancelToken()
    with open_archive(stored(tmp_path, zip_of(Part(b"a"))), token) as archive:
        assert isinstance(archive, ZipContent)
    with open_archive(stored(tmp_path, END), token) as archive:
        assert isinstance(archive, TarContent)
        assert archive.members == ()
    for content, why in (
        (b"", "no archive"),
        (b"text" * 200, "no archive"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ):
        with pytest.raises(SourceUnusable, match=why):
            open_archive(stored(tmp_path, content), token)


def test_sizes_of_more_than_33_bits_are_taken_from_ahead(
    tmp_path: Path, staging: Directory
) -> None:
    content = tar_of(extended(size=b"7"), header(b"a") + b"content".ljust(512, b"\0"))
    with TarContent.open(stored(tmp_path, content)) as archive:
        archive.write_into(staging, CancelToken())
    assert staging.read(b"a", 9) == b"content"


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (ArchiveLimits(members=1), "more than 1 members"),
        (ArchiveLimits(total_bytes=1000), "would unpack to"),
        (ArchiveLimits(ratio=3, harmless_bytes=1000), "times its size"),
        (ArchiveLimits(list_bytes=8), "list of members is too long"),
        (ArchiveLimits(header_bytes=9), "a header of it is too long"),
    ],
)
def test_limits(tmp_path: Path, limits: ArchiveLimits, why: str) -> None:
    members = ahead(b"L", b"name of a file\0"), file(b"x"), file(b"y", bytes(60_000))
    with pytest.raises(SourceUnusable, match=why):
        TarContent.open(stored(tmp_path, gzip.compress(tar_of(*members))), limits)


def test_padding_behind_the_end_has_a_limit(tmp_path: Path) -> None:
    content = tar_of(file(b"a")) + bytes(4096)
    TarContent.open(stored(tmp_path, content), ArchiveLimits(list_bytes=4096)).close()
    with pytest.raises(SourceUnusable, match="follows its end"):
        TarContent.open(stored(tmp_path, content), ArchiveLimits(list_bytes=4095))


class Clock:
    """Goes a second further each time that it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.mark.parametrize("kind", [TarContent, ZipContent])
def test_time_has_a_limit(
    tmp_path: Path, staging: Directory, kind: type[TarContent | ZipContent]
) -> None:
    content = bytes(8 << 20)
    packed = {
        TarContent: gzip.compress(tar_of(file(b"a", content))),
        ZipContent: zip_of(Part(b"a", content, 0, DEFLATED)),
    }[kind]
    path = stored(tmp_path, packed)
    with kind.open(path, ArchiveLimits(seconds=4), clock=lambda: 0.0) as archive:
        archive.write_into(staging, CancelToken())
    with (
        pytest.raises(SourceUnusable, match="longer than 4 seconds"),
        kind.open(path, ArchiveLimits(seconds=4), clock=Clock()) as archive,
    ):
        archive.digest(["sha256"], CancelToken())


def test_a_pause_is_no_time_of_the_archive() -> None:
    clock = Clock()

    class Paused:
        def check(self) -> None:
            clock.now += 1000

    watch = Watch(ArchiveLimits(seconds=50), Paused(), clock)
    for _block in range(10):
        watch.check()
    watch = Watch(ArchiveLimits(seconds=5), Unhurried(), clock)
    for _block in range(5):
        watch.check()
    with pytest.raises(ValueError, match="longer than 5 seconds"):
        watch.check()


def test_stops_when_asked(tmp_path: Path, staging: Directory) -> None:
    path, token = stored(tmp_path, gzip.compress(honest(tarfile.PAX_FORMAT))), CancelToken()
    with TarContent.open(path) as archive:
        token.cancel()
        with pytest.raises(Cancelled):
            archive.write_into(staging, token)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Cancelled):
        open_archive(path, token)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("pack", [zip_of, None], ids=["zip", "tar"])
def test_an_archive_written_to_while_it_is_read_is_not_believed(
    tmp_path: Path, staging: Directory, pack: object
) -> None:
    """Names were judged in the first pass: the second can only give other bytes, and tells."""
    content = zip_of(Part(b"a")) if pack else tar_of(file(b"a"))
    path = stored(tmp_path, content)
    with open_archive(path, CancelToken()) as archive:
        Path(os.fsdecode(path)).write_bytes(content.replace(b"content", b"CONTENT"))
        with pytest.raises(SourceUnusable):
            archive.write_into(staging, CancelToken())
        with pytest.raises(SourceUnusable):
            archive.digest(["sha256"], CancelToken())
        with pytest.raises(SourceUnusable):
            archive.read(b"a", 10, CancelToken())


def test_headers_are_not_believed_a_second_time(tmp_path: Path, staging: Directory) -> None:
    path = stored(tmp_path, tar_of(file(b"good")))
    with TarContent.open(path) as archive:
        Path(os.fsdecode(path)).write_bytes(tar_of(file(b"../x")))
        with pytest.raises(SourceUnusable, match="written to"):
            archive.write_into(staging, CancelToken())
    assert staging.names() == [b"good"]
    assert sorted(os.listdir(tmp_path)) == ["archive", "staging"]


def test_plain_tars_are_not_read_through_for_the_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole of a terabyte in the way is stepped over."""
    size = 1 << 40
    field = b"\x80" + size.to_bytes(11, "big")
    with (tmp_path / "archive").open("wb") as target:
        target.write(header(b"large", size_field=field))
        target.seek(512 + size)
        target.write(tar_of(file(b"small")))
    limits = ArchiveLimits(total_bytes=2 << 40)
    read: list[int] = []
    pread = os.pread

    def counted(fd: int, length: int, at: int) -> bytes:
        block = pread(fd, length, at)
        read.append(len(block))
        return block

    monkeypatch.setattr(os, "pread", counted)
    with TarContent.open(os.fsencode(tmp_path / "archive"), limits) as archive:
        assert [one.size for one in archive.members] == [size, 7]
    assert sum(read) < 3 << 20


def test_what_a_full_block_leaves_inside_is_not_lost() -> None:
    """All input taken, output still to come: two blocks of exactly the length asked for."""
    content = bytes(1000)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush()
    stream, found = Inflate(), b""
    data = packed
    while not stream.eof:
        found += stream.decompress(data, 7)
        data = b""
    assert found == content
