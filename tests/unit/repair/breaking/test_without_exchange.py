"""Where two names cannot be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cachewright.model import Result
from cachewright.repair.undo import undo

if TYPE_CHECKING:
    from tests.unit.repair.breaking.conftest import Act, Shop

SHAPES = ("work.lock", "work.lnk", "work.dir")
DONE, REFUSED, FAILED = Result.DONE, Result.REFUSED, Result.FAILED


@pytest.mark.parametrize("lacks", ["no_exchange", "no_flags"])
@pytest.mark.parametrize("name", SHAPES)
def test_without_exchange_it_is_moved_and_looked_at(
    shop: Shop, name: str, lacks: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(lacks)
    at = shop.dead(name)
    before = at.lstat().st_ino
    outcome = shop.run(shop.plan(name))
    assert outcome.result is DONE
    assert shop.kept == [f"{outcome.undo}/item"]
    assert undo(shop.journal).result is DONE
    assert at.lstat().st_ino == before


@pytest.mark.parametrize("lacks", ["no_exchange", "no_flags"])
@pytest.mark.parametrize("name", SHAPES)
def test_without_exchange_another_lock_is_put_back(
    shop: Shop,
    act: Act,
    *,
    name: str,
    lacks: str,
    request: pytest.FixtureRequest,
    before_exchange: Callable[..., None],
) -> None:
    request.getfixturevalue(lacks)
    at = shop.dead(name)
    actor, plan = act(at), shop.plan(name)
    before_exchange(lambda: actor("(remove(at), write(at, '[1]'))"))
    assert shop.run(plan).result is REFUSED
    assert shop.content(at) == b"[1]"
    assert shop.quiet


@pytest.mark.usefixtures("no_exchange")
def test_without_exchange_what_cannot_be_put_back_is_kept_and_told(
    shop: Shop, act: Act, before_exchange: Callable[..., None], before_rename: Callable[..., None]
) -> None:
    at = shop.dead("work.lock")
    actor, plan = act(at), shop.plan("work.lock")
    before_exchange(lambda: actor("(remove(at), write(at, '[1]'))"))
    before_rename(lambda: actor("write(at, '[2]')"))
    outcome = shop.run(plan)
    assert (outcome.result, "It is kept in" in outcome.reason) == (FAILED, True)
    assert shop.content(at) == b"[2]"
    (kept,) = shop.kept
    assert shop.content(shop.quarantine / kept) == b"[1]"
    assert shop.events() == ["started", "prepared"]  # left to be ended by a recovery


@pytest.mark.usefixtures("no_exchange")
def test_without_exchange_what_vanishes_is_let_go(
    shop: Shop, act: Act, before_exchange: Callable[..., None]
) -> None:
    at = shop.dead("work.lock")
    actor, plan = act(at), shop.plan("work.lock")
    before_exchange(lambda: actor("remove(at)"))
    outcome = shop.run(plan)
    assert (outcome.result, "it is gone" in outcome.reason) == (REFUSED, True)
    assert shop.quiet
