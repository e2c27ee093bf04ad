"""``python -m tests.guards``: take each guard out, and name the test that fails without it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial

from tests.counts import Row, main
from tests.guards.guards import GUARDS, Guard
from tests.guards.taking_out import Copy


def run(guard: Guard, quick: bool) -> Iterable[Row]:
    """The guard's tests pass with it, and at least one of them fails without it."""
    with Copy() as copy:
        if not quick:
            there = copy.failing(guard.tests)
            yield Row(guard.name, "as it is", len(guard.tests), len(there), note=", ".join(there))
        copy.take_out(guard)
        failing = copy.failing(guard.tests)
    note = f"fails: {failing[0]}" if failing else "no test fails"
    yield Row(guard.name, "taken out", len(guard.tests), len(failing), note=note, expects_bad=True)


if __name__ == "__main__":
    sys.exit(main({guard.name: partial(run, guard) for guard in GUARDS}))
