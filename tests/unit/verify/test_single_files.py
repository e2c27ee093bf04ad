"""Entries that are one file each, of which a folder may hold very many."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cachewright.hashing.wire import Kind
from cachewright.inventory.tree import scan_subtree
from cachewright.model import CancelToken, no_progress
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles, Verified, verify
from cachewright.workers.process import Worker

MEBI = 1 << 20


def verified(root: Directory, after_scan: object = None) -> dict[bytes, Verified]:
    """Every file below the root, each an entry of its own, by its path."""
    tree = scan_subtree(root)
    if callable(after_scan):
        after_scan()
    rows = [row for row in range(1, len(tree)) if not tree.is_directory(row)]
    jobs = [EntryFiles(row, root, tree.path(row), tree, row) for row in rows]
    found = verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken())
    return {tree.path(one.key): one for one in found}


def test_each_is_named_by_nothing_within_itself(at: Path, root: Directory) -> None:
    for name, size in (("small", 10), ("in/limit", MEBI), ("in/big", MEBI + 1), ("empty", 0)):
        (at / name).parent.mkdir(exist_ok=True)
        (at / name).write_bytes(os.urandom(size))
    found = verified(root)
    assert set(found) == {b"small", b"in/limit", b"in/big", b"empty"}
    for path, one in found.items():
        content = (at / os.fsdecode(path)).read_bytes()
        assert set(one.files) == {b""}
        assert one.files[b""].sha256 == hashlib.sha256(content).hexdigest()
        assert one.files[b""].size == len(content)
        assert (one.changed, one.unreadable, one.strange) == ((), (), ())


def test_what_changed_or_went_concerns_no_other(at: Path, root: Directory) -> None:
    for name in ("changed", "gone", "replaced", "same"):
        (at / name).write_bytes(b"first")

    def disturb() -> None:
        (at / "changed").write_bytes(b"later, and longer")
        (at / "gone").unlink()
        (at / "replaced").unlink()
        (at / "replaced").symlink_to("same")

    found = verified(root, disturb)
    changed = {path for path, one in found.items() if one.changed}
    assert changed == {b"changed", b"gone", b"replaced"}
    assert all(found[path].changed == (b"",) for path in changed)
    assert found[b"same"].files


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is sent to workers, in order."""
    sent: list[bytes] = []
    send = Worker.send

    def counted(self: Worker[object], frame: bytes, *more: object) -> None:
        sent.append(frame)
        send(self, frame, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "send", counted)
    return sent


def test_hundreds_of_them_go_to_the_workers_together(
    at: Path, root: Directory, frames: list[bytes]
) -> None:
    for number in range(600):
        (at / f"f{number}").write_bytes(b"%d" % number)
    found = verified(root)
    assert len(found) == 600
    assert all(one.files for one in found.values())
    assert len(frames) < 60


def test_a_big_one_is_no_work_for_a_worker(at: Path, root: Directory, frames: list[bytes]) -> None:
    (at / "big").write_bytes(bytes(MEBI + 1))
    assert verified(root)[b"big"].files
    assert not [one for one in frames if one[0] == Kind.HASH]
