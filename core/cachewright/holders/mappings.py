"""Files that a process has mapped, also where it closed the descriptor long ago."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from cachewright.holders.descriptors import parts
from cachewright.holders.interest import Interest
from cachewright.holders.processes import GONE, Process, Stat

_Made = TypeVar("_Made")


class Mapped(NamedTuple):
    """One mapped file.  ``device`` is the file system's number (see ``holders.mounts``), not
    always that of ``stat``; ``write`` means that writing into it changes the file."""

    path: str
    device: int
    inode: int
    write: bool


class Mappings(Generic[_Made]):
    """What is made of each mapped file, which is made once for all processes that share it."""

    def __init__(
        self, make: Callable[[Mapped], tuple[_Made, ...]], worthwhile: Callable[[bytes], bool]
    ) -> None:
        self._make = make
        self._worthwhile = worthwhile
        self._made: dict[bytes, tuple[_Made, ...]] = {}

    def of(self, process: Process, stat: Stat) -> Iterator[_Made]:
        """Of every file that the process has mapped; ``PermissionError`` where we may not look.

        The same may come more than once.
        """
        for part in parts(process, stat):
            try:
                raw = process.read(f"{part}maps")
            except GONE:
                continue
            if not self._worthwhile(raw):
                continue
            # Apart from their addresses, processes have most lines in common.
            for line in {line.partition(b" ")[2] for line in raw.split(b"\n")}:
                made = self._made.get(line)
                if made is None:
                    mapping = parse(line)
                    made = self._made[line] = self._make(mapping) if mapping else ()
                yield from made


class Glance:
    """Whether anything mapped by a process can count, told from all its lines at once.

    ``numbers`` are the file systems' own numbers of the devices that count, each with those that
    ``stat`` gives.  A path below a prefix may count whatever its number.
    """

    def __init__(
        self,
        interest: Interest,
        prefixes: Sequence[bytes],
        numbers: Mapping[int, Iterable[int]],
    ) -> None:
        self._interest = interest
        self._prefixes = [_spelled(prefix) for prefix in prefixes]
        self._numbers = {_device_name(own): tuple(seen) for own, seen in numbers.items()}
        devices = b"|".join(self._numbers)
        self._places = re.compile(b" ((?:%s) [0-9]+) " % devices) if devices else None
        self._known: dict[bytes, bool] = {}

    def __call__(self, raw: bytes) -> bool:
        if not self._interest.narrow or any(prefix in raw for prefix in self._prefixes):
            return True
        if self._places is None:
            return False
        return any(self._wanted(place) for place in set(self._places.findall(raw)))

    def _wanted(self, place: bytes) -> bool:
        known = self._known.get(place)
        if known is None:
            device, _, inode = place.partition(b" ")
            seen = self._numbers[device]
            known = any(self._interest.is_wanted(number, int(inode)) for number in seen)
            self._known[place] = known
        return known


def _spelled(path: bytes) -> bytes:
    return path.replace(b"\n", rb"\012")


def _device_name(number: int) -> bytes:
    return b"%02x:%02x" % (os.major(number), os.minor(number))


def parse(line: bytes) -> Mapped | None:
    r"""``rw-s 00000000 08:01 42    /path``: a line of maps without its addresses, or None where
    it is no file's.  The kernel writes a newline in a name as ``\012``."""
    slash = line.find(b" /")
    if slash < 0:
        return None
    fields = line[:slash].split()
    if len(fields) != 4 or fields[3] == b"0":  # noqa: PLR2004 - proc(5) maps
        return None
    major, _, minor = fields[2].partition(b":")
    return Mapped(
        path=os.fsdecode(line[slash + 1 :].replace(rb"\012", b"\n")),
        device=os.makedev(int(major, 16), int(minor, 16)),
        inode=int(fields[3]),
        write=fields[0][1:2] == b"w" and fields[0][3:4] == b"s",
    )
