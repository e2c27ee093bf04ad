"""What is said of locks that are objects: everything that can be seen, and never a verdict."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cachewright.holders import programs
from cachewright.locks import object_store
from cachewright.locks.object_store import Here, judge, look_again, look_all, typed_id
from cachewright.locks.store import Stored
from cachewright.model import (
    CancelToken,
    Claim,
    Gap,
    Holder,
    HoldVerdict,
    LockKind,
    LockReport,
    Says,
)

NS = 1_000_000_000
NOW = time.time_ns()
OWNER = {
    "ID": "one",
    "Operation": "OperationTypeApply",
    "Who": "me@build-7",
    "Created": "2026-11-20T10:02:07Z",
}
CLAIM = Claim(
    id="one",
    owner=OWNER,
    made_ns=NOW - 180 * NS,
    host="build-7",
    programs=("terraform", "tofu"),
    subject="state bucket/a",
)
STORED = Stored("a.tflock", b"body", '"etag"', 4, changed_ns=NOW - 120 * NS, read_ns=NOW)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ages above are told as of the moment at which they were made."""
    monkeypatch.setattr(object_store.time, "time_ns", lambda: NOW)


@dataclass
class Shelf:
    """A store in memory: what it answers is what it was given."""

    records: dict[str, tuple[Stored, Claim]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    root: bytes = b"shelf://x"

    def where(self, key: str) -> bytes:
        return f"shelf://x/{key}".encode()

    def list(self, cancel: CancelToken | None = None) -> tuple[Sequence[Stored], Sequence[Gap]]:
        del cancel
        return [stored for stored, _claim in self.records.values()], self.gaps

    def read(self, key: str) -> Stored | None:
        return self.records[key][0] if key in self.records else None

    def claim(self, stored: Stored) -> Claim:
        return self.records[stored.key][1]


def shelf(stored: Stored = STORED, claim: Claim = CLAIM) -> Any:
    return Shelf({stored.key: (stored, claim)})


def judged(claim: Claim = CLAIM, stored: Stored = STORED, here: Here | None = None) -> LockReport:
    return judge(shelf(stored, claim), stored, claim, here or Here(host="here"))


def said(report: LockReport) -> dict[str, str]:
    return {one.fact: one.detail for one in report.evidence}


def test_everything_that_is_known_is_told_and_nothing_of_it_decides() -> None:
    report = judged()
    assert report.verdict is HoldVerdict.UNPROVEN
    assert {one.says for one in report.evidence} == {Says.UNKNOWN}
    assert (report.id, report.kind, report.etag) == ("one", LockKind.OBJECT, '"etag"')
    assert (report.path, report.subject) == (b"shelf://x/a.tflock", "state bucket/a")
    assert report.fingerprint == hashlib.sha256(b"body").hexdigest()
    assert (report.owner, report.garbage, report.changed_ns) == (OWNER, False, STORED.changed_ns)
    facts = said(report)
    assert list(facts) == ["record", "heartbeat", "host", "programs", "store-clock"]
    assert "Operation OperationTypeApply, Who me@build-7" in facts["record"]
    assert "(3 minutes ago)" in facts["record"]
    assert "no expiry and no heartbeat" in facts["heartbeat"]
    assert facts["host"] == "It names the computer build-7; this one is called here."
    assert facts["programs"].startswith("No terraform or tofu that shows runs here now")
    assert facts["store-clock"] == "By the store's own clock it was written 2 minutes ago."
    assert report.explanation == (
        "me@build-7 took this lock 3 minutes ago. Whether they still work cannot be told from "
        "here: ask them."
    )


@pytest.mark.parametrize("ours", ["build-7", "BUILD-7", "build-7.example.org"])
def test_a_computer_of_the_same_name_may_be_another(ours: str) -> None:
    assert said(judged(here=Here(host=ours)))["host"].startswith(
        "It names the computer build-7, as this one is called; others may"
    )


def test_programs_that_run_here_are_named_and_prove_nothing() -> None:
    one = Holder(7, 1, "me", "/usr/bin/terraform apply", ())
    report = judged(here=Here(running=(one,)))
    assert said(report)["programs"] == (
        "terraform (pid 7) runs here now; whether it has this lock cannot be told."
    )
    assert (report.verdict, report.holders) == (HoldVerdict.UNPROVEN, ())
    assert "terraform (pid 7) and terraform (pid 8) run here now" in said(
        judged(here=Here(running=(one, replace(one, pid=8))))
    )["programs"]  # fmt: skip
    assert "hides" in said(judged(here=Here(hidden="A container hides them.")))["programs"]


def test_a_clock_that_is_ahead_is_said_so() -> None:
    claim = replace(CLAIM, made_ns=NOW + 3600 * NS)
    assert "in the future by this computer's clock" in judged(claim).explanation


def test_a_record_that_says_little() -> None:
    report = judged(Claim(id="one", owner={"ID": "one"}), Stored("k", b"", "v", 0))
    assert list(said(report)) == ["record", "heartbeat"]
    assert said(report)["record"] == "It says nothing but its ID."
    assert report.explanation.startswith("Somebody took this lock. ")
    assert (report.subject, report.changed_ns) == ("k", 0)


def test_garbage_is_told_and_is_released_by_its_name() -> None:
    report = judged(Claim(garbage="It is empty."))
    assert (report.garbage, report.id) == (True, "a.tflock")
    assert report.explanation == (
        "This lock keeps everybody out, and not even its own tool can release it: it is empty."
    )
    assert said(report)["record"] == "What it says cannot be read: it is empty."
    assert "cannot be undone" in judged(stored=replace(STORED, size=5)).explanation


@pytest.mark.parametrize(
    ("claimed", "wanted"),
    [
        ("one", "one"),
        ("", "k\\x1b"),
        ("a\x1b[31m", "k\\x1b"),
        ("a\u202eb", "k\\x1b"),
        ("x" * 201, "k\\x1b"),
    ],
)
def test_what_must_be_typed_can_be_read_and_typed(claimed: str, wanted: str) -> None:
    assert typed_id("k\x1b", Claim(id=claimed)) == wanted
    assert typed_id("k\x1b", Claim(id="one", garbage="It is odd.")) == "k\\x1b"


def test_hostile_text_is_safe_to_show() -> None:
    claim = replace(CLAIM, host="h\x1b[31m", owner={**OWNER, "Who": "a\u202e" + "x" * 9000})
    report = judged(claim, replace(STORED, key="\x1b.tflock"))
    shown = [report.explanation, *said(report).values()]
    assert not {"\x1b", "\u202e"} & set("".join(shown))
    assert max(map(len, shown)) < 600


def test_a_store_is_looked_at_as_a_whole() -> None:
    digest = Stored("a-md5", b"", "v", 0, is_lock=False, what="a digest")
    store = shelf()
    store.records["a-md5"] = (digest, Claim())
    store.gaps = (Gap(b"shelf://x/b", "denied"),)
    looked = look_all(store)
    assert [one.id for one in looked.locks] == ["one"]
    assert (looked.beside, looked.gaps) == ((digest,), store.gaps)


def test_one_lock_is_looked_at_again() -> None:
    found = look_again(shelf(), "a.tflock")
    assert found is not None
    assert (found[0], found[1].id) == (STORED, "one")
    assert look_again(shelf(), "b") is None
    assert look_again(shelf(replace(STORED, is_lock=False)), "a.tflock") is None


Child = Callable[..., AbstractContextManager[Any]]


def test_a_program_is_found_by_its_name(child: Child) -> None:
    name = f"cw-{uuid.uuid4().hex[:8]}"
    source = (
        "import ctypes, sys\n"
        "ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    assert not programs.running([name])
    with child(source, name) as process:
        (found,) = programs.running([name, "other"])
        assert found.pid == process.pid
        claim = replace(CLAIM, programs=(name,))
        (report,) = object_store.look_all(shelf(claim=claim)).locks
        assert f"(pid {process.pid}) runs here now" in said(report)["programs"]
    assert not programs.running([name])
