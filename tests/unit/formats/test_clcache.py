"""clcache's layout, entries and references in small made caches."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cachewright.digests import FileDigest
from cachewright.formats import clcache_knowledge, clcache_manifests
from cachewright.formats.base import Judgement, Knowledge, References, Verification
from cachewright.formats.clcache import Clcache
from cachewright.inventory.tree import scan_subtree
from cachewright.model import (
    CancelToken,
    EntryVerdict,
    Finding,
    FindingKind,
    Gap,
    Role,
    Severity,
    StepKind,
)
from cachewright.storage.anchored import Directory

Kind = FindingKind
COFF = b"\x64\x86" + b"\0" * 62
CLICKABLE = StepKind.QUARANTINE_ENTRY


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Looked:
    knowledge: Knowledge
    judgements: dict[str, Judgement]
    findings: list[Finding]

    @property
    def kinds(self) -> list[FindingKind]:
        return [one.kind for one in self.findings]

    def one(self) -> Judgement:
        (judgement,) = self.judgements.values()
        return judgement


@dataclass
class Cache:
    path: Path
    form: Clcache = field(default_factory=Clcache)

    def entry(self, name: str, content: bytes = COFF, output: str = "", section: str = "") -> Path:
        """What a compilation of ``name`` stores; the key follows from the manifest's."""
        key = md5(md5(name) + md5("includes"))
        place = self.path / "objects" / (section or key[:2]) / key
        place.mkdir(parents=True)
        (place / "object").write_bytes(content)
        (place / "output.txt").write_text(output or f"{name}\r\n")
        return place

    def manifest(self, name: str, *headers: str, section: str = "", **other: Any) -> Path:
        stem = md5(name)
        line = {
            "includeFiles": list(headers),
            "includesContentHash": md5("includes"),
            "objectHash": md5(stem + md5("includes")),
        }
        place = self.path / "manifests" / (section or stem[:2]) / f"{stem}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({"entries": [{**line, **other}]}))
        return place

    def old(self) -> None:
        """As if the last build had ended two minutes ago."""
        for path in self.path.glob("objects/*/*/*"):
            at = path.stat().st_mtime - 120
            os.utime(path, (at, at))

    def compiled(self, name: str, *headers: str) -> Path:
        self.manifest(name, *headers)
        return self.entry(name)

    def count(self, entries: int | None = None, more: int = 0) -> None:
        sizes = [path.stat().st_size for path in self.path.glob("objects/*/*/object")]
        number = len(sizes) if entries is None else entries
        record = {"CacheEntries": number, "CacheSize": sum(sizes) + more}
        (self.path / "stats.txt").write_text(json.dumps(record))

    def look(self) -> Looked:
        with Directory.open(os.fsencode(self.path)) as root:
            tree = scan_subtree(root, b"", Role.CONTAINER, self.form.rules)
            knowledge = self.form.read(root, tree, References())
            judgements = {
                one.name: knowledge.judge(one, hashed(os.fsencode(self.path) + b"/" + one.relative))
                for one in knowledge.entries
            }
            found = [one for each in judgements.values() for one in each.findings]
            return Looked(knowledge, judgements, [*found, *knowledge.findings()])


def hashed(top: bytes) -> Verification:
    files, strange = {}, []
    if os.path.isdir(top):
        for name in os.listdir(top):
            found = os.lstat(top + b"/" + name)
            if stat.S_ISREG(found.st_mode):
                files[name] = FileDigest(found.st_size, found.st_mode, {})
            else:
                strange.append(name)
    return Verification(files, {}, tuple(strange))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    for name in ("objects", "manifests"):
        (tmp_path / "cache" / name).mkdir(parents=True)
    return Cache(tmp_path / "cache")


def recognised(cache: Cache) -> bool:
    with Directory.open(os.fsencode(cache.path)) as root:
        return cache.form.recognise(root)


# What it is


def test_an_empty_pair_of_directories_is_nothing_yet(cache: Cache) -> None:
    assert not recognised(cache)


