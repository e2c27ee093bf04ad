"""Open one directory after the other below a pinned one, most of them near the last one."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final, Self

from cachewright.storage.beneath import open_beneath

_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY


class Descent:
    """Opens directories by path, without following links or entering mounted file systems.

    The last one stays open, so that one directly in it costs a single step: a tree of
    thousands of floors would cost the square of them.
    """

    def __init__(self, root_fd: int) -> None:
        self._root = root_fd
        self._path = b""
        self._fd = -1

    def open(self, path: bytes) -> int:
        """A descriptor of ``path`` below the root, valid until the next call; ``OSError``."""
        if self._fd >= 0 and path == self._path:
            return self._fd
        above, _, name = path.rpartition(b"/")
        if self._fd >= 0 and above == self._path and name:
            fd = open_beneath(self._fd, [name], _FLAGS, one_mount=True)
        else:
            components = path.split(b"/") if path else [b"."]
            fd = open_beneath(self._root, components, _FLAGS, one_mount=True)
        self.close()
        self._path, self._fd = path, fd
        return fd

    def close(self) -> None:
        if self._fd >= 0:
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
