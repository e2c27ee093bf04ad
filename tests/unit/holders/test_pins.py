"""Processes that are pinned: who has ended is known, and nobody else is taken for them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cachewright import holders
from cachewright.holders import pins as module
from cachewright.model import Holder

if TYPE_CHECKING:
    from tests.unit.conftest import Other, Starter

Until = Callable[[Callable[[], object]], None]


def of(other: Other) -> Holder:
    holder = holders.process(other.pid)
    assert holder is not None
    return holder


@pytest.fixture(params=["pidfd", "no pidfds", "no such call"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With pidfds, where there are none left, and on a system that has none."""

    def none_left(_pid: int) -> int:
        raise OSError(errno.EMFILE, "injected")

    if request.param == "no pidfds":
        monkeypatch.setattr(os, "pidfd_open", none_left)
    elif request.param == "no such call":
        monkeypatch.delattr(os, "pidfd_open")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_who_ends_is_told_and_nobody_else(other: Starter) -> None:
    one, two = other("ready()"), other("ready()")
    first, second = of(one), of(two)
    with holders.pinned([first, second]) as pins:
        assert pins.ended() == ()
        one.kill()
        assert pins.ended() == (first,)
        two.stop()
        assert pins.ended() == (first,), "a stopped process has not ended"


@pytest.mark.usefixtures("way")
def test_who_had_ended_before_is_told(other: Starter) -> None:
    one = other("ready()")
    holder = of(one)
    one.end()
    with holders.pinned([holder]) as pins:
        assert pins.ended() == (holder,)


@pytest.mark.usefixtures("way")
def test_another_process_with_the_pid_is_not_the_one(other: Starter) -> None:
    """As if the pid had been given anew before it could be pinned."""
    one = other("ready()")
    former = replace(of(one), start_ticks=of(one).start_ticks - 1)
    with holders.pinned([former]) as pins:
        assert pins.ended() == (former,)


def test_a_zombie_has_ended(other: Starter, until: Until) -> None:
    """Its parent has not heard of it yet, but it holds nothing any more."""
    one = other("child = os.fork()\nready(child) if child else os.read(0, 1)\n")
    child = holders.process(int(one.said[0]))
    assert child is not None
    with holders.pinned([child]) as pins:
        assert pins.ended() == ()
        os.kill(child.pid, signal.SIGKILL)
        until(pins.ended)
        with open(f"/proc/{child.pid}/stat", "rb") as stat:
            assert b") Z " in stat.read()


def test_no_descriptor_is_left(other: Starter) -> None:
    one = other("ready()")
    before = os.listdir("/proc/self/fd")
    with holders.pinned([of(one)]) as pins:
        assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    assert os.listdir("/proc/self/fd") == before
    assert pins.ended() == ()


def test_who_may_not_be_asked_lives(other: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = of(other("ready()"))

    def refused(_pid: int) -> None:
        raise PermissionError(errno.EPERM, "injected")

    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(module, "process", refused)
    with holders.pinned([holder]) as pins:
        assert pins.ended() == ()
