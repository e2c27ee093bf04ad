"""Caches that clcache itself wrote, damaged, killed and repaired, and used by it afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cachewright import workbench
from cachewright.model import EntryVerdict, FindingKind, HoldVerdict, Result, Severity

NEW = ("copy", "1", "2")
"""Where a build is killed whose object is not published yet."""
FRESH = (*NEW, "3", "4", "5")
WARM = (*NEW, "3", "4")
"""With a configuration there is one rename less."""


def sound(clcache: Any) -> None:
    """A check finds no problem, and clcache works on it: a miss, a hit, counts and a clean."""
    result = clcache.check()
    assert not result.problems, result.problems
    assert clcache.on_disk() == clcache.counted()
    clcache.source("after.cpp")
    clcache.compile("after.cpp", "after.cpp")
    counters = clcache.counters()
    assert counters["cache hits"] >= 1
    assert (counters["cache entries"], counters["cache size"]) == clcache.on_disk()
    clcache.run("-C")
    assert clcache.on_disk() == clcache.counted() == (0, 0)


def test_what_clcache_wrote_is_fine_and_cannot_be_verified(clcache: Any) -> None:
    clcache.source("one.cpp", "a.h", "#warning\n")
    clcache.source("two.c", "b.h")
    clcache.compile("one.cpp", "two.c", "one.cpp")
    result = clcache.check()
    assert (result.format, result.findings, result.staging) == ("clcache", (), ())
    assert {one.title for one in result.entries} == {"one.cpp", "two.c"}
    assert {one.verdict for one in result.entries} == {EntryVerdict.UNVERIFIABLE}
    assert all("no digest" in one.why for one in result.entries)
    sound(clcache)


def test_both_accountings_are_understood(clcache: Any) -> None:
    clcache.compile(*(clcache.source(f"s{number}.cpp") for number in range(4)))
    objects = clcache.on_disk()[1]
    clcache.run("-M", str(objects - 100))
    clcache.run("-c")
    entries, size = clcache.counted()
    assert (entries, size > clcache.on_disk()[1]) == (clcache.on_disk()[0], True)
    assert not clcache.check().problems
    clcache.compile(clcache.source("more.cpp"))
    assert not clcache.check().problems


def residue(clcache: Any) -> set[str]:
    return {name for name in clcache.snapshot() if ".new" in name or ".tmp" in name}


def repaired(clcache: Any) -> tuple[Any, ...]:
    """Every residue is named and taken away, and what is counted is what lies there."""
    clcache.age()
    with clcache.bench() as bench:
        result = bench.check()
        outcomes: tuple[Any, ...] = bench.repair(bench.plan(), apply=True)
    assert {one.verdict for one in result.staging} == {HoldVerdict.STALE}
    assert {one.result for one in outcomes} == {Result.DONE}, outcomes
    named = {os.fsdecode(os.path.relpath(one.path, result.root)) for one in result.staging}
    moved = {name for name in named if not (clcache.cache / name).exists()}
    assert (residue(clcache), moved) == (set(), named)
    if clcache.objects():
        assert clcache.counted() == clcache.on_disk()
    return outcomes


@pytest.mark.parametrize("place", FRESH)
def test_a_first_build_killed_before_a_rename_is_repaired_and_that_is_undone(
    clcache: Any, place: str
) -> None:
    clcache.kill_at(place, clcache.source("killed.cpp"))
    assert residue(clcache)
    before = clcache.snapshot()
    outcomes = repaired(clcache)
    assert clcache.snapshot() != before
    for one in reversed(outcomes):
        assert workbench.undo(one.undo).result is Result.DONE
    assert clcache.snapshot() == before


def test_clcache_goes_on_with_a_cache_that_never_had_a_configuration(clcache: Any) -> None:
    clcache.kill_at("3", clcache.source("killed.cpp"))
    repaired(clcache)
    clcache.compile("killed.cpp")
    sound(clcache)


@pytest.mark.parametrize("place", WARM)
def test_a_build_killed_before_a_rename(clcache: Any, place: str) -> None:
    clcache.compile(clcache.source("before.cpp"))
    clcache.kill_at(place, clcache.source("killed.cpp"))
    assert residue(clcache)
    repaired(clcache)
    hits = clcache.counters()["cache hits"]
    clcache.compile("killed.cpp", "before.cpp", "killed.cpp")
    assert clcache.counters()["cache hits"] == hits + 2
    sound(clcache)


def test_an_object_that_is_gone_fails_every_build_until_it_is_repaired(clcache: Any) -> None:
    clcache.compile(clcache.source("one.cpp"), clcache.source("two.cpp"))
    (first, _second) = clcache.objects()
    title = (first.parent / "output.txt").read_text().strip()
    first.unlink()
    assert "FileNotFoundError" in clcache.run("/c", "/W3", title, code=1)
    result = clcache.check()
    (finding,) = (one for one in result.problems if one.kind is FindingKind.INCOMPLETE_ENTRY)
    (entry,) = (one for one in result.entries if one.verdict is EntryVerdict.INCOMPLETE)
    assert (finding.subject, entry.title) == (first.parent.name, title)
    clcache.repair()
    clcache.compile(title)
    sound(clcache)


def test_bad_objects_are_taken_away_and_no_longer_counted(clcache: Any) -> None:
    clcache.compile(*(clcache.source(f"s{number}.cpp") for number in range(4)))
    bad = clcache.objects()[:3]
    for path, content in zip(bad, (b"", b"\0" * 4096, b"<html>"), strict=True):
        path.write_bytes(content)
    found = {one.name for one in clcache.check().entries if one.verdict is EntryVerdict.CORRUPT}
    assert found == {path.parent.name for path in bad}
    clcache.repair()
    assert clcache.counted()[0] == 1
    sound(clcache)


DAMAGED = ("", "{", "{}", "[]", '{"entries": 7}', '{"entries": [{}]}', "[" * 100_000)


def test_damaged_manifests_are_taken_away_and_written_again(clcache: Any) -> None:
    sources = [clcache.source(f"s{number}.cpp") for number in range(len(DAMAGED))]
    clcache.compile(*sources)
    manifests = sorted(clcache.cache.glob("manifests/??/*.json"))
    for path, content in zip(manifests, DAMAGED, strict=True):
        path.write_text(content)
    clcache.age()
    problems = clcache.check().problems
    assert {one.kind for one in problems} == {FindingKind.DAMAGED_METADATA}
    assert {one.path for one in problems} == {os.fsencode(path) for path in manifests}
    clcache.repair()
    assert not any(path.exists() for path in manifests)
    clcache.compile(*sources)
    assert all(path.exists() for path in manifests)
    sound(clcache)


def test_a_manifest_that_names_anothers_object_is_found(clcache: Any) -> None:
    clcache.compile(clcache.source("one.cpp", "a.h"), clcache.source("two.cpp", "b.h"))
    one, two = sorted(clcache.cache.glob("manifests/??/*.json"))
    record, other = (json.loads(path.read_text()) for path in (one, two))
    record["entries"][0]["objectHash"] = other["entries"][0]["objectHash"]
    one.write_text(json.dumps(record))
    clcache.age()
    (finding,) = clcache.check().problems
    assert (finding.kind, finding.path) == (FindingKind.POINTER_MISMATCH, os.fsencode(one))
    clcache.repair()
    sound(clcache)


BROKEN = ("", "{", "[]", '{"CacheSize": "big"}', '{"CacheEntries": 9, "CacheSize": 1}')


def test_broken_statistics_are_counted_anew(clcache: Any) -> None:
    clcache.compile(clcache.source("one.cpp"))
    path = clcache.cache / "stats.txt"
    for content in BROKEN:
        path.write_text(content)
        assert [one.path for one in clcache.check().problems] == [os.fsencode(path)]
        (outcome,) = clcache.repair()
        assert clcache.counted() == clcache.on_disk()
        assert workbench.undo(outcome.undo).reason == "The old content is back."
        assert path.read_text() == content
    clcache.repair()
    sound(clcache)


def test_the_other_counters_stay(clcache: Any) -> None:
    clcache.compile(clcache.source("one.cpp"), "one.cpp")
    before = clcache.counters()
    path = clcache.cache / "stats.txt"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "CacheSize": -5}))
    clcache.repair()
    assert clcache.counters() == before


def test_a_bad_configuration_is_taken_away(clcache: Any) -> None:
    clcache.compile(clcache.source("one.cpp"))
    (clcache.cache / "config.txt").write_text('{"MaximumCacheSize": "much"}')
    (finding,) = clcache.check().problems
    assert finding.path == os.fsencode(clcache.cache / "config.txt")
    clcache.repair()
    sound(clcache)


def test_dropped_objects_and_manifests_are_notices(clcache: Any, tmp_path: Path) -> None:
    """clcache cleans both apart from each other."""
    clcache.compile(*(clcache.source(f"s{number}.cpp") for number in range(3)))
    first, second, _third = clcache.objects()
    first.parent.rename(tmp_path / "dropped")
    (named,) = (
        path
        for path in clcache.cache.glob("manifests/??/*.json")
        if second.parent.name in path.read_text()
    )
    named.unlink()
    clcache.age()
    result = clcache.check()
    notices = {one.kind: one for one in result.findings if one.severity is Severity.NOTICE}
    assert notices[FindingKind.DANGLING_LINK].files
    assert notices[FindingKind.ORPHAN].subject == second.parent.name
    clcache.repair()
    sound(clcache)


def test_a_flipped_bit_shows_only_against_a_baseline(clcache: Any) -> None:
    clcache.compile(clcache.source("one.cpp"), clcache.source("two.cpp"))
    with clcache.bench() as bench:
        taken = bench.baseline()
    path = clcache.objects()[0]
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    (finding,) = clcache.check().problems
    assert finding.kind is FindingKind.DIFFERS_FROM_BASELINE
    assert finding.explanation.startswith(f"It differs from the baseline of {taken.date}.")
    assert (finding.subject, finding.files) == (path.parent.name, (b"object",))
    sources = {(entry.verdict, entry.expected) for entry in clcache.check().entries}
    assert sources == {(EntryVerdict.UNVERIFIABLE, ())}
