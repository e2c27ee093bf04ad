"""Read a zip archive as a good copy, without ever letting its names decide where bytes go.

Python's own extraction has let archives write elsewhere (reliability.md T5).  Here the whole
list of members is judged before the first byte is unpacked, and every file is created by
descriptor, exclusively, below the given directory.  Links, devices, odd names, duplicates and
bombs make the archive unusable as a whole.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from cachewright.digests import BLOCK, Cancellable, FileDigest, hex_values, new_hashes
from cachewright.errors import CachewrightError, SourceUnusable
from cachewright.storage.anchored import Directory
from cachewright.storage.content import write_hashed
from cachewright.storage.metadata import MODE_BITS

_UNIX: Final = frozenset({3, 19})
"""Systems (3 Unix, 19 macOS) whose archives carry file modes."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
_PLAIN_FILE: Final = 0o644
_PLAIN_DIRECTORY: Final = 0o755
_DEEPEST: Final = 128
_LONGEST: Final = 4096
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may cost: number of members, unpacked bytes in all, unpacked bytes per
    packed byte (looked at above ``harmless_bytes`` only), and bytes of its list of members."""

    members: int = 1_000_000
    total_bytes: int = 64 << 30
    ratio: int = 200
    harmless_bytes: int = 64 << 20
    list_bytes: int = 128 << 20


DEFAULT_LIMITS: Final = ArchiveLimits()


@dataclass(frozen=True, slots=True)
class Member:
    """One member as the archive lists it: raw name without a final ``/``, permission bits."""

    name: bytes
    directory: bool
    size: int
    mode: int


class _Bounded(io.RawIOBase):
    """The archive's descriptor, refusing to load a list of members larger than the limit.

    The zip reader takes the whole list by one read; its length stands in the archive itself.
    """

    def __init__(self, fd: int, limit: int) -> None:
        self._fd = fd
        self._limit = limit
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._fd).st_size}
        if base[whence] + offset < 0:
            raise ValueError("before the start of the archive")
        self._at = base[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = max(os.fstat(self._fd).st_size - self._at, 0)
        if size > self._limit:
            raise ValueError("its list of members is too long")
        content = b"".join(self._pieces(size))
        self._at += len(content)
        return content

    def _pieces(self, size: int) -> Iterator[bytes]:
        at = self._at
        while size:
            piece = os.pread(self._fd, min(size, BLOCK), at)
            if not piece:
                return
            yield piece
            at += len(piece)
            size -= len(piece)


class ZipContent:
    """An open zip archive whose every member was found harmless.

    ``members`` are its regular files and explicit directory entries, sorted by name.  Use as a
    context manager, from one thread at a time.  Damage, wherever it is met, raises
    ``SourceUnusable``; nothing that was unpacked by then may be used.
    """

    def __init__(self, fd: int, path: bytes, limits: ArchiveLimits) -> None:
        """Take ownership of ``fd``; ``open`` is the way to make one."""
        self.path = path
        self._fd = fd
        try:
            self._zip = zipfile.ZipFile(_Bounded(fd, limits.list_bytes))
            self._infos = _judge(self._zip.infolist(), os.fstat(fd).st_size, limits)
        except _DAMAGE as error:
            os.close(fd)
            raise self._unusable(str(error)) from error
        self.members = tuple(member for member, _ in self._infos)

    @classmethod
    def open(cls, path: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> ZipContent:
        """Open the archive at ``path`` and judge its whole list of members.

        ``SourceUnusable`` where it is missing, no zip, damaged, or not harmless.
        """
        try:
            head, name = os.path.split(os.path.realpath(path))
            with Directory.open(head) as parent:
                fd = parent.open_file(name)
        except (CachewrightError, OSError, ValueError) as error:
            raise SourceUnusable(source=path, entry="an entry", reason=str(error)) from error
        return cls(fd, path, limits)

    def close(self) -> None:
        if self._fd >= 0:
            self._zip.close()
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def digest(
        self, algorithms: Collection[str], cancel: Cancellable
    ) -> Mapping[bytes, FileDigest]:
        """Digest of every regular file by name, without writing anything."""
        found = {}
        for member, info in self._infos:
            if not member.directory:
                hashes = new_hashes(algorithms)
                for block in self._blocks(member, info, cancel):
                    for running in hashes.values():
                        running.update(block)
                mode = stat.S_IFREG | member.mode
                found[member.name] = FileDigest(member.size, mode, hex_values(hashes))
        return found

    def write_into(
        self,
        staging: Directory,
        cancel: Cancellable,
        algorithms: Collection[str] = ("sha256",),
    ) -> Mapping[bytes, FileDigest]:
        """Unpack below ``staging`` (empty, private), hashing the very bytes that are written.

        Files get the archive's permission bits, never setuid nor writable for everybody;
        directories that are only implied get 0755.  Durability is the caller's.
        """
        modes = self._make_directories(staging)
        digests = {}
        for member, info in self._infos:
            if not member.directory:
                parent, name = staging.parent_of(member.name)
                with parent:
                    fd = parent.create_file(name, member.mode)
                try:
                    blocks = self._blocks(member, info, cancel)
                    digests[member.name] = write_hashed(fd, blocks, algorithms)
                finally:
                    os.close(fd)
        set_directory_modes(staging, modes.items())
        return digests

    def read(self, name: bytes, limit: int, cancel: Cancellable) -> bytes:
        """A regular file's content; ``SourceUnusable`` where there is none, or it is larger."""
        for member, info in self._infos:
            if member.name == name and not member.directory:
                if member.size > limit:
                    raise self._unusable(f"a member is larger than {limit} bytes")
                return b"".join(self._blocks(member, info, cancel))
        raise self._unusable("a member is missing")

    def whole_digest(self, cancel: Cancellable) -> str:
        """SHA-256 of the archive file itself, in hex (what Terraform writes as ``zh:``)."""
        whole = hashlib.sha256()
        at = 0
        while block := os.pread(self._fd, BLOCK, at):
            cancel.check()
            whole.update(block)
            at += len(block)
        return whole.hexdigest()

    def _make_directories(self, staging: Directory) -> dict[bytes, int]:
        modes = _directories(self.members, len(self.members) * _DEEPEST)
        for relative in sorted(modes):
            parent, name = staging.parent_of(relative)
            with parent:
                parent.make_directory(name).close()
        return modes

    def _blocks(
        self, member: Member, info: zipfile.ZipInfo, cancel: Cancellable
    ) -> Iterator[bytes]:
        """The member's content; its length and CRC have been checked when this ends."""
        total = 0
        try:
            with self._zip.open(info) as file:
                cancel.check()
                while block := file.read(BLOCK):
                    total += len(block)
                    yield block
                    cancel.check()
        except _DAMAGE as error:
            raise self._unusable(str(error)) from error
        if total != member.size:
            raise self._unusable("a member is shorter than it says")

    def _unusable(self, reason: str) -> SourceUnusable:
        return SourceUnusable(source=self.path, entry="an entry", reason=reason)