@pytest.mark.parametrize(
    "makes",
    [
        lambda cache: cache.entry("a.cpp"),
        lambda cache: cache.manifest("a.cpp"),
        lambda cache: cache.count(),
        lambda cache: (cache.path / "config.txt").write_text('{"MaximumCacheSize": 1}'),
        lambda cache: (cache.path / "objects/ab" / f"{'ab' * 16}.new").mkdir(parents=True),
        lambda cache: (cache.path / "objects/ab").mkdir(),
    ],
    ids=["entry", "manifest", "statistics", "configuration", "staging", "emptied"],
)
def test_one_thing_of_its_own_is_enough(cache: Cache, makes: Any) -> None:
    makes(cache)
    assert recognised(cache)
    (cache.path / "manifests").rename(cache.path / "other")
    assert not recognised(cache)


@pytest.mark.parametrize(
    "makes",
    [
        lambda path: (path / "stats.txt").write_text("{"),
        lambda path: (path / "stats.txt").write_text('{"CacheEntries": 1}'),
        lambda path: (path / "stats.txt").mkdir(),
        lambda path: (path / "objects/ab" / f"cd{'ab' * 15}").mkdir(parents=True),
        lambda path: (path / "objects/pack").mkdir(),
        lambda path: ((path / "objects/ab").mkdir(), (path / "HEAD").touch()),
        lambda path: ((path / "objects").rmdir(), (path / "objects").touch()),
        lambda path: ((path / "objects").rmdir(), (path / "objects").symlink_to("manifests")),
    ],
)
def test_other_things_are_not_taken_for_it(cache: Cache, makes: Any) -> None:
    makes(cache.path)
    assert not recognised(cache)


def test_it_is_looked_for_where_clcache_would(cache: Cache, tmp_path: Path) -> None:
    cache.entry("a.cpp")
    (tmp_path / "clcache" / "objects").mkdir(parents=True)  # its own source tree, say
    environment = {"CLCACHE_DIR": str(cache.path), "HOME": str(tmp_path)}
    (found,) = cache.form.default_locations(environment)
    assert (found.format, found.root) == ("clcache", os.fsencode(cache.path))
    (tmp_path / "clcache").rename(tmp_path / "sources")
    cache.path.rename(tmp_path / "clcache")
    (found,) = cache.form.default_locations({"USERPROFILE": str(tmp_path)})
    assert found.root == os.fsencode(tmp_path / "clcache")
    assert list(cache.form.default_locations({})) == []


# Entries


@pytest.mark.parametrize(
    ("output", "headers", "title"),
    [
        ("shapes.cpp\r\nwarning C4100\r\n", ("a.h",), "shapes.cpp"),
        ("C:\\src\\a.cpp\r\n", ("b.h",), "Object that includes b.h"),
        ("warning C4100", ("C:\\x\\b.h",), "Object that includes b.h"),
        ("\x1b[31mred.cpp\n", (), "\\x1b[31mred.cpp"),
        ("note", ("\u202egpj.h",), "Object that includes \\u202egpj.h"),
    ],
)
def test_an_entry_is_called_by_what_a_person_knows(
    cache: Cache, output: str, headers: tuple[str, ...], title: str
) -> None:
    place = cache.entry("x", output=output)
    cache.manifest("x", *headers)
    (entry,) = cache.look().knowledge.entries
    assert (entry.title, entry.name) == (title, place.name)
    assert entry.subtitle == f"{place.name[:12]}…"


def test_without_any_name_the_key_is_the_title(cache: Cache) -> None:
    place = cache.entry("x", output="note")
    (entry,) = cache.look().knowledge.entries
    assert entry.title == f"{place.name[:12]}…"


def test_what_is_sound_cannot_be_verified_and_says_so(cache: Cache) -> None:
    cache.compiled("a.cpp")
    cache.count()
    looked = cache.look()
    assert looked.findings == []
    assert looked.one().verdict is EntryVerdict.UNVERIFIABLE
    assert "records no digest of an object's bytes" in looked.one().why
    (entry,) = looked.knowledge.entries
    assert "no digest" in looked.knowledge.expected(entry).missing
    (note,) = looked.knowledge.notes()
    assert "counts as a copy" in note


