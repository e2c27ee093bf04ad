"""Hash small files below pinned directories, and compare what is there with the inventory."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from typing import Final

from cachewright.hashing.wire import (
    CTIME_NS,
    RACY_NS,
    SIZE,
    UNLISTED,
    Answer,
    Group,
    Place,
    Signature,
    Status,
)
from cachewright.inventory.wire import clamped
from cachewright.storage.beneath import SAFE_FLAGS
from cachewright.workers.descent import Descent

GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO})
"""What one gets where something was removed or replaced by something else."""


def same(found: os.stat_result, known: Signature) -> bool:
    """Whether this is what the inventory saw, unchanged."""
    device, inode, size, mtime_ns, ctime_ns = known
    return (
        found.st_ctime_ns == ctime_ns
        and found.st_mtime_ns == mtime_ns
        and found.st_size == size
        and found.st_ino == inode
        and found.st_dev == device
    ) or (
        # Times that columns cannot hold are kept there as the latest that they can.
        (found.st_dev, found.st_ino, found.st_size) == known[: SIZE + 1]
        and (clamped(found.st_mtime_ns), clamped(found.st_ctime_ns)) == (mtime_ns, ctime_ns)
    )


def outlast_tick(signatures: Iterable[Signature]) -> None:
    """Where a last change is so young that another one would get the same time, wait until it
    would not; then a later look shows every later change."""
    now = time.time_ns()
    if any(abs(now - one[CTIME_NS]) < RACY_NS for one in signatures):
        time.sleep(RACY_NS / 1e9)


class Hasher:
    """Hashes files whole: only for those that fit easily into memory."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._fresh = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
        self._digest_bytes = sum(one.digest_size for one in self._fresh)

    def hash_all(self, root_fd: int, groups: Iterable[Group]) -> Answer:
        """One line per file; the files of one group cost one path look-up."""
        answer = Answer(self._digest_bytes)
        with Descent(root_fd) as descent:
            for group in groups:
                outlast_tick(group.signatures)
                self._hash_group(descent, group, answer)
        return answer

    def _hash_group(self, descent: Descent, group: Group, answer: Answer) -> None:
        try:
            parent_fd = descent.open(group.path)
        except OSError as error:
            for _name in group.names:
                _failed(answer, error)
            return
        for name, known in zip(group.names, group.signatures, strict=True):
            try:
                self._hash(parent_fd, name, known, answer)
            except OSError as error:
                _failed(answer, error)

    def _hash(self, parent_fd: int, name: bytes, known: Signature, answer: Answer) -> None:
        # Looked at first: something else that took its place is not even opened.
        if not same(os.stat(name, dir_fd=parent_fd, follow_symlinks=False), known):
            answer.add(Status.CHANGED)
            return
        fd = os.open(name, os.O_RDONLY | SAFE_FLAGS, dir_fd=parent_fd)
        try:
            before = os.fstat(fd)
            content = _read(fd, known[SIZE]) if same(before, known) else None
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if content is None or len(content) != known[SIZE] or not same(after, known):
            answer.add(Status.CHANGED)
        else:
            answer.add(Status.GOOD, 0, before.st_mode, self._digests(content))

    def _digests(self, content: bytes) -> bytes:
        digests: list[bytes] = []
        for fresh in self._fresh:
            running = fresh.copy()
            running.update(content)
            digests.append(running.digest())
        return b"".join(digests)


def _read(fd: int, size: int) -> bytes:
    """One byte more than expected, if there is one, so that growth shows at once."""
    content = os.read(fd, size + 1)
    while len(content) < size and (more := os.read(fd, size + 1 - len(content))):
        content += more
    return content


def compare_all(root_fd: int, places: Sequence[Place]) -> Answer:
    """For each place whether it still is as the inventory saw it."""
    answer = Answer(0)
    with Descent(root_fd) as descent:
        for place in places:
            try:
                unchanged = _compare(descent, place)
            except OSError as error:
                _failed(answer, error)
            else:
                answer.add(Status.GOOD if unchanged else Status.CHANGED)
    return answer


def _compare(descent: Descent, place: Place) -> bool:
    if place.names == UNLISTED:
        directory, _, name = place.path.rpartition(b"/")
        parent_fd = descent.open(directory)
        found = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        return same(found, place.signature)
    fd = descent.open(place.path)
    found = os.fstat(fd)
    # Sizes of directories say nothing.  Names are counted because two changes within one tick
    # of the clock leave one time.
    device, inode, _, mtime_ns, ctime_ns = place.signature
    wanted = (device, inode, found.st_size, mtime_ns, ctime_ns)
    return same(found, wanted) and len(os.listdir(fd)) == place.names


def _failed(answer: Answer, error: OSError) -> None:
    if error.errno in GONE:
        answer.add(Status.CHANGED)
    else:
        answer.add(Status.TROUBLE, error.errno or errno.EIO)
