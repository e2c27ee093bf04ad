"""A store of Glance that is a directory: one file for each copy of an image, by its ID.

A copy is published by its row in ``image_locations``; a file without one is never served, and
keeps Glance from ever writing a copy of that name again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from cachewright.formats.base import Entry, Knowledge
from cachewright.formats.glance_left import Use, uses
from cachewright.formats.glance_parts import (
    FILES,
    IMAGE,
    KEPT,
    KEPT_WORDS,
    UNRECORDED,
    Known,
    PartFormat,
    PartKnowledge,
)
from cachewright.formats.glance_records import GOING_ON, Copy, id_of
from cachewright.holders.naming import names_of
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    RepairOffer,
    Role,
    Rule,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.base import References
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory


class StoreFormat(PartFormat):
    """One directory of one file store."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule(1, IMAGE, FILES, Role.ENTRY), KEPT)

    def __init__(self, known: Known, label: str, store: str) -> None:
        super().__init__(known, label)
        self.store = store

    def knowledge(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return StoreKnowledge(self, self.store, root, tree, references)


class StoreKnowledge(PartKnowledge):
    """Published copies are entries; other files are told of by themselves."""

    def __init__(
        self,
        form: PartFormat,
        store: str,
        root: Directory,
        tree: Tree,
        references: References,
    ) -> None:
        super().__init__(form, root, tree, references)
        self._store = store
        here = list(self._here()) if self.said.known else []
        self._published = {name: copy for name, copy in here if copy.active}
        doomed = {name for name, copy in here if copy.doomed}
        named = [(row, name) for row, name in self.rows() if IMAGE.fullmatch(name)]
        known = self.said.known
        self.entries = [
            self.entry(row) for row, name in named if not known or name in self._published
        ]
        self.unrecorded = {
            name: row
            for row, name in named
            if known and name not in self._published and name not in doomed
        }

    def _here(self) -> Iterator[tuple[bytes, Copy]]:
        """Every copy that the database has in this directory, by its file's name."""
        folders: dict[bytes, bool] = {}
        for copy in self.said.copies:
            if not (copy.active or copy.doomed):
                continue
            if copy.path is None:
                if not copy.readable and copy.store == self._store:
                    yield copy.image.encode(), copy  # its place is encrypted, not its store
                continue
            folder, name = os.path.split(copy.path)
            if folder not in folders:
                folders[folder] = self._is_here(folder)
            if folders[folder] or self._seen_elsewhere(copy, name):
                yield name, copy

    def _is_here(self, folder: bytes) -> bool:
        """Whether a path leads to this directory, be it through links or another mount of it."""
        try:
            found = os.stat(folder)
        except (OSError, ValueError):
            return False
        here = self.root.identity
        return (found.st_dev, found.st_ino) == (here.device, here.inode)

    def _seen_elsewhere(self, copy: Copy, name: bytes) -> bool:
        """Whether the service sees this store's directory by another path, as from a container:
        the copy is recorded where nothing is, and a file of its name lies here.  Nobody's
        published copy may be taken for an orphan."""
        return (
            copy.store in {"", self._store}
            and copy.path is not None
            and self.tree.find(name) is not None
            and not os.path.lexists(copy.path)
        )

    def absent(self) -> Sequence[Entry]:
        """Copies that are recorded here, and whose file is not there."""
        return [
            self.entry(-1, name)
            for name, copy in self._published.items()
            if copy.path is not None and self._is_missing(name)
        ]

    def _is_missing(self, name: bytes) -> bool:
        image = self.said.image(name)
        gone = image is None or image.status == "pending_delete"
        return not gone and self.tree.find(name) is None

    def findings(self) -> Iterable[Finding]:
        yield from self._missing()
        for name, use in uses(self.root, sorted(self.unrecorded)).items():
            yield self._other(name, use)

    def _missing(self) -> Iterator[Finding]:
        for entry in self.absent():
            yield Finding(
                kind=FindingKind.MISSING_FILE,
                severity=Severity.PROBLEM,
                verdict=EntryVerdict.INCOMPLETE,
                subject=entry.name,
                path=self.root.where(entry.relative),
                explanation=f"The database says that a copy of {entry.title} lies here, and there "
                "is none: downloads from this store fail. Copy the image into the store again "
                "from another one, or take the location off the image.",
                repairs=self.put_back(entry),
            )

    def _other(self, name: bytes, use: Use) -> Finding:
        """A file without a row: being written, waited for, or left behind."""
        row = self.unrecorded[name]
        if use.written:
            kind, severity, verdict = FindingKind.BUSY_ENTRY, Severity.NOTICE, EntryVerdict.BUSY
            said = f"It is being written by {names_of([one for one in use.holders if one.writes])}."
        else:
            kind, severity, verdict = FindingKind.ORPHAN, *self._weight(name)
            said = self._why(name)
        return Finding(
            kind=kind,
            severity=severity,
            verdict=verdict,
            subject=f"{self.form.label}/{display(name)}",
            path=self.root.where(name),
            explanation=said,
            evidence=use.evidence,
            repairs=() if use.written else self._offers(name, use),
            holders=use.holders,
            size=int(self.tree.size[row]),
            changed_ns=int(self.tree.mtime_ns[row]),
        )

    def _weight(self, name: bytes) -> tuple[Severity, EntryVerdict]:
        """A problem where it keeps an image from this store; else it only takes room."""
        if self.said.image(name) is None:
            return Severity.NOTICE, EntryVerdict.UNVERIFIABLE
        return Severity.PROBLEM, EntryVerdict.INCOMPLETE

    def _why(self, name: bytes) -> str:
        image, about = self.said.image(name), self.about(name)
        if image is None:
            return (
                f"No copy of an image is recorded here, and {about}. Nothing of Glance ever "
                "serves or deletes this file."
            )
        said = f"No copy is recorded here, though {about}. It is what a killed writer left"
        if image.id in self.said.locks:
            return (
                f"{said}, or an import still wants to write it: its lock is there. A new import "
                "into this store fails while the file is there."
            )
        if image.status in GOING_ON:
            return (
                f"{said} in the middle of the upload. It is never finished, and nothing deletes "
                "it, not even deleting the image."
            )
        return f"{said}. Every further copy of the image into this store fails while it is there."

    def _offers(self, name: bytes, use: Use) -> tuple[RepairOffer, ...]:
        lock = self.said.locks.get(id_of(name))
        confirm = use.confirm if lock is None else Confirm.TYPED
        offer = RepairOffer(
            StepKind.QUARANTINE_ENTRY, confirm, KEPT_WORDS, detail={UNRECORDED: True}
        )
        return (offer,)
