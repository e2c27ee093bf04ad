"""What one can ask an inventory, against slow and plain ways to get the same answer."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cachewright.inventory.answers import frame_of, unpack
from cachewright.inventory.columns import Growing
from cachewright.inventory.reading import Reader
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.inventory.wire import Request, Settings
from cachewright.model import Role
from cachewright.storage.anchored import Directory


@pytest.fixture
def mixed(at: Path) -> Path:
    """Some hundred directories and files in an irregular shape."""
    chance = random.Random(7)  # noqa: S311 - a shape, not a secret
    places = [at]
    for number in range(300):
        above = chance.choice(places)
        if chance.random() < 0.3:
            (above / f"d{number}").mkdir()
            places.append(above / f"d{number}")
        else:
            (above / f"f{number}").write_bytes(b"x" * chance.randrange(5000))
    (at / "link").symlink_to("nowhere")
    return at


def test_totals_are_those_of_a_plain_walk(mixed: Path, root: Directory) -> None:
    tree = scan_subtree(root)
    sizes, files = tree.totals()
    for row in range(len(tree)):
        place = mixed / os.fsdecode(tree.path(row))
        below = [place] if tree.is_file(row) else list(place.rglob("*"))
        plain = [one for one in below if one.is_file() and not one.is_symlink()]
        assert int(files[row]) == len(plain)
        assert int(sizes[row]) == sum(one.stat().st_size for one in plain)


def test_every_path_is_found_again(mixed: Path, root: Directory) -> None:
    del mixed
    tree = scan_subtree(root)
    for row in range(len(tree)):
        assert tree.find(tree.path(row)) == row
        assert tree.names(tree.children(row)) == [tree.name(one) for one in tree.children(row)]


def test_names_and_their_ends_are_found_everywhere(mixed: Path, root: Directory) -> None:
    (mixed / "d0").mkdir(exist_ok=True)
    for name in ("same", "d0/same", "d0/7", "7"):
        (mixed / name).touch()
    tree = scan_subtree(root)
    names = {row: tree.name(row) for row in range(1, len(tree))}
    for wanted in (b"same", b"7", b"link", b"nothing", b"ame", b"d0"):
        assert list(tree.rows_named(wanted)) == [row for row in names if names[row] == wanted]
        ending = [row for row in names if names[row].endswith(wanted)]
        assert list(tree.rows_ending(wanted)) == ending
    assert len(tree.rows_named(b"same")) == 2


@pytest.mark.parametrize(
    "relative", [b"nothing", b"d0/nothing", b"/", b"link/x", b"lin", b"link/", b"//link"]
)
def test_what_is_not_there_is_not_found(mixed: Path, root: Directory, relative: bytes) -> None:
    del mixed
    assert scan_subtree(root).find(relative) is None


def test_subtrees_are_whole_and_directories_come_first(mixed: Path, root: Directory) -> None:
    del mixed
    tree = scan_subtree(root)
    for row in range(len(tree)):
        rows = list(tree.subtree(row))
        prefix = tree.path(row) + b"/" if row else b""
        wanted = {one for one in range(len(tree)) if tree.path(one).startswith(prefix)} | {row}
        assert set(rows) == wanted
        assert len(rows) == len(wanted)
        assert set(tree.subtree_rows(row).tolist()) == wanted
        assert all(
            rows.index(one) > rows.index(int(tree.parent[one])) for one in rows if one != row
        )


def test_parents_lead_up_to_the_root(mixed: Path, root: Directory) -> None:
    del mixed
    tree = scan_subtree(root)
    assert tree.parent_of(0) is None
    for row in range(1, len(tree)):
        above = tree.parent_of(row)
        assert above is not None
        assert row in tree.children(above)


def test_identities_lead_to_rows(mixed: Path, root: Directory) -> None:
    os.link(mixed / "f0" if (mixed / "f0").exists() else _a_file(mixed), mixed / "hard")
    tree = scan_subtree(root)
    for row in range(len(tree)):
        found = tree.where(int(tree.device[row]), int(tree.inode[row]))
        assert found is not None
        assert tree.inode[found] == tree.inode[row]
    assert tree.where(int(tree.device[0]) + 1, int(tree.inode[0])) is None
    assert tree.where(int(tree.device[0]), 0) is None


def _a_file(top: Path) -> Path:
    return next(one for one in top.rglob("f*") if one.is_file())


@pytest.mark.parametrize("reverse", [False, True])
def test_children_sort_by_name_size_and_time(mixed: Path, root: Directory, reverse: bool) -> None:
    for number, name in enumerate(sorted(os.listdir(mixed))):
        os.utime(mixed / name, ns=(0, 10**9 * (number * 37 % 101)), follow_symlinks=False)
    tree = scan_subtree(root)
    children = list(tree.children(0))
    sizes, files = tree.totals()
    ways: dict[str, Callable[[int], Any]] = {
        "name": tree.name,
        "size": lambda row: int(sizes[row]),
        "files": lambda row: int(files[row]),
        "mtime_ns": lambda row: int(tree.mtime_ns[row]),
    }
    assert len(children) > 10
    for column, key in ways.items():
        order = tree.sorted_children(0, column, reverse).tolist()  # type: ignore[arg-type]
        assert order == sorted(children, key=key, reverse=reverse) or (
            [key(row) for row in order] == sorted(map(key, children), reverse=reverse)
        )
        assert sorted(order) == children
    assert tree.sorted_children(children[-1], "name").tolist() == [] or tree.is_directory(
        children[-1]
    )


def test_newest_is_the_youngest_file_not_directory(at: Path, root: Directory) -> None:
    (at / "d").mkdir()
    (at / "d" / "old").touch()
    (at / "d" / "future").touch()
    os.utime(at / "d" / "old", ns=(0, 1))
    os.utime(at / "d" / "future", ns=(0, 4 * 10**18))
    os.utime(at / "d", ns=(0, 5 * 10**18))
    tree = scan_subtree(root)
    assert tree.newest_ns(0) == 4 * 10**18
    old = tree.find(b"d/old")
    assert old is not None
    assert tree.newest_ns(old) == os.stat(at / "d" / "old").st_ctime_ns


def test_newest_of_no_file_at_all_is_that_of_the_directories(at: Path, root: Directory) -> None:
    (at / "d").mkdir()
    os.utime(at / "d", ns=(0, 5 * 10**18))
    assert scan_subtree(root).newest_ns(0) == 5 * 10**18


def signature(root: Directory, relative: bytes) -> str:
    tree = scan_subtree(root)
    row = tree.find(relative)
    assert row is not None
    return tree.signature(row)


def test_moving_the_whole_does_not_change_its_signature(at: Path, root: Directory) -> None:
    (at / "entry" / "below").mkdir(parents=True)
    (at / "entry" / "below" / "file").write_bytes(b"1")
    before = signature(root, b"entry")
    (at / "kept").mkdir()
    (at / "entry").rename(at / "kept" / "other name")
    # xfs sets it when two directories are exchanged
    os.utime(at / "kept" / "other name", ns=(0, 0))
    assert signature(root, b"kept/other name") == before


def _rewrite(place: Path) -> None:
    times = place.stat()
    place.write_bytes(b"2")
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


def _replace(place: Path) -> None:
    times = place.stat()
    place.with_name("new").write_bytes(b"1")
    place.with_name("new").replace(place)
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        _rewrite,
        _replace,
        lambda place: place.rename(place.with_name("renamed")),
        lambda place: place.with_name("added").touch(),
        lambda place: place.unlink(),
        lambda place: place.chmod(0o755),
        lambda place: os.utime(place, ns=(0, 0)),
        lambda place: shutil.move(place, place.parent.parent / "file"),
        lambda place: (place.unlink(), place.symlink_to("x")),
        lambda place: place.with_name("directory").mkdir(),
    ],
    ids=[
        "rewritten",
        "replaced",
        "renamed",
        "added",
        "removed",
        "chmod",
        "touched",
        "moved up",
        "made a link",
        "directory added",
    ],
)
def test_any_change_in_it_changes_the_signature(
    at: Path, root: Directory, change: Callable[[Path], object]
) -> None:
    (at / "entry" / "below").mkdir(parents=True)
    (at / "entry" / "below" / "file").write_bytes(b"1")
    before = signature(root, b"entry")
    assert signature(root, b"entry") == before
    change(at / "entry" / "below" / "file")
    assert signature(root, b"entry") != before


@pytest.mark.parametrize("column", ["mode", "size", "mtime_ns", "ctime_ns", "inode"])
def test_every_property_of_a_file_is_in_the_signature(
    at: Path, root: Directory, column: str
) -> None:
    (at / "file").touch()
    tree = scan_subtree(root)
    before = tree.signature(0)
    values = getattr(tree.columns, column)
    values.flags.writeable = True
    values[1] += 1
    assert tree.signature(0) != before


def test_names_that_run_together_make_different_signatures(at: Path, root: Directory) -> None:
    assert _signature_of(at, root, ["ab/c"]) != _signature_of(at, root, ["a/bc"])


def _signature_of(at: Path, root: Directory, names: list[str]) -> str:
    for name in names:
        place = at / "entry" / name
        place.parent.mkdir(parents=True)
        place.touch()
    tree = scan_subtree(root, b"entry")
    shutil.rmtree(at / "entry")
    columns = tree.columns
    for column in (columns.mtime_ns, columns.ctime_ns, columns.inode):
        column.flags.writeable = True
        column[:] = 0
    return tree.signature(0)


def test_the_columns_cannot_be_written(mixed: Path, root: Directory) -> None:
    del mixed
    tree = scan_subtree(root)
    with pytest.raises(ValueError, match="read-only"):
        tree.size[0] = 1


def answer_about(root: Directory) -> bytes:
    reader = Reader(root.fd, Settings(root.identity.device, 60.0, {}))
    return frame_of(reader.read([Request(b"", 0, Role.CONTAINER)], 10**6))


def test_views_given_away_stay_as_they_were(wide: Path, root: Directory) -> None:
    """A partial tree is asked after its columns have grown and moved."""
    del wide
    growing = Growing()
    device = root.identity.device
    growing.add_root(inode=1, device=device, mode=0o040755, role=Role.CONTAINER)
    early = Tree(growing.snapshot())
    growing.add(unpack(answer_about(root)), [0], device)
    late = Tree(growing.snapshot())
    assert (len(early), len(list(early.children(0))), early.path(0)) == (1, 0, b"")
    assert (len(late), len(list(late.children(0)))) == (1 + 40 * 51, 40)


@pytest.mark.parametrize(
    "spoil", [lambda one: one[:-1], lambda one: one[:7], lambda one: one + b"/"]
)
def test_an_answer_that_contradicts_itself_is_refused(
    wide: Path, root: Directory, spoil: Callable[[bytes], bytes]
) -> None:
    del wide
    with pytest.raises(ValueError, match="an answer"):
        unpack(spoil(answer_about(root)))


def test_an_answer_about_what_was_not_asked_is_refused(wide: Path, root: Directory) -> None:
    del wide
    growing = Growing()
    growing.add_root(device=root.identity.device, mode=0o040755)
    answer = unpack(answer_about(root))
    strange = dataclasses.replace(answer, refs=answer.refs + 10**6)
    with pytest.raises(ValueError, match="not asked for"):
        growing.add(strange, [0], root.identity.device)
    backwards = dataclasses.replace(answer, refs=answer.refs[::-1])
    with pytest.raises(ValueError, match="before their directory"):
        growing.add(backwards, [0], root.identity.device)
