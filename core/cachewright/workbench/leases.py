"""The leases of a cache in a directory, which lie in a store that its format names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.locks import lease
from cachewright.locks.object_store import Looked
from cachewright.model import Gap
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.base import Knowledge
    from cachewright.model import CancelToken, LockReport

NONE = Looked((), (), ())


def look_at_leases(
    knowledge: Knowledge, former: Iterable[LockReport] = (), cancel: CancelToken | None = None
) -> Looked:
    """Every lease as it is now; where none could be read, a gap says so.

    ``former`` are reports of an earlier look: what was renewed since is held.
    """
    store = knowledge.leases()
    if store is None:
        return NONE
    try:
        return lease.look_all(store, former={one.path: one for one in former}, cancel=cancel)
    except CachewrightError as error:
        return Looked((), (), (Gap(store.root, error.values.get("reason", str(error))),))


def gap_words(gaps: Iterable[Gap]) -> tuple[str, ...]:
    """What could not be read, as sentences for a person."""
    return tuple(f"{display(gap.path)} could not be read: {gap.reason}." for gap in gaps)
