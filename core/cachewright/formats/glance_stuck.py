"""Images that Glance itself never brings to an end: stuck in importing, saving or uploading."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cachewright.formats.glance_records import GOING_ON, Image, Records
from cachewright.model import (
    EntryVerdict,
    Finding,
    FindingKind,
    Holder,
    HoldVerdict,
    LockReport,
    Severity,
)
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.formats.spread import InUse

_ENDED: Final = {
    "importing": "Its import ended in the middle. Glance refuses a new import of it for ever, "
    "whatever its age.",
    "saving": "Its upload ended in the middle. Glance refuses a new upload of it for ever.",
    "uploading": "Its upload into staging ended in the middle.",
}
_NEXT: Final = (
    "Take away what was left of it in the stores, then delete the image; whoever runs the database "
    "may instead set its status back to queued, and upload it again under the same ID."
)
_NEXT_STAGED: Final = (
    "What was uploaded still lies in staging, whole: keep that. Take away what was left in the "
    "stores; whoever runs the database may then set its status back to uploading, and import it "
    "again. Or delete the image."
)


def stuck(
    records: Records,
    source: bytes,
    *,
    files_of: Callable[[str], Sequence[bytes]],
    staged: Callable[[Image], bool],
    locks: Sequence[LockReport],
    in_use: InUse,
) -> Iterator[Finding]:
    """``files_of`` gives an image's places in every part, whether there is a file or not;
    ``staged`` tells whether its upload lies in staging, whole."""
    held = _by_image(locks)
    for image in records.images.values():
        if image.deleted or image.status not in GOING_ON:
            continue
        if image.status == "uploading" and image.size is not None:
            continue  # staged, and waiting for its import
        files = [one for one in files_of(image.id) if os.path.lexists(one)]
        users = in_use(files) if files else ()
        found = _of(image, files, held.get(image.id), users, whole=staged(image))
        if found is not None:
            severity, verdict, said = found
            yield Finding(
                kind=FindingKind.STUCK_RECORD,
                severity=severity,
                verdict=verdict,
                subject=f"{brief(image.title, 200)} ({display(image.id)})",
                path=source + b"#images/" + image.id.encode("utf-8", "surrogateescape"),
                explanation=said,
                changed_ns=image.updated_ns,
            )


def _by_image(locks: Sequence[LockReport]) -> Mapping[str, LockReport]:
    return {one.path.rpartition(b"/")[2].decode("utf-8", "replace"): one for one in locks}


def _of(
    image: Image,
    files: Sequence[bytes],
    lock: LockReport | None,
    users: Sequence[Holder],
    *,
    whole: bool,
) -> tuple[Severity, EntryVerdict, str] | None:
    state = f"The image is {image.status}."
    if users or (lock is not None and lock.verdict is HoldVerdict.HELD):
        return None  # the file that is written, or the lock, is told of
    if not files:
        said = (
            f"{state} Nothing of it lies in the directories that were looked at, so it cannot be "
            "told whether somebody still writes it elsewhere."
        )
        return Severity.NOTICE, EntryVerdict.UNCHECKED, said
    if image.status == "uploading" and lock is None:
        return None  # its file in staging is warned of
    first = "" if lock is None else " Its import lock is told of beside it: release that first."
    said = f"{state} {_ENDED[image.status]}{first} {_NEXT_STAGED if whole else _NEXT}"
    return Severity.PROBLEM, EntryVerdict.INCOMPLETE, said
