"""The scan's worker process: reads the directories it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from cachewright.inventory.reading import Reader
from cachewright.inventory.wire import unpack_requests, unpack_settings
from cachewright.workers.serving import Part, serve


def main() -> None:
    """Serve until the starter goes away; the last argument is the root's descriptor."""
    root_fd = int(sys.argv[-1])

    def start(settings: bytes) -> Callable[[bytes], Sequence[Part]]:
        reader = Reader(root_fd, unpack_settings(settings))
        return lambda frame: reader.read(*unpack_requests(frame)).parts()

    serve(start)


if __name__ == "__main__":
    main()
