"""What the nouns promise: stable IDs, identities through JSON, cancel and pause."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cachewright.errors import Cancelled, Changed, Refused
from cachewright.model import (
    CancelToken,
    EntryVerdict,
    Finding,
    FindingKind,
    Identity,
    Severity,
)


def finding(path: bytes, files: tuple[bytes, ...] = ()) -> Finding:
    return Finding(
        kind=FindingKind.CORRUPT_ENTRY,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.CORRUPT,
        subject="x",
        path=path,
        explanation="",
        files=files,
    )


def test_a_finding_keeps_its_id_whatever_order_its_files_came_in() -> None:
    assert finding(b"/c", (b"a", b"b")).id == finding(b"/c", (b"b", b"a")).id
    assert finding(b"/c").id != finding(b"/d").id
    assert finding(b"/c", (b"a",)).id != finding(b"/c", (b"b",)).id


def test_an_identity_survives_json() -> None:
    identity = Identity(1, 2, 0o100755, 4, 5, 6)
    assert Identity.from_json(identity.as_json()) == identity


def test_errors_say_their_sentence_with_hostile_paths_made_visible() -> None:
    error = Changed(path=b"/c/\x1b[2Jx", what="its inode")
    assert str(error) == (
        "/c/\\x1b[2Jx was left untouched: it changed since it was looked at (its inode). "
        "Check again."
    )
    assert isinstance(error, Refused)
    assert error.exit_code == 4


def test_a_paused_stage_waits_and_goes_on() -> None:
    token = CancelToken()
    token.pause()
    passed = threading.Event()
    worker = threading.Thread(target=lambda: (token.check(), passed.set()))
    worker.start()
    assert not passed.wait(0.05)
    token.resume()
    assert passed.wait(5)
    worker.join()


def test_cancelling_a_paused_stage_ends_it() -> None:
    token = CancelToken()
    token.pause()
    ended: list[type[BaseException]] = []

    def stage() -> None:
        try:
            token.check()
        except Cancelled as error:
            ended.append(type(error))

    worker = threading.Thread(target=stage)
    worker.start()
    token.cancel()
    worker.join(5)
    assert ended == [Cancelled]


def test_waiting_ends_at_once_when_cancelled() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        token.wait(60)


STORM = """
import signal
from cachewright.errors import Cancelled
from cachewright.model import CancelToken
token = CancelToken()
signal.signal(signal.SIGALRM, lambda *_: token.cancel())
for number in range(3000):
    token = CancelToken()
    signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + number % 60))
    try:
        while True:
            token.check()
            token.wait(1e-6)
    except Cancelled:
        pass
print("done")
"""


def test_a_signal_may_cancel_at_any_moment_of_a_wait() -> None:
    """Ctrl-C comes when it comes; a lock that the waiting thread holds would be for ever."""
    ran = subprocess.run(
        [sys.executable, "-c", STORM], check=True, capture_output=True, timeout=100
    )
    assert ran.stdout == b"done\n"


def test_all_who_wait_are_woken() -> None:
    token = CancelToken()
    stopped: list[int] = []

    def waiting(number: int) -> None:
        with pytest.raises(Cancelled):
            token.wait(60)
        stopped.append(number)

    threads = [threading.Thread(target=waiting, args=(number,)) for number in range(3)]
    for one in threads:
        one.start()
    token.cancel()
    for one in threads:
        one.join(30)
    assert sorted(stopped) == [0, 1, 2]
