"""Trees with lists of checksums: what is judged, and that no list leads astray."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from file_trees import Folder, Verdict, digest, line
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats import checksums_claims, registry
from cachewright.formats.base import Format
from cachewright.formats.checksums import Checksums
from cachewright.formats.handoff import Handoff
from cachewright.formats.terraform import Terraform
from cachewright.model import Confirm, FindingKind, Severity, StepKind
from cachewright.storage.anchored import Directory
from cachewright.text import display

OK, CORRUPT, DISPUTED = Verdict.OK, Verdict.CORRUPT, Verdict.DISPUTED
UNVERIFIABLE = Verdict.UNVERIFIABLE
DAMAGED, MISSING = FindingKind.DAMAGED_METADATA, FindingKind.MISSING_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "tree"
    path.mkdir()
    return Folder(path, Checksums())


def test_each_file_is_judged_by_the_lists(folder: Folder) -> None:
    folder.put("a", b"a")
    folder.put("sub/b b", b"b")
    folder.put("sub/bad", b"changed")
    folder.put("stray", b"?")
    folder.put("SHA256SUMS", line("a", b"a") + line("./sub/b b", b"b") + line("sub/bad", b"was"))
    looked = folder.look()
    assert looked.verdicts == {
        "a": OK,
        "sub/b b": OK,
        "sub/bad": CORRUPT,
        "stray": UNVERIFIABLE,
    }
    finding = looked.one(FindingKind.CORRUPT_ENTRY)
    assert finding.explanation == "Its content is not what SHA256SUMS (line 3) records."
    assert finding.severity is Severity.PROBLEM
    assert [(one.step, one.confirm) for one in finding.repairs] == [
        (StepKind.QUARANTINE_ENTRY, Confirm.TYPED)
    ]
    assert looked.why("a") == "Its SHA-256 is as recorded in SHA256SUMS (line 1)."
    assert looked.why("stray") == "No list here names it, so nothing vouches for it."
    assert looked.findings == []


def test_entries_have_names_for_people(folder: Folder) -> None:
    folder.put("sub/b", b"b")
    folder.put("stray", b"?")
    folder.put("SHA256SUMS", line("sub/b", b"b"))
    with folder.read() as (_root, _tree, knowledge):
        said = {one.name: (one.title, one.subtitle) for one in knowledge.entries}
    assert said == {"sub/b": ("b", "sub · in SHA256SUMS"), "stray": ("stray", "in no list")}


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "sha384", "sha512"])
def test_the_algorithms_are_those_that_the_lists_need(folder: Folder, algorithm: str) -> None:
    folder.put("a", b"a")
    folder.put(f"{algorithm.upper()}SUMS", line("a", b"a", algorithm))
    folder.put("b", b"b")
    folder.put("b.sha256", digest(b"b"))
    with folder.read() as (_root, _tree, knowledge):
        assert knowledge.algorithms() == {algorithm, "sha256"}
    assert set(folder.look().verdicts.values()) == {OK}


def test_without_any_list_the_format_s_algorithm_is_enough(folder: Folder) -> None:
    folder.put("a", b"a")
    with folder.read() as (_root, _tree, knowledge):
        assert knowledge.algorithms() is None
    assert folder.look().verdicts == {"a": UNVERIFIABLE}


SIDECARS = {
    "bare": lambda _name, content: digest(content),
    "bare with a line break": lambda _name, content: digest(content) + "\n",
    "a line": line,
    "a line with the path it had elsewhere": lambda name, content: line(f"/ci/out/{name}", content),
    "a line with a relative path": lambda name, content: line(f"../dist/{name}", content),
    "tagged": lambda name, content: f"SHA256 ({name}) = {digest(content)}\n",
}


@pytest.mark.parametrize("way", SIDECARS)
def test_sidecars(folder: Folder, way: str) -> None:
    for name, content in (("good.bin", b"good"), ("bad.bin", b"other")):
        folder.put(f"in/{name}", content)
        folder.put(f"in/{name}.sha256", SIDECARS[way](name, b"good"))
    looked = folder.look()
    assert looked.verdicts == {"in/good.bin": OK, "in/bad.bin": CORRUPT}
    assert looked.findings == []


def test_a_sidecar_by_itself_names_a_missing_file(folder: Folder) -> None:
    folder.put("gone.bin.sha256", digest(b"x"))
    finding = folder.look().one(MISSING)
    assert finding.path.endswith(b"/tree/gone.bin")
    assert "gone.bin.sha256 names it" in finding.explanation


def test_a_list_may_lie_beside_the_tree_that_it_is_of(folder: Folder) -> None:
    folder.put("data/a", b"a")
    folder.put("meta/SHA256SUMS", line("data/a", b"a"))
    folder.put("meta/MD5SUMS", line("../data/a", b"a", "md5"))
    looked = folder.look()
    assert looked.verdicts == {"data/a": OK}
    assert "MD5SUMS" in looked.why("data/a")
    assert looked.findings == []


def test_a_list_written_on_windows_is_understood(folder: Folder) -> None:
    folder.put("sub/a", b"a")
    folder.put("SHA256SUMS", f"{digest(b'a')}  sub\\a\r\n")
    looked = folder.look()
    assert looked.verdicts == {"sub/a": OK}
    assert looked.findings == []


def disagreement(folder: Folder, **lists: bytes) -> Verdict:
    folder.put("a", b"real")
    for algorithm, content in lists.items():
        folder.put(f"{algorithm.upper()}SUMS", line("a", content, algorithm))
    return folder.look().verdicts["a"]


def test_sources_that_disagree_are_disputed(folder: Folder) -> None:
    assert disagreement(folder, sha256=b"real", sha512=b"other") is DISPUTED
    finding = folder.look().one(FindingKind.DISPUTED_DIGEST)
    assert "it" in finding.explanation
    assert "SHA256SUMS (line 1)" in finding.explanation
    assert "SHA512SUMS (line 1)" in finding.explanation


def test_a_weak_digest_that_differs_from_a_strong_one_that_fits_is_disputed(folder: Folder) -> None:
    assert disagreement(folder, sha256=b"real", md5=b"other") is DISPUTED


def test_a_weak_digest_never_outweighs_a_strong_one(folder: Folder) -> None:
    assert disagreement(folder, sha256=b"other", md5=b"real") is CORRUPT
    assert "proves nothing" in folder.look().why("a")


def test_weak_digests_alone_are_told_once_for_each_list(folder: Folder) -> None:
    for name in ("a", "b", "c"):
        folder.put(name, name)
    folder.put("MD5SUMS", line("a", b"a", "md5") + line("b", b"b", "md5") + line("c", b"c", "md5"))
    folder.put("SHA256SUMS", line("c", b"c"))
    looked = folder.look()
    assert set(looked.verdicts.values()) == {OK}
    finding = looked.one(FindingKind.WEAK_DIGEST)
    assert finding.severity is Severity.NOTICE
    assert "Nothing stronger than MD5 vouches for 2 files" in finding.explanation
    assert "on purpose" in looked.why("a")
    assert "on purpose" not in looked.why("c")


def test_what_is_listed_and_missing_is_a_problem(folder: Folder) -> None:
    folder.put("a", b"a")
    folder.put("SHA256SUMS", line("a", b"a") + line("gone", b"x") + line("no/where", b"y"))
    looked = folder.look()
    assert {one.path.rpartition(b"/tree/")[2] for one in looked.of(MISSING)} == {
        b"gone",
        b"no/where",
    }
    assert {one.severity for one in looked.of(MISSING)} == {Severity.PROBLEM}


def test_very_many_missing_files_are_told_together(folder: Folder) -> None:
    folder.put("SHA256SUMS", "".join(line(f"f{number}", b"x") for number in range(250)))
    found = folder.look().of(MISSING)
    assert len(found) == 101
    assert "150 more files" in found[-1].explanation


def test_links_and_directories_where_files_are_listed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    folder.put("real", b"r")
    (folder.path / "inside-link").symlink_to("real")
    (folder.path / "outside-link").symlink_to(tmp_path / "outside")
    (folder.path / "dangling-link").symlink_to("nowhere")
    (folder.path / "directory").mkdir()
    os.mkfifo(folder.path / "pipe")
    listed = [("inside-link", b"r"), ("outside-link", b"secret"), ("directory", b""), ("pipe", b"")]
    listed.append(("dangling-link", b"x"))
    folder.put("SHA256SUMS", "".join(line(*one) for one in listed))
    looked = folder.look()
    assert looked.verdicts == {"real": OK}
    found = {one.subject: one.explanation for one in looked.of(FindingKind.FOREIGN_TYPE)}
    assert found.keys() == {"outside-link", "dangling-link", "directory", "pipe"}
    assert looked.of(MISSING) == []
    assert found["outside-link"].startswith("A link lies where SHA256SUMS names a file.")
    assert found["directory"].startswith("A directory")


HOSTILE = {
    "absolute": (f"{digest(b'x')}  /etc/passwd", "has an absolute path"),
    "upwards": (f"{digest(b'x')}  ../../x", "leads out of the directory"),
    "itself": (f"{digest(b'x')}  .", "names no file"),
    "a directory": (f"{digest(b'x')}  sub/", "names no file"),
    "unknown": (f"WHIRLPOOL (a) = {digest(b'x')}", "uses WHIRLPOOL"),
    "odd length": ("abcdef0123456789ab  a", "has a digest that is none of SHA-256"),
    "no name": (digest(b"x"), "has a digest without a name"),
    "prose": ("see the manual", "is no checksum line"),
    "too long": (f"{digest(b'x')}  {'x' * 300}", "longer than any file's"),
    "far too long": (f"{digest(b'x')}  {'x/' * 100_000}y", "longer than any file's"),
    "twice otherwise": (line("a", b"other").strip(), "with another digest"),
    "not utf-8": (f"{digest(b'x')}  /\udcff\udcfe", "has an absolute path"),
}


@pytest.mark.parametrize("way", HOSTILE)
def test_a_hostile_line_is_told_with_its_number_and_the_rest_is_judged(
    folder: Folder, way: str
) -> None:
    text, reason = HOSTILE[way]
    content = f"{line('a', b'a')}{text}\n{line('b', b'changed')}"
    folder.put("SHA256SUMS", content.encode("utf-8", "surrogateescape"))
    folder.put("a", b"a")
    folder.put("b", b"b")
    looked = folder.look()
    finding = looked.one(DAMAGED)
    assert finding.severity is Severity.PROBLEM
    assert f"line 2 {reason}" in finding.explanation or "line 2" in finding.explanation
    assert reason in finding.explanation
    assert "1 line of this list is not right" in finding.explanation
    assert finding.evidence[0].detail.startswith("Line 2 ")
    assert looked.verdicts["b"] is CORRUPT
    assert looked.verdicts["a"] is (DISPUTED if way == "twice otherwise" else OK)


def test_the_same_line_twice_is_only_remarked_on(folder: Folder) -> None:
    folder.put("a", b"a")
    folder.put("SHA256SUMS", line("a", b"a") * 3)
    looked = folder.look()
    assert looked.verdicts == {"a": OK}
    finding = looked.one(DAMAGED)
    assert finding.severity is Severity.NOTICE
    assert "line 2 names the same file as line 1, with the same digest" in finding.explanation


def test_what_a_cut_or_strange_list_still_says_is_used(folder: Folder) -> None:
    folder.put("a", b"a")
    cut = line("a", b"a") + line("b", b"b")[:40]
    folder.put("SHA256SUMS", cut)
    assert folder.look().verdicts == {"a": OK}
    assert "line 2" in folder.look().one(DAMAGED).explanation
    folder.put("SHA256SUMS", "\ufeff" + line("a", b"a").replace("\n", "\r\n"))
    looked = folder.look()
    assert looked.verdicts == {"a": OK}
    assert looked.one(DAMAGED).severity is Severity.NOTICE
    folder.put("SHA256SUMS", line("a", b"a").rstrip("\n"))
    assert folder.look().findings == []


def test_an_empty_list_and_one_of_prose(folder: Folder) -> None:
    folder.put("SHA256SUMS", b"\n\n")
    folder.put("MD5SUMS", b"")
    assert folder.look().findings == []
    folder.put("MD5SUMS", b"see the web site")
    finding = folder.look().one(DAMAGED)
    assert finding.explanation.startswith("No line of it could be used: line 1 is no checksum line")


def test_a_list_that_is_too_large_is_not_read(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums_claims, "LIMIT", 1 << 20)
    monkeypatch.setattr(checksums_claims.read_settled, "__defaults__", (1 << 20,))
    folder.put("a", b"a")
    folder.put("SHA256SUMS", line("a", b"a") * 20000)
    looked = folder.look()
    assert looked.verdicts == {"a": UNVERIFIABLE}
    assert "larger than 1 MiB" in looked.one(DAMAGED).explanation


@pytest.mark.parametrize("way", ["unreadable", "link", "fifo", "directory"])
def test_what_has_the_name_of_a_list_and_cannot_be_read(folder: Folder, way: str) -> None:
    folder.put("a", b"a")
    place = folder.path / "SHA256SUMS"
    if way == "link":
        place.symlink_to("/etc/passwd")
    elif way == "fifo":
        os.mkfifo(place)
    elif way == "directory":
        place.mkdir()
    else:
        if os.geteuid() == 0:
            pytest.skip("root reads it all the same")
        folder.put("SHA256SUMS", line("a", b"a")).chmod(0)
        assert "could not be read: Permission denied" in folder.look().one(DAMAGED).explanation
    assert folder.look().verdicts == {"a": UNVERIFIABLE}


def test_a_list_that_changes_while_it_is_read_is_not_used(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a", b"a")
    place = folder.put("SHA256SUMS", line("a", b"a"))
    real = os.fstat
    seen: list[int] = []

    def fstat(fd: int) -> os.stat_result:
        found = real(fd)
        if found.st_ino == place.stat().st_ino and len(seen) < 20:
            seen.append(fd)
            with place.open("ab") as file:
                file.write(line(f"x{len(seen)}", b"x").encode())
        return found

    monkeypatch.setattr(checksums_claims.os, "fstat", fstat)
    looked = folder.look()
    assert looked.verdicts["a"] is UNVERIFIABLE
    finding = looked.one(DAMAGED)
    assert "is being changed: it changed while it was read" in finding.explanation


def test_very_many_lines_about_one_name_are_not_all_kept(folder: Folder) -> None:
    folder.put("a", b"a")
    folder.put("SHA256SUMS", "".join(f"{number:064x}  a\n" for number in range(20000)))
    looked = folder.look()
    assert looked.verdicts == {"a": CORRUPT}
    assert len(looked.judged["a"].expected) == 8
    assert "19,999 lines of this list are not right" in looked.one(DAMAGED).explanation


EVIL = [
    b"\x1b[31mred\x1b[0m",
    b"\x1b]0;title\x07",
    b"new\nline",
    b"back\\slash",
    b"\xff\xfe",
    "rtl\u202eexe.txt".encode(),
    b"<img src=x>",
    b"-rf",
    b"=1+1",
    b"\rover",
]


def escaped(name: bytes, content: bytes) -> bytes:
    text = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if text != name else b"") + digest(content).encode() + b"  " + text + b"\n"


def test_names_that_are_hostile_to_terminals(folder: Folder) -> None:
    for name in EVIL:
        folder.put(name, name)
    every = [*EVIL, *(b"gone-" + name for name in EVIL)]
    listed = b"".join(escaped(name, name) for name in every)
    bad = digest(b"x").encode() + b"  /" + b"\x1b[2J" + b"\n" + b"\x1b[2J\x07 prose\n"
    folder.put("SHA256SUMS", listed + bad)
    looked = folder.look()
    assert list(looked.verdicts.values()) == [OK] * len(EVIL)
    assert len(looked.of(MISSING)) == len(EVIL)
    told = [one.explanation for one in looked.findings]
    told += [one.subject for one in looked.findings] + [*looked.verdicts]
    told += [j.why for j in looked.judged.values()]
    told += [one.detail for found in looked.findings for one in found.evidence]
    with folder.read() as (_root, _tree, knowledge):
        told += [text for one in knowledge.entries for text in (one.title, one.subtitle, one.name)]
    for text in told:
        assert display(text) == text


def test_two_names_that_look_alike_stay_two_entries(folder: Folder) -> None:
    folder.put(b"a\xff", b"1")
    folder.put(b"a\\xff", b"2")
    folder.put("SHA256SUMS", escaped(b"a\xff", b"1") + escaped(b"a\\xff", b"changed"))
    assert folder.look().verdicts == {"a\\xff": CORRUPT, "a\\xff #2": OK}


def test_a_good_copy_in_a_source_is_offered_and_a_bad_one_is_not(
    folder: Folder, tmp_path: Path
) -> None:
    folder.put("sub/a", b"changed")
    folder.put("SHA512SUMS", line("sub/a", b"good", "sha512") + line("sub/gone", b"g", "sha512"))
    for name in ("bad", "good"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/a").write_text(name)
    (tmp_path / "good/sub/gone").write_bytes(b"g")
    looked = folder.look(tmp_path / "bad")
    assert looked.one(FindingKind.CORRUPT_ENTRY).repairs[0].step is StepKind.QUARANTINE_ENTRY
    looked = folder.look(tmp_path / "bad", tmp_path / "good")
    offer = looked.one(FindingKind.CORRUPT_ENTRY).repairs[0]
    assert (offer.step, offer.confirm) == (StepKind.REPUBLISH_ENTRY, Confirm.CLICK)
    assert offer.source == os.fsencode(tmp_path / "good/sub/a")
    (missing,) = looked.of(MISSING)
    assert missing.repairs[0].source == os.fsencode(tmp_path / "good/sub/gone")


def test_the_file_itself_is_no_good_copy(folder: Folder) -> None:
    folder.put("a", b"a")
    folder.put("MD5SUMS", line("a", b"a", "md5"))
    with folder.read(folder.path) as (_root, _tree, knowledge):
        (entry,) = knowledge.entries
        assert list(knowledge.copies(entry)) == []


def test_what_vouches_for_an_entry_is_told(folder: Folder) -> None:
    folder.put("a", b"a")
    folder.put("SHA256SUMS", line("a", b"a"))
    folder.put("a.md5", digest(b"a", "md5"))
    with folder.read() as (_root, _tree, knowledge):
        (entry,) = knowledge.entries
        known = knowledge.expected(entry).whole
        sources = {one.algorithm: os.path.basename(one.source) for one in known}
        assert sources == {"sha256": b"SHA256SUMS", "md5": b"a.md5"}
        assert set(knowledge.records(entry)) == {b"SHA256SUMS", b"a.md5"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"SHA256SUMS": line("a", b"a"), "a": "a"}, True),
        ({"in/SHA256SUMS": line("a", b"a"), "in/a": "a"}, True),
        ({"in/deep/SHA256SUMS": line("a", b"a"), "in/deep/a": "a"}, False),
        ({"SHA256SUMS": line("gone", b"a"), "a": "a"}, False),
        ({"SHA256SUMS": "prose", "a": "a"}, False),
        ({"a.bin": "a", "a.bin.sha256": digest(b"a")}, True),
        ({"a.bin": "a", "a.bin.sha256": "prose"}, False),
        ({"a.bin.sha256": digest(b"a")}, False),
        ({"a.bin": "a", "a.bin.md5": digest(b"a", "md5"), **dict.fromkeys("defghijk", "")}, False),
        ({".git/HEAD": "", "in/SHA256SUMS": line("a", b"a"), "in/a": "a"}, False),
        ({".git/HEAD": "", "SHA256SUMS": line("a", b"a"), "a": "a"}, True),
        ({"bagit.txt": "BagIt-Version: 1.0\n"}, True),
        ({"one/bagit.txt": "BagIt-Version: 0.97\n"}, True),
        ({"bagit.txt": "hello"}, False),
        ({"go.sum": "x h1:abc=\n", "main.go": ""}, False),
        ({"SHA256SUMS": line("/etc/passwd", b"a") + line("../x", b"")}, False),
        ({}, False),
    ],
)  # fmt: skip
def test_what_is_recognised(folder: Folder, files: dict[str, str], expected: bool) -> None:
    for name, content in files.items():
        folder.put(name, content)
    assert folder.recognised() is expected


def test_a_source_tree_is_not_taken_for_one() -> None:
    here = Path(__file__).parents[3]
    with Directory.open(os.fsencode(here)) as root:
        assert not Checksums().recognise(root)


def test_a_particular_format_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "tf.example.com/acme/toy/1.2.3/linux_amd64"
    place.mkdir(parents=True)
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "SHA256SUMS").write_text(line("a", b"a"))
    for forms in ([Terraform(), Checksums()], [Checksums(), Terraform()]):
        found = {one.name: one for one in forms}
        monkeypatch.setattr(registry, "formats", lambda found=found: found)
        with Directory.open(os.fsencode(tmp_path)) as root:
            assert Checksums().recognise(root)
            assert registry.recognise(root) is found["terraform"]


def test_directories_of_other_tools_and_our_own_are_not_entered(folder: Folder) -> None:
    folder.put(".git/objects/x", b"x")
    folder.put(".cachewright-quarantine/op/item", b"x")
    folder.put("a", b"a")
    folder.put("SHA256SUMS", line("a", b"a"))
    assert folder.look().verdicts == {"a": OK}


@pytest.mark.parametrize("form", [Checksums(), Handoff()])
def test_who_only_looks_at_locks_reads_no_list(
    folder: Folder, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks are looked at every second; a list may be long."""
    folder.put("a", b"a")
    folder.put("SHA256SUMS", line("a", b"a"))

    def read(*_what: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Directory, "open_file", read)
    with Folder(folder.path, form).read() as (_root, _tree, knowledge):
        assert (knowledge.locks(), knowledge.leases(), knowledge.notes()) == ((), None, ())
        assert knowledge.staging() == ()
        with pytest.raises(AssertionError):
            assert knowledge.entries


_PARTS = st.sampled_from(
    [digest(b"a"), digest(b"a", "md5"), "  ", " *", "a", "b/c", "../", "/", "\n", "\r\n", "\\",
     "SHA256 (", ") = ", "\x1b[2J", "\ufeff", "#", "bagit", "manifest"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(st.lists(_PARTS, max_size=14).map("".join), min_size=4, max_size=4),
    raw=st.binary(max_size=40),
)
def test_no_lists_make_a_check_fail(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed lists"
    path.mkdir(exist_ok=True)
    folder = Folder(path, Checksums())
    folder.put("a", b"a")
    folder.put("b/c", b"c")
    folder.put("bagit.txt", "BagIt-Version: 1.0\n")
    for name, text in zip(["SHA256SUMS", "b/MD5SUMS", "a.sha256", "fetch.txt"], texts, strict=True):
        folder.put(name, text)
    folder.put("manifest-sha256.txt", raw + texts[0].encode())
    looked = folder.look()
    assert looked.verdicts.keys() >= {"a", "b/c"}
    for one in looked.findings:
        assert display(one.explanation) == one.explanation
        assert display(one.subject) == one.subject
        assert one.path.startswith(os.fsencode(folder.path))
        assert b".." not in one.path.split(b"/")
