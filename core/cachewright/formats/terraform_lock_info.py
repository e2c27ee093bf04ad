"""What a state lock of Terraform and OpenTofu says of itself: the LockInfo JSON.

The same record lies in a local ``.lock.info`` file, in a ``.tflock`` object and in the ``Info``
of a DynamoDB item (terraform.md 4).  Anybody may have written it: it is read with limits, and
what is wrong with it is told in one sentence (reliability.md T12).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from cachewright.model import Claim
from cachewright.strict_json import Fault, JsonRefused, read, twofold

LIMIT: Final = 64 << 10
"""Bytes of a record that are read; a real one has about 200."""

FIELDS: Final = ("ID", "Operation", "Info", "Who", "Version", "Created", "Path")
"""In the order in which the tools write them."""

PROGRAMS: Final = ("terraform", "tofu")
"""The programs that take these locks."""

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_NS: Final = 1_000_000_000
_SENTENCES: Final = {
    Fault.LARGE: f"It is larger than {LIMIT >> 10} KiB, which no lock is.",
    Fault.NOT_TEXT: "It is not text.",
    Fault.DEEP: "It is nested deeper than any lock is.",
}


def parse(record: bytes) -> Claim:
    """The claim in ``record``.  Never raises: ``Claim.garbage`` says why neither this program
    nor the lock's own tool can read it, and is empty where they can.

    ``id`` is the ``ID`` that ``force-unlock`` takes, ``owner`` has the ``FIELDS`` that are
    there, ``made_ns`` is ``Created`` and ``host`` what follows the ``@`` of ``Who``.
    """
    try:
        owner = _owner(record)
        made_ns = _made_ns(owner.get("Created", ""))
    except _Odd as error:
        return Claim(garbage=str(error), programs=PROGRAMS)
    except JsonRefused as error:
        return Claim(garbage=_SENTENCES.get(error.fault, f"It {error}."), programs=PROGRAMS)
    return Claim(
        id=owner["ID"],
        owner=owner,
        made_ns=made_ns,
        host=owner.get("Who", "").rpartition("@")[2] if "@" in owner.get("Who", "") else "",
        programs=PROGRAMS,
    )


class _Odd(ValueError):
    """Says in one sentence what is wrong with a record."""


def _owner(record: bytes) -> dict[str, str]:
    if len(record) <= LIMIT and not record.strip():
        raise _Odd("It is empty.")
    # JSON can spell half a character; the tools read it as the replacement character.
    data = read(record, LIMIT, halves=True)
    if not isinstance(data, dict):
        raise _Odd("It is JSON, but no object.")
    # The tools match names regardless of case, so two spellings of one name are two of it.
    known: dict[str, object] = {}
    for name, value in data.items():
        if name.casefold() in known:
            raise twofold(name)
        known[name.casefold()] = value
    owner = {
        name: _text(name, known[name.casefold()]) for name in FIELDS if name.casefold() in known
    }
    if not owner.get("ID"):
        raise _Odd("It is JSON, but names no lock ID: another tool may have written it.")
    return owner


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Odd(f"Its {name} is not text.")
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _made_ns(created: str) -> int:
    """Nanoseconds since the epoch; 0 where it does not say."""
    if not created:
        return 0
    match = _MOMENT.fullmatch(created)
    if match is None:
        raise _Odd("Its Created is not a time.")
    try:
        whole = datetime.fromisoformat(match[1].upper() + match[3].upper())
    except ValueError:
        raise _Odd("Its Created is not a time.") from None
    fraction = int(((match[2] or ".")[1:] + "000000000")[:9])
    return max(0, int(whole.timestamp()) * _NS + fraction)
