"""Keeps workers and threads busy with the files of many entries, a bounded number at a time."""

from __future__ import annotations

import hashlib
import stat
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Final

from cachewright.digests import FileDigest
from cachewright.errors import WorkerFailed
from cachewright.hashing.big import BigFile, BigFiles
from cachewright.hashing.entry import Batch, Entry, Item, Verified
from cachewright.hashing.listing import EntryFiles, contents, to_compare
from cachewright.hashing.roots import Roots
from cachewright.hashing.wire import Done, Kind, Status, pack_algorithms, pack_work, unpack_done
from cachewright.model import CancelToken, Progress, ProgressSink
from cachewright.workers.process import Crew, Ended, Worker

_MODULE: Final = "cachewright.hashing.worker"
_BIG: Final = 1 << 20
"""Larger files are read block by block in threads; smaller ones whole, in workers."""
_AHEAD: Final = 2
"""Batches per worker and big files per thread that are given out before they can be begun."""
_TICK_S: Final = 0.05
_TELL_EVERY_S: Final = 0.1


class Engine:
    """One run; see ``verify.verify``."""

    def __init__(
        self,
        jobs: Sequence[EntryFiles],
        algorithms: Sequence[str],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> None:
        self._algorithms = algorithms
        self._widths = [hashlib.new(one, usedforsecurity=False).digest_size for one in algorithms]
        self._progress = progress
        self._cancel = cancel
        self._files_in_all = sum(int(job.tree.total_files[job.row]) for job in jobs)
        self._bytes_in_all = sum(int(job.tree.total_bytes[job.row]) for job in jobs)
        self._files = self._bytes = 0
        self._told_at = 0.0
        self._hashing = self._all_contents(jobs)
        self._comparing: deque[Iterator[Item]] = deque()
        self._batches = {kind: Batch(kind) for kind in (Kind.HASH, Kind.COMPARE)}
        self._completed: deque[Entry] = deque()
        self._unfinished = 0
        self._roots = Roots()

    def run(self, threads: int, processes: int) -> Generator[Verified, None, None]:
        crew: Crew[Batch] = Crew()
        big: BigFiles[Item] = BigFiles(self._algorithms, threads, self._cancel)
        with crew, big:
            crew.watch(big.wake)
            while self._feed(crew, big, threads, processes):
                self._cancel.check()
                for worker, answer in crew.answers(_TICK_S):
                    self._take(worker, answer)
                for file in big.done():
                    self._take_big(file)
                self._tell(big)
                while self._completed:
                    yield self._completed.popleft().verified()
            self._cancel.check()
            self._told_at = 0.0
            self._tell(big)

    def _all_contents(self, jobs: Sequence[EntryFiles]) -> Iterator[Item]:
        for job in jobs:
            entry = Entry(job)
            self._unfinished += 1
            self._roots.use(job.root)
            for name, mode, known in contents(job):
                if stat.S_ISREG(mode):
                    entry.left += 1
                    yield Item(entry, name, known)
                else:
                    entry.strange.append(name)
            entry.exhausted = True
            self._advance(entry)

    def _all_compared(self, entry: Entry) -> Iterator[Item]:
        for name, known in to_compare(entry.job):
            entry.left += 1
            yield Item(entry, name, known)
        entry.exhausted = True
        self._advance(entry)

    def _advance(self, entry: Entry) -> None:
        """Go on to the next round, once nothing of this one is left."""
        if entry.left or not entry.exhausted:
            return
        if not entry.comparing:
            entry.comparing, entry.exhausted = True, False
            self._comparing.append(self._all_compared(entry))
            return
        self._unfinished -= 1
        self._roots.release(entry.job.root)
        self._completed.append(entry)

    def _next(self) -> Item | None:
        """Entries that are nearly complete come first, so that few are in the making."""
        while True:
            while self._comparing:
                item = next(self._comparing[0], None)
                if item is not None:
                    return item
                self._comparing.popleft()
            item = next(self._hashing, None)
            if item is not None or not self._comparing:
                return item

    def _feed(self, crew: Crew[Batch], big: BigFiles[Item], threads: int, processes: int) -> bool:
        """Give out as much as can soon be begun; whether anything is left to be done."""
        while self._room(crew, processes) and len(big.running) < threads * _AHEAD:
            item = self._next()
            if item is None:
                break
            if item.known.size > _BIG and not item.entry.comparing:
                big.add(BigFile(item, item.entry.job.root, item.known))
                continue
            batch = self._batches[Kind.COMPARE if item.entry.comparing else Kind.HASH]
            if not batch.fits(item):
                self._send(crew, batch, processes)
            batch = self._batches[batch.kind]
            batch.add(item)
            if batch.full:
                self._send(crew, batch, processes)
        for batch in list(self._batches.values()):
            if batch.items and self._room(crew, processes):
                self._send(crew, batch, processes)
        return self._unfinished > 0 or bool(self._completed)

    @staticmethod
    def _room(crew: Crew[Batch], processes: int) -> bool:
        return sum(len(worker.sent) for worker in crew.workers) < processes * _AHEAD

    def _send(self, crew: Crew[Batch], batch: Batch, processes: int) -> None:
        self._batches[batch.kind] = Batch(batch.kind)
        idle = [worker for worker in crew.workers if not worker.sent]
        if not idle and len(crew.workers) < processes:
            idle = [crew.start(_MODULE)]
            idle[0].send(pack_algorithms(self._algorithms))
        worker = min(idle or crew.workers, key=lambda one: len(one.sent))
        number = self._roots.number(batch.items[0].entry.job.root, worker)
        worker.sent.append(batch)
        worker.send(pack_work(batch.kind, number, (item.known for item in batch.items)))

    def _take(self, worker: Worker[Batch], answer: bytearray | Ended) -> None:
        batch = worker.sent.popleft() if worker.sent else None
        path = b"nothing in particular"
        if batch is not None:
            path = batch.items[0].entry.job.root.where(batch.items[0].known.path)
        if isinstance(answer, Ended) or batch is None:
            raise WorkerFailed(path=path, reason=answer)
        try:
            done = unpack_done(answer, sum(self._widths) if batch.kind is Kind.HASH else 0)
            for item, one in zip(batch.items, done, strict=True):
                self._finish(item, one)
        except ValueError as error:
            raise WorkerFailed(path=path, reason=error) from error

    def _finish(self, item: Item, done: Done) -> None:
        entry = item.entry
        if done.status == Status.TROUBLE:
            entry.unreadable(item.known, done.code)
        elif done.status == Status.CHANGED:
            entry.changed.append(item.name)
        elif not entry.comparing:
            entry.files[item.name] = FileDigest(done.size, done.mode, self._values(done.digests))
        self._count(item)

    def _take_big(self, file: BigFile[Item]) -> None:
        entry = file.label.entry
        if isinstance(file.error, OSError):
            entry.unreadable(file.known, file.error.errno)
        elif file.error is not None:
            raise file.error
        elif file.changed or file.digest is None:
            entry.changed.append(file.label.name)
        else:
            entry.files[file.label.name] = file.digest
        self._count(file.label)

    def _count(self, item: Item) -> None:
        if not item.entry.comparing:
            self._files += 1
            self._bytes += item.known.size
        item.entry.left -= 1
        self._advance(item.entry)

    def _values(self, digests: bytes) -> dict[str, str]:
        text, at = digests.hex(), 0
        values: dict[str, str] = {}
        for name, width in zip(self._algorithms, self._widths, strict=True):
            values[name] = text[at : at + 2 * width]
            at += 2 * width
        return values

    def _tell(self, big: BigFiles[Item]) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_S:
            return
        self._told_at = now
        read = self._bytes + sum(file.read for file in big.running)
        self._progress(
            Progress("verify", self._files, self._files_in_all, read, self._bytes_in_all)
        )