@pytest.mark.parametrize(
    "content",
    [
        b"\x4c\x01",
        b"\x64\xaa",
        b"\x00\x00\xff\xff\x02",
        b"\x1f\x8b\x08",
        b"BC\xc0\xde",
        b"\xc4\x01",
    ],
)
def test_objects_of_every_kind_are_let_be(cache: Cache, content: bytes) -> None:
    cache.entry("a.cpp", content + b"rest")
    assert cache.look().one().verdict is EntryVerdict.UNVERIFIABLE


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, b"\x64", b"\x00\x00\xff\xfe", b"\x7fELF", b"<html>"]
)
def test_what_is_no_object_is_corrupt(cache: Cache, content: bytes) -> None:
    cache.entry("a.cpp", content)
    looked = cache.look()
    finding = looked.findings[0]
    assert looked.one().verdict is EntryVerdict.CORRUPT
    assert (finding.kind, finding.severity, finding.files) == (
        Kind.CORRUPT_ENTRY,
        Severity.PROBLEM,
        (b"object",),
    )
    assert finding.repair is not None
    assert finding.repair.step is CLICKABLE


@pytest.mark.parametrize("half", [False, True])
def test_an_entry_without_its_object_is_incomplete(cache: Cache, half: bool) -> None:
    place = cache.compiled("a.cpp")
    (place / "object").rename(place / "object.tmp") if half else (place / "object").unlink()
    looked = cache.look()
    assert (looked.one().verdict, looked.kinds) == (
        EntryVerdict.INCOMPLETE,
        [Kind.INCOMPLETE_ENTRY],
    )
    assert ("half-copied" in looked.one().why) is half


def test_a_link_in_the_object_s_place_is_corrupt(cache: Cache, tmp_path: Path) -> None:
    place = cache.entry("a.cpp")
    (place / "object").rename(tmp_path / "real")
    (place / "object").symlink_to(tmp_path / "real")
    assert cache.look().one().verdict is EntryVerdict.CORRUPT


def test_pipes_are_never_opened(cache: Cache) -> None:
    """To open one for reading would wait for ever."""
    place = cache.compiled("a.cpp")
    for path in (place / "object", place / "output.txt", cache.path / "stats.txt"):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    os.mkfifo(cache.path / "manifests" / "00")
    os.mkfifo(cache.manifest("b.cpp").with_name(f"{'0' * 32}.json"))
    assert recognised(cache)
    looked = cache.look()
    assert looked.one().verdict is EntryVerdict.CORRUPT
    assert Kind.UNREADABLE in looked.kinds


def test_a_file_in_an_entry_s_place_is_corrupt(cache: Cache) -> None:
    place = cache.entry("a.cpp")
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    place.write_bytes(COFF)
    assert cache.look().one().verdict is EntryVerdict.CORRUPT


def test_a_missing_output_is_a_notice(cache: Cache) -> None:
    (cache.compiled("a.cpp") / "output.txt").unlink()
    cache.count()
    (finding,) = cache.look().findings
    assert (finding.kind, finding.severity) == (Kind.MISSING_FILE, Severity.NOTICE)


def test_files_of_different_writes_are_a_notice(cache: Cache, tmp_path: Path) -> None:
    place = cache.compiled("a.cpp")
    cache.count()
    at = (place / "object").stat().st_mtime
    (place / "stderr.txt").touch()
    for seconds, expected in ((50, []), (70, [Kind.MIXED_ENTRY]), (-70, [Kind.MIXED_ENTRY])):
        for name in ("output.txt", "stderr.txt"):
            os.utime(place / name, (at, at + seconds))
        assert cache.look().kinds == expected
    os.link(place / "object", tmp_path / "a.obj")  # each hit touches it
    looked = cache.look()
    assert (looked.kinds, "A build tree shares" in looked.one().why) == ([], True)


def test_what_clcache_does_not_read_in_an_entry_is_told(cache: Cache) -> None:
    place = cache.compiled("a.cpp")
    (place / "object.tmp").touch()
    (place / "notes").touch()
    cache.count()
    (finding,) = cache.look().findings
    assert (finding.kind, finding.files) == (Kind.FOREIGN_FILE, (b"object.tmp", b"notes"))
    assert finding.repairs == ()


def test_an_entry_in_a_wrong_section_is_an_orphan_with_a_name_of_its_own(cache: Cache) -> None:
    right = cache.compiled("a.cpp")
    wrong = cache.entry("a.cpp", section="00" if right.parent.name != "00" else "01")
    looked = cache.look()
    names = {entry.name for entry in looked.knowledge.entries}
    assert names == {right.name, f"objects/{wrong.parent.name}/{wrong.name}"}
    finding = looked.findings[0]
    assert (finding.kind, finding.severity) == (Kind.ORPHAN, Severity.NOTICE)
    assert finding.path == os.fsencode(wrong)


