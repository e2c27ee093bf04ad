"""An inventory in the making: what is still to be read, and the columns of what was."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Sequence
from typing import Final

from cachewright.errors import RootVanished
from cachewright.inventory.answers import unpack
from cachewright.inventory.columns import Columns, Growing
from cachewright.inventory.wire import (
    MASK_OF_OTHERS,
    MASK_OF_TYPE,
    TYPE_BITS,
    TYPE_DIRECTORY,
    TYPE_FILE,
    TYPE_LINK,
    Request,
    Row,
    Rules,
    clamped,
)
from cachewright.model import Gap, Role, Rule, Type
from cachewright.storage.anchored import Directory

_MASKS: Final = {
    Type.DIRECTORY: MASK_OF_TYPE[TYPE_DIRECTORY],
    Type.FILE: MASK_OF_TYPE[TYPE_FILE],
    Type.LINK: MASK_OF_TYPE[TYPE_LINK],
    Type.OTHER: MASK_OF_OTHERS,
}
_BYTES_AT_ONCE: Final = 1 << 15
"""Of paths in one request; deep trees have paths of many kilobytes."""


def compiled(rules: Sequence[Rule]) -> Rules:
    """The rules as the workers want them."""
    return tuple(
        Row(one.depth, sum(_MASKS[kind] for kind in one.types), int(one.role), one.name, one.under)
        for one in rules
    )


def still_there(root: Directory) -> None:
    """Raise ``RootVanished`` if the pinned directory was removed or its path leads elsewhere."""
    gone = os.fstat(root.fd).st_nlink == 0
    try:
        found = os.stat(root.path)
    except (FileNotFoundError, NotADirectoryError):
        gone = True
    except OSError as error:
        # Too long a path, or no right to look along it: the descriptor is all there is.
        if error.errno not in {errno.ENAMETOOLONG, errno.EACCES}:
            gone = True
    else:
        gone = gone or (found.st_dev, found.st_ino) != (root.identity.device, root.identity.inode)
    if gone:
        raise RootVanished(path=root.path)


class Assembly:
    """Rows and gaps of one scan, and the directories still to read.

    ``root`` is the pinned top, or what holds it where the top is no directory.
    """

    def __init__(self, root: Directory, top: os.stat_result, role: Role) -> None:
        self._root = root
        self._growing = Growing()
        self._unread: deque[int] = deque()
        self._last_parent: tuple[int, bytes] = (0, b"")
        self.gaps: list[Gap] = []
        self.gap_rows: list[int] = []
        self._device = top.st_dev
        self._add_top(top, role)
        if top.st_mode & TYPE_BITS == TYPE_DIRECTORY:
            self._unread.append(0)

    def _add_top(self, found: os.stat_result, role: Role) -> None:
        self._growing.add_root(
            size=found.st_size,
            mtime_ns=clamped(found.st_mtime_ns),
            ctime_ns=clamped(found.st_ctime_ns),
            inode=found.st_ino,
            device=found.st_dev,
            mode=found.st_mode,
            nlink=found.st_nlink,
            role=int(role),
        )

    def __len__(self) -> int:
        return len(self._growing)

    @property
    def device(self) -> int:
        """The file system that is scanned; nothing mounted below is entered."""
        return self._device

    @property
    def waiting(self) -> int:
        """How many directories wait to be asked for."""
        return len(self._unread)

    def next(self, limit: int) -> tuple[list[int], list[Request]]:
        """Rows of directories to be read next, and how to ask for them."""
        rows: list[int] = []
        requests: list[Request] = []
        room = _BYTES_AT_ONCE
        while self._unread and len(rows) < limit and room > 0:
            row = self._unread.popleft()
            request = Request(
                self._path(row), int(self._growing["depth"][row]), int(self._growing["role"][row])
            )
            room -= len(request.path)
            rows.append(row)
            requests.append(request)
        return rows, requests

    def _path(self, row: int) -> bytes:
        if not row:
            return b""
        parent = int(self._growing["parent"][row])
        if parent != self._last_parent[0]:
            self._last_parent = (parent, self._growing.path(parent))
        name = self._growing.name(row)
        return self._last_parent[1] + b"/" + name if parent else name

    def path(self, row: int) -> bytes:
        """Absolute, for messages."""
        return self._root.where(self._growing.path(row))

    def take(self, frame: bytes | bytearray, requested: Sequence[int]) -> None:
        """Add an answer; ``ValueError`` if it makes no sense."""
        answer = unpack(frame)
        base = len(self._growing)
        directories = self._growing.add(answer, requested, self._device)
        read = set(directories.tolist())
        self._unread.extend(row for row in requested if row not in read)
        self._unread.extend(self._growing.unread(base, directories).tolist())
        for index, code, names in answer.troubles.reshape(-1, 3).tolist():
            self._gap(int(directories[index]), code, names)
        for index in answer.abroad.tolist():
            row = base + index
            if int(self._growing["mode"][row]) & TYPE_BITS == TYPE_DIRECTORY:
                self._gap(row, errno.EXDEV, 0)

    def _gap(self, row: int, code: int, names: int) -> None:
        if code == errno.EXDEV:
            reason = "another file system is mounted here, and was not entered"
        elif names:
            reason = f"{names} names in it cannot be looked at: {os.strerror(code)}"
        else:
            reason = f"it cannot be listed: {os.strerror(code)}"
        self.gaps.append(Gap(self.path(row), reason))
        self.gap_rows.append(row)

    def columns(self) -> Columns:
        """What is known now, as views that stay as they are."""
        return self._growing.snapshot()
