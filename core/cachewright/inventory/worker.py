"""The scan's worker process: reads the directories it is asked for."""

from __future__ import annotations

from cachewright.inventory.reading import Reader
from cachewright.inventory.wire import unpack_requests, unpack_settings
from cachewright.workers.serving import Handler, serve


def _start(settings: bytes, fds: list[int]) -> Handler:
    reader = Reader(fds[0], unpack_settings(settings))
    return lambda frame, _fds: reader.read(*unpack_requests(frame)).parts()


def main() -> None:
    """Serve until the starter goes away; the root comes with the settings."""
    serve(_start)
