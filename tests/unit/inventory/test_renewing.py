"""An inventory made new where it changed is what a whole scan would find."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cachewright.inventory import renewing
from cachewright.inventory.reading import Reader
from cachewright.inventory.renewing import Containers, renewed
from cachewright.inventory.tree import Tree
from cachewright.inventory.wire import Request
from cachewright.model import ANY_DEPTH, Gap, Role, Rule, Type
from cachewright.storage.anchored import Directory

ANY, DIRECTORY = frozenset(Type), frozenset({Type.DIRECTORY})
RULES = (
    Rule(ANY_DEPTH, re.compile(rb"m"), ANY, Role.METADATA, under=re.compile(rb"c1/c\d+")),
    *(
        rule
        for depth in (1, 2, 3)
        for rule in (
            Rule(depth, re.compile(rb"c\d+"), DIRECTORY, Role.CONTAINER),
            Rule(depth, re.compile(rb".+\.lock"), ANY, Role.LOCK),
            Rule(depth, re.compile(rb"e\d+"), DIRECTORY, Role.ENTRY),
        )
    ),
)
Scanned = Callable[..., Tree]
COLUMNS = ("role", "mode", "inode", "device", "depth", "mtime_ns", "ctime_ns")
OF_FILES = ("size", "nlink")
AT_REST, TOO_SOON = 1 << 62, 0
"""When the last look began: long after anything changed, or too soon after it to tell."""


def facts(tree: Tree) -> dict[bytes, tuple[int, ...]]:
    """All but the size and the links of directories, which tell nothing."""
    found = {}
    for row in range(len(tree)):
        names = COLUMNS if tree.is_directory(row) else COLUMNS + OF_FILES
        found[tree.path(row)] = tuple(int(getattr(tree, name)[row]) for name in names)
    return found


def sound(tree: Tree) -> None:
    """What every inventory promises of its rows."""
    for row in range(len(tree)):
        children = tree.children(row)
        assert all(int(tree.parent[child]) == row for child in children)
        assert not children or children.start > row
        assert tree.find(tree.path(row)) == row
    assert sum(len(tree.children(row)) for row in range(len(tree))) == len(tree) - 1


def again(root: Directory, tree: Tree, since_ns: int = TOO_SOON) -> tuple[Tree, bool]:
    return renewed(root, tree, Containers(root, tree).changed(since_ns), RULES)


@pytest.fixture
def cache(at: Path) -> Path:
    for place in ("c1/c2/e1", "c1/e2", "c3", "strange"):
        (at / place).mkdir(parents=True)
    for place in ("c1/c2/e1/file", "c1/e2/file", "c1/c2/a.lock", "readme", "strange/file"):
        (at / place).write_bytes(b"x" * len(place))
    return at


def at_rest(root: Directory, tree: Tree) -> list[bytes]:
    """Containers that changed since they were read, for one who came long after that."""
    return [tree.path(row) for row in Containers(root, tree).changed(AT_REST)]


CHANGES = {
    "a lock appears": lambda at: (at / "c1/c2/b.lock").touch(),
    "a lock goes": lambda at: (at / "c1/c2/a.lock").unlink(),
    "a lock is replaced": lambda at: (
        (at / "c1/c2/new").touch(),
        (at / "c1/c2/new").rename(at / "c1/c2/a.lock"),
    ),
    "a container appears": lambda at: (at / "c3/c4/e5").mkdir(parents=True),
    "a container with a record appears": lambda at: (
        (at / "c1/c5/m").mkdir(parents=True),
        (at / "c3/c5/m").mkdir(parents=True),
    ),
    "an entry appears": lambda at: shutil.copytree(at / "c1/e2", at / "c3/e2"),
    "a tree goes": lambda at: shutil.rmtree(at / "c1"),
    "a container is renamed": lambda at: (at / "c1/c2").rename(at / "c3/c9"),
    "a directory becomes a file": lambda at: (shutil.rmtree(at / "c3"), (at / "c3").touch()),
    "a file becomes a directory": lambda at: ((at / "readme").unlink(), (at / "readme").mkdir()),
    "a link appears": lambda at: (at / "c1/c7").symlink_to("c2"),
    "an entry is replaced": lambda at: (
        shutil.rmtree(at / "c1/e2"),
        (at / "c1/e2/other").mkdir(parents=True),
    ),
    "an entry is exchanged": lambda at: (
        (at / "c1/e2").rename(at / "strange/was"),
        (at / "strange").rename(at / "c1/e2"),
    ),
    "a container is replaced": lambda at: (
        shutil.rmtree(at / "c1/c2"),
        (at / "c1/c2/e1/deep").mkdir(parents=True),
    ),
    "two floors change": lambda at: ((at / "c1/x.lock").touch(), (at / "c1/c2/y.lock").touch()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_found(change: str, cache: Path, root: Directory, scanned: Scanned) -> None:
    before = scanned(*RULES)
    known = facts(before)
    CHANGES[change](cache)
    after, differs = again(root, before)
    assert differs
    assert facts(after) == facts(scanned(*RULES))
    sound(after)
    assert facts(before) == known, "the former one stays as it was"


def test_what_is_at_rest_is_not_read_again(
    cache: Path, root: Directory, scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scanned(*RULES)
    assert at_rest(root, before) == []
    read: list[bytes] = []
    real = Reader.read

    def counted(self: Reader, requests: list[Request], rows: int) -> object:
        read.extend(request.path for request in requests)
        return real(self, requests, rows)

    monkeypatch.setattr(Reader, "read", counted)
    (cache / "c1/c2/b.lock").touch()
    assert at_rest(root, before) == [b"c1/c2"]
    after, differs = again(root, before, since_ns=AT_REST)
    assert (differs, read) == (True, [b"c1/c2"])
    assert at_rest(root, after) == []
    (cache / "c1/e2/new").touch()
    assert at_rest(root, after) == [], "what lies in an entry is not looked at"


def test_what_was_read_right_after_a_change_is_read_once_more(
    cache: Path, root: Directory, scanned: Scanned
) -> None:
    """Within one tick of the file system's clock a second change leaves the same times."""
    tree = scanned(*RULES)
    changed_ns = (cache / "c1/c2").stat().st_ctime_ns
    containers = Containers(root, tree)
    row = tree.find(b"c1/c2")
    assert row in containers.changed(changed_ns)
    assert row in containers.changed(changed_ns + 1_900_000_000)
    assert row not in containers.changed(changed_ns + 2_100_000_000)


