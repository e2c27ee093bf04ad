"""Everything Cachewright raises on purpose: the docstring is the message template.

``str(error)`` is one plain sentence for a person; ``exit_code`` is what the command line ends
with (DESIGN 8).  Arguments that are paths may be hostile bytes: they are made safe here.
"""

from __future__ import annotations

from typing import ClassVar

from cachewright.text import display


class CachewrightError(Exception):
    """Something went wrong: {reason}."""

    exit_code: ClassVar[int] = 3

    def __init__(self, **values: object) -> None:
        self.values = {
            name: display(value) if isinstance(value, bytes) else str(value)
            for name, value in values.items()
        }
        template = " ".join((type(self).__doc__ or "").split())
        super().__init__(template.format(**self.values))


class Cancelled(CachewrightError):
    """Stopped as asked; nothing was left half done."""

    exit_code = 130


class RootMissing(CachewrightError):
    """{path} does not exist. Nothing was looked at; check the path."""


class RootNotADirectory(CachewrightError):
    """{path} is not a directory. Cachewright opens the cache's top directory."""

    exit_code = 2


class RootUnreadable(CachewrightError):
    """{path} cannot be read: {reason}. Nothing was looked at."""


class RootVanished(CachewrightError):
    """{path} went away while it was being looked at. Nothing was changed."""


class NotACache(CachewrightError):
    """{path} does not look like a cache that Cachewright knows ({why}).
    Name the kind with --format if you are sure."""

    exit_code = 2


class UnknownFormat(CachewrightError):
    """There is no cache format named {name}. Known: {known}."""

    exit_code = 2


class EntryUnknown(CachewrightError):
    """No entry named {name} in {path}. The names are those that check prints."""

    exit_code = 2


class TooLarge(CachewrightError):
    """{path} is larger than {limit} and was not read."""


class NotARegularFile(CachewrightError):
    """{path} is not a regular file and was not opened."""


class Escapes(CachewrightError):
    """{path} leads out of {root} and was not followed."""

    exit_code = 4


class Refused(CachewrightError):
    """{path} was left untouched: {reason}."""

    exit_code = 4


class Changed(Refused):
    """{path} was left untouched: it changed since it was looked at ({what}). Check again."""


class InUse(Refused):
    """{path} was left untouched: {reason}."""


class AnotherAtWork(InUse):
    """{path} was left untouched: another Cachewright is at work here."""


class RunsAsRoot(Refused):
    """The window does not run as root: all that it opens would be acted on with root's power.
    Run it as another user, or say --as-root (or CACHEWRIGHT_AS_ROOT=1)."""


class NotConfirmed(Refused):
    """{path} was left untouched: {subject} must be typed to confirm this step."""


class ConditionUnheeded(Refused):
    """{path} was left untouched: {reason}."""


class GateHeld(Refused):
    """{path} was left untouched: {holder} holds {gate}."""


class NoQuarantine(Refused):
    """{path} was left untouched: there is no place on its file system, outside the cache, where
    it could be kept ({reason})."""


class SourceUnusable(CachewrightError):
    """{source} cannot be used as a good copy of {entry}: {reason}. Nothing was changed."""

    exit_code = 4


class StepFailed(CachewrightError):
    """{path}: {reason}. {state}"""

    exit_code = 5


class JournalDamaged(CachewrightError):
    """The journal {path} is damaged at record {record}: {reason}.
    It was left as it is; nothing is repaired or undone until it has been looked at."""


class NothingToUndo(CachewrightError):
    """There is nothing to undo{which}."""

    exit_code = 2


class PlaceTaken(Refused):
    """{path} is there again, so the kept copy stays in quarantine: {kept}."""


class PlanInvalid(CachewrightError):
    """{path} is not a plan that Cachewright can run: {reason}."""

    exit_code = 2


class WorkerFailed(CachewrightError):
    """A worker process ended unexpectedly while reading {path}: {reason}."""


class ExtraMissing(CachewrightError):
    """{path} is read with {library}, which is not installed. Install it with
    pip install 'cachewright[{extra}]'. Nothing was looked at."""


class BackendUnsupported(CachewrightError):
    """{path} was not looked at. {sentence}"""

    exit_code = 2


class AddressInvalid(CachewrightError):
    """{path} was not looked at: {reason}."""

    exit_code = 2


class StoreUnreadable(CachewrightError):
    """{path}: {reason}. {left}"""


class AnswerLost(CachewrightError):
    """{path}: {reason}, so it is not known whether it was done. It was not asked again."""


class LockThere(Refused):
    """{path} was left untouched: a lock is there again. The released one stays in the
    journal, and can be put back once the place is free."""


class BaselineExists(Refused):
    """{path} has a baseline of {date} already, which was kept. Put a new one in its place with
    --replace."""


class BaselineUnusable(CachewrightError):
    """The baseline {path} cannot be used: {reason}. It was left as it is; put a new one in its
    place with --replace."""


class BaselineNotKept(CachewrightError):
    """The baseline {path} could not be written: {reason}. A former one stays as it was."""

    exit_code = 5
