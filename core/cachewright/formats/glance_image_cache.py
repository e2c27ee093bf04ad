"""Glance's image cache: whole images beside what is being cached, what failed, and wishes.

``incomplete/`` keeps an image from being cached for as long as a file of it lies there; a cached
file is served without being looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cachewright.formats.base import Entry, Knowledge, StagingPlace
from cachewright.formats.glance_left import uses
from cachewright.formats.glance_parts import (
    FILES,
    IMAGE,
    KEPT,
    KEPT_WORDS,
    UNRECORDED,
    PartFormat,
    PartKnowledge,
)
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
    Type,
)
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.formats.base import References
    from cachewright.formats.glance_parts import Known
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

INCOMPLETE: Final = b"incomplete"
INVALID: Final = b"invalid"
QUEUE: Final = b"queue"
_FOLDERS: Final = re.compile(b"|".join((INCOMPLETE, INVALID, QUEUE)))
_OWN: Final = re.compile(rb"cache\.db(?:-journal|-wal|-shm)?|checkme")
_LEFT: Final = re.compile(b"|".join((INCOMPLETE, INVALID)))


class ImageCacheFormat(PartFormat):
    """The directory of cached images."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(1, IMAGE, FILES, Role.ENTRY),
        Rule(1, _FOLDERS, frozenset({Type.DIRECTORY}), Role.CONTAINER),
        Rule(1, _OWN, FILES, Role.METADATA),
        Rule(2, IMAGE, FILES, Role.STAGING, under=_LEFT),
        Rule(2, IMAGE, FILES, Role.METADATA, under=re.compile(QUEUE)),
        KEPT,
    )

    def __init__(self, known: Known) -> None:
        super().__init__(known, "image-cache")

    def knowledge(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return ImageCacheKnowledge(self, root, tree, references)


class ImageCacheKnowledge(PartKnowledge):
    """Cached images are entries; Glance fetches what is taken away again from its store."""

    def __init__(
        self, form: PartFormat, root: Directory, tree: Tree, references: References
    ) -> None:
        super().__init__(form, root, tree, references)
        cached = [(row, name) for row, name in self.rows() if IMAGE.fullmatch(name)]
        known = self.said.known
        self.unrecorded = {
            name: row for row, name in cached if known and self.said.image(name) is None
        }
        self.entries = [self.entry(row) for row, name in cached if name not in self.unrecorded]
        self._left = [
            StagingPlace(self._title(folder, name), folder + b"/" + name, row)
            for folder in (INCOMPLETE, INVALID)
            for row, name in self.rows(folder)
            if IMAGE.fullmatch(name)
        ]

    def _title(self, folder: bytes, name: bytes) -> str:
        image = self.said.image(name)
        shown = f" ({brief(image.title, 200)})" if image and image.name else ""
        return f"{self.form.label}/{display(folder)}/{display(name)}{shown}"

    def staging(self) -> Sequence[StagingPlace]:
        return tuple(self._left)

    def bad(self, entry: Entry, kind: FindingKind, verdict: EntryVerdict, why: str) -> Finding:
        found = super().bad(entry, kind, verdict, why)
        offer = RepairOffer(
            StepKind.QUARANTINE_ENTRY,
            Confirm.CLICK,
            f"Glance reads the image from its store again. {KEPT_WORDS}",
        )
        return Finding(
            kind=found.kind,
            severity=found.severity,
            verdict=found.verdict,
            subject=found.subject,
            path=found.path,
            explanation=found.explanation,
            repairs=(offer,),
        )

    def findings(self) -> Iterable[Finding]:
        for name, use in uses(self.root, sorted(self.unrecorded)).items():
            row = self.unrecorded[name]
            offer = RepairOffer(
                StepKind.QUARANTINE_ENTRY, use.confirm, KEPT_WORDS, detail={UNRECORDED: True}
            )
            yield Finding(
                kind=FindingKind.ORPHAN,
                severity=Severity.NOTICE,
                verdict=EntryVerdict.UNVERIFIABLE,
                subject=f"{self.form.label}/{display(name)}",
                path=self.root.where(name),
                explanation=f"It is cached, but {self.about(name)}. Nothing serves it any more.",
                evidence=use.evidence,
                repairs=() if use.written else (offer,),
                holders=use.holders,
                size=int(self.tree.size[row]),
                changed_ns=int(self.tree.mtime_ns[row]),
            )
