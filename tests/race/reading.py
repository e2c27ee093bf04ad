"""Read an entry again and again while it is being published; run as a script until its input
ends.  Standard library only, so that it starts quickly.

``pinned`` opens the entry's directory once for each read and every file relative to it, ``path``
opens every file by its whole path.  The last line on standard output is a JSON object.
"""

from __future__ import annotations

import json
import os
import select
import sys

NAMES = tuple(f"f{number}" for number in range(8))
SIZE = 512
BETWEEN = 32
"""Reads from one look for the end to the next."""


def read(name: str, at: int | None) -> bytes:
    fd = os.open(name, os.O_RDONLY, dir_fd=at)
    try:
        return os.read(fd, SIZE + 1)
    finally:
        os.close(fd)


def pinned(entry: str) -> set[bytes]:
    at = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return {read(name, at) for name in NAMES}
    finally:
        os.close(at)


def by_path(entry: str) -> set[bytes]:
    return {read(f"{entry}/{name}", None) for name in NAMES}


def main(way: str, entry: str, patience: str) -> None:
    one_read = {"pinned": pinned, "path": by_path}[way]
    reads = missing = mixed = 0
    os.nice(int(patience))
    print("ready", flush=True)
    while reads % BETWEEN or not select.select([0], [], [], 0)[0]:
        reads += 1
        try:
            seen = one_read(entry)
        except FileNotFoundError:
            missing += 1
        else:
            mixed += len(seen) != 1 or len(seen.pop()) != SIZE
    print(json.dumps({"reads": reads, "missing": missing, "mixed": mixed}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
