from __future__ import annotations

import threading

import pytest

from cachewright.locks.deadline import Late, within


def test_what_ends_in_time_is_handed_over() -> None:
    assert within(20, lambda: 7) == 7
    assert within(20, lambda: None) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_what_it_raises_is_raised(error: BaseException) -> None:
    def failing() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        within(20, failing)
    assert caught.value is error


def test_what_never_ends_is_left_and_keeps_nothing_from_ending() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def endless() -> None:
        assert threading.current_thread().daemon
        go_on.wait()
        ended.set()

    with pytest.raises(Late):
        within(0.05, endless)
    go_on.set()
    assert ended.wait(20)
