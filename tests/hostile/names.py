"""Hostile names everywhere a name can be: shown whole, as text, and never taken for another."""

from __future__ import annotations

from tests.counts import Row
from tests.hostile import names_cli, names_decoys, names_window
from tests.hostile.names_world import world


def run(quick: bool) -> list[Row]:
    with world(quick=quick) as made:
        return [
            *names_window.run(made, quick=quick),
            *names_decoys.run(made, quick=quick),
            *names_cli.run(made, quick=quick),
        ]
