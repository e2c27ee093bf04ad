"""Caches on this computer, where the tools themselves would look for them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cachewright.errors import CachewrightError
from cachewright.formats import registry
from cachewright.model import Location
from cachewright.storage.anchored import Directory


def discover(environment: Mapping[str, str]) -> tuple[Location, ...]:
    """Every default location that exists, once.

    What lies there decides which format it has; a directory that none recognises (an empty
    one) stays with the coarsest format that names it.
    """
    found: dict[bytes, Location] = {}
    for one in sorted(registry.formats().values(), key=lambda one: len(one.refines)):
        for location in one.default_locations(environment):
            root = os.path.realpath(location.root)
            if root not in found:
                found[root] = _recognised(location)
    return tuple(found.values())


def _recognised(location: Location) -> Location:
    try:
        with Directory.open(location.root) as root:
            fitting = registry.recognise(root)
    except CachewrightError:
        return location
    if fitting is None:
        return location
    return Location(fitting.name, location.root, fitting.title)
