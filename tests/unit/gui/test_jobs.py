from __future__ import annotations

import threading
import time

from PySide6.QtCore import QThread, QTimer
from pytestqt.qtbot import QtBot

from cachewright_gui import jobs as module
from cachewright_gui.jobs import Jobs


def test_a_result_comes_back_on_the_windows_thread(qtbot: QtBot) -> None:
    jobs = Jobs()
    seen: list[tuple[int, bool, bool]] = []
    window = QThread.currentThread()

    def work() -> int:
        return threading.get_ident()

    def done(worker: int) -> None:
        seen.append((worker, worker == threading.get_ident(), QThread.currentThread() == window))

    jobs.run(work, done, lane=jobs.lane("a"))
    jobs.run(work, done)
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert [(on_worker, on_window) for _, on_worker, on_window in seen] == [(False, True)] * 2
    assert jobs.close(5)


def test_a_failure_reaches_its_handler_or_else_the_person(qtbot: QtBot) -> None:
    jobs = Jobs()
    handled: list[BaseException] = []

    def fail() -> None:
        raise OSError("nobody expected this")

    with qtbot.waitSignal(jobs.failed) as told:
        jobs.run(fail, lambda _: None)
    assert isinstance(told.args[0], OSError)
    jobs.run(fail, lambda _: None, handled.append)
    qtbot.waitUntil(lambda: bool(handled))
    assert jobs.close(5)


def test_a_failure_in_a_receiver_is_told_and_stops_no_other(qtbot: QtBot) -> None:
    jobs = Jobs()
    later: list[int] = []

    def broken(_: int) -> None:
        raise KeyError("a mistake in the window")

    with qtbot.waitSignal(jobs.failed) as told:
        jobs.run(lambda: 1, broken)
    assert isinstance(told.args[0], KeyError)
    jobs.run(lambda: 2, later.append)
    qtbot.waitUntil(lambda: later == [2])
    assert jobs.close(5)


def test_one_lane_runs_its_calls_in_order(qtbot: QtBot) -> None:
    jobs = Jobs()
    lane = jobs.lane("a")
    begun: list[int] = []
    done: list[int] = []
    gate = threading.Event()
    for number in range(5):

        def work(number: int = number) -> int:
            begun.append(number)
            assert gate.wait(10)
            return number

        jobs.run(work, done.append, lane=lane)
    qtbot.waitUntil(lambda: begun == [0])
    gate.set()
    qtbot.waitUntil(lambda: done == [0, 1, 2, 3, 4])
    assert jobs.close(5)


def test_posts_keep_their_order_and_leave_time_for_the_window(qtbot: QtBot) -> None:
    """Slow receivers are spread over several turns of the event loop."""
    jobs = Jobs()
    seen: list[int] = []
    ticks: list[int] = []
    timer = QTimer()
    timer.setInterval(0)
    timer.timeout.connect(lambda: ticks.append(len(seen)))
    timer.start()

    def slow(number: int) -> None:
        end = time.perf_counter() + module.BUDGET_S / 2
        while time.perf_counter() < end:
            pass
        seen.append(number)

    for number in range(40):
        jobs.post(lambda number=number: slow(number))  # type: ignore[misc]
    qtbot.waitUntil(lambda: len(seen) == 40)
    timer.stop()
    assert seen == list(range(40))
    between = {at for at in ticks if 0 < at < 40}
    assert len(between) >= 5, "the event loop never got its turn"
    assert jobs.close(5)


def test_closing_waits_but_not_for_ever(qtbot: QtBot) -> None:
    jobs = Jobs()
    gate = threading.Event()
    started = threading.Event()

    def hang() -> None:
        started.set()
        gate.wait()

    late: list[None] = []
    jobs.run(hang, late.append, lane=jobs.lane("hung"))
    assert started.wait(10)
    assert not jobs.close(0.05)
    gate.set()
    assert jobs.close(5)
    qtbot.wait(20)
    assert late == [], "nothing is delivered to a window that is gone"
