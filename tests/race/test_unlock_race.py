"""Four contenders that follow a lock's protocol, and one Cachewright that breaks stale locks:
never are two in at once.  A tool that looks in the same way, and then deletes what it saw by its
name, lets two in again and again.

The full length is for ``-m soak``, which prints its figures.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.race.conftest import HERE, QUICK, Farm

from cachewright.errors import Changed
from cachewright.model import Result
from cachewright.repair import breaking
from cachewright.repair.stand_in import make_stand_in
from cachewright.repair.taking import Taking
from cachewright.storage.anchored import Directory
from cachewright.workbench import Options, open_bench

EXISTENCE = ("file", "link", "dir")
KERNEL = ("flock", "posix", "ofd")
RECORDS = ("lease", "object")
KINDS = (*EXISTENCE, *KERNEL, "info", *RECORDS)
WIDE = (*EXISTENCE, *RECORDS)
FULL = 5000
SHORT = dict.fromkeys(KINDS, 150) | dict.fromkeys(RECORDS, 40)
SEED = 20_261_121
STAY = {"ours": {"lease": 0.02, "object": 0.02}, "naive": {"lease": 0.02, "object": 0.1}}
"""How long a holder mostly stays, in seconds, where a lock is not taken within a thousandth."""


@dataclass(frozen=True)
class Race:
    """One place with one lock of one kind."""

    kind: str
    root: Path
    aside: Path
    endpoint: str = ""
    format: str = "stranger"
    place: str = field(default="")

    def run(self, mode: str, acquisitions: int, *, wide: bool = False, **more: Any) -> Figures:
        """Let the contenders race beside one who breaks, to the end of both."""
        aside = self.aside / str(len(list(self.aside.iterdir())))
        aside.mkdir()
        breaker_asked = {
            "root": f"s3://{self.root.name}" if self.endpoint else str(self.root),
            "format": self.format,
            "kind": self.kind,
            "wide": wide,
            "seed": SEED,
            "endpoint": self.endpoint,
            "address": self.place,
            "wanted": more.pop("wanted", 0),
            "aside": str(aside),
        }
        contending = {
            "kind": self.kind,
            "place": self.place or str(self.root),
            "aside": str(aside),
            "acquisitions": acquisitions,
            "seed": SEED,
            "waits": mode == "ours",
            "wrong": "robbed" if self.kind == "info" else "doubles",
            "stay": STAY[mode].get(self.kind, 0.002),
            "pause": 0.01 if self.kind in RECORDS else 0.001,
            **more,
        }
        pipe = subprocess.PIPE
        script = [sys.executable, str(HERE / "breaker.py")]
        if mode == "naive":
            script = [*QUICK, str(HERE / "naive.py")]
        with subprocess.Popen(
            [*script, json.dumps(breaker_asked)],
            stdin=pipe,
            stdout=pipe,
            text=True,
        ) as breaker:
            assert breaker.stdout is not None
            try:
                assert breaker.stdout.readline() == "ready\n"
                contenders = subprocess.run(
                    [*QUICK, str(HERE / "contenders.py"), json.dumps(contending)],
                    check=True,
                    stdout=pipe,
                    text=True,
                )
                said, _nothing = breaker.communicate()
            finally:
                breaker.kill()
        assert breaker.returncode == 0
        return Figures(self.kind, mode, json.loads(contenders.stdout), **json.loads(said))


@dataclass(frozen=True)
class Figures:
    """What the contenders' log and the breaker told."""

    kind: str
    mode: str
    contended: dict[str, int]
    counts: dict[str, int]
    reasons: dict[str, int]

    @property
    def doubles(self) -> int:
        return self.contended["doubles"]

    @property
    def wrongs(self) -> int:
        """Two in at once; and of what is no lock itself: taken from its living owner."""
        return self.contended["robbed" if self.kind == "info" else "doubles"]

    def __str__(self) -> str:
        said = {**self.contended, **self.counts}
        figures = ", ".join(f"{many} {what}" for what, many in said.items())
        return f"  {self.kind:6} {self.mode:6} {figures}"


