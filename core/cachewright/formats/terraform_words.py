"""The sentences that say why an entry got its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from cachewright.formats.terraform_copies import ArchiveFacts
from cachewright.formats.terraform_projects import LockRecord
from cachewright.formats.terraform_vouching import Proof, Standing
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.text import display

_NAMED_AT_MOST = 3


def counted(count: int, thing: str) -> str:
    """``1 lock file``, ``3 lock files``, ``2 directories``."""
    many = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{count} {thing if count == 1 else many}"


def named(paths: Sequence[bytes]) -> str:
    """Some paths, safe to show; the rest by number."""
    distinct = list(dict.fromkeys(paths))
    shown = ", ".join(display(path) for path in distinct[:_NAMED_AT_MOST])
    more = len(distinct) - _NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


def _locks(records: Sequence[LockRecord]) -> str:
    return named([record.lock for record in records])


def _proofs(proofs: Sequence[Proof]) -> str:
    return named([proof.source for proof in proofs])


def ok_words(standing: Standing) -> str:
    """Why an entry is as it should be."""
    said = []
    if standing.locks_for:
        said.append(f"Its h1 is recorded by {counted(len(standing.locks_for), 'lock file')}")
    if standing.proofs_for:
        fits = f"its content is that of {_proofs(standing.proofs_for)}"
        said.append(fits if said else f"I{fits[1:]}")
    words = " and ".join(said) + "."
    if standing.locks_against:
        words += f" {_locks(standing.locks_against)} records something else."
    return words


def disputed_words(standing: Standing) -> str:
    """Who says what, where the sources disagree."""
    contrary = _proofs(standing.proofs_against)
    if standing.proofs_for:
        other = _proofs(standing.proofs_for)
        return f"The sources disagree: it is what {other} holds, but {contrary} differs from it."
    if standing.proofs_against:
        return (
            f"The sources disagree: its h1 is recorded in {_locks(standing.locks_for)}, "
            f"but {contrary} differs from it."
        )
    if standing.doubted:
        return (
            f"The sources disagree: it is what {_proofs(standing.doubted)} holds, "
            "but the lock files know neither that archive nor this content."
        )
    return (
        f"The lock files disagree: its h1 is recorded in {_locks(standing.locks_for)}, but not "
        f"in {_locks(standing.locks_against)}, which may have been written while the provider "
        "was being unpacked, or for another platform only."
    )


def refused_archive(archive: ArchiveFacts, record: LockRecord) -> Finding:
    """A notice: nothing is damaged, and yet the next init on an empty cache will fail."""
    return Finding(
        kind=FindingKind.DAMAGED_METADATA,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.OK,
        subject=display(archive.path),
        path=archive.path,
        explanation=(
            f"This archive is intact, but it lists {counted(len(archive.directories), 'directory')}"
            f" ({named(archive.directories)}) as members of their own. Terraform counts each as "
            f"an empty file, gets h1:{archive.zipped} for the archive instead of "
            f"h1:{archive.unpacked} for what it unpacks, and will refuse to install it where "
            f"{display(record.lock)} records only the latter."
        ),
    )


def unverifiable_words(standing: Standing) -> str:
    """Why nothing can be said; no trouble by itself."""
    del standing
    return "No lock file or mirror that was looked at records its h1."
