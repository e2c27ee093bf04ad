"""A stranger's cache with locks in it, plans to break them, and another process that interferes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.diagnosis.locks import offer_of
from cachewright.locks.looking import Around, look
from cachewright.model import (
    Confirm,
    LockPlace,
    LockReport,
    Outcome,
    Plan,
    RepairOffer,
    StepKind,
)
from cachewright.repair import taking
from cachewright.repair.execute import execute
from cachewright.repair.journal import Journal
from cachewright.repair.subject import LookAround
from cachewright.repair.unlocking import lock_step
from cachewright.storage import swap
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Other, Starter

OBEY = """
import json, os, shutil, sys
def write(at, record):
    if at.endswith('.lnk'): os.symlink(record, at)
    elif at.endswith('.dir'):
        os.mkdir(at)
        with open(at + '/owner.json', 'x') as f: f.write(record)
    else:
        with open(at, 'x') as f: f.write(record)
def remove(at):
    if os.path.isdir(at) and not os.path.islink(at): shutil.rmtree(at)
    else: os.unlink(at)
def blocked(at):
    try: write(at, '{}')
    except FileExistsError: return True
    remove(at)
    return False
def read(at):
    if at.endswith('.lnk'): return os.readlink(at)
    with open(at + '/owner.json' if at.endswith('.dir') else at) as f: return f.read()
said = None
while True:
    print('ready', json.dumps(said).replace(' ', ''), flush=True)
    line = sys.stdin.readline()
    if not line: break
    said = eval(line)
"""


class Actor:
    """Another process that does as it is told: ``actor("remove(at)")``."""

    def __init__(self, other: Starter, at: Path) -> None:
        self.process: Other = other(OBEY)
        self.at = at

    def __call__(self, code: str) -> Any:
        """Evaluate ``code`` over there, ``at`` being the lock's path; what it gave."""
        assert self.process.process.stdin is not None
        line = f"(lambda at: {code})({os.fspath(self.at)!r})\n"
        self.process.process.stdin.write(line.encode())
        self.process.process.stdin.flush()
        return json.loads(b" ".join(self.process.hear()))


def nobody(_prefixes: Sequence[bytes], _devices: frozenset[int]) -> holders.Survey:
    """Instead of asking every process, where that is not the point."""
    return holders.Survey((), 0, "", 0)


