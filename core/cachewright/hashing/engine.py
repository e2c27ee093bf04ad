"""Keeps workers and threads busy with the files of many entries, a bounded number at a time."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Final

import numpy as np

from cachewright.errors import WorkerFailed
from cachewright.hashing.batches import CompareBatch, Files, HashBatch, Spot, portions
from cachewright.hashing.big import BigFile, BigFiles
from cachewright.hashing.entry import Entry, Verified
from cachewright.hashing.listing import (
    Contents,
    EntryFiles,
    contents,
    joined,
    signature,
    to_compare,
)
from cachewright.hashing.roots import Roots
from cachewright.hashing.wire import SIZE, pack_algorithms
from cachewright.model import CancelToken, Progress, ProgressSink
from cachewright.workers.process import Crew, Ended, Worker

_MODULE: Final = "cachewright.hashing.worker"
_BIG: Final = 1 << 20
"""Larger files are read block by block in threads; smaller ones whole, in workers."""
_AHEAD: Final = 2
"""Batches per worker and big files per thread that are given out before they can be begun."""
_TICK_S: Final = 0.05
_TELL_EVERY_S: Final = 0.1

Batch = HashBatch | CompareBatch
Big = BigFile[tuple[Entry, bytes]]
Work = Files | Spot | Big


class Engine:
    """One run; see ``verify.verify``."""

    def __init__(
        self,
        jobs: Sequence[EntryFiles],
        algorithms: Sequence[str],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> None:
        self._names = algorithms
        self._algorithms = [
            (name, hashlib.new(name, usedforsecurity=False).digest_size) for name in algorithms
        ]
        self._progress = progress
        self._cancel = cancel
        self._files_in_all = sum(int(job.tree.total_files[job.row]) for job in jobs)
        self._bytes_in_all = sum(int(job.tree.total_bytes[job.row]) for job in jobs)
        self._files = self._bytes = 0
        self._told_at = 0.0
        self._reading = self._all_contents(jobs)
        self._comparing: deque[Iterator[Spot]] = deque()
        self._to_hash, self._to_compare = HashBatch(), CompareBatch()
        self._completed: deque[Entry] = deque()
        self._unfinished = 0
        self._roots = Roots()

    def run(self, threads: int, processes: int) -> Generator[Verified, None, None]:
        crew: Crew[Batch] = Crew()
        big: BigFiles[tuple[Entry, bytes]] = BigFiles(self._names, threads, self._cancel)
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

    def _all_contents(self, jobs: Sequence[EntryFiles]) -> Iterator[Files | Big]:
        for job in jobs:
            entry = Entry(job)
            self._unfinished += 1
            self._roots.use(job.root)
            if job.tree.is_file(job.row):
                yield self._only_file(entry)
            elif job.tree.is_directory(job.row):
                for found in contents(job):
                    entry.strange += found.strange
                    yield from self._files_of(entry, found)
            else:
                entry.strange.append(b"")
            entry.exhausted = True
            self._advance(entry)

    def _only_file(self, entry: Entry) -> Files | Big:
        """The file that is an entry by itself: with others in one batch, if it is small."""
        job = entry.job
        if int(job.tree.size[job.row]) > _BIG:
            return self._big(entry, b"", job.base, job.row)
        entry.left += 1
        directory, _, name = job.base.rpartition(b"/")
        return Files(entry, b"", directory, np.array([job.row]), [name], single=True)

    def _files_of(self, entry: Entry, found: Contents) -> Iterator[Files | Big]:
        big = entry.job.tree.size[found.rows] > _BIG
        for index in np.flatnonzero(big).tolist():
            name = found.names[index]
            row = int(found.rows[index])
            yield self._big(entry, joined(found.relative, name), joined(found.path, name), row)
        for files in portions(entry, found, np.flatnonzero(~big)):
            entry.left += len(files)
            yield files

    @staticmethod
    def _big(entry: Entry, name: bytes, path: bytes, row: int) -> Big:
        entry.left += 1
        known = signature(entry.job.tree, row)
        return BigFile((entry, name), entry.job.root, path, known)

    def _all_compared(self, entry: Entry) -> Iterator[Spot]:
        for name, place in to_compare(entry.job):
            entry.left += 1
            yield Spot(entry, name, place)
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

    def _next(self) -> Work | None:
        """Entries that are nearly complete come first, so that few are in the making."""
        while True:
            while self._comparing:
                spot = next(self._comparing[0], None)
                if spot is not None:
                    return spot
                self._comparing.popleft()
            work = next(self._reading, None)
            if work is not None or not self._comparing:
                return work

    def _feed(
        self, crew: Crew[Batch], big: BigFiles[tuple[Entry, bytes]], threads: int, processes: int
    ) -> bool:
        """Give out as much as can soon be begun; whether anything is left to be done."""
        while self._room(crew, processes) and len(big.running) < threads * _AHEAD:
            work = self._next()
            if work is None:
                break
            if isinstance(work, BigFile):
                big.add(work)
            elif isinstance(work, Files):
                self._put_files(work, crew, processes)
            else:
                self._put_spot(work, crew, processes)
        if self._room(crew, processes):
            self._send_files(crew, processes)
        if self._room(crew, processes):
            self._send_spots(crew, processes)
        return self._unfinished > 0 or bool(self._completed)

    def _put_files(self, files: Files, crew: Crew[Batch], processes: int) -> None:
        if self._to_hash.items and self._to_hash.root is not files.entry.job.root:
            self._send_files(crew, processes)
        self._to_hash.add(files)
        if self._to_hash.full:
            self._send_files(crew, processes)

    def _put_spot(self, spot: Spot, crew: Crew[Batch], processes: int) -> None:
        if self._to_compare.items and self._to_compare.root is not spot.entry.job.root:
            self._send_spots(crew, processes)
        self._to_compare.add(spot)
        if self._to_compare.full:
            self._send_spots(crew, processes)

    def _send_files(self, crew: Crew[Batch], processes: int) -> None:
        batch, self._to_hash = self._to_hash, HashBatch()
        self._send(crew, batch, processes)

    def _send_spots(self, crew: Crew[Batch], processes: int) -> None:
        batch, self._to_compare = self._to_compare, CompareBatch()
        self._send(crew, batch, processes)

    @staticmethod
    def _room(crew: Crew[Batch], processes: int) -> bool:
        return sum(len(worker.sent) for worker in crew.workers) < processes * _AHEAD

    def _send(self, crew: Crew[Batch], batch: Batch, processes: int) -> None:
        if not batch.items:
            return
        idle = [worker for worker in crew.workers if not worker.sent]
        if not idle and len(crew.workers) < processes:
            idle = [crew.start(_MODULE)]
            idle[0].send(pack_algorithms(self._names))
        worker = min(idle or crew.workers, key=lambda one: len(one.sent))
        number = self._roots.number(batch.root, worker)
        worker.sent.append(batch)
        worker.send(batch.frame(number))

    def _take(self, worker: Worker[Batch], answer: bytearray | Ended) -> None:
        if not worker.sent or isinstance(answer, Ended):
            where = worker.sent[0].where if worker.sent else b"nothing"
            raise WorkerFailed(path=where, reason=answer)
        batch = worker.sent.popleft()
        try:
            batch.settle(answer, self._algorithms)
        except ValueError as error:
            raise WorkerFailed(path=batch.where, reason=error) from error
        if isinstance(batch, HashBatch):
            for files in batch.items:
                self._files += len(files)
                self._bytes += int(files.entry.job.tree.size[files.rows].sum())
        for entry in dict.fromkeys(item.entry for item in batch.items):
            self._advance(entry)

    def _take_big(self, file: Big) -> None:
        entry, name = file.label
        if isinstance(file.error, OSError):
            entry.unreadable(file.path, file.error.errno)
        elif file.error is not None:
            raise file.error
        elif file.changed or file.digest is None:
            entry.changed.append(name)
        else:
            entry.files[name] = file.digest
        self._files += 1
        self._bytes += file.known[SIZE]
        entry.left -= 1
        self._advance(entry)

    def _tell(self, big: BigFiles[tuple[Entry, bytes]]) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_S:
            return
        self._told_at = now
        read = self._bytes + sum(file.read for file in big.running)
        self._progress(
            Progress("verify", self._files, self._files_in_all, read, self._bytes_in_all)
        )
