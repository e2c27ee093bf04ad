"""What a survey of processes saw: plain values, the same on every system."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, NamedTuple

from cachewright.model import Holder

_DELETED: Final = b" (deleted)"
_NAMED: Final = 3

Place = tuple[int, int]
"""Device and inode, as ``stat`` tells them."""


class Hold(NamedTuple):
    """One way in which one process holds one file or directory.

    ``how`` is ``open:read`` ``open:write`` ``mmap:read`` ``mmap:write`` ``exe`` ``argv`` ``cwd``
    ``root`` ``lock:read`` or ``lock:write``; ``holder.how`` is empty, ``merged`` fills it.
    ``path`` is what the kernel calls the place now; of a deleted file it ends in
    `` (deleted)``.
    """

    holder: Holder
    device: int
    inode: int
    path: bytes
    how: str


@dataclass(frozen=True, slots=True)
class KernelLock:
    """A lock that the kernel keeps.

    ``kind`` is ``posix``, ``flock``, ``ofd`` or ``lease``.  ``pids`` are all processes that
    hold it: several where a flock or OFD lock was inherited over fork; empty where no process
    could be named.  ``waiting`` are those that wait for it.  ``device`` is the file system's
    own number, which ``stat`` need not agree with (btrfs, overlay): see ``holders.mounts``.
    """

    kind: str
    write: bool
    pids: tuple[int, ...]
    device: int
    inode: int
    start: int
    end: int | None
    waiting: tuple[int, ...] = ()


@dataclass(frozen=True)
class Survey:
    """Every hold on the devices and below the prefixes that were asked for.

    ``uninspected`` counts processes that exist and could not be (fully) looked into;
    ``hidden`` is empty, or the reason why there may be processes that do not even show.
    Nobody is proven absent while either is set.
    """

    holds: tuple[Hold, ...]
    uninspected: int
    hidden: str
    at_ns: int
    unnamed: tuple[str, ...] = field(default=())
    """Short names of uninspected processes, for the evidence."""

    @property
    def unshown(self) -> str:
        """Why the list of processes is not the whole truth; empty where it is."""
        reasons = [self.hidden] if self.hidden else []
        if self.uninspected:
            names = ", ".join(self.unnamed[:_NAMED])
            count = self.uninspected
            what = "1 process" if count == 1 else f"{count} processes"
            reasons.append(f"{what} could not be inspected{f' ({names})' if names else ''}.")
        return " ".join(reasons)

    def of(
        self,
        where: Collection[Place] | Callable[[int, int], bool],
        prefix: bytes | None = None,
    ) -> tuple[Holder, ...]:
        """Who holds one of the places, or anything at or below ``prefix``; one per process.

        Device and inode find what was renamed or is seen through another mount; the prefix
        finds what was deleted or made after the places were listed.
        """
        if callable(where):
            found = [hold for hold in self.holds if where(hold.device, hold.inode)]
        else:
            found = [hold for place in where for hold in self._placed.get(place, ())]
        if prefix is not None:
            found += self._below(prefix)
        return merged(found)

    def _below(self, prefix: bytes) -> Iterator[Hold]:
        """Holds at or below a path, found by halving."""
        paths, holds = self._sorted
        stem = prefix.rstrip(b"/")
        for index in range(bisect_left(paths, stem), len(paths)):
            if not paths[index].startswith(stem):
                return
            if below(paths[index], prefix):
                yield holds[index]

    def of_deleted(self, prefix: bytes) -> tuple[Holder, ...]:
        """Who has something open that was at or below ``prefix`` and is deleted since, as far as
        the kernel's way of writing it tells: another file may have its name by now."""
        return merged(hold for hold in self._below(prefix) if hold.path.endswith(_DELETED))

    @cached_property
    def _placed(self) -> Mapping[Place, Sequence[Hold]]:
        """Holds by place: a cache may have as many locks as there are holds."""
        placed: dict[Place, list[Hold]] = defaultdict(list)
        for hold in self.holds:
            placed[hold.device, hold.inode].append(hold)
        return placed

    @cached_property
    def _sorted(self) -> tuple[Sequence[bytes], Sequence[Hold]]:
        """Holds in the order of their paths, with those paths."""
        holds = sorted(self.holds, key=lambda hold: hold.path)
        return [hold.path for hold in holds], holds


def below(path: bytes, prefix: bytes) -> bool:
    """Whether a path as the kernel shows it is ``prefix`` or lies below it."""
    path = path.removesuffix(_DELETED)
    return path == prefix or path.startswith(prefix.rstrip(b"/") + b"/")


def merged(holds: Iterable[Hold]) -> tuple[Holder, ...]:
    """One holder per process with all its ways of holding, in order of pid."""
    holders: dict[tuple[str, int, int, int], Holder] = {}
    ways: dict[tuple[str, int, int, int], set[str]] = {}
    for hold in holds:
        holders.setdefault(hold.holder.key, hold.holder)
        ways.setdefault(hold.holder.key, set()).add(hold.how)
    complete = (replace(one, how=tuple(sorted(ways[key]))) for key, one in holders.items())
    return tuple(sorted(complete, key=lambda holder: holder.pid))
