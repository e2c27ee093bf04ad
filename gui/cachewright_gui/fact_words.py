"""Headlines of evidence: what an observation comes to, before its own sentence is read."""

from __future__ import annotations

from typing import Final

from cachewright.model import Evidence, Says
from cachewright_gui import wording

_FACT_WORD: Final[dict[tuple[str, Says], str]] = {
    ("digest", Says.GOOD): "Checksum fits",
    ("digest", Says.BAD): "Checksum differs",
    ("checksum", Says.BAD): "Checksum differs",
    ("open-files", Says.DEAD): "Nobody has it open",
    ("open-files", Says.ALIVE): "A process has it open",
    ("open-files", Says.UNKNOWN): "Open files could not all be seen",
    ("unchanged", Says.DEAD): "Not changing",
    ("unchanged", Says.ALIVE): "It is changing",
    ("unchanged", Says.UNKNOWN): "A second look is missing",
    ("uninspected", Says.UNKNOWN): "Some processes are hidden",
    ("read", Says.UNKNOWN): "Could not be read",
    ("flock", Says.DEAD): "No flock lock",
    ("flock", Says.ALIVE): "Locked with flock",
    ("flock", Says.UNKNOWN): "The flock lock could not be asked for",
    ("posix-lock", Says.DEAD): "No POSIX lock",
    ("posix-lock", Says.ALIVE): "Locked with a POSIX lock",
    ("posix-lock", Says.UNKNOWN): "The POSIX lock could not be asked for",
    ("age", Says.DEAD): "Old enough to judge",
    ("age", Says.UNKNOWN): "Too young to judge",
    ("clock", Says.UNKNOWN): "No clock to judge by",
    ("contents", Says.DEAD): "What it holds",
    ("contents", Says.ALIVE): "It holds more than a writer leaves",
    ("filesystem", Says.DEAD): "Local file system",
    ("filesystem", Says.UNKNOWN): "Others may use this file system",
    ("gate", Says.DEAD): "The tool's own lock is free",
    ("gate", Says.ALIVE): "The tool's own lock is held",
    ("mounts", Says.ALIVE): "Something is mounted in it",
    ("mounts", Says.UNKNOWN): "Mounts are not known",
    ("readable", Says.UNKNOWN): "Not all of it could be read",
    ("sole-opener", Says.DEAD): "The kernel agrees: nobody has it open",
    ("sole-opener", Says.ALIVE): "The kernel says somebody has it open",
    ("sole-opener", Says.UNKNOWN): "The kernel could not say who has it open",
    ("uninspected", Says.DEAD): "Nobody can be hidden",
    ("lock-file", Says.DEAD): "The lock file is a plain file",
    ("lock-file", Says.UNKNOWN): "The lock file is odd",
    ("own-gate", Says.ALIVE): "Cachewright itself has it",
    ("own-gate", Says.DEAD): "Nobody but Cachewright has its lock",
    ("known-shape", Says.DEAD): "A known shape",
    ("known-shape", Says.UNKNOWN): "An odd shape",
    ("record", Says.DEAD): "Its record was read",
    ("record", Says.UNKNOWN): "What its record says",
    ("owner", Says.ALIVE): "Its owner runs",
    ("owner", Says.DEAD): "Its owner is gone",
    ("owner", Says.UNKNOWN): "Whether its owner runs",
    ("rights", Says.DEAD): "It may be moved away",
    ("rights", Says.UNKNOWN): "It cannot be moved away",
    ("kernel-locks", Says.DEAD): "No kernel lock on it",
    ("kernel-locks", Says.ALIVE): "A kernel lock is on it",
    ("kernel-lock", Says.UNKNOWN): "The lock it describes could not be seen",
    ("info-file", Says.DEAD): "A note of the known kind",
    ("info-file", Says.UNKNOWN): "An odd note",
    ("heartbeat", Says.ALIVE): "It was renewed",
    ("heartbeat", Says.UNKNOWN): "No sign of life to go by",
    ("lease", Says.ALIVE): "It has not run out",
    ("lease", Says.DEAD): "It has run out",
    ("lease", Says.UNKNOWN): "Whether it has run out",
    ("host", Says.UNKNOWN): "Which computer it names",
    ("programs", Says.UNKNOWN): "What runs on this computer",
    ("store-clock", Says.UNKNOWN): "When it was written",
}


def headline(evidence: Evidence) -> str:
    """A few words; a fact without words of its own is named by its code."""
    known = _FACT_WORD.get((evidence.fact, evidence.says))
    return known or wording.in_words(evidence.fact)
