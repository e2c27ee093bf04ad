"""Pausing, cancelling and leaving a verification, and workers that die: nothing hangs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psutil
import pytest

from cachewright.errors import Cancelled, WorkerFailed
from cachewright.hashing import engine
from cachewright.hashing.listing import Contents, contents
from cachewright.inventory.tree import scan_subtree
from cachewright.model import CancelToken, Progress, ProgressSink, no_progress
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles, Verified, verify

Workers = Callable[[], list[psutil.Process]]


@pytest.fixture
def giant(at: Path) -> Path:
    """An entry of small files, and one whose file nobody could ever read to its end."""
    (at / "a").mkdir()
    for number in range(2000):
        (at / "a" / f"f{number}").write_bytes(b"x")
    (at / "b").mkdir()
    with (at / "b" / "giant").open("wb") as file:
        file.truncate(1 << 43)
    return at


def started(
    root: Directory, cancel: CancelToken, progress: ProgressSink = no_progress
) -> Generator[Verified, None, None]:
    tree = scan_subtree(root)
    jobs = [EntryFiles(row, root, tree.path(row), tree, row) for row in tree.children(0)]
    return verify(jobs, ["sha256"], progress=progress, cancel=cancel)


def test_closing_the_iterator_ends_everything(giant: Path, root: Directory) -> None:
    del giant
    running = started(root, CancelToken())
    assert len(next(running).files) == 2000
    running.close()


def test_closing_it_while_paused_ends_everything(giant: Path, root: Directory) -> None:
    del giant
    cancel = CancelToken()
    running = started(root, cancel)
    next(running)
    cancel.pause()
    running.close()


def test_a_giant_is_left_when_cancelled(giant: Path, root: Directory) -> None:
    del giant
    cancel = CancelToken()

    def stop(progress: Progress) -> None:
        if progress.done_bytes > 4 << 20:
            cancel.cancel()

    with pytest.raises(Cancelled):
        list(started(root, cancel, stop))


def test_a_hung_worker_does_not_outlive_a_cancelled_run(
    giant: Path, root: Directory, workers: Workers
) -> None:
    (giant / "b" / "giant").unlink()
    cancel, hung = CancelToken(), threading.Event()

    def hang(_progress: Progress) -> None:
        if not hung.is_set():
            for worker in workers():
                worker.send_signal(signal.SIGSTOP)
            hung.set()

    def stop() -> None:
        hung.wait()
        cancel.cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(Cancelled):
        list(started(root, cancel, hang))
    stopper.join()


def test_a_worker_that_dies_is_reported(giant: Path, root: Directory, workers: Workers) -> None:
    (giant / "b" / "giant").unlink()
    killed: list[psutil.Process] = []

    def kill(_progress: Progress) -> None:
        if not killed:
            killed.extend(workers())
            for worker in killed:
                worker.kill()

    with pytest.raises(WorkerFailed, match="signal 9") as failed:
        list(started(root, CancelToken(), kill))
    assert failed.value.values["path"].startswith(str(giant / "a"))


def test_a_paused_run_goes_on_when_resumed(giant: Path, root: Directory) -> None:
    with (giant / "b" / "giant").open("r+b") as file:
        file.truncate(300 << 20)
    cancel, paused = CancelToken(), threading.Event()
    told: list[Progress] = []
    result: list[Verified] = []

    def pause(progress: Progress) -> None:
        told.append(progress)
        if not paused.is_set():
            cancel.pause()
            paused.set()

    runner = threading.Thread(target=lambda: result.extend(started(root, cancel, pause)))
    runner.start()
    paused.wait()
    runner.join(0.3)
    assert runner.is_alive()
    assert len(told) == 1
    assert result == []
    cancel.resume()
    runner.join()
    assert sorted(len(one.files) for one in result) == [1, 2000]


def test_only_a_bounded_amount_is_given_out_at_once(
    at: Path, root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that takes one entry and waits does not make us read them all."""
    for number in range(3000):
        (at / f"e{number:04}").mkdir()
        (at / f"e{number:04}" / "file").write_bytes(b"x")
    listed: list[bytes] = []
    real = contents

    def counted(job: EntryFiles) -> Iterator[Contents]:
        listed.append(job.base)
        return real(job)

    monkeypatch.setattr(engine, "contents", counted)
    tree = scan_subtree(root)
    jobs = [EntryFiles(row, root, tree.path(row), tree, row) for row in tree.children(0)]
    running = verify(
        jobs, ["sha256"], progress=no_progress, cancel=CancelToken(), threads=1, processes=1
    )
    assert len(next(running).files) == 1
    # Two batches of 512 in the pipe and one being filled.
    assert 1024 <= len(listed) <= 3 * 512
    running.close()
