"""What a step acts on, pinned by its parent directory, and every second look at it.

A plan is old by the time it runs.  So the subject is compared with what was judged right
before it is moved, and again after it was moved, when nobody can reach it by its name any more:
what went on in between is found out then and taken back (DESIGN 7).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import Changed, InUse, Refused
from cachewright.holders.naming import names_of
from cachewright.inventory.tree import scan_subtree
from cachewright.locks import ours
from cachewright.model import Holder, Identity
from cachewright.repair.plan import MISSING
from cachewright.storage.anchored import Directory, identity

if TYPE_CHECKING:
    from cachewright.holders import Survey
    from cachewright.inventory.tree import Tree

LookAround = Callable[[Sequence[bytes], frozenset[int]], "Survey"]
"""``holders.survey`` or what stands for it."""

_WHAT: Final = (
    ("device", "another file system is there"),
    ("inode", "another file or directory has its name"),
    ("mode", "its mode"),
    ("size", "its size"),
    ("mtime_ns", "its time of modification"),
    ("ctime_ns", "its time of change"),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """``parent/name`` as it was judged.  ``path`` is what errors speak of, wherever it lies
    by then; ``judged`` is ``MISSING`` where nothing was there."""

    parent: Directory
    name: bytes
    path: bytes
    judged: Identity
    signature: str | None

    @property
    def missing(self) -> bool:
        return self.judged == MISSING

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.judged.mode)

    def moved(self, parent: Directory, name: bytes) -> Subject:
        """The same subject at its new place."""
        return replace(self, parent=parent, name=name)

    def recheck(self) -> None:
        """``Changed`` unless all is as it was judged: identity, and every file of a tree."""
        found = self._found()
        if found is None:
            if self.missing:
                return
            raise Changed(path=self.path, what="it is gone")
        now = identity(found)
        if self.missing:
            raise Changed(path=self.path, what="something is there now")
        for name, what in _WHAT:
            if getattr(now, name) != getattr(self.judged, name):
                raise Changed(path=self.path, what=what)
        self._recheck_tree()

    def recheck_moved(self) -> None:
        """``Changed`` unless what was moved is what was judged.  A move gives the subject
        itself another change time, a directory's exchange on xfs another time of modification
        too, and nothing else; what lies in a directory is compared by itself."""
        found = self._found()
        now = None if found is None else self._lasting(identity(found))
        if now != self._lasting(self.judged):
            raise Changed(path=self.path, what="it was replaced or written to at the last moment")
        self._recheck_tree()

    def _lasting(self, one: Identity) -> Identity:
        """What of an identity outlasts a move."""
        return replace(one, ctime_ns=0, mtime_ns=0 if self.is_directory else one.mtime_ns)

    def _recheck_tree(self) -> None:
        if self.is_directory and self.tree().signature(0) != self.signature:
            raise Changed(path=self.path, what="something in it")

    def _found(self) -> os.stat_result | None:
        try:
            return self.parent.stat(self.name)
        except FileNotFoundError:
            return None

    def tree(self) -> Tree:
        """All that lies in it now; ``Refused`` where a part cannot be looked at."""
        tree = scan_subtree(self.parent, self.name)
        if tree.errors:
            gap = tree.errors[0]
            raise Refused(path=self.path, reason=f"not all of it can be looked at ({gap.reason})")
        return tree

    def users(self, look: LookAround) -> tuple[tuple[Holder, ...], Survey]:
        """Other processes that hold it or anything in it, by inode and by path."""
        places = {(self.judged.device, self.judged.inode)}
        if self.is_directory:
            tree = self.tree()
            places |= set(zip(tree.device.tolist(), tree.inode.tolist(), strict=True))
        here = self.parent.where(self.name)
        survey = look([here], frozenset(device for device, _inode in places))
        found = survey.of(places, here)
        return tuple(one for one in found if one.pid != os.getpid()), survey

    def refuse_writers(self, look: LookAround) -> None:
        """``InUse`` where somebody has a part of it open for writing.  Readers and running
        programs keep what they have open (terraform.md 3.5)."""
        if self.missing:
            return
        found, _survey = self.users(look)
        writers = [holder for holder in found if holder.writes]
        if writers:
            raise InUse(path=self.path, reason=f"{names_of(writers)} writes to it")

    def refuse_users(self, look: LookAround, *, prove: bool) -> None:
        """``InUse`` where anybody holds any of it in any way, a working directory included.

        Processes that cannot be inspected are answered for by the kernel, file by file
        (DESIGN 6a).  With ``prove``, no answer is a refusal too.
        """
        found, survey = self.users(look)
        if found:
            raise InUse(path=self.path, reason=f"{names_of(found)} has it in use")
        alone = self._sole_opener()
        if alone is False:
            raise InUse(path=self.path, reason="a process that cannot be named has it open")
        if prove and alone is None and (survey.uninspected or survey.hidden):
            raise Refused(path=self.path, reason="nobody can tell whether it is in use")

    def _sole_opener(self) -> bool | None:
        """False as soon as one file is open elsewhere; None where one answer is missing."""
        answers = [self._alone(relative) for relative in self._files()]
        if False in answers:
            return False
        return None if None in answers else True

    def _files(self) -> list[bytes]:
        if not self.is_directory:
            return [self.name] if stat.S_ISREG(self.judged.mode) else []
        tree = self.tree()
        return [
            self.name + b"/" + tree.path(row) for row in range(1, len(tree)) if tree.is_file(row)
        ]

    def _alone(self, relative: bytes) -> bool | None:
        if ours.held_here(self.parent.stat(relative)):
            return True  # our own gate: to open and close it here would let it go
        try:
            fd = self.parent.open_file(relative)
        except PermissionError:
            return None
        try:
            return holders.sole_opener(fd)
        finally:
            os.close(fd)
