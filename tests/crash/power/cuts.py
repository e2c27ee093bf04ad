"""Make what a disk may hold after the power went at some moment.

Two models.  *Ordered*: all writes up to the cut are there, none after it.  *Dropped*: what was
flushed by then is there, of everything later a random half.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.power.logwrites import Log


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes right after the log's entry ``number``; ``seed`` chooses what is dropped,
    None where nothing is."""

    number: int
    seed: int | None = None


def ordered(log: Log, spans: Sequence[tuple[int, int]]) -> Iterator[Cut]:
    """A cut before the first and after every write within the spans (first and last entry)."""
    for first, last in spans:
        yield Cut(first)
        for number in range(first + 1, last + 1):
            if log.writes[number].changes:
                yield Cut(number)


def dropped(spans: Sequence[tuple[int, int]], count: int) -> list[Cut]:
    """That many cuts at random places of the spans, in the order of the log."""
    numbers = [number for first, last in spans for number in range(first, last + 1)]
    places = random.Random(count)  # noqa: S311 - the same in every run
    return sorted(
        (Cut(places.choice(numbers), seed) for seed in range(count)),
        key=lambda cut: (cut.number, cut.seed),
    )


def survivors(log: Log, cut: Cut) -> tuple[int, list[int]]:
    """How many of the first writes are all there, and the numbers of the later ones that are."""
    if cut.seed is None:
        return cut.number + 1, []
    flushed = next(
        (number for number in range(cut.number, -1, -1) if log.writes[number].flushes), 0
    )
    chance = random.Random(cut.seed)  # noqa: S311 - the same in every run
    later = [
        number
        for number in range(flushed, cut.number + 1)
        if log.writes[number].durable or chance.random() < 0.5
    ]
    return flushed, later


class Disk:
    """A disk that goes through the cuts of one log; they must come in the order of the log."""

    def __init__(self, log: Log, path: Path, size: int) -> None:
        self._log = log
        self._size = size
        self._path = path
        self._done = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        os.close(self._fd)
        self._path.unlink()

    def write_state(self, cut: Cut, image: Path) -> None:
        """Write what is left after the cut into ``image``."""
        whole, later = survivors(self._log, cut)
        if whole < self._done:
            raise ValueError("the cuts are not in the order of the log")
        for number in range(self._done, whole):
            self._log.apply(number, self._fd)
        self._done = whole
        copy = os.open(image, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.ftruncate(copy, self._size)
            _copy(self._fd, copy, self._size)
            for number in later:
                self._log.apply(number, copy)
        finally:
            os.close(copy)


def _copy(source: int, target: int, size: int) -> None:
    """Copy what was ever written; the rest stays a hole."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError:  # nothing but a hole from here on
            return
        end = os.lseek(source, at, os.SEEK_HOLE)
        while at < end:
            at += os.copy_file_range(source, target, end - at, at, at)
