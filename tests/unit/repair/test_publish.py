"""The library function for programs with caches of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from cachewright import holders
from cachewright.errors import Changed, Escapes, InUse, SourceUnusable
from cachewright.model import Result
from cachewright.repair.journal import Journal
from cachewright.repair.publish import publish
from cachewright.repair.undo import undo


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache" / "entry").mkdir(parents=True)
    (tmp_path / "cache" / "entry" / "f").write_bytes(b"old")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "f").write_bytes(b"new")
    return tmp_path / "cache"


def test_publishes_and_keeps_and_can_be_undone(cache: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = publish(cache / "entry", str(tmp_path / "new"), state_dir=state)
    assert (cache / "entry" / "f").read_bytes() == b"new"
    assert list(done.digests) == [b"f"]
    assert done.kept is not None
    assert (Path(os.fsdecode(done.kept)) / "f").read_bytes() == b"old"
    journal = Journal.open(os.fsencode(state))
    assert undo(journal, done.undo).result is Result.DONE
    journal.close()
    assert (cache / "entry" / "f").read_bytes() == b"old"


def test_publishes_something_new_from_an_archive(cache: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.writestr("a/f", "zipped")
    done = publish(
        os.fsencode(cache / "fresh"), tmp_path / "new.zip", root=cache, state_dir=tmp_path / "state"
    )
    assert done.kept is None
    assert (cache / "fresh" / "a" / "f").read_bytes() == b"zipped"


def test_the_callers_own_check_may_stop_it(cache: Path, tmp_path: Path) -> None:
    def verify(digests: object) -> None:
        raise ValueError(f"not mine: {digests}")

    with pytest.raises(ValueError, match="not mine"):
        publish(cache / "entry", tmp_path / "new", verify=verify, state_dir=tmp_path / "state")
    assert (cache / "entry" / "f").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path / ".cachewright-quarantine")) == ["lock"]


def test_refuses_what_it_cannot_do_whole(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / "link").symlink_to("f")
    for source in (tmp_path / "new", tmp_path / "missing"):
        with pytest.raises(SourceUnusable):
            publish(cache / "entry", source, state_dir=tmp_path / "state")
    with pytest.raises(Escapes):
        publish(tmp_path / "elsewhere", tmp_path / "new", root=cache, state_dir=tmp_path / "state")
    assert (cache / "entry" / "f").read_bytes() == b"old"


def test_refuses_what_is_written_to(cache: Path, tmp_path: Path) -> None:
    code = "import sys; f = open(sys.argv[1], 'a'); print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(cache / "entry" / "f")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        with pytest.raises(InUse, match=f"pid {writer.pid}"):
            publish(cache / "entry", tmp_path / "new", state_dir=tmp_path / "state")
    assert (cache / "entry" / "f").read_bytes() == b"old"


def test_says_what_changed_when_the_old_one_had_to_be_put_back(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(range(1, 10))

    def survey(prefixes: Sequence[bytes], devices: frozenset[int]) -> holders.Survey:
        seen = look_around(prefixes, devices)
        if next(looks) == 2:
            (cache / "entry" / "f").write_bytes(b"saved at the last moment")
        return seen

    look_around = holders.survey
    monkeypatch.setattr(holders, "survey", survey)
    with pytest.raises(Changed, match="something in it"):
        publish(cache / "entry", tmp_path / "new", state_dir=tmp_path / "state")
    assert (cache / "entry" / "f").read_bytes() == b"saved at the last moment"
    assert sorted(os.listdir(tmp_path / ".cachewright-quarantine")) == ["lock"]


READER = """
import os, sys, time
seen, missing, wrong = 0, 0, 0
print("ready", flush=True)
end = time.monotonic() + 60
while not os.path.exists(sys.argv[2]) and time.monotonic() < end:
    try:
        fd = os.open(sys.argv[1], os.O_RDONLY)
        both = [os.open(name, os.O_RDONLY, dir_fd=fd) for name in ("f", "g")]
        first, second = (os.read(one, 100) for one in both)
        for one in (fd, *both):
            os.close(one)
        seen += 1
        wrong += first != second
    except FileNotFoundError:
        missing += 1
print(seen, missing, wrong, flush=True)
"""


def test_readers_find_the_whole_old_or_the_whole_new(cache: Path, tmp_path: Path) -> None:
    for name in ("f", "g"):
        (cache / "entry" / name).write_bytes(b"0")
    stop = tmp_path / "stop"
    command = [sys.executable, "-S", "-c", READER, str(cache / "entry"), str(stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        try:
            for number in range(1, 9):
                for name in ("f", "g"):
                    (tmp_path / "new" / name).write_bytes(b"%d" % number)
                publish(cache / "entry", tmp_path / "new", state_dir=tmp_path / "state")
        finally:
            stop.touch()
        seen, missing, wrong = map(int, reader.stdout.readline().split())
    assert seen > 0
    assert (missing, wrong) == (0, 0)
