"""Which files of an entry are wrong: by a good copy, or by leaving one out."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cachewright.digests import FileDigest, h1
from cachewright.model import FindingKind
from cachewright.text import display

_ONE_OUT_OF: Final = 2000
_TWO_OUT_OF: Final = 64
_NAMED_AT_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Differences:
    """Names of files that differ from what should be there."""

    changed: tuple[bytes, ...] = ()
    extra: tuple[bytes, ...] = ()
    missing: tuple[bytes, ...] = ()
    short: Mapping[bytes, tuple[int, int]] | None = None

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def names(self) -> tuple[bytes, ...]:
        return tuple(sorted({*self.changed, *self.extra, *self.missing}))

    @property
    def kind(self) -> FindingKind:
        """One kind for one cause; several causes are a corrupt entry."""
        if self.extra and not (self.changed or self.missing):
            return FindingKind.FOREIGN_FILE
        if self.missing and not (self.changed or self.extra):
            return FindingKind.MISSING_FILE
        return FindingKind.CORRUPT_ENTRY

    @property
    def words(self) -> str:
        """``a differs from the good copy. b does not belong there.``"""
        sentences = []
        cut = self.short or {}
        for name in self.changed[:_NAMED_AT_MOST]:
            have = f" ({cut[name][0]} of {cut[name][1]} bytes)" if name in cut else ""
            verb = "is shorter than" if name in cut else "differs from"
            sentences.append(f"{display(name)} {verb} the good copy{have}.")
        if len(self.changed) > _NAMED_AT_MOST:
            sentences.append(f"{len(self.changed) - _NAMED_AT_MOST} more differ.")
        if self.extra:
            sentences.append(f"{_listed(self.extra)} {_do(self.extra)} not belong there.")
        if self.missing:
            verb = "is" if len(self.missing) == 1 else "are"
            sentences.append(f"{_listed(self.missing)} {verb} missing.")
        return " ".join(sentences)


def _listed(names: tuple[bytes, ...]) -> str:
    shown = ", ".join(display(name) for name in names[:_NAMED_AT_MOST])
    more = len(names) - _NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


def _do(names: tuple[bytes, ...]) -> str:
    return "does" if len(names) == 1 else "do"


def compare(
    found: Mapping[bytes, FileDigest],
    good: Mapping[bytes, FileDigest],
    strange: Collection[bytes],
) -> Differences:
    """By content and name; modes do not count, and ``strange`` names are told of elsewhere."""
    changed = tuple(
        sorted(
            name for name in found.keys() & good.keys() if found[name].sha256 != good[name].sha256
        )
    )
    return Differences(
        changed=changed,
        extra=tuple(sorted(found.keys() - good.keys())),
        missing=tuple(sorted(good.keys() - found.keys() - set(strange))),
        short={
            name: (found[name].size, good[name].size)
            for name in changed
            if found[name].size < good[name].size
        },
    )


def leave_out(found: Mapping[bytes, FileDigest], wanted: Collection[str]) -> Differences:
    """The one file (or two, where there are few) without which the rest has a recorded h1."""
    unusual = {name for name in found if b"\n" in name}
    plain = {name: digest for name, digest in found.items() if name not in unusual}
    if not wanted:
        return Differences(extra=tuple(sorted(unusual)))
    for names in _candidates(plain, bool(unusual)):
        rest = {name: digest for name, digest in plain.items() if name not in names}
        if rest and h1(rest) in wanted:
            return Differences(extra=tuple(sorted({*names, *unusual})))
    return Differences(extra=tuple(sorted(unusual)))


def _candidates(names: Mapping[bytes, FileDigest], none_too: bool) -> Iterator[tuple[bytes, ...]]:
    if none_too:
        yield ()
    if len(names) <= _ONE_OUT_OF:
        yield from itertools.combinations(sorted(names), 1)
    if len(names) <= _TWO_OUT_OF:
        yield from itertools.combinations(sorted(names), 2)
