"""All formats that are installed, found through the entry-point group ``cachewright.formats``."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from cachewright.errors import UnknownFormat
from cachewright.formats.base import Format

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

GROUP: Final = "cachewright.formats"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrokenFormat:
    """A registered format that could not be loaded, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Formats by name, sorted, and those that failed."""

    formats: Mapping[str, Format]
    broken: tuple[BrokenFormat, ...]


def load(points: Iterable[EntryPoint]) -> Loaded:
    """Make one of each; a format that fails is reported and left out."""
    found: dict[str, Format] = {}
    broken: list[BrokenFormat] = []
    for point in sorted(points, key=lambda one: (one.name, one.value)):
        try:
            made = _make(point)
            if point.name in found:
                raise ValueError("its name is taken")  # noqa: TRY301 - told like all else
            found[point.name] = made
        except Exception as error:  # noqa: BLE001 - somebody else's code must not stop ours
            broken.append(BrokenFormat(point.name, f"{type(error).__name__}: {error}"))
            _log.warning("The cache format %s cannot be used: %s", point.name, error)
    return Loaded(found, tuple(broken))


def _make(point: EntryPoint) -> Format:
    kind = point.load()
    if not (isinstance(kind, type) and issubclass(kind, Format)):
        raise TypeError("it is no cache format")
    if kind.name != point.name:
        raise ValueError(f"it calls itself {kind.name}")
    return kind()


@functools.cache
def _installed() -> Loaded:
    return load(entry_points(group=GROUP))


def formats() -> dict[str, Format]:
    """Every usable format by name; the same instances each time."""
    return dict(_installed().formats)


def broken_formats() -> tuple[BrokenFormat, ...]:
    """Installed formats that cannot be used, to be told to the person."""
    return _installed().broken


def by_name(name: str) -> Format:
    """The format of this name; raises ``UnknownFormat``."""
    known = formats()
    if name not in known:
        raise UnknownFormat(name=name, known=", ".join(sorted(known)))
    return known[name]


def recognise(root: Directory) -> Format | None:
    """The format that knows this directory, the most particular one where several do."""
    fitting = [one for one in formats().values() if _recognises(one, root)]
    fitting.sort(key=lambda one: one.general)
    coarser = {name for one in fitting for name in one.refines}
    return next((one for one in fitting if one.name not in coarser), None)


def _recognises(one: Format, root: Directory) -> bool:
    try:
        return one.recognise(root)
    except Exception as error:  # noqa: BLE001 - somebody else's code must not stop ours
        _log.warning("The cache format %s failed to look at %s: %s", one.name, root, error)
        return False
