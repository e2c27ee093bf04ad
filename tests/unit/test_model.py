"""What the nouns promise: stable IDs, identities through JSON, cancel and pause."""

from __future__ import annotations

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