# Manifests and references


def test_a_lost_object_is_offered_for_quarantine_once_builds_use_manifests(cache: Cache) -> None:
    cache.entry("b.cpp")
    cache.count()
    (finding,) = cache.look().findings
    assert (finding.kind, finding.repairs, finding.subject) == (Kind.ORPHAN, (), "objects")
    cache.compiled("a.cpp")
    cache.count()
    assert cache.look().findings == []  # a build may be about to write its manifest
    cache.old()
    looked = cache.look()
    (lost, anew) = looked.findings
    assert (lost.kind, lost.severity) == (Kind.ORPHAN, Severity.NOTICE)
    assert lost.repair is not None
    assert (anew.kind, anew.severity) == (Kind.ACCOUNTING, Severity.NOTICE)
    assert anew.repair is not None
    assert anew.repair.detail == {"entries": 1, "bytes": len(COFF)}


def test_a_dangling_reference_is_one_notice(cache: Cache) -> None:
    places = [cache.manifest(name) for name in ("a.cpp", "b.cpp")]
    (finding,) = cache.look().findings
    assert (finding.kind, finding.severity) == (Kind.DANGLING_LINK, Severity.NOTICE)
    assert "2 objects are" in finding.explanation
    assert sorted(finding.files) == sorted(
        os.fsencode(path.relative_to(cache.path / "manifests")) for path in places
    )


def test_a_manifest_that_names_another_key_is_not_believed(cache: Cache) -> None:
    place = cache.manifest("a.cpp", objectHash="ab" * 16)
    finding = cache.look().findings[0]
    assert (finding.kind, finding.path) == (Kind.POINTER_MISMATCH, os.fsencode(place))
    assert finding.severity is Severity.PROBLEM
    assert cache.look().kinds == [Kind.POINTER_MISMATCH]


def test_a_manifest_in_a_wrong_section_is_an_orphan(cache: Cache) -> None:
    section = "00" if md5("a.cpp")[:2] != "00" else "01"
    place = cache.manifest("a.cpp", section=section)
    (finding,) = cache.look().findings
    assert (finding.kind, finding.path) == (Kind.ORPHAN, os.fsencode(place))


