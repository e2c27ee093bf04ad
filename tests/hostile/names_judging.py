"""What became of each name at each place: shown whole, shown safely, given back byte for byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.counts import Row
from tests.hostile.names_cases import NAMES
from tests.hostile.names_terminal import Answer, escapes

from cachewright.text import display

PART: Final = "names"
_PATHS: Final = ("path", "root", "original", "kept", "source", "file", "files", "users", "name")

Spelled = Callable[[bytes], bytes]


@dataclass
class Counts:
    """Trials and what went wrong in them, of one kind of place."""

    where: str
    trials: int = 0
    bad: list[str] = field(default_factory=list)

    def add(self, place: str, wrong: Iterable[str], trials: int = 1) -> None:
        self.trials += trials
        self.bad += [f"{place}: {one}" for one in wrong]

    def row(self, aim: int = 0, *, expects_bad: bool = False) -> Row:
        note = "" if expects_bad else "; ".join(self.bad[:4])
        return Row(PART, self.where, self.trials, len(self.bad), aim, note, expects_bad)


ALL: Final = tuple(NAMES.values())


def missing(shown: str, spelled: Spelled | None = None, names: Sequence[bytes] = ALL) -> list[str]:
    """The names that are not there whole, in the form in which they are safe."""
    form = spelled or (lambda name: name)
    lost = [one for one in names if display(form(one)) not in shown]
    return [f"{display(one)[:20]} is not there" for one in lost]


def judge_text(
    counts: Counts,
    place: str,
    answer: Answer,
    spelled: Spelled | None = None,
    names: Sequence[bytes] = ALL,
) -> None:
    """Every name is there, and nothing that a terminal acts upon."""
    counts.add(place, missing(answer.text, spelled, names), len(names))
    judge_safe(counts, place, answer)


def judge_safe(counts: Counts, place: str, answer: Answer) -> None:
    found = [*escapes(answer.out), *escapes(answer.err)]
    counts.add(place, [f"writes {found[:3]!r}"] if found else [])
    if b"Traceback" in answer.err or b"Something unexpected" in answer.err:
        counts.add(place, [answer.err[-200:].decode("utf-8", "replace")])


def judge_json(
    counts: Counts,
    place: str,
    answer: Answer,
    spelled: Spelled | None = None,
    names: Sequence[bytes] = ALL,
) -> None:
    """The document holds the bytes of every name, and nothing but printable ASCII is written."""
    odd = {byte for byte in answer.out if not (0x20 <= byte < 0x7F or byte == 0x0A)}
    counts.add(place, [f"writes {odd}"] if odd else [])
    try:
        document = json.loads(answer.out)
    except ValueError as error:
        counts.add(place, [f"is no JSON: {error}"], len(names))
        return
    judge_document(counts, place, document, spelled, names)


def judge_document(
    counts: Counts,
    place: str,
    document: Any,
    spelled: Spelled | None = None,
    names: Sequence[bytes] = ALL,
) -> None:
    given = {one for path in paths(document) for one in path.split(b"/")}
    form = spelled or (lambda name: name)
    wrong = [f"{display(one)[:20]} is lost" for one in names if form(one) not in given]
    counts.add(place, wrong, len(names))


def paths(value: Any) -> Iterator[bytes]:
    """Every path that a document holds, as the bytes it stands for."""
    if isinstance(value, list):
        for one in value:
            yield from paths(one)
    if not isinstance(value, Mapping):
        return
    if set(value) == {"base64"}:
        yield base64.b64decode(value["base64"])
    for name, held in value.items():
        encoded = value.get(f"{name}_base64")
        if encoded is not None:
            yield from _decoded(encoded)
        elif name in _PATHS:
            yield from _plain(held)
        yield from paths(held)


def _decoded(encoded: str | list[str]) -> Iterator[bytes]:
    for one in [encoded] if isinstance(encoded, str) else encoded:
        yield base64.b64decode(one)


def _plain(held: Any) -> Iterator[bytes]:
    for one in held if isinstance(held, list) else [held]:
        if isinstance(one, str):
            yield one.encode("utf-8", "surrogateescape")
