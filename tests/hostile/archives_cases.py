"""What a hostile archive is, and what must become of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Fate(enum.Enum):
    """``REFUSED`` as a whole; ``PLAIN``: taken as the plain files that are left of it; or
    ``EITHER``."""

    REFUSED = enum.auto()
    PLAIN = enum.auto()
    EITHER = enum.auto()

    def allows(self, taken: bool) -> bool:
        return self is Fate.EITHER or taken == (self is Fate.PLAIN)


@dataclass(frozen=True)
class Case:
    """One archive.  ``bomb``: it costs far more than it weighs, so that only our own extractor,
    never a naive one, is let near it."""

    name: str
    content: bytes
    fate: Fate = Fate.REFUSED
    bomb: bool = False
