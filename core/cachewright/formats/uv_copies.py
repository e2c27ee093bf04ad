"""Wheels and unpacked archives that may hold good copies of an entry, hashed once per run."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.digests import FileDigest, hex_values, new_hashes
from cachewright.errors import CachewrightError, Cancelled, SourceUnusable
from cachewright.formats.uv_compare import compare
from cachewright.formats.uv_healing import healed
from cachewright.formats.uv_record import LIMIT, Record, RecordDamaged, read_record
from cachewright.formats.uv_titles import DIST_INFO
from cachewright.storage.anchored import Directory
from cachewright.storage.archives.zip_content import ZipContent
from cachewright.storage.copying import copy_tree
from cachewright.storage.reading_back import hash_tree

if TYPE_CHECKING:
    from cachewright.model import CancelToken

_PLAIN: Final = 0o644
_PROGRAM: Final = 0o755
_EXECUTABLE: Final = 0o111


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What lies in a wheel or an archive: digests of all files, and its one RECORD.

    ``sha256`` is that of the wheel file itself, empty for a directory.  ``record`` are the
    bytes of RECORD as uv has them in its cache, which ``files`` speak of too.
    """

    path: bytes
    files: Mapping[bytes, FileDigest]
    place: bytes
    record: bytes
    sha256: str = ""

    def fits(self, record: Record) -> bool:
        """Whether ``record`` has a digest of every file here but RECORD, and all are right."""
        compared = compare(self.files, record, (self.place,))
        doubts = (compared.wrong, compared.compiled, compared.bare, compared.unknown, compared.weak)
        return bool(compared.fitting) and not any(doubts) and not record.faults

    @property
    def sound(self) -> bool:
        """Whether it is what its own RECORD says, as far as that has digests."""
        try:
            own = read_record(self.record, self.place)
        except RecordDamaged:
            return False
        compared = compare(self.files, own, (self.place,))
        return bool(compared.fitting) and not compared.wrong and not own.faults


def read_wheel(path: bytes, algorithms: Collection[str], cancel: CancelToken) -> Unpacked:
    """``SourceUnusable`` for what is damaged, harmful or no wheel."""
    with ZipContent.open(path) as content:
        files = dict(content.digest(algorithms, cancel))
        place = _place(path, files)
        try:
            record = healed(content.read(place, LIMIT, cancel), files)
        except ValueError as error:
            raise _unusable(path, f"its RECORD cannot be read ({error})") from error
        files[place] = _digest(record, files[place].mode, algorithms)
        return Unpacked(path, files, place, record, content.whole_digest(cancel))


def read_archive(path: bytes, algorithms: Collection[str], cancel: CancelToken) -> Unpacked:
    """An unpacked wheel; ``SourceUnusable`` where it holds links, or is none."""
    try:
        with Directory.open(path) as directory:
            files = hash_tree(directory, cancel, algorithms)
            place = _place(path, files)
            return Unpacked(path, files, place, directory.read(place, LIMIT))
    except (Cancelled, SourceUnusable):
        raise
    except (CachewrightError, OSError) as error:
        raise _unusable(path, str(error)) from error


def _place(path: bytes, files: Collection[bytes]) -> bytes:
    """The one RECORD right below a ``.dist-info`` directory."""
    found = [
        name for name in files if name.count(b"/") == 1 and name.endswith(DIST_INFO + b"/RECORD")
    ]
    if len(found) != 1:
        raise _unusable(path, "it has no RECORD" if not found else "it has several RECORDs")
    return found[0]


def _digest(content: bytes, mode: int, algorithms: Collection[str]) -> FileDigest:
    hashes = new_hashes(algorithms)
    for one in hashes.values():
        one.update(content)
    return FileDigest(len(content), mode, hex_values(hashes))


def _unusable(path: bytes, reason: str) -> SourceUnusable:
    return SourceUnusable(source=path, entry="an entry", reason=reason)


@dataclass(frozen=True, slots=True)
class WheelCopy:
    """A wheel as a good copy (a ``GoodCopy``): unpacked as uv unpacks it."""

    content: Unpacked
    proof: str
    algorithms: Collection[str]

    @property
    def path(self) -> bytes:
        return self.content.path

    def files(self) -> Mapping[bytes, FileDigest]:
        return self.content.files

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        place = self.content.place
        with ZipContent.open(self.content.path) as wheel:
            files = dict(wheel.write_into(staging, cancel, self.algorithms))
        if files[place].values["sha256"] != _sha256(self.content.record):
            files[place] = self._replaced(staging)
        return {
            name: FileDigest(one.size, _with_uvs_mode(staging, name, one.mode), one.values)
            for name, one in files.items()
        }

    def _replaced(self, staging: Directory) -> FileDigest:
        """The healed RECORD in the place of the wheel's own."""
        parent, name = staging.parent_of(self.content.place)
        with parent:
            os.unlink(name, dir_fd=parent.fd)
            with open(parent.create_file(name, _PLAIN), "wb") as file:
                file.write(self.content.record)
        return _digest(self.content.record, stat.S_IFREG | _PLAIN, self.algorithms)


def _with_uvs_mode(staging: Directory, name: bytes, mode: int) -> int:
    """Of a wheel's modes uv keeps only whether a file may be executed."""
    chosen = _PROGRAM if mode & _EXECUTABLE else _PLAIN
    fd = staging.open_file(name)
    try:
        os.fchmod(fd, chosen)
    finally:
        os.close(fd)
    return stat.S_IFREG | chosen


@dataclass(frozen=True, slots=True)
class ArchiveCopy:
    """An unpacked wheel as a good copy (a ``GoodCopy``)."""

    content: Unpacked
    proof: str
    algorithms: Collection[str]

    @property
    def path(self) -> bytes:
        return self.content.path

    def files(self) -> Mapping[bytes, FileDigest]:
        return self.content.files

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        with Directory.open(self.content.path) as source:
            return copy_tree(source, staging, cancel, self.algorithms)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
