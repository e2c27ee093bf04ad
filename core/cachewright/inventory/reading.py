"""Read directories below a pinned descriptor into columns; runs in the worker processes."""

from __future__ import annotations

import errno
import os
import time
from array import array
from itertools import islice
from typing import Final

from cachewright.inventory.wire import (
    MASK_OF_OTHERS,
    MASK_OF_TYPE,
    TYPE_BITS,
    TYPE_DIRECTORY,
    Answer,
    Request,
    Rules,
    Settings,
    clamped,
)
from cachewright.workers.descent import Descent

CONTAINER: Final = 1
ANY_DEPTH: Final = 0
"""``model.Role.CONTAINER`` and ``model.ANY_DEPTH``: the model takes too long to import here; a
test compares them."""

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Removed, or replaced by something else, between being listed and being opened: normal."""
_AT_ONCE: Final = 4096
"""Names looked at together: a stat result takes ten times the memory of a row."""

Found = list[tuple[int, Request]]
"""Directories still to be read, each with what names it in the answer."""


class Reader:
    """Reads the requested directories and, until the answer is large enough, those below."""

    def __init__(self, root_fd: int, settings: Settings) -> None:
        self._root = root_fd
        self._settings = settings
        self._base = settings.base + b"/" if settings.base else b""
        self._by_depth: dict[int, Rules] = {}
        self._answer = Answer()

    def read(self, requests: list[Request], rows: int) -> Answer:
        """Reads until there are ``rows`` or time is up, but at least one whole directory."""
        self._answer = Answer()
        until = time.monotonic() + self._settings.seconds
        pending = list(enumerate(requests))
        pending.reverse()
        with Descent(self._root) as descent:
            while pending:
                number, request = pending.pop()
                pending += self._directory(descent, number, request, len(requests))
                if len(self._answer) >= rows or time.monotonic() > until:
                    break
        return self._answer

    def _directory(self, descent: Descent, number: int, request: Request, requested: int) -> Found:
        """Read one directory; returns the directories in it."""
        answer, before = self._answer, len(self._answer)
        inside: Found = []
        found: os.stat_result | None = None
        try:
            fd = descent.open(request.path)
            found = os.fstat(fd)
            self._list(fd, request, requested, inside)
        except OSError as error:
            if error.errno not in _GONE:
                answer.trouble(error.errno or errno.EIO)
        # As it was just before its names were read, so that a later change shows; zeros if not.
        answer.directory_mtimes.append(0 if found is None else clamped(found.st_mtime_ns))
        answer.directory_ctimes.append(0 if found is None else clamped(found.st_ctime_ns))
        answer.directory_inodes.append(0 if found is None else found.st_ino)
        answer.refs.append(number)
        answer.counts.append(len(answer) - before)
        return inside

    def _list(self, fd: int, request: Request, requested: int, inside: Found) -> None:
        names: list[str] = []
        stats: list[os.stat_result] = []
        unseen: list[int] = []
        with os.scandir(fd) as listing:
            while entries := list(islice(listing, _AT_ONCE)):
                for entry in entries:
                    try:
                        stats.append(entry.stat(follow_symlinks=False))
                    except OSError as error:
                        if error.errno not in _GONE:
                            unseen.append(error.errno or errno.EIO)
                    else:
                        names.append(entry.name)
                inside += self._add(request, requested, names, stats)
                names.clear()
                stats.clear()
        if unseen:
            self._answer.trouble(unseen[0], len(unseen))

    def _add(
        self, request: Request, requested: int, names: list[str], stats: list[os.stat_result]
    ) -> Found:
        """Turn what was looked at into rows; returns the directories among them."""
        answer, base = self._answer, len(self._answer)
        answer.sizes.extend([one.st_size for one in stats])
        answer.mtimes.extend(_times([one.st_mtime_ns for one in stats]))
        answer.ctimes.extend(_times([one.st_ctime_ns for one in stats]))
        answer.inodes.extend([one.st_ino for one in stats])
        modes = [one.st_mode for one in stats]
        answer.modes.extend(modes)
        answer.links.extend([one.st_nlink for one in stats])
        roles = self._roles(request, names, modes)
        answer.roles += roles
        if names:
            # No name holds a "/": all are encoded in one step.
            answer.names += [os.fsencode("/".join(names)), b"/"]
        device = self._settings.device
        inside: Found = []
        for index, mode in enumerate(modes):
            if stats[index].st_dev != device:
                answer.abroad.append(base + index)
                answer.abroad_devices.append(stats[index].st_dev)
            elif mode & TYPE_BITS == TYPE_DIRECTORY:
                name = os.fsencode(names[index])
                path = request.path + b"/" + name if request.path else name
                below = Request(path, request.depth + 1, roles[index])
                inside.append((requested + base + index, below))
        return inside

    def _roles(self, request: Request, names: list[str], modes: list[int]) -> bytes:
        if request.role != CONTAINER:
            return bytes((request.role,)) * len(names)
        rules = self._rules(request)
        roles = bytearray(len(names))  # FOREIGN, unless a rule fits
        for index, name in enumerate(names):
            kind = MASK_OF_TYPE.get(modes[index] & TYPE_BITS, MASK_OF_OTHERS)
            spelled = os.fsencode(name)
            for rule in rules:
                if kind & rule.mask and rule.name.fullmatch(spelled):
                    roles[index] = rule.role
                    break
        return bytes(roles)

    def _rules(self, request: Request) -> Rules:
        """Those that hold for what lies in this directory."""
        depth = self._base.count(b"/") + request.depth + 1
        if depth not in self._by_depth:
            fitting = (one for one in self._settings.rules if one.depth in {ANY_DEPTH, depth})
            self._by_depth[depth] = tuple(fitting)
        path = (self._base + request.path).rstrip(b"/")
        rules = self._by_depth[depth]
        return tuple(one for one in rules if one.under is None or one.under.fullmatch(path))


def _times(values: list[int]) -> array[int]:
    try:
        return array("q", values)
    except OverflowError:
        return array("q", [clamped(value) for value in values])