def test_a_huge_manifest_is_not_read(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    place = cache.manifest("a.cpp")
    monkeypatch.setattr(clcache_manifests, "MANIFEST_LIMIT", place.stat().st_size - 1)
    (finding,) = cache.look().findings
    assert (finding.kind, "larger than any" in finding.explanation) == (
        Kind.DAMAGED_METADATA,
        True,
    )


def test_a_manifest_that_cannot_be_read_leaves_orphans_open(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.compiled("a.cpp")
    cache.count()
    cache.old()
    read = Directory.read

    def failing(self: Directory, relative: bytes, limit: int) -> bytes:
        if relative.endswith(b".json"):
            raise OSError(5, "Input/output error")
        return read(self, relative, limit)

    monkeypatch.setattr(Directory, "read", failing)
    (finding,) = cache.look().findings
    assert (finding.kind, finding.severity) == (Kind.UNREADABLE, Severity.NOTICE)


def test_a_manifest_that_went_away_is_passed_over(cache: Cache) -> None:
    place = cache.manifest("a.cpp")
    with Directory.open(os.fsencode(cache.path)) as root:
        tree = scan_subtree(root, b"", Role.CONTAINER, cache.form.rules)
        place.unlink()
        assert list(cache.form.read(root, tree, References()).findings()) == []


@pytest.mark.parametrize("makes", [Cache.entry, Cache.manifest])
def test_reading_stops_when_asked(cache: Cache, makes: Any) -> None:
    makes(cache, "a.cpp")
    stopped = CancelToken()
    stopped.cancel()
    with Directory.open(os.fsencode(cache.path)) as root:
        tree = scan_subtree(root, b"", Role.CONTAINER, cache.form.rules)
        with pytest.raises(Exception, match="Stopped as asked"):
            cache.form.read(root, tree, References(cancel=stopped))


# Counting


@pytest.mark.parametrize(
    ("entries", "more", "fits"),
    [(None, 0, True), (None, "manifests", True), (None, 1, True), (None, -1, False), (1, 0, False)],
)
def test_statistics_fit_by_either_accounting(
    cache: Cache, entries: int | None, more: Any, fits: bool
) -> None:
    for name in ("a.cpp", "b.cpp"):
        cache.compiled(name)
    manifests = sum(path.stat().st_size for path in cache.path.glob("manifests/*/*.json"))
    cache.count(entries, manifests if more == "manifests" else more)
    assert (cache.look().kinds == []) is fits
    cache.count(None, manifests + 1)
    assert cache.look().kinds == [Kind.ACCOUNTING]


def test_missing_statistics_count_nothing(cache: Cache) -> None:
    assert cache.look().kinds == []
    cache.compiled("a.cpp")
    (finding,) = cache.look().findings
    assert (finding.kind, finding.severity) == (Kind.ACCOUNTING, Severity.PROBLEM)


def test_statistics_that_are_right_without_the_lost_need_no_counting(cache: Cache) -> None:
    cache.compiled("a.cpp")
    cache.count()
    cache.entry("b.cpp")
    cache.old()
    lost, counted = cache.look().findings
    assert (lost.kind, counted.kind, counted.repairs) == (Kind.ORPHAN, Kind.ACCOUNTING, ())


def test_a_build_under_way_is_counted_once_more(cache: Cache) -> None:
    cache.compiled("a.cpp")
    with Directory.open(os.fsencode(cache.path)) as root:
        tree = scan_subtree(root, b"", Role.CONTAINER, cache.form.rules)
        knowledge = cache.form.read(root, tree, References())
        cache.compiled("b.cpp")
        cache.count()
        assert list(knowledge.findings()) == []
        cache.count(7)
        assert [one.kind for one in knowledge.findings()] == [Kind.ACCOUNTING]


def test_only_statistics_are_counted_and_only_as_they_are_now(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.compiled("a.cpp")
    with Directory.open(os.fsencode(cache.path)) as root:
        tree = scan_subtree(root, b"", Role.CONTAINER, cache.form.rules)
        knowledge = cache.form.read(root, tree, References())
        cache.compiled("b.cpp")
        recount = StepKind.RECOUNT_STATISTICS
        now = {"entries": 2, "bytes": 2 * len(COFF)}
        assert knowledge.renewed(recount, b"stats.txt", {"entries": 9}) == now
        with pytest.raises(ValueError, match="no statistics"):
            knowledge.renewed(recount, b"config.txt", now)
        tree.errors = (Gap(b"objects/ab", "Permission denied"),)
        monkeypatch.setattr(clcache_knowledge, "scan_subtree", lambda *_how: tree)
        with pytest.raises(ValueError, match="Permission denied"):
            knowledge.renewed(recount, b"stats.txt", now)
        assert list(knowledge.findings()) == []


@pytest.mark.parametrize("name", ["stats.txt", "config.txt"])
def test_records_that_are_no_files_are_told(cache: Cache, name: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("{")
    (cache.path / name).symlink_to(tmp_path / "elsewhere")
    (finding,) = cache.look().findings
    assert (finding.kind, finding.subject) == (Kind.UNREADABLE, name)


@pytest.mark.parametrize(
    "detail", [{}, {"entries": -1, "bytes": 1}, {"entries": True, "bytes": 1}, {"entries": "1"}]
)
def test_odd_counts_are_not_written(cache: Cache, detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a number"):
        cache.form.rewrite(StepKind.RECOUNT_STATISTICS, detail, b"{}")
    with pytest.raises(ValueError, match="rewrites nothing"):
        cache.form.rewrite(StepKind.DROP_POISONED_CHECKSUM, detail, b"{}")


# Residue


RESIDUE = (
    f"objects/ab/{'ab' * 16}.new/",
    f"manifests/ab/{'ab' * 16}.json.new",
    "manifests/ab/tmpab12_xyz",
    "stats.txt.new",
    "config.txt.new",
    "tmp12345678",
)


def test_every_residue_is_staging_and_nothing_else_is(cache: Cache) -> None:
    kept = ("objects/ab/tmp12345678", "objects/ab/x.new/", "manifests/ab/x.json.new", "tmp1234567",
            "tmp12345678.txt", "manifests/ab/tmp1234567X", f"objects/{'ab' * 16}.new/")  # fmt: skip
    for name in (*RESIDUE, *kept):
        place = cache.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir() if name.endswith("/") else place.touch()
    found = {one.relative for one in cache.look().knowledge.staging()}
    assert found == {name.rstrip("/").encode() for name in RESIDUE}
