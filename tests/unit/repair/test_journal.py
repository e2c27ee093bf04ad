from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portalocker.exceptions import LockException

from cachewright.errors import InUse, JournalDamaged
from cachewright.repair import journal as journals
from cachewright.repair.exclusive import exclusive
from cachewright.repair.journal import Journal, state_directory
from cachewright.repair.records import Event, Record
from cachewright.storage.anchored import Directory


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state"


_open: list[Journal] = []


def opened(state: Path) -> Journal:
    _open.append(Journal.open(os.fsencode(state)))
    return _open[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def fill(state: Path, count: int = 4) -> Journal:
    journal = opened(state)
    for number in range(count):
        journal.append(
            f"op{number // 2}", Event.DONE if number % 2 else Event.STARTED, {"n": number}
        )
    return journal


def test_records_come_back_in_order(state: Path) -> None:
    fill(state)
    records = opened(state).records()
    assert [record.fields["n"] for record in records] == [0, 1, 2, 3]
    assert [record.number for record in records] == [1, 2, 3, 4]
    assert records[2].previous == records[1].hash
    assert opened(state).verify() == 4


def test_an_empty_journal_is_whole(state: Path) -> None:
    assert opened(state).verify() == 0


def test_only_the_owner_may_read_it(state: Path) -> None:
    fill(state)
    assert state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}


def test_two_open_journals_see_each_other(state: Path) -> None:
    first, second = opened(state), opened(state)
    first.append("a", Event.STARTED, {})
    second.append("b", Event.STARTED, {})
    first.append("c", Event.STARTED, {})
    assert [record.operation for record in second.records()] == ["a", "b", "c"]


