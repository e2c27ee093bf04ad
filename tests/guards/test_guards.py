"""The table of guards stays true: each guard stands where it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.guards.guards import GUARDS, Guard

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_stands_where_it_says(guard: Guard) -> None:
    text = (TOP / "core" / "cachewright" / guard.file).read_text()
    assert text.count(guard.text) == 1
    assert all((TOP / test).exists() for test in guard.tests)


def test_each_guard_has_its_own_name() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
