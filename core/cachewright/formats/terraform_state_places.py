"""The places of state locks below one project folder (terraform.md 4.1).

Which directories can hold state is learned from the inventory once; what lies in them is listed
whenever it is asked for, which takes some microseconds a directory.
"""

from __future__ import annotations

import posixpath
import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.formats.base import Gate, LockPlace
from cachewright.formats.terraform_lock_info import LIMIT, parse
from cachewright.formats.terraform_state_folders import Elsewhere, learn
from cachewright.formats.terraform_state_layout import STATE, WORKSPACES, info_name, states_of
from cachewright.model import LockKind
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree


class StatePlaces:
    """Where the state files are, and the info file that belongs to each."""

    def __init__(self, root: Directory, tree: Tree, environment: Mapping[str, str]) -> None:
        self._root = root
        self._tree = tree
        self._folders = learn(root, tree, environment)

    @property
    def elsewhere(self) -> Sequence[Elsewhere]:
        """What is known of state that is not kept below the root."""
        return self._folders.elsewhere

    def locks(self) -> Sequence[LockPlace]:
        """The places as they are now: each lock on a state file, and then its info file."""
        states = set(self._folders.states)
        infos: dict[bytes, set[bytes]] = defaultdict(set)
        for folder, names in self._listed().items():
            if STATE in names and folder not in self._folders.data:
                states.add(posixpath.join(folder, STATE))
            for info in filter(states_of, names):
                of = states_of(info)
                there = {posixpath.join(folder, one) for one in names.intersection(of)}
                infos[posixpath.join(folder, info)] = there or {posixpath.join(folder, of[0])}
                states |= there
        for state in states:
            infos[_info_of(state)].add(state)
        found = [self._kernel_lock(one) for one in states]
        found += [self._info_file(info, of) for info, of in infos.items()]
        return sorted(found, key=_order)

    def _listed(self) -> dict[bytes, set[bytes]]:
        """Every directory that may hold state, with the names in it now."""
        known = self._folders
        folders = {*known.folders, *known.data, *map(posixpath.dirname, known.states)}
        listed = {one: self._names(one) for one in sorted(folders)}
        usual = {posixpath.join(one, WORKSPACES) for one in folders if WORKSPACES in listed[one]}
        for top in sorted(known.workspaces | usual):
            for name in self._names(top):
                folder = posixpath.join(top, name)
                if self._is_directory(folder):
                    # A workspace's state need not be there yet.
                    listed[folder] = self._names(folder) | {STATE}
        return listed

    def _names(self, folder: bytes) -> set[bytes]:
        try:
            return set(self._root.names(folder))
        except (OSError, CachewrightError):
            return set()  # gone meanwhile; what cannot be listed is told of by the scan

    def _is_directory(self, relative: bytes) -> bool:
        try:
            return stat.S_ISDIR(self._root.stat(relative).st_mode)
        except (OSError, CachewrightError):
            return False

    def _kernel_lock(self, state: bytes) -> LockPlace:
        return LockPlace(
            id=display(state),
            kind=LockKind.POSIX,
            relative=state,
            row=self._row(state),
            subject=self._subject(state),
        )

    def _info_file(self, info: bytes, states: set[bytes]) -> LockPlace:
        """``states`` are the state files that it may speak of: one, nearly always."""
        state = next(iter(states)) if len(states) == 1 else self._told(info, states)
        gate = None
        if state is not None:
            gate = Gate(LockKind.POSIX, state, create=False, read_only=True)
        return LockPlace(
            id=display(info),
            kind=LockKind.INFO_FILE,
            relative=info,
            row=self._row(info),
            subject=self._subject(min(states) if state is None else state),
            guards=gate,
        )

    def _told(self, info: bytes, states: set[bytes]) -> bytes | None:
        """The one that the info file itself names; ``NAME`` and ``.NAME`` share one."""
        try:
            claim = parse(self._root.read(info, LIMIT))
        except (OSError, CachewrightError):
            return None
        named = posixpath.basename(claim.owner.get("Path", "")).encode()
        fitting = [one for one in states if posixpath.basename(one) == named]
        return fitting[0] if fitting else None

    def _row(self, relative: bytes) -> int:
        row = self._tree.find(relative)
        return -1 if row is None else row

    def _subject(self, state: bytes) -> str:
        folder = posixpath.dirname(state)
        if folder in self._folders.data:
            return f"Backend settings {display(state)}"
        top, name = posixpath.split(folder)
        of_workspaces = top in self._folders.workspaces or posixpath.basename(top) == WORKSPACES
        if of_workspaces and posixpath.basename(state) == STATE:
            usual = posixpath.join(posixpath.dirname(top), STATE)
            return f"State {display(usual)}, workspace {display(name)}"
        return f"State {display(state)}"


def _info_of(state: bytes) -> bytes:
    folder, name = posixpath.split(state)
    return posixpath.join(folder, info_name(name))


def _order(place: LockPlace) -> tuple[bytes, bool, bytes]:
    """By state file, the lock on it before the info file."""
    state = place.relative if place.guards is None else place.guards.relative
    return state, place.kind is LockKind.INFO_FILE, place.relative