def test_processes_append_one_after_the_other(state: Path) -> None:
    code = """
import os, sys
from cachewright.repair.journal import Journal
from cachewright.repair.records import Event, Record
journal = Journal.open(os.fsencode(sys.argv[1]))
for number in range(15):
    journal.append(sys.argv[2], Event.STARTED, {"n": number})
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(state), name]) for name in ("a", "b", "c")
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    records = opened(state).records()
    assert len(records) == 45
    for name in ("a", "b", "c"):
        assert [one.fields["n"] for one in records if one.operation == name] == list(range(15))


def damaged(state: Path) -> int:
    """The number of the bad record; nothing can be read, written or repaired by then."""
    before = (state / "journal.jsonl").read_bytes() if (state / "journal.jsonl").exists() else b""
    with pytest.raises(JournalDamaged) as caught:
        opened(state).records()
    with pytest.raises(JournalDamaged):
        opened(state).append("new", Event.STARTED, {})
    after = (state / "journal.jsonl").read_bytes() if (state / "journal.jsonl").exists() else b""
    assert after == before
    return int(caught.value.values["record"])


def test_every_flipped_bit_is_found(state: Path) -> None:
    fill(state, 2)
    file = state / "journal.jsonl"
    original = file.read_bytes()
    first_line = original.index(b"\n") + 1
    for at in range(len(original)):
        changed = bytearray(original)
        changed[at] ^= 1 << (at % 8)
        file.write_bytes(changed)
        with pytest.raises(JournalDamaged) as caught:
            opened(state).records()
        expected = {"1"} if at < first_line - 1 else {"1", "2", "3"}
        assert caught.value.values["record"] in expected, at
    file.write_bytes(original)
    assert opened(state).verify() == 2


LOSSES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "the first": (lambda lines: lines[1:], 1),
    "one between": (lambda lines: [lines[0], *lines[2:]], 2),
    "the last": (lambda lines: lines[:-1], 4),
    "all": (lambda _lines: [], 1),
    "order": (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
    "one twice": (lambda lines: [lines[0], lines[0], *lines[1:]], 2),
    "a torn end": (lambda lines: [*lines, lines[0][:20]], 5),
    "a line break": (lambda lines: [*lines[:-1], lines[-1][:-1]], 4),
    "an empty line": (lambda lines: [*lines, b"\n"], 5),
}


@pytest.mark.parametrize(("loss", "record"), LOSSES.values(), ids=LOSSES.keys())
def test_missing_and_torn_lines_are_found(
    state: Path, loss: Callable[[list[bytes]], list[bytes]], record: int
) -> None:
    fill(state)
    file = state / "journal.jsonl"
    file.write_bytes(b"".join(loss(file.read_bytes().splitlines(keepends=True))))
    assert damaged(state) == record


def test_a_lost_journal_is_not_a_new_one(state: Path) -> None:
    fill(state)
    (state / "journal.jsonl").unlink()
    assert damaged(state) == 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"number": 9, "hash": ""}', b"[" * 100_000])
def test_a_damaged_head_is_found(state: Path, content: bytes) -> None:
    fill(state)
    (state / "journal.head").write_bytes(content)
    damaged(state)


def test_a_link_in_place_of_the_journal_is_not_followed(state: Path, tmp_path: Path) -> None:
    fill(state)
    (state / "journal.jsonl").rename(tmp_path / "elsewhere")
    (state / "journal.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalDamaged):
        opened(state).records()


def test_a_crash_before_the_head_moved_is_no_damage(state: Path) -> None:
    journal = fill(state, 2)
    head = (state / "journal.head").read_bytes()
    journal.append("c", Event.STARTED, {})
    (state / "journal.head").write_bytes(head)
    assert opened(state).verify() == 3
    opened(state).append("d", Event.STARTED, {})
    assert json.loads((state / "journal.head").read_bytes())["number"] == 4


def test_two_crashes_before_the_head_moved_are_no_damage(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = fill(state, 2)
    move = Journal._set_head

    def killed_at(number: int) -> None:
        def moved(self: Journal, record: Record) -> None:
            if record.number == number:
                raise KeyboardInterrupt
            move(self, record)

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "_set_head", moved)
            with pytest.raises(KeyboardInterrupt):
                journal.append("c", Event.STARTED, {})

    killed_at(3)
    killed_at(4)
    assert opened(state).verify() == 4


def test_a_line_of_another_journal_is_found(state: Path, tmp_path: Path) -> None:
    """Its own hash and its number fit, the record before it is another one."""
    fill(state, 3)
    fill(tmp_path / "other", 3)
    lines = (state / "journal.jsonl").read_bytes().splitlines(keepends=True)
    others = (tmp_path / "other" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (state / "journal.jsonl").write_bytes(lines[0] + others[1] + lines[2])
    assert damaged(state) == 2


def test_a_full_disk_leaves_the_journal_whole(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = fill(state)
    write = os.write

    def short(fd: int, data: bytes) -> int:
        return write(fd, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(journals.os, "write", short)
        with pytest.raises(OSError, match="could not be written whole"):
            journal.append("c", Event.STARTED, {})
    assert opened(state).verify() == 4
    journal.append("d", Event.STARTED, {})
    assert opened(state).verify() == 5


def test_the_environment_may_choose_the_place() -> None:
    assert state_directory({"CACHEWRIGHT_STATE_DIR": "/chosen"}) == b"/chosen"
    assert state_directory({}).endswith(b"cachewright")


def test_another_process_that_holds_the_lock_is_waited_for_or_refused(
    tmp_path: Path,
) -> None:
    code = """
import os, sys
from cachewright.repair.exclusive import exclusive
from cachewright.storage.anchored import Directory
with Directory.open(os.fsencode(sys.argv[1])) as place, exclusive(place, b"lock"):
    print("ready", flush=True)
    sys.stdin.readline()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder,
        Directory.open(os.fsencode(tmp_path)) as place,
    ):
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(InUse, match="another Cachewright"), exclusive(place, b"lock"):
            pass
        holder.stdin.close()
        with exclusive(place, b"lock", wait_s=20):
            assert os.listdir(tmp_path) == ["lock"]
    assert os.listdir(tmp_path) == ["lock"]


def test_a_file_system_without_locks_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise LockException(OSError(5, "Input/output error"))

    monkeypatch.setattr("portalocker.lock", failing)
    with (
        Directory.open(os.fsencode(tmp_path)) as place,
        pytest.raises(OSError, match="Input/output error"),
        exclusive(place, b"lock"),
    ):
        pass