def test_nothing_new_gives_the_same_inventory(
    cache: Path, root: Directory, scanned: Scanned
) -> None:
    before = scanned(*RULES)
    assert again(root, before) == (before, False)
    (cache / "c1/t.lock").touch()
    (cache / "c1/t.lock").unlink()
    after, differs = again(root, before, since_ns=AT_REST)
    assert not differs
    assert after is not before, "the times of the directory are others"
    assert at_rest(root, after) == []


def test_a_change_below_is_not_hidden_by_one_above(
    cache: Path, root: Directory, scanned: Scanned
) -> None:
    """Reading a directory tells newer times of those in it than their names were read at."""
    before = scanned(*RULES)
    (cache / "c1/c2/late.lock").touch()
    (cache / "c1/x.lock").touch()
    row = before.find(b"c1")
    assert row is not None
    after, _differs = renewed(root, before, [row], RULES)
    assert after.find(b"c1/x.lock") is not None
    assert after.find(b"c1/c2/late.lock") is None
    assert at_rest(root, after) == [b"c1/c2"]


@pytest.mark.usefixtures("only_root")
def test_what_may_not_be_read_any_more_stays_as_it_was_known(
    cache: Path, root: Directory, scanned: Scanned
) -> None:
    before = scanned(*RULES)
    (cache / "c1/c2").chmod(0)
    os.seteuid(65534)
    try:
        after, differs = again(root, before, since_ns=AT_REST)
    finally:
        os.seteuid(0)
    assert not differs
    assert after.find(b"c1/c2/e1/file") is not None


def test_gaps_stay_with_what_is_there(cache: Path, root: Directory, scanned: Scanned) -> None:
    whole = scanned(*RULES)
    places = (b"c1/e2", b"c3", b"c1/c2")
    gaps = tuple(Gap(root.where(one), "it cannot be listed") for one in places)
    before = Tree(whole.columns, gaps, [whole.find(one) or 0 for one in places])
    (cache / "c3").rmdir()
    (cache / "c1/more.lock").touch()
    after, _differs = again(root, before)
    assert [gap.path for gap in after.errors] == [root.where(b"c1/e2"), root.where(b"c1/c2")]
    assert [after.path(int(row)) for row in after.gap_rows] == [b"c1/e2", b"c1/c2"]


@pytest.mark.usefixtures("only_root")
def test_what_is_mounted_is_not_entered_and_told(
    cache: Path, root: Directory, scanned: Scanned
) -> None:
    before = scanned(*RULES)
    for name in ("c3/c5", "c3/e6/inner"):
        (cache / name).mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "none"]
    places = (cache / "c3/c5", cache / "c3/e6/inner")
    mounted = [one for one in places if not subprocess.run([*mount, one], check=False).returncode]
    try:
        if len(mounted) < len(places):
            pytest.skip("may not mount")
        (cache / "c3/c5/a.lock").touch()
        after, _differs = again(root, before)
        assert after.find(b"c3/c5/a.lock") is None
        assert [gap.path for gap in after.errors] == [root.where(b"c3/e6/inner")]
        assert [after.path(int(row)) for row in after.gap_rows] == [b"c3/e6/inner"]
        assert facts(after) == facts(scanned(*RULES))
    finally:
        for one in mounted:
            subprocess.run(["umount", "--lazy", one], check=True)


def test_many_changes_at_random(
    at: Path, root: Directory, scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a whole scan after each of them; names are put together a few at a time."""
    monkeypatch.setattr(renewing, "_NAMES_AT_ONCE", 3)
    chance = random.Random(20)  # noqa: S311 - to be repeatable
    tree = scanned(*RULES)
    for _round in range(40):
        for _change in range(chance.randrange(1, 4)):
            shuffle(at, chance)
        tree, _differs = again(root, tree)
        assert facts(tree) == facts(scanned(*RULES, workers=1))
        sound(tree)


def shuffle(at: Path, chance: random.Random) -> None:
    """One change in some container."""
    containers = [at, *(one for one in at.rglob("c*") if re.fullmatch(r"c\d+", one.name))]
    place = chance.choice([one for one in containers if len(one.relative_to(at).parts) < 3])
    number = chance.randrange(4)
    what = chance.randrange(5)
    if what == 0 and not (place / f"{number}.lock").exists():
        (place / f"{number}.lock").touch()
    elif what == 1:
        (place / f"c{number}").mkdir(exist_ok=True)
    elif what == 2:
        entry = place / f"e{number}" / "deep"
        entry.mkdir(parents=True, exist_ok=True)
        new = entry / "file"
        if not new.exists():
            new.write_bytes(b"x" * number)
    elif what == 3 and place != at:
        shutil.rmtree(place)
    else:
        (place / f"{number}.lock").unlink(missing_ok=True)
