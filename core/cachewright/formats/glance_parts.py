"""What every directory of Glance has in common: names that are image IDs, and the database."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from cachewright.formats.base import (
    Entry,
    Expected,
    Format,
    GoodCopy,
    Judgement,
    Knowledge,
    References,
    Verification,
)
from cachewright.formats.checksums_claims import Claim as DigestClaim
from cachewright.formats.checksums_copies import candidates, find_copies
from cachewright.formats.glance_records import Image, Records, id_of
from cachewright.model import (
    QUARANTINE_NAME,
    Confirm,
    EntryVerdict,
    ExpectedDigest,
    Finding,
    FindingKind,
    Location,
    RepairOffer,
    Role,
    Rule,
    Severity,
    StepKind,
    Type,
)
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

UUID: Final = rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
IMAGE: Final = re.compile(UUID)
FILES: Final = frozenset({Type.FILE})
KEPT: Final = Rule(
    1, re.compile(re.escape(QUARANTINE_NAME)), frozenset({Type.DIRECTORY}), Role.METADATA
)
_STRONG: Final = frozenset({
    "sha224", "sha256", "sha384", "sha512", "sha3_224", "sha3_256", "sha3_384", "sha3_512",
    "sha512_224", "sha512_256", "blake2b", "blake2s",
})  # fmt: skip
"""What Glance may be told to hash by and hashlib always has; md5 and sha1 are weak."""
_TITLE: Final = 200
UNRECORDED: Final = "unrecorded"
"""Said in the detail of an offer that holds only while no record speaks of the file."""
KEPT_WORDS: Final = "It is moved to quarantine and can be put back."


class Known(Protocol):
    """Where a part finds what the database said last."""

    @property
    def records(self) -> Records: ...

    @property
    def source(self) -> bytes:
        """The database's address, without secrets."""


