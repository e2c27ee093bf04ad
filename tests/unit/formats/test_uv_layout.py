"""Recognising a uv cache, and what each name in it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.formats.uv_making import ID, TAG, MadeUv

from cachewright.formats.uv import Uv
from cachewright.formats.uv_layout import RULES
from cachewright.inventory.tree import scan_subtree
from cachewright.model import LockKind, Role
from cachewright.storage.anchored import Directory


def recognised(place: Path) -> bool:
    with Directory.open(os.fsencode(place)) as root:
        return Uv().recognise(root)


def test_a_cache_as_uv_makes_it(tmp_path: Path) -> None:
    made = MadeUv(tmp_path)
    assert recognised(made.cache)
    (made.cache / "CACHEDIR.TAG").unlink()
    assert not recognised(made.cache)
    (made.cache / "wheels-v7").mkdir()
    assert recognised(made.cache)


def test_the_lock_that_cleaning_leaves(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.touch()
    lock.chmod(0o644)
    assert not recognised(tmp_path)
    lock.chmod(0o666)
    assert recognised(tmp_path)
    lock.write_bytes(b"x")
    assert not recognised(tmp_path)
    lock.write_bytes(b"")
    (tmp_path / "other").touch()
    assert not recognised(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["CACHEDIR.TAG"],
        ["CACHEDIR.TAG", "archive-v0.txt", "wheels"],
        ["archive-v0/"],
        ["CACHEDIR.TAG", "archive-v0"],
        ["CACHEDIR.TAG", "wheels-vX/"],
    ],
)
def test_others_are_not_taken_for_it(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        place = tmp_path / name
        if name.endswith("/"):
            place.mkdir()
        else:
            place.write_text(TAG)
    assert not recognised(tmp_path)


def test_a_tag_that_says_something_else(tmp_path: Path) -> None:
    made = MadeUv(tmp_path)
    made.write("CACHEDIR.TAG", b"Signature: another")
    assert not recognised(made.cache)
    (made.cache / "CACHEDIR.TAG").unlink()
    (made.cache / "CACHEDIR.TAG").symlink_to("elsewhere")
    assert not recognised(made.cache)


ROLES = {
    ".lock": Role.LOCK,
    "CACHEDIR.TAG": Role.METADATA,
    ".gitignore": Role.METADATA,
    ".tmpAbC123/": Role.STAGING,
    ".tmpAbC12/": Role.FOREIGN,
    "notes.txt": Role.FOREIGN,
    f"archive-v0/{ID}/": Role.ENTRY,
    "archive-v12/abcdefghijklmnopqrstu/": Role.ENTRY,
    "archive-v0/odd name/": Role.FOREIGN,
    "archive-v0/short/": Role.FOREIGN,
    "archive-v0/.tmpAbC123/": Role.STAGING,
    "wheels-v6/pypi/toy/1.0-py3-none-any.http": Role.METADATA,
    "wheels-v7/pypi/toy/1.0-py3-none-any.lock": Role.LOCK,
    "wheels-v7/pypi/toy/1.0-py3-none-any": Role.METADATA,
    "wheels-v7/pypi/toy/1.0-py3-none-any.msgpack": Role.METADATA,
    "wheels-v7/url/0123/toy/.tmpAbC123/": Role.STAGING,
    "wheels-v7/url/0123/toy/.tmpAbC124": Role.STAGING,
    "wheels-v7/url/0123/toy/stray": Role.FOREIGN,
    "sdists-v10/.git": Role.METADATA,
    "sdists-v10/pypi/toy/1.0/.lock": Role.LOCK,
    "sdists-v10/pypi/toy/1.0/revision.http": Role.METADATA,
    "sdists-v10/pypi/toy/1.0/REVISION/src/": Role.METADATA,
    "sdists-v10/pypi/toy/1.0/REVISION/toy-1.0-py3-none-any.whl": Role.ENTRY,
    "sdists-v10/pypi/toy/1.0/REVISION/metadata.msgpack": Role.METADATA,
    "sdists-v10/pypi/toy/1.0/REVISION/.tmpAbC123/": Role.STAGING,
    "sdists-v10/pypi/src/": Role.CONTAINER,
    "sdists-v9/git/0123/4567/toy-1.0-py3-none-any.whl": Role.ENTRY,
    "built-wheels-v3/path/0123/REVISION/toy-1.0-py3-none-any.whl": Role.ENTRY,
    "environments-v2/0123/4567.lock": Role.LOCK,
    "builds-v0/.tmpAbC123/": Role.STAGING,
    "git-v1/locks/0123": Role.LOCK,
    "git-v0/db/0123/": Role.METADATA,
    "git-v1/checkouts/0123/4567/": Role.METADATA,
    "git-v1/checkouts/0123/4567.ok": Role.METADATA,
    "simple-v27/pypi/toy.rkyv": Role.METADATA,
    "simple-v27/pypi/.tmpAbC123": Role.STAGING,
    "interpreter-v5/0123/4567.msgpack": Role.METADATA,
    "python-v0/cpython/": Role.METADATA,
    "unheard-of-v3/": Role.FOREIGN,
}


def test_what_each_name_is(tmp_path: Path) -> None:
    for name in ROLES:
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.touch()
    with Directory.open(os.fsencode(tmp_path)) as root:
        tree = scan_subtree(root, b"", Role.CONTAINER, RULES)
        rows = {name: tree.find(os.fsencode(name.rstrip("/"))) for name in ROLES}
        found = {name: tree.role[row] for name, row in rows.items() if row is not None}
    assert found == ROLES


def test_links_are_records_in_buckets_that_point_and_foreign_elsewhere(tmp_path: Path) -> None:
    made = MadeUv(tmp_path)
    made.link()
    made.link(f"../../archive-v0/{ID}", "environments-v2/0123/4567")
    made.link("/etc", "archive-v0/LinkToElsewhere1")
    made.link("/etc", "somewhere")
    with Directory.open(os.fsencode(made.cache)) as root:
        tree = made.tree(root)
    names = (made.stem(), "environments-v2/0123/4567", "archive-v0/LinkToElsewhere1", "somewhere")
    rows = [tree.find(name.encode()) for name in names]
    roles = [tree.role[row] for row in rows if row is not None]
    assert roles == [Role.METADATA, Role.METADATA, Role.METADATA, Role.FOREIGN]


def test_where_uv_itself_would_look(tmp_path: Path) -> None:
    home, own = tmp_path / "home", tmp_path / "own"
    for place in (home / ".cache" / "uv", home / "xdg" / "uv", home / "Library/Caches/uv", own):
        place.mkdir(parents=True)
    (tmp_path / "local" / "uv" / "cache").mkdir(parents=True)

    def places(**environment: str) -> list[str]:
        found = Uv().default_locations(environment)
        return [os.path.relpath(os.fsdecode(one.root), tmp_path) for one in found]

    legacy = "home/Library/Caches/uv"
    assert places(HOME=str(home)) == ["home/.cache/uv", legacy]
    assert places(HOME=str(home), UV_CACHE_DIR=str(own)) == ["own", "home/.cache/uv", legacy]
    with_base = places(HOME=str(home), XDG_CACHE_HOME=str(home / "xdg"))
    assert with_base == ["home/xdg/uv", legacy]
    assert places(HOME=str(home), XDG_CACHE_HOME="relative") == ["home/.cache/uv", legacy]
    assert places(LOCALAPPDATA=str(tmp_path / "local")) == ["local/uv/cache"]
    assert places(HOME=str(tmp_path / "nobody")) == []
    assert places() == []


def test_locks_are_flocks_and_the_root_lock_is_the_gate_of_everything(tmp_path: Path) -> None:
    made = MadeUv(tmp_path)
    made.whole()
    made.write(f"{made.stem()}.lock", b"")
    made.write("sdists-v10/pypi/toy/1.0/.lock", b"")
    made.write(".tmpAbC123/toy/__init__.py", b"")
    (made.cache / ".lock").unlink()
    knowledge = made.look().knowledge
    locks = {one.id: (one.kind, one.subject, one.row >= 0) for one in knowledge.locks()}
    assert locks == {
        ".lock": (LockKind.FLOCK, "the whole cache", False),
        f"{made.stem()}.lock": (LockKind.FLOCK, made.stem(), True),
        "sdists-v10/pypi/toy/1.0/.lock": (LockKind.FLOCK, "sdists-v10/pypi/toy/1.0", True),
    }
    (staging,) = knowledge.staging()
    gate = knowledge.gate(f"archive-v0/{ID}".encode())
    assert gate is not None
    assert staging.gates == (gate,)
    assert (gate.kind, gate.relative, gate.create) == (LockKind.FLOCK, b".lock", True)
