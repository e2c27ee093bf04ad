"""Glance's staging: what is uploaded or fetched here is imported into the stores later.

A file here is complete only if the image's row has a size: until then whatever lies here would be
published by an import as if it were the whole image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cachewright.formats.base import Entry, Judgement, Knowledge, StagingPlace, Verification
from cachewright.formats.glance_left import Use, uses
from cachewright.formats.glance_parts import (
    FILES,
    KEPT,
    KEPT_WORDS,
    UNRECORDED,
    UUID,
    PartFormat,
    PartKnowledge,
)
from cachewright.formats.glance_records import Image
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
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.formats.base import References
    from cachewright.formats.glance_parts import Known
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

STAGED: Final = re.compile(UUID + rb"(?:\.[^/]*)?", re.DOTALL)
"""Plugins that convert or unpack an image write ``<id>.<suffix>`` beside it."""
UPLOADING: Final = "uploading"
IMPORTING: Final = "importing"
"""With a size, what was staged is whole, and the only place where an upload is."""


class StagingFormat(PartFormat):
    """The staging directory."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule(1, STAGED, FILES, Role.STAGING), KEPT)

    def __init__(self, known: Known) -> None:
        super().__init__(known, "staging")

    def knowledge(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return StagingKnowledge(self, root, tree, references)


class StagingKnowledge(PartKnowledge):
    """What waits for its import is an entry; an unfinished upload is warned of; the rest is
    staging, which the core judges."""

    def __init__(
        self, form: PartFormat, root: Directory, tree: Tree, references: References
    ) -> None:
        super().__init__(form, root, tree, references)
        unfinished: dict[bytes, int] = {}
        waiting: list[int] = []
        self._residue: list[StagingPlace] = []
        for row, name in self.rows():
            image = self.said.image(name)
            if not self.said.known:
                waiting.append(row)
            elif image is None or image.id.encode() != name:
                self._residue.append(StagingPlace(self._title(name), name, row))
            elif image.status in {UPLOADING, IMPORTING} and image.size is not None:
                waiting.append(row)
            elif image.status == UPLOADING:
                unfinished[name] = row
            else:
                self._residue.append(StagingPlace(self._title(name), name, row))
        self.entries = [self.entry(row) for row in waiting]
        self.unrecorded = unfinished

    def _title(self, name: bytes) -> str:
        image = self.said.image(name)
        shown = f" ({brief(image.title, 200)})" if image and image.name else ""
        return f"{self.form.label}/{display(name)}{shown}"

    def staging(self) -> Sequence[StagingPlace]:
        return tuple(self._residue)

    def algorithms(self) -> frozenset[str]:
        """No digest is recorded before an image was imported."""
        return frozenset()

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        image = self.image(entry)
        if image is None or image.size is None:
            return super().judge(entry, seen)
        size = int(self.tree.size[entry.row])
        if size != image.size:
            why = (
                f"It has {size} bytes; the upload had {image.size}. An import would publish what "
                "lies here as the whole image."
            )
            found = self.bad(entry, FindingKind.INCOMPLETE_ENTRY, EntryVerdict.INCOMPLETE, why)
            return Judgement(EntryVerdict.INCOMPLETE, why, (found,))
        if image.status == IMPORTING:
            why = "It was staged whole, and its import has not ended; it may be the only copy."
        else:
            why = "It waits for its import; no digest is recorded before that."
        return Judgement(EntryVerdict.UNVERIFIABLE, why)

    def bad(self, entry: Entry, kind: FindingKind, verdict: EntryVerdict, why: str) -> Finding:
        return Finding(
            kind=kind,
            severity=Severity.PROBLEM,
            verdict=verdict,
            subject=entry.name,
            path=self.root.where(entry.relative),
            explanation=f"{why} Do not import it. Take it away, and delete the image.",
            repairs=(RepairOffer(StepKind.QUARANTINE_ENTRY, Confirm.TYPED, KEPT_WORDS),),
        )

    def findings(self) -> Iterable[Finding]:
        for name, use in uses(self.root, sorted(self.unrecorded)).items():
            image = self.said.image(name)
            if image is not None:
                yield self._of_unfinished(name, image, use)

    def _of_unfinished(self, name: bytes, image: Image, use: Use) -> Finding:
        row = self.unrecorded[name]
        title = brief(image.title, 200)
        if use.written:
            kind, severity, verdict = FindingKind.LIVE_STAGING, Severity.NOTICE, EntryVerdict.BUSY
            said = f"{title} is being uploaded by {names_of(use.holders)}."
        else:
            kind, severity = FindingKind.STUCK_RECORD, Severity.PROBLEM
            verdict = EntryVerdict.INCOMPLETE
            said = (
                f"The upload of {title} ended in the middle, and Glance does not know: if anybody "
                "imports this image now, the part that lies here is published as the whole image, "
                "active and with fitting checksums. Do not import it. Take this file away, and "
                "delete the image."
            )
        offer = RepairOffer(
            StepKind.QUARANTINE_ENTRY,
            Confirm.TYPED,
            f"An import fails then. {KEPT_WORDS}",
            detail={UNRECORDED: True},
        )
        return Finding(
            kind=kind,
            severity=severity,
            verdict=verdict,
            subject=f"{self.form.label}/{display(name)}",
            path=self.root.where(name),
            explanation=said,
            evidence=use.evidence,
            repairs=() if use.written else (offer,),
            holders=use.holders,
            size=int(self.tree.size[row]),
            changed_ns=int(self.tree.mtime_ns[row]),
        )