@contextmanager
def object_server() -> Iterator[str]:
    """An S3 server's address."""
    command = [sys.executable, str(HERE / "object_server.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().split()[1]}"
            server.communicate()
        finally:
            server.kill()


@pytest.fixture
def place(tmp_path: Path, stranger: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the place of a race."""
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with ExitStack() as servers:

        def make(kind: str) -> Race:
            root, aside = tmp_path / f"bucket-{kind}", tmp_path / f"aside-{kind}"
            root.mkdir()
            aside.mkdir()
            (root / f"{stranger}.cache").touch()
            if kind in KERNEL:
                (root / f"work.{kind}").touch()
            if kind == "info":
                (root / "work.data").touch()
            if kind == "lease":
                with closing(sqlite3.connect(root / "leases.db")) as base:
                    base.execute("CREATE TABLE leases (name TEXT PRIMARY KEY, value TEXT)")
                    base.commit()
            if kind != "object":
                return Race(kind, root, aside)
            endpoint = servers.enter_context(object_server())
            with closing(HTTPConnection(endpoint.removeprefix("http://"))) as server:
                server.request("PUT", f"/{root.name}")
                assert server.getresponse().status == 200
            address = f"{endpoint}/{root.name}/work.tfstate.tflock"
            return Race(kind, root, aside, endpoint, "terraform-state", address)

        yield make


Place = Callable[[str], Race]


@pytest.mark.parametrize("kind", KINDS)
def test_ours_never_lets_two_in(kind: str, place: Place) -> None:
    race, slow = place(kind), kind in WIDE
    patience = 2.0 if slow else 0.4
    more = {"wanted": 2, "deaths": 0.1, "patience": patience, "hesitation": 0.02 * slow}
    figures = race.run("ours", SHORT[kind], wide=slow, **more)
    assert figures.wrongs == figures.doubles == 0, figures
    assert figures.contended["deaths"] > 0, figures
    if kind in KERNEL:
        assert set(figures.counts) == {"rounds", "refused"}, figures


@pytest.mark.parametrize("kind", KINDS)
def test_the_naive_tool_does(kind: str, place: Place) -> None:
    figures = place(kind).run("naive", SHORT[kind], wrongs=1, deaths=0.2, patience=0.1)
    assert figures.wrongs >= 1, figures


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_in_thousands_of_acquisitions_ours_never_lets_two_in(
    kind: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    race = place(kind)
    every = [race.run("ours", FULL, wanted=20, deaths=0.03)]
    if kind in WIDE:
        slow = {"wide": True, "hesitation": 0.02, "patience": 2.0}
        every.append(race.run("ours", FULL, wanted=20, deaths=0.03, **slow))
    naive = race.run("naive", FULL // 5, deaths=0.03, patience=0.1)
    with capsys.disabled():
        print("", *every, naive, sep="\n")
    assert all(one.wrongs == one.doubles == 0 for one in every), every
    assert all(one.contended["acquisitions"] >= FULL for one in every), every
    assert naive.wrongs > 0, naive


def test_a_lock_that_got_the_number_of_our_stand_in_is_not_taken_for_it(tmp_path: Path) -> None:
    """Somebody who saw the dead owner before removes what stands in for it, and takes the lock:
    the file system gives the new lock the number that was freed."""
    lock = tmp_path / "cache" / "work.lock"
    private = tmp_path / "private"
    lock.parent.mkdir()
    private.mkdir()
    with Directory.open(bytes(lock.parent)) as cache, Directory.open(bytes(private)) as ours:
        for number in range(30):
            lock.write_text("the dead one's")
            (private / "item").unlink(missing_ok=True)

            def taken_over(_directory: Directory, _name: bytes, number: int = number) -> None:
                lock.unlink()
                with lock.open("x") as file:
                    file.write(f"the living one's {number}")

            stand_in = make_stand_in(
                ours, b"stage", like=lock.stat(), records=(b"ours",), inner=b""
            )
            Taking(cache, b"work.lock", ours, bytes(lock), taken_over).by_exchange(stand_in)
            assert lock.read_text() == f"the living one's {number}"
            assert (private / "item").read_text() == "the dead one's"


def test_locks_that_are_taken_again_and_again_get_their_name_back(tmp_path: Path) -> None:
    """What was taken is another's: its owner releases it meanwhile, and a third one has it."""
    lock = tmp_path / "cache" / "work.lock"
    private = tmp_path / "private"
    lock.parent.mkdir()
    private.mkdir()
    lock.write_text("the dead one's")

    def released_and_taken(_directory: Directory, _name: bytes) -> None:
        lock.unlink()
        lock.write_text("the third one's")
        raise Changed(path=b"work.lock", what="it is another")

    with Directory.open(bytes(lock.parent)) as cache, Directory.open(bytes(private)) as ours:
        stand_in = make_stand_in(ours, b"stage", like=lock.stat(), records=(b"ours",), inner=b"")
        taking = Taking(cache, b"work.lock", ours, bytes(lock), released_and_taken)
        with pytest.raises(Changed):
            taking.by_exchange(stand_in)
    assert lock.read_text() == "the third one's"
    assert list(private.iterdir()) == []


def test_a_lock_that_is_taken_while_the_stand_in_is_made_never_leaves_its_place(
    tmp_path: Path, stranger: str, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "cache"
    root.mkdir()
    (root / f"{stranger}.cache").touch()
    lock, owner = root / "work.lock", farm.grow("idle")
    owner.end()
    lock.write_text(json.dumps(owner.record()))
    moved: list[int] = []

    def made_while_another_takes_it(*arguments: Any, **how: Any) -> Any:
        lock.unlink()
        lock.write_text("the living one's")
        moved.append(lock.stat().st_ctime_ns)
        return make_stand_in(*arguments, **how)

    monkeypatch.setattr(breaking, "make_stand_in", made_while_another_takes_it)
    with open_bench(bytes(root), format_name=stranger, options=Options(verify=False)) as bench:
        bench.check()
        (outcome,) = bench.repair(bench.plan(stale_only=True), apply=True)
    assert outcome.result is Result.REFUSED
    assert lock.read_text() == "the living one's"
    assert [lock.stat().st_ctime_ns] == moved, "a move would have given it another time"
