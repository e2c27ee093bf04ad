"""Open a name strictly below a directory descriptor: no way out, no symlink, no magic link.

Where the kernel has openat2(2) it does the whole resolution in one call; elsewhere every
component is opened by itself without following links.  Both give the same answers.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
import sys
from collections.abc import Iterator
from typing import Final

SAFE_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
"""No descriptor leaks to children, no link is followed, no FIFO or device blocks or becomes
the controlling terminal."""

LOOK: Final = getattr(os, "O_PATH", os.O_RDONLY)
"""Opens without touching what is opened (a device or FIFO has no side effect)."""

_LOOK_DIRECTORY: Final = LOOK | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW

_SYS_OPENAT2: Final = 437
_RESOLVE_NO_XDEV: Final = 0x01
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08

_CHUNK: Final = 3500
"""Bytes of a relative path given to the kernel at once; longer ones go in steps, since a path
argument ends at 4096 bytes."""

_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EPERM})
"""What openat2 gives where the kernel lacks it or a sandbox filters it."""


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


@functools.cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    library.syscall.argtypes = [
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_size_t,
    ]
    return library


def _openat2(fd: int, relative: bytes, flags: int, one_mount: bool = False) -> int:
    # With O_NOFOLLOW a link at the end would be "no directory" instead of "a link".
    flags &= ~os.O_NOFOLLOW
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS
    how = _OpenHow(flags, 0, resolve | _RESOLVE_NO_XDEV if one_mount else resolve)
    while True:
        opened = int(
            _libc().syscall(_SYS_OPENAT2, fd, relative, ctypes.byref(how), ctypes.sizeof(how))
        )
        if opened >= 0:
            return opened
        code = ctypes.get_errno()
        # EAGAIN: a rename raced with the resolution; the kernel asks to try again.
        if code not in {errno.EINTR, errno.EAGAIN}:
            raise OSError(code, os.strerror(code), relative)


@functools.cache
def has_openat2() -> bool:
    """Whether this kernel resolves below a directory by itself."""
    if not sys.platform.startswith("linux"):
        return False
    here = os.open(b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(_openat2(here, b".", LOOK | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    finally:
        os.close(here)
    return True


def _chunks(components: list[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    length = 0
    for component in components:
        if chunk and length + len(component) + 1 > _CHUNK:
            yield chunk
            chunk, length = [], 0
        chunk.append(component)
        length += len(component) + 1
    yield chunk


def _step(fd: int, components: list[bytes], flags: int, one_mount: bool) -> int:
    """Open one chunk below ``fd``."""
    if has_openat2():
        return _openat2(fd, b"/".join(components), flags, one_mount)
    at = fd
    try:
        for index, component in enumerate(components):
            last = index == len(components) - 1
            here = flags if last else _LOOK_DIRECTORY
            following = _open_component(at, component, here)
            if at != fd:
                os.close(at)
            at = following
            if one_mount:
                _same_device(fd, at, component)
    except BaseException:
        if at != fd:
            os.close(at)
        raise
    return at


def _same_device(fd: int, reached: int, name: bytes) -> None:
    if os.fstat(reached).st_dev != os.fstat(fd).st_dev:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)


def _open_component(fd: int, name: bytes, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=fd)
    except NotADirectoryError:
        # O_DIRECTORY wins over O_NOFOLLOW in what is reported: say "link" as openat2 does.
        if stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise


def open_beneath(fd: int, components: list[bytes], flags: int, one_mount: bool) -> int:
    """A new descriptor for what lies below ``fd`` at ``components``: at least one, none empty,
    no ``..``, no NUL.

    A symlink in any place gives ``OSError(ELOOP)``; with ``one_mount`` a mount point gives
    ``OSError(EXDEV)``; every other failure is the kernel's ``OSError`` as it is.
    """
    # openat2 refuses O_NONBLOCK and O_NOCTTY beside O_PATH, which opens nothing anyway.
    flags = _LOOK_DIRECTORY if flags == LOOK | os.O_DIRECTORY else flags | SAFE_FLAGS
    at = fd
    chunks = list(_chunks(components))
    try:
        for index, chunk in enumerate(chunks):
            last = index == len(chunks) - 1
            following = _step(at, chunk, flags if last else _LOOK_DIRECTORY, one_mount)
            if at != fd:
                os.close(at)
            at = following
    except BaseException:
        if at != fd:
            os.close(at)
        raise
    return at