class PartFormat(Format):
    """One directory of Glance, made for it; only ``Glance`` itself is registered."""

    name: ClassVar[str] = "glance"
    title: ClassVar[str] = "Glance"
    algorithms: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, known: Known, label: str) -> None:
        self.known = known
        self.label = label

    def recognise(self, root: Directory) -> bool:
        del root
        return False

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        del environment
        return ()

    def harmless_quarantine(self) -> bytes:
        """Glance passes over names that are no image IDs."""
        return QUARANTINE_NAME

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return self.knowledge(root, tree, references)

    @abstractmethod
    def knowledge(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        """What is known of the directory by the database's latest records."""


class PartKnowledge(Knowledge):
    """Copies of images below one directory, judged by the database's digests.  ``unrecorded`` are
    files, with their rows, that were not finished or not recorded."""

    def __init__(
        self, form: PartFormat, root: Directory, tree: Tree, references: References
    ) -> None:
        self.form = form
        self.references = references
        self.root = root
        self.tree = tree
        self.said = form.known.records
        self.entries: Sequence[Entry] = ()
        self.unrecorded: Mapping[bytes, int] = {}

    def rows(self, folder: bytes = b"") -> Iterator[tuple[int, bytes]]:
        """Every file in ``folder`` (relative to the root), with its row."""
        top = self.tree.find(folder) if folder else 0
        if top is None:
            return
        for row in self.tree.children(top):
            if self.tree.is_file(row):
                yield row, self.tree.name(row)

    def entry(self, row: int, name: bytes = b"") -> Entry:
        """The entry in this row; ``name`` is its file's where there is none (row -1)."""
        name = name or self.tree.name(row)
        image = self.said.image(name)
        shown = image.title if image else display(name)
        return Entry(
            name=f"{self.form.label}/{display(name)}",
            title=brief(shown, _TITLE),
            subtitle=f"{self.form.label} · {display(name)}",
            relative=self.tree.path(row) if row >= 0 else name,
            row=row,
            single=True,
        )

    def algorithms(self) -> frozenset[str]:
        """By what the images of this directory are recorded; nothing, where none is."""
        images = [one for entry in self.entries if (one := self.image(entry)) is not None]
        strong = {one.algorithm for one in images if one.algorithm in _STRONG and one.value}
        return frozenset(strong | {"md5" for one in images if one.md5})

    def image(self, entry: Entry) -> Image | None:
        return self.said.image(entry.relative.rpartition(b"/")[2])

    def expected(self, entry: Entry) -> Expected:
        image = self.image(entry)
        digests = self._digests(image) if image else ()
        if digests:
            return Expected(whole=digests)
        if not self.said.known:
            return Expected(missing=f"The database could not be read: {self.said.why_not}.")
        return Expected(missing="The database has no digest of it.")

    def _digests(self, image: Image) -> tuple[ExpectedDigest, ...]:
        source = self.form.known.source + f"#images/{image.id}".encode()
        said = ((image.algorithm, image.value), ("md5", image.md5))
        return tuple(ExpectedDigest(name, value, source) for name, value in said if value)

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        expected = self.expected(entry)
        image = self.image(entry)
        if not expected.whole or image is None:
            return Judgement(EntryVerdict.UNVERIFIABLE, expected.missing)
        file = next(iter(seen.files.values()), None)
        if file is None:
            why = "It is not a regular file any more."
            return Judgement(EntryVerdict.UNREADABLE, why, expected=expected.whole)
        if image.size is not None and file.size != image.size:
            return self._wrong_size(entry, file.size, image.size, expected.whole)
        return self._compared(entry, file.values, expected.whole)

    def _wrong_size(
        self, entry: Entry, size: int, wanted: int, digests: tuple[ExpectedDigest, ...]
    ) -> Judgement:
        why = f"It has {size} bytes; the database says {wanted}."
        if size < wanted:
            kind, verdict = FindingKind.INCOMPLETE_ENTRY, EntryVerdict.INCOMPLETE
        else:
            kind, verdict = FindingKind.CORRUPT_ENTRY, EntryVerdict.CORRUPT
        return Judgement(verdict, why, (self.bad(entry, kind, verdict, why),), digests)

    def _compared(
        self, entry: Entry, actual: Mapping[str, str], digests: tuple[ExpectedDigest, ...]
    ) -> Judgement:
        fits = {one.algorithm: actual[one.algorithm] == one.value
                for one in digests if one.algorithm in actual}  # fmt: skip
        if not fits:
            names = ", ".join(one.algorithm for one in digests)
            return Judgement(
                EntryVerdict.UNVERIFIABLE,
                f"Its digest is of a kind that cannot be made here ({display(names)}).",
                expected=digests,
            )
        best = next(iter(fits))
        if not fits[best]:
            why = f"Its bytes are not those of the image: {best} differs."
            found = self.bad(entry, FindingKind.CORRUPT_ENTRY, EntryVerdict.CORRUPT, why)
            return Judgement(EntryVerdict.CORRUPT, why, (found,), digests)
        if not all(fits.values()):
            why = f"It fits the image's {best}, but not the md5 that is recorded beside it."
            found = _told(entry, FindingKind.DISPUTED_DIGEST, EntryVerdict.DISPUTED, why)
            return Judgement(EntryVerdict.DISPUTED, why, (found,), digests)
        if best == "md5":
            why = "It fits the image's md5, which is weak, and nothing stronger is recorded."
            found = _told(
                entry, FindingKind.WEAK_DIGEST, EntryVerdict.OK, why, severity=Severity.NOTICE
            )
            return Judgement(EntryVerdict.OK, why, (found,), digests)
        return Judgement(EntryVerdict.OK, f"It fits the image's {best}.", expected=digests)

    def bad(self, entry: Entry, kind: FindingKind, verdict: EntryVerdict, why: str) -> Finding:
        """A copy with other bytes than recorded, which Glance serves without looking."""
        offer = RepairOffer(
            StepKind.QUARANTINE_ENTRY,
            Confirm.TYPED,
            f"Downloads of it fail then, instead of giving wrong bytes. {KEPT_WORDS}",
        )
        told = f"{why} Glance serves it all the same: it does not compare."
        return _told(entry, kind, verdict, told, offers=(*self.put_back(entry), offer))

    def objection(self, relative: bytes, detail: Mapping[str, Any]) -> str:
        """What no record spoke of may have been published since."""
        if detail.get(UNRECORDED) and relative not in self.unrecorded:
            return "the database speaks of it by now, or not in that way any more"
        return ""

    def put_back(self, entry: Entry) -> tuple[RepairOffer, ...]:
        """A good copy in its place, where there is one."""
        return tuple(
            RepairOffer(
                StepKind.REPUBLISH_ENTRY,
                Confirm.CLICK,
                f"A good copy is at hand in {display(copy.path)}: {copy.proof}.",
                source=copy.path,
            )
            for copy in self.copies(entry)[:1]
        )

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        """Files in other stores, or in places that a person named, with the image's digest."""
        image = self.image(entry)
        if image is None or not image.value or image.algorithm not in _STRONG:
            return ()
        row, tree = entry.row, self.tree
        own = None if row < 0 else (int(tree.device[row]), int(tree.inode[row]))
        stores = (one.path for one in self.said.of_image.get(image.id, ()) if one.active)
        places = (
            *(path for path in stores if path is not None),
            *candidates(self.references.sources, entry.relative.rpartition(b"/")[2]),
        )
        claim = DigestClaim(image.algorithm, image.value, self.form.known.source, 0)
        proof = f"its {image.algorithm} is the one that the database records"
        found = find_copies(iter(places), [claim], own, self.references.cancel)
        return [replace(copy, proof=proof) for copy in found]

    def about(self, name: bytes) -> str:
        """The image of a file in words: its name, or why there is none."""
        image = self.said.images.get(id_of(name))
        if image is None:
            return "the database has no image of this ID"
        shown = brief(image.title, _TITLE)
        return f"image {shown} was deleted" if image.deleted else f"image {shown} is {image.status}"


def _told(
    entry: Entry,
    kind: FindingKind,
    verdict: EntryVerdict,
    why: str,
    *,
    severity: Severity = Severity.PROBLEM,
    offers: tuple[RepairOffer, ...] = (),
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        verdict=verdict,
        subject=entry.name,
        path=entry.relative,
        explanation=why,
        repairs=offers,
    )
