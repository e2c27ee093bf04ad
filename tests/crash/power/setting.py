"""What is done before the power goes: which repairs, on which file systems, between which marks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.crash import verbs
from tests.crash.listing import Node, World
from tests.crash.scenario import Scenario
from tests.crash.stage import Stage

_NAMED: Final = {one.name: one for one in verbs.ALL}

SCENARIOS: Final[Sequence[Scenario]] = (
    verbs.ENTRY,
    verbs.LINE,
    verbs.STAGING,
    verbs.MODES,
    _NAMED["republish-entry one file"],
    _NAMED["recount-statistics missing"],
    _NAMED["publish over nothing"],
    _NAMED["publish over old"],
    _NAMED["undo republish-entry"],
    _NAMED["undo quarantine-entry"],
    _NAMED["undo drop-poisoned-checksum"],
    _NAMED["purge after republish-entry"],
    verbs.REPUBLISH,
)
"""The last one also sees what the kernel writes back by itself, without being asked to."""

CONTROL: Final[Sequence[Scenario]] = (verbs.ENTRY, verbs.LINE, verbs.REPUBLISH)
"""Those that are done once more by a process that makes nothing durable."""


@dataclass(frozen=True)
class Kind:
    """A file system: how it is made and mounted, and the size of its disk in bytes."""

    name: str
    make: tuple[str, ...]
    size: int
    options: str = "rw"


KINDS: Final = (
    Kind("ext4", ("mkfs.ext4", "-q", "-F", "-E", "nodiscard"), 96 << 20, "rw,noinit_itable"),
    Kind("xfs", ("mkfs.xfs", "-q", "-f", "-K"), 320 << 20),
    Kind("btrfs", ("mkfs.btrfs", "-q", "-f", "-K"), 128 << 20, "rw,commit=2"),
)


@dataclass(frozen=True)
class Capture:
    """One disk's history; ``durable`` is whether the repairs were as they are."""

    kind: Kind
    durable: bool

    @property
    def name(self) -> str:
        return f"{self.kind.name}{'' if self.durable else '-naive'}"

    @property
    def scenarios(self) -> Sequence[Scenario]:
        return SCENARIOS if self.durable else CONTROL

    def top(self, place: Path) -> Path:
        """Where the disk is mounted: at the same path when it is written and when it is read,
        since the journal knows paths."""
        return place / self.name

    def stage(self, place: Path, number: int) -> Stage:
        return Stage(self.top(place) / f"stage-{number}")


CAPTURES: Final = tuple(Capture(kind, durable) for durable in (True, False) for kind in KINDS)


def begin(number: int) -> str:
    """The mark before a scenario's verb, when all before it is written."""
    return f"begin-{number}"


def told(number: int) -> str:
    """The mark when its success was reported."""
    return f"told-{number}"


def rest(number: int) -> str:
    """The mark when all of it is written."""
    return f"rest-{number}"


@dataclass(frozen=True)
class Witness:
    """What lay on a stage when its verb began and when it had reported its success."""

    before: World
    after: World


def as_json(witness: Witness) -> dict[str, Any]:
    return {
        name: {path: asdict(node) for path, node in world.all.items()}
        for name, world in vars(witness).items()
    }


def from_json(data: Mapping[str, Any]) -> Witness:
    return Witness(
        **{
            name: World({path: Node(**node) for path, node in nodes.items()})
            for name, nodes in data.items()
        }
    )


def read_witnesses(path: Path) -> list[Witness]:
    return [from_json(one) for one in json.loads(path.read_text())]
