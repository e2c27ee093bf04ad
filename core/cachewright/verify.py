"""The verify engine: hash the files of many entries, and notice whatever changes meanwhile."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable

from cachewright.digests import new_hashes
from cachewright.hashing.engine import Engine
from cachewright.hashing.entry import Verified
from cachewright.hashing.listing import EntryFiles
from cachewright.model import CancelToken, ProgressSink

__all__ = ["EntryFiles", "Verified", "verify"]


def verify(
    jobs: Iterable[EntryFiles],
    algorithms: Collection[str],
    *,
    progress: ProgressSink,
    cancel: CancelToken,
    threads: int | None = None,
    processes: int | None = None,
) -> Generator[Verified, None, None]:
    """Hash every regular file of every job by all ``algorithms`` (hashlib names).

    Entries come as they are completed, in any order.  Small files are read in worker processes,
    big ones in threads, both of low priority; ``None`` means as many as there are processors.
    ``progress`` (stage ``verify``, files and bytes) is called at most ten times a second, and at
    the end.  Raises ``Cancelled``, or ``WorkerFailed`` when a worker process ends by itself;
    ``ValueError`` at once for an unknown algorithm.  Closing the iterator ends all processes and
    threads; roots must stay open until then.
    """
    chosen = sorted(algorithms)
    new_hashes(chosen)
    count = os.cpu_count() or 1
    return Engine(list(jobs), chosen, progress, cancel).run(threads or count, processes or count)
