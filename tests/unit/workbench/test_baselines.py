"""A baseline is taken of a real cache without digests, and later checks tell what differs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cachewright import workbench
from cachewright.errors import BaselineExists, BaselineUnusable, Refused
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.workbench import Baselines, Options, Workbench

COFF = b"\x64\x86" + b"\0" * 60
KEYS = tuple(f"{number:02x}" * 16 for number in range(1, 4))


def add(cache: Path, key: str, content: bytes = COFF) -> Path:
    place = cache / "objects" / key[:2] / key
    place.mkdir(parents=True)
    (place / "object").write_bytes(content)
    (place / "output.txt").write_text("a.cpp\r\n")
    return place / "object"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "cache"
    (root / "manifests").mkdir(parents=True)
    for number, key in enumerate(KEYS):
        add(root, key, COFF + bytes([number]))
    count(root)
    return root


def count(root: Path) -> None:
    sizes = [path.stat().st_size for path in root.glob("objects/*/*/object")]
    (root / "stats.txt").write_text(
        json.dumps({"CacheEntries": len(sizes), "CacheSize": sum(sizes)})
    )


@pytest.fixture
def bench(cache: Path) -> Iterator[Workbench]:
    options = Options(observe_s=0, settle_s=0, environment={})
    with Workbench.open(os.fsencode(cache), options=options) as opened:
        yield opened


def of_baseline(found: tuple[Finding, ...]) -> list[Finding]:
    return [one for one in found if one.kind is FindingKind.DIFFERS_FROM_BASELINE]


def test_every_file_of_every_entry_is_recorded(bench: Workbench, cache: Path) -> None:
    taken = bench.baseline()
    assert sorted(taken.entries) == sorted(KEYS)
    for key, files in taken.entries.items():
        place = cache / "objects" / key[:2] / key
        assert {name: one.sha256 for name, one in files.items()} == {
            name: hashlib.sha256((place / os.fsdecode(name)).read_bytes()).hexdigest()
            for name in (b"object", b"output.txt")
        }
    assert Baselines().of(bench.root) == taken


def test_what_is_as_it_was_says_so_and_stays_unverifiable(bench: Workbench) -> None:
    date = bench.baseline().date
    result = bench.check()
    assert of_baseline(result.findings) == []
    for entry in result.entries:
        assert entry.verdict is EntryVerdict.UNVERIFIABLE
        assert entry.evidence[0].detail == f"As in the baseline of {date}."
        assert (entry.expected, entry.actual) == ((), ())


@pytest.mark.parametrize("how", ["flipped", "longer", "removed", "added"])
def test_what_differs_is_a_problem_without_being_called_corrupt(
    bench: Workbench, cache: Path, how: str
) -> None:
    date = bench.baseline().date
    place = cache / "objects" / KEYS[1][:2] / KEYS[1]
    changed = {
        "flipped": lambda: (place / "object").write_bytes(COFF + b"\x07"),
        "longer": lambda: (place / "output.txt").write_text("a.cpp\r\nmore\r\n"),
        "removed": (place / "output.txt").unlink,
        "added": lambda: (place / "stderr.txt").write_text("warning"),
    }
    changed[how]()
    result = bench.check()
    (finding,) = of_baseline(result.findings)
    assert finding.explanation.startswith(f"It differs from the baseline of {date}.")
    assert (finding.severity, finding.verdict) == (Severity.PROBLEM, EntryVerdict.UNVERIFIABLE)
    assert (finding.subject, len(finding.files), finding.expected) == (KEYS[1], 1, ())
    (entry,) = (one for one in result.entries if one.name == KEYS[1])
    assert (entry.verdict, entry.expected) == (EntryVerdict.UNVERIFIABLE, ())


def test_what_is_known_to_be_broken_is_not_compared(bench: Workbench, cache: Path) -> None:
    bench.baseline()
    (cache / "objects" / KEYS[0][:2] / KEYS[0] / "object").write_bytes(b"")
    result = bench.check()
    assert of_baseline(result.findings) == []
    (entry,) = (one for one in result.entries if one.verdict is EntryVerdict.CORRUPT)
    assert "baseline" not in {one.fact for one in entry.evidence}


def test_new_and_gone_entries_are_notices(bench: Workbench, cache: Path, tmp_path: Path) -> None:
    date = bench.baseline().date
    add(cache, "0e" * 16)
    (cache / "objects" / KEYS[0][:2] / KEYS[0]).rename(tmp_path / "gone")
    count(cache)
    result = bench.check()
    found = of_baseline(result.findings)
    assert {one.severity for one in found} == {Severity.NOTICE}
    assert {one.explanation for one in found} == {
        f"1 entry is new since the baseline of {date}.",
        f"1 entry is gone since the baseline of {date}.",
    }
    assert len({one.id for one in found}) == len(found)
    assert {one.files for one in found} == {(b"0e" * 16,), (KEYS[0].encode(),)}


def test_broken_and_busy_entries_are_left_out(bench: Workbench, cache: Path, other: Any) -> None:
    (cache / "objects" / KEYS[0][:2] / KEYS[0] / "object").write_bytes(b"")
    busy = cache / "objects" / KEYS[1][:2] / KEYS[1] / "object"
    other("f = open(sys.argv[1], 'a'); ready()", busy)
    taken = bench.baseline()
    assert list(taken.entries) == [KEYS[2]]
    reasons = {one.name: one.reason for one in taken.left_out}
    assert reasons[KEYS[0]].startswith("It is corrupt. Its object is empty.")
    assert reasons[KEYS[1]].startswith("It is busy. Being written by")
    assert of_baseline(bench.check().findings) == []


def test_a_file_that_changes_while_it_is_read_is_left_out(
    bench: Workbench, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cachewright.workbench import baselines

    changing = cache / "objects" / KEYS[0][:2] / KEYS[0] / "object"
    opened = baselines.open_contents

    def changed_after(*how: Any) -> Any:
        changing.write_bytes(COFF + b"longer than before")
        return opened(*how)

    monkeypatch.setattr(baselines, "open_contents", changed_after)
    taken = bench.baseline()
    assert sorted(taken.entries) == sorted(KEYS[1:])
    assert [one.name for one in taken.left_out] == [KEYS[0]]


def test_nothing_to_record_is_refused(bench: Workbench, cache: Path) -> None:
    for path in cache.glob("objects/*/*/object"):
        path.write_bytes(b"")
    with pytest.raises(Refused, match="no entry that could be recorded"):
        bench.baseline()
    assert Baselines().of(bench.root) is None


def test_the_first_one_stays_unread_unless_it_is_meant(
    bench: Workbench, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.baseline()
    (cache / "objects" / KEYS[0][:2] / KEYS[0] / "object").write_bytes(COFF + b"new")
    with monkeypatch.context() as unread:
        unread.setattr(workbench, "read_cache", None)
        with pytest.raises(BaselineExists):
            bench.baseline()
    assert Baselines().of(bench.root) == first
    count(cache)
    bench.baseline(anew=True)
    assert of_baseline(bench.check().findings) == []


def test_another_directory_at_the_path_is_told_and_compared(
    bench: Workbench, cache: Path, tmp_path: Path
) -> None:
    bench.baseline()
    cache.rename(tmp_path / "former")
    cache.mkdir()
    for each in sorted((tmp_path / "former").iterdir()):
        each.rename(cache / each.name)
    (cache / "objects" / KEYS[0][:2] / KEYS[0] / "object").write_bytes(COFF + b"\x07")
    options = Options(observe_s=0, settle_s=0, environment={})
    with Workbench.open(os.fsencode(cache), options=options) as opened:
        found = of_baseline(opened.check().findings)
    assert [one.severity for one in found] == [Severity.PROBLEM, Severity.NOTICE]
    assert "another directory at this path" in found[1].explanation


def test_a_damaged_baseline_is_told_and_accuses_nobody(bench: Workbench, cache: Path) -> None:
    bench.baseline()
    path = Path(os.fsdecode(Baselines().path_of(bench.root)))
    path.write_bytes(path.read_bytes().replace(b'"inode": ', b'"inode": 1'))
    (cache / "objects" / KEYS[0][:2] / KEYS[0] / "object").write_bytes(COFF + b"\x07")
    (finding,) = of_baseline(bench.check().findings)
    assert finding.severity is Severity.NOTICE
    assert "not as it was written" in finding.explanation
    with pytest.raises(BaselineUnusable):
        bench.baseline()
    bench.baseline(anew=True)
    assert of_baseline(bench.check().findings) == []


def test_one_of_another_format_is_told(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.baseline()
    monkeypatch.setattr("cachewright.formats.clcache.Clcache.name", "other")
    (finding,) = of_baseline(bench.check().findings)
    assert (finding.severity, "as clcache" in finding.explanation) == (Severity.NOTICE, True)


def test_digests_are_only_made_where_a_baseline_asks(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cachewright.workbench import verifying

    asked: list[frozenset[str]] = []
    verify = verifying.verify

    def noting(jobs: Any, algorithms: Any, **how: Any) -> Any:
        asked.append(frozenset(algorithms))
        return verify(jobs, algorithms, **how)

    monkeypatch.setattr(verifying, "verify", noting)
    bench.check()
    bench.baseline()
    bench.check()
    assert asked == [frozenset(), frozenset({"sha256"}), frozenset({"sha256"})]


def test_a_check_that_reads_nothing_compares_nothing(bench: Workbench, cache: Path) -> None:
    bench.baseline()
    (cache / "objects" / KEYS[0][:2] / KEYS[0] / "object").write_bytes(COFF + b"\x07")
    options = Options(verify=False, environment={})
    with Workbench.open(os.fsencode(cache), options=options) as opened:
        assert of_baseline(opened.check().findings) == []
