"""Which directories below a project folder can hold state: learned from names and settings.

A *working directory* is one that ``init`` was run in: it has a data directory (``.terraform``, or
what ``TF_DATA_DIR`` names), whose settings tell where the state is kept.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.formats.base import Role
from cachewright.formats.terraform_backend import LOCAL, Backend, Unreadable, read_backend
from cachewright.formats.terraform_state_layout import CONFIGURATIONS, DATA, STATE, WORKSPACES
from cachewright.storage.anchored import Directory
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Settings that tell of state which is not kept below the root, and the sentence to say.

    ``damaged``: they could not be read, so it is not known where the state is kept.
    """

    settings: bytes
    path: bytes
    sentence: str
    damaged: bool = False


@dataclass(slots=True)
class Folders:
    """All paths are relative to the root.

    ``folders`` may hold state files, ``workspaces`` directories with one each, ``data`` only
    settings; ``states`` are state files that are looked for whether they are there or not.
    """

    folders: set[bytes] = field(default_factory=lambda: {b""})
    workspaces: set[bytes] = field(default_factory=set)
    data: set[bytes] = field(default_factory=set)
    states: set[bytes] = field(default_factory=set)
    elsewhere: list[Elsewhere] = field(default_factory=list)


def learn(root: Directory, tree: Tree, environment: Mapping[str, str]) -> Folders:
    """Never raises for what lies there: settings that cannot be read are told of."""
    learning = _Learning(root, tree)
    learning.from_names()
    for folder, data in learning.working_directories(_data_directory(root, environment)):
        learning.from_settings(folder, data)
    return learning.found


def _data_directory(root: Directory, environment: Mapping[str, str]) -> bytes:
    """What ``TF_DATA_DIR`` says: a path that holds in every working directory, or an absolute
    one, which then belongs to the root; ``.terraform`` where it says nothing."""
    said = os.fsencode(environment.get("TF_DATA_DIR", ""))
    if not said or b"\0" in said:
        return DATA
    path = os.path.normpath(said)
    if path == b"." or path.split(b"/")[0] == b"..":
        return os.path.normpath(root.where(path))
    return path


class _Learning:
    def __init__(self, root: Directory, tree: Tree) -> None:
        self.found = Folders()
        self._root = root
        self._tree = tree

    def from_names(self) -> None:
        tree, found = self._tree, self.found
        for row in tree.rows_with_role(Role.LOCK).tolist():
            found.folders.add(tree.path(int(tree.parent[row])))
        rows = [tree.rows_named(STATE), *(tree.rows_ending(one) for one in CONFIGURATIONS)]
        for parent in {int(tree.parent[row]) for some in rows for row in some.tolist()}:
            if self._entered(parent):
                found.folders.add(tree.path(parent))
        for row in tree.rows_named(WORKSPACES).tolist():
            if self._entered(row):
                found.workspaces.add(tree.path(row))

    def _entered(self, row: int) -> bool:
        """Whether the scan looked for state there: not among others' files."""
        return int(self._tree.role[row]) == Role.CONTAINER

    def working_directories(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Each working directory with its data directory, which is absolute or below the root."""
        tree = self._tree
        if os.path.isabs(data):
            yield b"", data
        for name in sorted({DATA, data} if not os.path.isabs(data) else {DATA}):
            for row in tree.rows_named(posixpath.basename(name)).tolist():
                path = tree.path(row)
                folder = path.removesuffix(name).rstrip(b"/")
                above = tree.find(folder)
                fits = posixpath.join(folder, name) == path and tree.is_directory(row)
                if fits and above is not None and self._entered(above):
                    yield folder, path

    def from_settings(self, folder: bytes, data: bytes) -> None:
        inside = self._below(b"", data)
        if inside is not None:
            self.found.data.add(inside)
        self.found.folders.add(folder)
        try:
            backend = self._backend(data)
        except Unreadable as error:
            sentence = (
                "The backend settings could not be read, so where the state is kept is not "
                f"known: {error}."
            )
            self._tell(data, sentence, damaged=True)
            return
        if backend.elsewhere:
            self._tell(data, backend.elsewhere)
        if backend.state is not None:
            self._keep(folder, data, backend.state, "state")
        if backend.workspaces is not None:
            self._keep(folder, data, backend.workspaces, "workspaces")

    def _backend(self, data: bytes) -> Backend:
        if not os.path.isabs(data):
            return read_backend(self._root, posixpath.join(data, STATE))
        try:
            outside = Directory.open(data)
        except CachewrightError:
            return LOCAL
        with outside:
            return read_backend(outside, STATE)

    def _keep(self, folder: bytes, data: bytes, place: bytes, what: str) -> None:
        """Remember a place that the settings name, or tell of one that lies outside."""
        inside = self._below(folder, place)
        if inside is not None:
            known = self.found.states if what == "state" else self.found.workspaces
            known.add(inside)
            return
        path = os.path.normpath(os.path.join(self._root.where(folder), place))
        outside = os.path.dirname(path) if what == "state" else path
        sentence = (
            f"This project keeps its {what} in {display(outside)}, outside the folder that was "
            "opened: open that one to see the locks there."
        )
        self._tell(data, sentence)

    def _below(self, folder: bytes, place: bytes) -> bytes | None:
        """Where a path, as the tool reads it in ``folder``, lies below the root; else None."""
        path = os.path.join(self._root.where(folder), place)
        relative = os.path.relpath(path, self._root.path)
        return None if relative.split(b"/")[0] in {b"..", b"."} else relative

    def _tell(self, data: bytes, sentence: str, *, damaged: bool = False) -> None:
        settings = posixpath.join(data, STATE)
        path = os.path.join(self._root.path, settings)
        self.found.elsewhere.append(Elsewhere(settings, path, sentence, damaged))
