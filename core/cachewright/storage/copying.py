"""Copy a tree into a private place while hashing the very bytes that are written.

Only regular files and directories are copied, each reached by descriptor; whoever changes or
swaps the source meanwhile changes what is hashed too, never what is believed
(reliability.md B3, T6).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from cachewright.digests import BLOCK, Cancellable, FileDigest, hash_file, hex_values, new_hashes
from cachewright.errors import Changed, NotARegularFile
from cachewright.storage.anchored import Directory, identity
from cachewright.storage.swap import sync_directory

MODE_BITS: Final = 0o777
"""What a copy keeps of a mode: setuid, setgid and sticky are dropped."""


def write_hashed(
    fd: int, blocks: Iterable[bytes | memoryview], algorithms: Collection[str]
) -> FileDigest:
    """Write ``blocks`` to ``fd``, hashing exactly what was handed to the kernel."""
    hashes = new_hashes(algorithms)
    size = 0
    for block in blocks:
        for running in hashes.values():
            running.update(block)
        rest = memoryview(block)
        size += len(rest)
        while rest:
            rest = rest[os.write(fd, rest) :]
    return FileDigest(size=size, mode=os.fstat(fd).st_mode, values=hex_values(hashes))


def _blocks(fd: int, cancel: Cancellable) -> Iterator[memoryview]:
    view = memoryview(bytearray(BLOCK))
    while True:
        cancel.check()
        count = os.readv(fd, [view])
        if not count:
            return
        yield view[:count]


def copy_file(
    source: Directory,
    staging: Directory,
    name: bytes,
    cancel: Cancellable,
    algorithms: Collection[str],
) -> FileDigest:
    """One regular file of ``source``, under the same name in ``staging``; as ``copy_tree``."""
    from_fd = source.open_file(name)
    try:
        before = os.fstat(from_fd)
        to_fd = staging.create_file(name, before.st_mode & MODE_BITS)
        try:
            digest = write_hashed(to_fd, _blocks(from_fd, cancel), algorithms)
            os.utime(to_fd, ns=(before.st_atime_ns, before.st_mtime_ns))
        finally:
            os.close(to_fd)
        if identity(os.fstat(from_fd)) != identity(before):
            raise Changed(path=source.where(name), what="it was written to while it was read")
    finally:
        os.close(from_fd)
    return digest


def copy_tree(
    source: Directory,
    staging: Directory,
    cancel: Cancellable,
    algorithms: Collection[str] = ("sha256",),
) -> Mapping[bytes, FileDigest]:
    """Copy everything below ``source`` into ``staging`` (empty, private).

    Returns the digest of every file by relative name.  Modes are kept without setuid, setgid
    and sticky bits, times of files too; owners, extended attributes and hard links are not.
    A link, device, FIFO or socket raises ``NotARegularFile``; a file written to meanwhile,
    ``Changed``; either way ``staging`` holds a part and is the caller's to remove.
    Nothing is made durable: see ``sync_tree``.
    """
    digests: dict[bytes, FileDigest] = {}
    modes: list[tuple[bytes, int]] = []
    waiting = [b""]
    while waiting:
        at = waiting.pop()
        with source.open_directory(at) as here, staging.open_directory(at) as there:
            for name in here.names():
                cancel.check()
                relative = at + b"/" + name if at else name
                found = here.stat(name)
                if stat.S_ISDIR(found.st_mode):
                    there.make_directory(name).close()
                    modes.append((relative, found.st_mode & MODE_BITS))
                    waiting.append(relative)
                elif stat.S_ISREG(found.st_mode):
                    digests[relative] = copy_file(here, there, name, cancel, algorithms)
                else:
                    raise NotARegularFile(path=here.where(name))
    set_directory_modes(staging, modes)
    return digests


def set_directory_modes(staging: Directory, modes: Iterable[tuple[bytes, int]]) -> None:
    """Give directories their final modes, the deepest first: a read-only parent comes last."""
    for relative, mode in sorted(modes, reverse=True):
        with staging.open_directory(relative) as made:
            os.fchmod(made.fd, mode)


def directories_below(top: Directory) -> list[bytes]:
    """Relative names of ``top`` itself (``b""``) and all directories below, parents first."""
    found = [b""]
    for at in found:  # grows while it is walked: no recursion, however deep the tree
        with top.open_directory(at) as here:
            below = [name for name in here.names() if stat.S_ISDIR(here.stat(name).st_mode)]
        found.extend(at + b"/" + name if at else name for name in below)
    return found


def hash_tree(
    top: Directory, cancel: Cancellable, algorithms: Collection[str] = ("sha256",)
) -> Mapping[bytes, FileDigest]:
    """Digest of every regular file below ``top``, by relative name, read from descriptors.

    Anything that is neither file nor directory raises ``NotARegularFile``.
    """
    digests: dict[bytes, FileDigest] = {}
    buffer = bytearray(BLOCK)
    for at in directories_below(top):
        with top.open_directory(at) as here:
            for name in here.names():
                if stat.S_ISDIR(here.stat(name).st_mode):
                    continue
                fd = here.open_file(name)
                try:
                    mode = os.fstat(fd).st_mode
                    size, values = hash_file(fd, algorithms, cancel, buffer)
                finally:
                    os.close(fd)
                relative = at + b"/" + name if at else name
                digests[relative] = FileDigest(size=size, mode=mode, values=values)
    return digests


def sync_tree(top: Directory) -> None:
    """Make a tree durable: every file, then every directory, the deepest first.

    ``OSError`` is final: the same file must not be tried again, since the kernel may by then
    call the lost pages clean (reliability.md B3).  The tree has to be made anew.
    """
    directories = directories_below(top)
    for at in directories:
        with top.open_directory(at) as here:
            for name in here.names():
                if stat.S_ISREG(here.stat(name).st_mode):
                    fd = here.open_file(name)
                    try:
                        os.fsync(fd)
                    finally:
                        os.close(fd)
    for at in reversed(directories):
        with top.open_directory(at) as here:
            sync_directory(here)
