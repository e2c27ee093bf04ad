"""Renames that lose nothing: exchange two names at once, move without overwriting.

What each file system can do is measured in reliability.md B1: ext4, xfs, btrfs, tmpfs and
overlay do both; NFS, exFAT and several FUSE file systems answer ``EINVAL`` to an exchange.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

from cachewright.storage.anchored import Directory
from cachewright.storage.beneath import LOOK, SAFE_FLAGS

_NOREPLACE: Final = 1
_CLAIM_MODE: Final = 0o300
"""Of the directory that claims a name; nobody else makes one that even its owner may not list."""
_EXCHANGE: Final = 2
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_NO_DIRECTORY_SYNC: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP})


class ExchangeUnsupported(OSError):
    """Two names cannot be exchanged atomically by this file system or kernel."""


@functools.cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """The C library's renameat2(2), or None where it has none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return None
    function.restype = ctypes.c_int
    function.argtypes = [
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    ]
    return cast("Callable[[int, bytes, int, bytes, int], int]", function)


def _rename2(src: Directory, name: bytes, dst: Directory, new: bytes, flags: int) -> bool:
    """Whether it was done; False where it is not supported; OSError for anything else."""
    function = _renameat2()
    if function is None:
        return False
    while function(src.fd, name, dst.fd, new, flags):
        code = ctypes.get_errno()
        if code in _UNSUPPORTED:
            return False
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code), src.where(name), None, dst.where(new))
    return True


def _plain(*names: bytes) -> None:
    for name in names:
        if b"/" in name or b"\0" in name or name in {b"", b".", b".."}:
            raise ValueError("a single name is wanted")


def rename_noreplace(src: Directory, name: bytes, dst: Directory, new: bytes) -> None:
    """Move ``src/name`` to ``dst/new`` in one step; ``FileExistsError`` if that is taken.

    Where kernel or file system lack the flag (they say so of a free name only: a taken one is
    "taken" to all): a directory claims the name by an empty directory, which a rename replaces
    atomically, so a crash in between leaves that empty one (see ``is_claim``) beside the
    untouched ``src/name``.
    Anything else gets a second link, then loses the first: a crash in between leaves both names
    for the one file.  A file system without hard links raises ``OSError`` instead.  Nothing
    that holds anything is ever overwritten or removed either way.
    """
    _plain(name, new)
    if _rename2(src, name, dst, new, _NOREPLACE):
        return
    if stat.S_ISDIR(os.stat(name, dir_fd=src.fd, follow_symlinks=False).st_mode):
        _move_over_claim(src, name, dst, new)
    else:
        _move_by_link(src, name, dst, new)


def is_claim(found: os.stat_result) -> bool:
    """Whether this looks like what a crash in the middle of ``rename_noreplace`` leaves at the
    new name; if so it is an empty directory, which rmdir(2) holds."""
    mode = stat.S_IMODE(found.st_mode) & 0o777
    ours = found.st_uid == os.geteuid()
    return stat.S_ISDIR(found.st_mode) and mode == _CLAIM_MODE and ours


def _move_over_claim(src: Directory, name: bytes, dst: Directory, new: bytes) -> None:
    os.mkdir(new, _CLAIM_MODE, dir_fd=dst.fd)
    claim = os.open(new, LOOK | os.O_DIRECTORY | SAFE_FLAGS, dir_fd=dst.fd)
    try:
        os.rename(name, new, src_dir_fd=src.fd, dst_dir_fd=dst.fd)
    except BaseException:
        with suppress(OSError):  # somebody's by now, or filled: it stays
            if dst.stat(new).st_ino == os.fstat(claim).st_ino:
                os.rmdir(new, dir_fd=dst.fd)
        raise
    finally:
        os.close(claim)


def _move_by_link(src: Directory, name: bytes, dst: Directory, new: bytes) -> None:
    os.link(name, new, src_dir_fd=src.fd, dst_dir_fd=dst.fd, follow_symlinks=False)
    moved = dst.stat(new)
    with suppress(FileNotFoundError):
        left = src.stat(name)
        if (left.st_dev, left.st_ino) == (moved.st_dev, moved.st_ino):
            os.unlink(name, dir_fd=src.fd)


def exchange(a: Directory, a_name: bytes, b: Directory, b_name: bytes) -> None:
    """Swap two existing names atomically: no reader ever finds either of them missing.

    Raises ``ExchangeUnsupported`` where it cannot be done so; never tries anything else.
    """
    _plain(a_name, b_name)
    if not _rename2(a, a_name, b, b_name, _EXCHANGE):
        raise ExchangeUnsupported(
            errno.EOPNOTSUPP, "names cannot be exchanged here", a.where(a_name)
        )


def supports_exchange(scratch: Directory) -> bool:
    """Try it on two directories of our own in ``scratch``, which must not lie in a cache.

    (An existing target would answer the same with or without support: reliability.md B1.)
    """
    names = [b".probe-" + secrets.token_hex(16).encode() for _ in range(2)]
    made: list[bytes] = []
    try:
        for name in names:
            os.mkdir(name, 0o700, dir_fd=scratch.fd)
            made.append(name)
        before = [scratch.stat(name).st_ino for name in names]
        exchange(scratch, names[0], scratch, names[1])
        return [scratch.stat(name).st_ino for name in names] == before[::-1]
    except ExchangeUnsupported:
        return False
    finally:
        for name in made:
            os.rmdir(name, dir_fd=scratch.fd)


def sync_directory(directory: Directory) -> None:
    """Make the directory's names durable.  ``OSError`` means they may not be: the step failed.

    That is final for this pinned directory: it raises the same again without asking, since a
    second fsync(2) may answer "done" for what the first has lost (reliability.md B3).  A file
    system that knows no such call (some FUSE and network ones) is taken at its word.
    """
    if directory.sync_error:
        code = directory.sync_error
        raise OSError(code, os.strerror(code), directory.path)
    try:
        os.fsync(directory.fd)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            directory.sync_error = error.errno or errno.EIO
            raise