_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
"""All that the zip reader raises on an archive that is damaged or of an unknown kind."""


def _judge(
    infos: list[zipfile.ZipInfo], packed: int, limits: ArchiveLimits
) -> list[tuple[Member, zipfile.ZipInfo]]:
    """All members, sorted by name; ``ValueError`` says why the archive is not used."""
    if len(infos) > limits.members:
        raise ValueError(f"it has {len(infos)} members, more than {limits.members}")
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise ValueError(f"it would unpack to {total} bytes, more than {limits.total_bytes}")
    if total > limits.harmless_bytes and total > packed * limits.ratio:
        raise ValueError(f"it would unpack to {total // packed} times its size")
    judged = sorted(((_member(info), info) for info in infos), key=lambda pair: pair[0].name)
    names = {member.name for member, _ in judged}
    if len(names) != len(judged):
        raise ValueError("two members have the same name")
    members = [member for member, _ in judged]
    directories = _directories(members, limits.members)
    if any(not member.directory and member.name in directories for member in members):
        raise ValueError("a member lies below another that is a file")
    return judged


def _directories(members: Iterable[Member], limit: int) -> dict[bytes, int]:
    """Mode of every directory by name, also of those that are only implied by names."""
    modes: dict[bytes, int] = {}
    for member in members:
        parent = os.path.dirname(member.name)
        while parent and parent not in modes:
            modes[parent] = _PLAIN_DIRECTORY
            parent = os.path.dirname(parent)
        if member.directory:
            modes[member.name] = member.mode
        if len(modes) > limit:
            raise ValueError(f"it has more than {limit} directories")
    return modes


def _member(info: zipfile.ZipInfo) -> Member:
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    directory = raw.endswith(b"/")
    name = raw[:-1] if directory else raw
    _check_name(name)
    if info.flag_bits & _ENCRYPTED:
        raise ValueError("a member is encrypted")
    if info.compress_type not in _METHODS:
        raise ValueError("a member is packed in a way that is not read here")
    mode = info.external_attr >> 16 if info.create_system in _UNIX else 0
    kind = stat.S_IFMT(mode) or (stat.S_IFDIR if directory else stat.S_IFREG)
    if kind != (stat.S_IFDIR if directory else stat.S_IFREG):
        raise ValueError("a member is a link, a device or something else that is no file")
    if directory and info.file_size:
        raise ValueError("a directory entry has content")
    plain = _PLAIN_DIRECTORY if directory else _PLAIN_FILE
    permissions = (mode & MODE_BITS & ~stat.S_IWOTH) or plain
    # The owner must be able to read it back from disk before it is believed.
    return Member(name, directory, info.file_size, permissions | (0o700 if directory else 0o400))


def _check_name(name: bytes) -> None:
    components = name.split(b"/")
    if any(component in {b"", b".", b".."} for component in components):
        raise ValueError("a member's name leads out of the archive or is empty")
    if b"\\" in name or b"\0" in name:
        raise ValueError("a member's name has a backslash or a NUL in it")
    if (
        len(components) > _DEEPEST
        or len(name) > _LONGEST
        or max(map(len, components)) > _LONGEST_NAME
    ):
        raise ValueError("a member's name is too long or too deep")


def set_directory_modes(staging: Directory, modes: Iterable[tuple[bytes, int]]) -> None:
    """Give directories their final modes, the deepest first: a read-only parent comes last."""
    for relative, mode in sorted(modes, reverse=True):
        with staging.open_directory(relative) as made:
            os.fchmod(made.fd, mode)
