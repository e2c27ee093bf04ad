"""What RECORD says against what was found, file by file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachewright.formats.uv_record import WEAK, Record, Row, may_be_unlisted
from cachewright.model import EntryVerdict, FindingKind

if TYPE_CHECKING:
    from cachewright.digests import FileDigest

_COMPILED: Final = b".pyc"
_CACHE: Final = b"__pycache__/"


@dataclass(frozen=True, slots=True)
class Compared:
    """Names of files by what was found out, each sorted.

    ``changed`` differ in digest or size; ``cut`` of them are shorter than recorded: both sizes.
    ``bare`` are listed without any digest, ``unknown`` with one that was not computed,
    ``weak`` fit a digest that is easily forged.  ``compiled`` are byte code that was added.
    """

    fitting: int = 0
    changed: tuple[bytes, ...] = ()
    missing: tuple[bytes, ...] = ()
    extra: tuple[bytes, ...] = ()
    compiled: tuple[bytes, ...] = ()
    bare: tuple[bytes, ...] = ()
    unknown: tuple[bytes, ...] = ()
    weak: tuple[bytes, ...] = ()
    cut: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)

    @property
    def wrong(self) -> tuple[bytes, ...]:
        return tuple(sorted({*self.changed, *self.missing, *self.extra}))

    @property
    def kind(self) -> FindingKind:
        """One kind for one cause; several causes are a corrupt entry."""
        if self.missing and not (self.changed or self.extra):
            return FindingKind.MISSING_FILE
        if self.extra and not (self.changed or self.missing):
            return FindingKind.FOREIGN_FILE
        return FindingKind.CORRUPT_ENTRY

    @property
    def verdict(self) -> EntryVerdict:
        if self.changed or self.extra:
            return EntryVerdict.CORRUPT
        if self.missing:
            return EntryVerdict.INCOMPLETE
        return EntryVerdict.OK if self.fitting else EntryVerdict.UNVERIFIABLE


def compare(
    files: Mapping[bytes, FileDigest],
    record: Record,
    places: Collection[bytes],
    *,
    strange: Collection[bytes] = (),
    extras: bool = True,
) -> Compared:
    """``places`` are the RECORDs, which need no digest; ``extras``: files that are not listed
    do not belong; ``strange`` names are told of elsewhere."""
    found: dict[str, list[bytes]] = {name: [] for name in ("changed", "missing", "bare")}
    found |= {"unknown": [], "weak": []}
    cut: dict[bytes, tuple[int, int]] = {}
    fitting = 0
    for name, row in record.rows.items():
        if name in places:
            continue  # a RECORD cannot vouch for itself; healed, not even its size is right
        digest = files.get(name)
        if digest is None:
            if name not in strange:
                found["missing"].append(name)
            continue
        said = _of_row(row, digest)
        if said:
            found[said].append(name)
        if said == "changed" and row.size is not None and digest.size < row.size:
            cut[name] = (digest.size, row.size)
        fitting += said in {"", "weak"} and bool(row.digest)
    extra, compiled = _extras(files, record, places) if extras else ([], [])
    return Compared(
        fitting=fitting,
        extra=tuple(extra),
        compiled=tuple(compiled),
        cut=cut,
        **{name: tuple(sorted(names)) for name, names in found.items()},
    )


def _of_row(row: Row, digest: FileDigest) -> str:
    """What to call a file that is there; empty where it is as recorded."""
    if row.size is not None and row.size != digest.size:
        return "changed"
    if not row.algorithm:
        return "bare"
    if row.algorithm not in digest.values:
        return "unknown"
    if digest.values[row.algorithm] != row.digest:
        return "changed"
    return "weak" if row.algorithm in WEAK else ""


def _extras(
    files: Mapping[bytes, FileDigest], record: Record, places: Collection[bytes]
) -> tuple[list[bytes], list[bytes]]:
    extra: list[bytes] = []
    compiled: list[bytes] = []
    known = record.rows.keys() | record.doubtful | set(places)
    for name in sorted(files.keys() - known):
        if any(may_be_unlisted(name, place) for place in places):
            continue
        is_code = name.endswith(_COMPILED) and _CACHE in b"/" + name
        (compiled if is_code else extra).append(name)
    return extra, compiled
