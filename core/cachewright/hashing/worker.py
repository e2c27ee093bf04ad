"""The verify engine's worker process: hashes small files, compares directories."""

from __future__ import annotations

import os

from cachewright.hashing.reading import Hasher, compare_all
from cachewright.hashing.wire import (
    Kind,
    unpack_algorithms,
    unpack_groups,
    unpack_head,
    unpack_places,
)
from cachewright.workers.serving import Handler, Part, serve


def _start(algorithms: bytes, _fds: list[int]) -> Handler:
    hasher = Hasher(unpack_algorithms(algorithms))
    roots: dict[int, int] = {}

    def handle(frame: bytes, fds: list[int]) -> list[Part] | None:
        kind, root = unpack_head(frame)
        if kind == Kind.ROOT:
            roots[root] = fds[0]
            return None
        if kind == Kind.FORGET:
            os.close(roots.pop(root))
            return None
        if kind == Kind.HASH:
            return hasher.hash_all(roots[root], unpack_groups(frame)).parts()
        return compare_all(roots[root], unpack_places(frame)).parts()

    return handle


def main() -> None:
    """Serve until the starter goes away."""
    serve(_start)
