"""Starts the demo's processes and ends them; each is a child of this process."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Self

from cachewright.errors import WorkerFailed

_END_S = 10.0


class Company:
    """The processes at work in the cache, until ``close``."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: the longest that any of them may live."""
        self._seconds = seconds
        self._actors: list[subprocess.Popen[bytes]] = []

    def start(self, act: str, path: str) -> int:
        """Start one and wait until it is in place; returns its pid."""
        actor = subprocess.Popen(
            [sys.executable, "-P", "-m", "cachewright.demo.actor", act, path, str(self._seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends them
        )
        self._actors.append(actor)
        if actor.stdout is None or actor.stdout.readline() != b"ready\n":
            raise WorkerFailed(path=path.encode(), reason=f"the {act} process did not start")
        return actor.pid

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(one.pid for one in self._actors)

    def close(self) -> None:
        """End them all and wait for each."""
        for actor in self._actors:
            for pipe in (actor.stdin, actor.stdout):
                if pipe is not None:
                    pipe.close()
        for actor in self._actors:
            try:
                actor.wait(_END_S)
            except subprocess.TimeoutExpired:
                actor.kill()
                actor.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