@dataclass
class Shop:
    """One open cache of the stranger's format.  ``survey`` is ``holders.survey`` where the
    processes that have something in use are the point."""

    path: Path
    root: Directory
    journal: Journal
    format: Any
    knowledge: Any
    survey: LookAround = nobody
    look: LookAround | None = None

    def place(self, name: str) -> LockPlace:
        (found,) = [one for one in self.knowledge.locks() if one.relative == name.encode()]
        return found  # type: ignore[no-any-return]

    def write(self, name: str, record: Mapping[str, Any] | bytes) -> Path:
        text = record if isinstance(record, bytes) else json.dumps(record).encode()
        at = self.path / name
        if name.endswith(".lnk"):
            os.symlink(text, os.fsencode(at))
        elif name.endswith(".dir"):
            at.mkdir()
            (at / "owner.json").write_bytes(text)
        else:
            at.write_bytes(text)
        return at

    def dead(self, name: str, **other: Any) -> Path:
        """A lock whose owner ended, and another process has its number since."""
        mine = self.format.whole_identity()
        return self.write(name, {"id": "old", **mine, "start": 1, **other})

    def seen(self, name: str) -> LockReport:
        survey = self.survey([self.root.path], frozenset({self.root.identity.device}))
        around = Around.now(self.root, survey, decide=True)
        report = look(self.root, self.place(name), self.knowledge, around)
        assert report is not None
        return report

    def plan(self, name: str, confirm: Confirm | None = None, **step: Any) -> Plan:
        """What a check and a person's choice come to; ``confirm`` forges it."""
        report = self.seen(name)
        offer = offer_of(report)
        if offer is None or confirm is not None:
            how = confirm or Confirm.CLICK
            offer = RepairOffer(StepKind.QUARANTINE_LOCK, how, "forged", typed=report.id)
        made = replace(lock_step(report, offer), **step)
        return Plan(self.root.path, "stranger", (made,))

    def run(self, plan: Plan, typed: str | None = None) -> Outcome:
        confirmations = {} if typed is None else {plan.steps[0].id: typed}
        (outcome,) = execute(
            plan,
            root=self.root,
            form=self.format.Stranger(),
            knowledge=self.knowledge,
            journal=self.journal,
            rejudge=_never,
            confirmations=confirmations,
            apply=True,
            look=self.look or self.survey,
        )
        return outcome

    def look_then(self, happens: Callable[[], object], *, after: int) -> None:
        """Let something happen right after the n-th survey, before what is decided by it."""
        counted = iter(range(1, 100))

        def survey(prefixes: Sequence[bytes], devices: frozenset[int]) -> holders.Survey:
            seen = self.survey(prefixes, devices)
            if next(counted) == after:
                happens()
            return seen

        self.look = survey

    def seen_mode(self, name: str) -> int:
        """The type of file that a lock of this name is."""
        return {".lnk": stat.S_IFLNK, ".dir": stat.S_IFDIR}.get(Path(name).suffix, stat.S_IFREG)

    @property
    def quarantine(self) -> Path:
        return self.path.parent / ".cachewright-quarantine"

    @property
    def kept(self) -> list[str]:
        """What lies in quarantine besides its own lock, in all its places."""
        return sorted(
            str(one.relative_to(self.quarantine))
            for one in self.quarantine.glob("*/*")
            if one.name != "record.json"
        )

    @property
    def quiet(self) -> bool:
        """Whether nothing of ours is left anywhere, and nothing was kept."""
        return sorted(os.listdir(self.quarantine)) == ["lock"]

    @staticmethod
    def content(at: Path) -> bytes:
        """What a lock's record is."""
        if at.is_symlink():
            return os.fsencode(os.readlink(at))
        return (at / "owner.json" if at.is_dir() else at).read_bytes()

    def events(self) -> list[str]:
        return [record.event.value for record in self.journal.records()]


def _never(*_arguments: object) -> Any:
    raise AssertionError("no staging is judged here")


Act = Callable[[Path], Actor]


@pytest.fixture
def shop(tmp_path: Path, stranger: str) -> Iterator[Shop]:
    import stranger_cache

    assert stranger == "stranger"
    place = tmp_path / "cache"
    place.mkdir()
    (place / "stranger.cache").touch()
    journal = Journal.open(os.fsencode(tmp_path / "state"))
    with Directory.open(os.fsencode(place)) as root:
        knowledge = stranger_cache.StrangerKnowledge(root)
        yield Shop(place, root, journal, stranger_cache, knowledge)
    journal.close()


@pytest.fixture
def act(other: Starter) -> Act:
    return lambda at: Actor(other, at)


@pytest.fixture
def before_exchange(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let something happen right before the n-th exchange of two names."""

    def arrange(happens: Callable[[], object], *, nth: int = 1) -> None:
        real, counted = taking.exchange, iter(range(1, 10_000))

        def exchange(*names: Any) -> None:
            if next(counted) == nth:
                happens()
            real(*names)

        monkeypatch.setattr(taking, "exchange", exchange)

    return arrange


@pytest.fixture
def before_rename(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let something happen right before the n-th rename without replacing."""

    def arrange(happens: Callable[[], object], *, nth: int = 1) -> None:
        real, counted = taking.rename_noreplace, iter(range(1, 100))

        def rename(*names: Any) -> None:
            if next(counted) == nth:
                happens()
            real(*names)

        monkeypatch.setattr(taking, "rename_noreplace", rename)

    return arrange


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    real = swap._rename2

    def rename(*names: Any) -> bool:
        return False if names[-1] == swap._EXCHANGE else real(*names)

    monkeypatch.setattr(swap, "_rename2", rename)


@pytest.fixture
def no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "_rename2", lambda *_names: False)
