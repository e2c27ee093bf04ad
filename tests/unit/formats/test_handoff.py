"""Hand-over folders: what tells that a file is not whole, and what is never believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from file_trees import Folder, Looked, Verdict, digest, line
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats import registry
from cachewright.formats.checksums import Checksums
from cachewright.formats.handoff import Handoff
from cachewright.formats.handoff_names import Marked, marked, temporary
from cachewright.model import Confirm, FindingKind, Severity, StepKind
from cachewright.storage.anchored import Directory
from cachewright.text import display

OK, CORRUPT, INCOMPLETE = Verdict.OK, Verdict.CORRUPT, Verdict.INCOMPLETE
UNVERIFIABLE = Verdict.UNVERIFIABLE
MIB = 1 << 20
NOT_BELIEVED = "Its size was not believed"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "folder"
    path.mkdir()
    return Folder(path, Handoff())


def holes(folder: Folder, name: str, size: int = 4 * MIB, *written: tuple[int, bytes]) -> Path:
    """A file that has its final size, and only some of its ranges."""
    place = folder.put(name)
    with place.open("r+b") as file:
        file.truncate(size)
        for offset, content in written:
            file.seek(offset)
            file.write(content)
    return place


TEMPORARY = {
    "data.bin.6eF3aB12": ("boto3 or the AWS command line", "data.bin"),
    "data.bin.part": ("a browser or a download tool", "data.bin"),
    "data.bin.partial": ("a download tool", "data.bin"),
    "data.bin.1a2b3c4d.partial": ("a download tool", "data.bin"),
    "data.bin.filepart": ("WinSCP", "data.bin"),
    "data.bin.incomplete": ("a download tool", "data.bin"),
    "data.bin.tmp": ("many programs", "data.bin"),
    "Unconfirmed 42.crdownload": ("Chrome", "Unconfirmed 42"),
    "data.bin.opdownload": ("Opera", "data.bin"),
    "data.bin.download": ("Safari", "data.bin"),
    "data.bin_.gstmp": ("gsutil", "data.bin_"),
    "data.bin._COPYING_": ("Hadoop", "data.bin"),
    ".data.bin.Ab3dE9": ("rsync", "data.bin"),
    "in/.~tmp~/data.bin": ("rsync", "in/data.bin"),
    "in/.rsync-partial/data.bin": ("rsync", "in/data.bin"),
    ".syncthing.data.bin.tmp": ("Syncthing", "data.bin"),
    "sub/.azDownload-0123abcd-0123-0123-0123-0123456789ab-x": ("AzCopy", "sub/x"),
    "data.bin.!qB": ("qBittorrent", "data.bin"),
}


@pytest.mark.parametrize("name", TEMPORARY)
def test_unfinished_names_of_common_writers(folder: Folder, name: str) -> None:
    writer, final = TEMPORARY[name]
    found = temporary(name.encode())
    assert found is not None
    assert (found.writer, found.final) == (writer, final.encode())
    folder.put(name, b"some of it")
    looked = folder.look()
    assert looked.verdicts == {name: INCOMPLETE}
    finding = looked.one(FindingKind.INCOMPLETE_ENTRY)
    assert writer in finding.explanation
    assert f"finished, it would be {final}." in finding.explanation
    assert NOT_BELIEVED in finding.explanation
    assert finding.severity is Severity.PROBLEM


@pytest.mark.parametrize(
    "name",
    ["data.bin", "log.20261121", "app.1.2.3", "a.deadbeef", "report.pdf", ".bashrc.backup",
     ".hidden", "main.3f2a1b9c.js", "PART", "a.DEADBEEF"],
)  # fmt: skip
def test_names_that_say_nothing_of_the_kind(folder: Folder, name: str) -> None:
    folder.put(name, b"whole")
    assert folder.look().verdicts == {name: UNVERIFIABLE}
    found = temporary(name.encode())
    assert found is None or not found.certain


@pytest.mark.parametrize("name", ["data.bin.deadbeef", "data.bin.20261121"])
def test_a_doubtful_name_counts_where_its_final_one_is_recorded(folder: Folder, name: str) -> None:
    folder.put(name, b"half")
    folder.put("data.bin.sha256", digest(b"half and half"))
    looked = folder.look()
    assert looked.verdicts == {name: INCOMPLETE}
    assert "looks like a name that boto3" in looked.why(name)


def test_a_date_is_not_even_mentioned_as_an_unfinished_name(folder: Folder) -> None:
    folder.put("log.20261121", b"whole")
    folder.put("log.deadbeef", b"whole")
    looked = folder.look()
    assert "boto3" not in looked.why("log.20261121")
    assert "looks like a name that boto3" in looked.why("log.deadbeef")


def test_an_unfinished_file_is_an_entry_with_the_name_that_a_person_knows(folder: Folder) -> None:
    folder.put("in/data.bin.6eF3aB12", b"half")
    with folder.read() as (_root, _tree, knowledge):
        (entry,) = knowledge.entries
        assert knowledge.staging() == ()
    assert (entry.name, entry.title) == ("in/data.bin.6eF3aB12", "data.bin")
    assert entry.subtitle == "in · unfinished: data.bin.6eF3aB12"


def test_records_of_the_finished_name_speak_of_the_unfinished_file_too(folder: Folder) -> None:
    folder.put("data.bin.part", b"half")
    folder.put("other", b"o")
    folder.put("data.bin.sha256", digest(b"whole"))
    folder.put("SHA256SUMS", line("other", b"o"))
    with folder.read() as (_root, _tree, knowledge):
        records = {one.name: [*knowledge.records(one)] for one in knowledge.entries}
    assert records == {"data.bin.part": [b"data.bin.sha256"], "other": [b"SHA256SUMS"]}


def test_what_changed_a_short_while_ago_may_still_have_a_writer(folder: Folder) -> None:
    """boto3's process pool opens the file for each part that has come, and closes it again."""
    place = folder.put("data.bin.part", b"half")
    assert "may still be at it" in folder.look().why("data.bin.part")
    os.utime(place, (1000, 1000))
    assert "may still be at it" not in folder.look().why("data.bin.part")


def test_what_is_offered_for_an_unfinished_file_must_be_typed(folder: Folder) -> None:
    folder.put("data.bin.part", b"half")
    (offer,) = folder.look().one(FindingKind.INCOMPLETE_ENTRY).repairs
    assert (offer.step, offer.confirm) == (StepKind.QUARANTINE_ENTRY, Confirm.TYPED)
    assert "another computer" in offer.why


def test_a_file_of_its_final_size_with_ranges_missing_is_incomplete(folder: Folder) -> None:
    holes(folder, "data.bin", 4 * MIB, (0, b"x" * MIB), (3 * MIB, b"y" * (MIB // 2)))
    looked = folder.look()
    assert looked.verdicts == {"data.bin": INCOMPLETE}
    finding = looked.one(FindingKind.INCOMPLETE_ENTRY)
    assert (
        "Of its 4.2 MB (4,194,304 bytes), 2.6 MB (2,621,440 bytes) were never written: "
        "bytes 1,048,576 to 3,145,727, 3,670,016 to 4,194,303." in finding.explanation
    )
    assert "Nothing records whether it is meant to have zeros there." in finding.explanation
    assert [one.detail for one in finding.evidence][:2] == [
        "Bytes 1,048,576 to 3,145,727 (2.1 MB (2,097,152 bytes)) were never written.",
        "Bytes 3,670,016 to 4,194,303 (524.3 kB (524,288 bytes)) were never written.",
    ]


def test_a_file_that_is_all_hole(folder: Folder) -> None:
    holes(folder, "data.bin", MIB)
    assert "Nothing of its 1.0 MB (1,048,576 bytes) was ever written." in folder.look().why(
        "data.bin"
    )


def test_a_sparse_file_whose_digest_fits_is_whole(folder: Folder) -> None:
    place = holes(folder, "disk.img", 4 * MIB, (MIB, b"x" * MIB))
    folder.put("disk.img.sha256", line("disk.img", place.read_bytes()))
    looked = folder.look()
    assert looked.verdicts == {"disk.img": OK}
    assert "meant to be zeros" in looked.why("disk.img")
    assert "its size was not relied on" in looked.why("disk.img")


def test_holes_in_a_file_whose_digest_differs_are_why(folder: Folder) -> None:
    holes(folder, "data.bin", 4 * MIB, (0, b"x" * MIB))
    folder.put("data.bin.md5", digest(b"the whole", "md5"))
    looked = folder.look()
    assert looked.verdicts == {"data.bin": INCOMPLETE}
    assert "were never written" in looked.why("data.bin")


def test_a_digest_decides_for_and_against(folder: Folder) -> None:
    folder.put("good", b"good")
    folder.put("good.sha256", digest(b"good"))
    folder.put("bad", b"evil")
    folder.put("bad.sha256", digest(b"good"))
    looked = folder.look()
    assert looked.verdicts == {"good": OK, "bad": CORRUPT}
    finding = looked.one(FindingKind.CORRUPT_ENTRY)
    assert finding.repairs[-1].confirm is Confirm.TYPED
    assert NOT_BELIEVED in finding.explanation


def test_a_finished_file_that_was_never_renamed(folder: Folder) -> None:
    folder.put("data.bin.6eF3aB12", b"whole")
    folder.put("data.bin.sha256", digest(b"whole"))
    looked = folder.look()
    assert looked.verdicts == {"data.bin.6eF3aB12": INCOMPLETE}
    assert "already that of the finished file" in looked.why("data.bin.6eF3aB12")
    assert looked.findings == []


def test_a_marker_only_promises(folder: Folder) -> None:
    folder.put("data.csv", b"rows")
    folder.put("data.csv.done")
    looked = folder.look()
    assert looked.verdicts == {"data.csv": UNVERIFIABLE}
    assert "data.csv.done promises that its writer was done" in looked.why("data.csv")
    assert NOT_BELIEVED in looked.why("data.csv")
    assert looked.findings == []


def test_a_marker_is_not_believed_against_holes(folder: Folder) -> None:
    holes(folder, "data.bin", MIB)
    folder.put("data.done")
    why = folder.look().why("data.bin")
    assert "data.done promises otherwise, and is not believed." in why


def test_a_file_that_changed_after_its_marker(folder: Folder) -> None:
    place = folder.put("data.csv", b"rows")
    marker = folder.put("data.csv.ok")
    os.utime(marker, (1000, 1000))
    assert place.stat().st_mtime > 1000
    assert "the file changed after that" in folder.look().why("data.csv")


def test_a_marker_of_a_directory_speaks_of_what_lies_in_it(folder: Folder) -> None:
    folder.put("run/part-0", b"a")
    folder.put("run/_SUCCESS")
    folder.put("other/part-0", b"a")
    looked = folder.look()
    assert "run/_SUCCESS promises" in looked.why("run/part-0")
    assert "promises" not in looked.why("other/part-0")


def test_markers_and_sidecars_left_behind_are_told(folder: Folder) -> None:
    folder.put("gone.csv.done")
    folder.put("gone.bin.sha256", digest(b"x"))
    found = folder.look().of(FindingKind.ORPHAN)
    assert {one.subject for one in found} == {"gone.csv.done", "gone.bin.sha256"}
    assert {one.severity for one in found} == {Severity.NOTICE}


def test_a_large_file_is_no_marker(folder: Folder) -> None:
    folder.put("renamed.done", b"x" * 5000)
    assert folder.look().verdicts == {"renamed.done": UNVERIFIABLE}


def test_a_writer_s_own_note_beside_a_file(folder: Folder) -> None:
    folder.put("a.iso", b"x" * 9000)
    folder.put("a.iso.aria2", b"\0\1")
    looked = folder.look()
    assert looked.verdicts == {"a.iso": INCOMPLETE}
    assert "a.iso.aria2 beside it is the note by which aria2 goes on with it." in looked.why(
        "a.iso"
    )
    folder.put("a.iso.sha256", digest(b"x" * 9000))
    assert folder.look().verdicts == {"a.iso": OK}


def test_what_editors_leave_is_left_alone(folder: Folder) -> None:
    for name in (".a.txt.swp", "a.txt~", ".#a.txt", "#a.txt#", ".DS_Store", "a.lock"):
        folder.put(name, b"x")
    assert folder.look().verdicts == {}


def manifest(folder: Folder, data: object, name: str = "manifest.json") -> Looked:
    folder.put(name, data if isinstance(data, (str, bytes)) else json.dumps(data))
    return folder.look()


WHOLE = {"name": "a", "size": 4, "sha256": digest(b"good")}
SHAPES = {
    "list of records": {"files": [WHOLE]},
    "bare list": [WHOLE],
    "by name": {"files": {"a": {"bytes": 4, "sha256": digest(b"good")}}},
    "name to digest": {"a": digest(b"good")},
    "prefixed": {"entries": [{"path": "./a", "digest": f"sha256:{digest(b'good')}"}]},
    "of other algorithms": {"files": [{"file": "a", "md5": digest(b"good", "md5"), "crc": 7}]},
    "a map of hashes": {"files": [{"key": "a", "hashes": {"SHA-512": digest(b"good", "sha512")}}]},
    "one file": WHOLE,
    "lines": f"# comment\r\na 4 {digest(b'good')}\r\n",
    "checksum lines": line("a", b"good"),
    "digest size name": f"{digest(b'good')} 4 a\n",
    "columns": f"a,4,{digest(b'good')}\n",
    "tabs": f"{digest(b'good')}\t4\ta\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_manifests_in_the_shapes_that_tools_write(folder: Folder, shape: str) -> None:
    folder.put("a", b"good")
    looked = manifest(folder, SHAPES[shape])
    assert looked.verdicts == {"a": OK}
    assert looked.findings == []
    folder.put("a", b"evil")
    assert folder.look().verdicts == {"a": CORRUPT}
    if "size" in str(SHAPES[shape]):
        folder.put("a", b"goo")
        looked = folder.look()
        assert looked.verdicts == {"a": INCOMPLETE}
        assert "bytes 3 to 3 are missing" in looked.why("a")


def test_a_size_without_a_digest_proves_nothing(folder: Folder) -> None:
    record = {"files": [{"name": "a", "size": 4}]}
    folder.put("a", b"good")
    looked = manifest(folder, record)
    assert looked.verdicts == {"a": UNVERIFIABLE}
    assert "has the size that manifest.json records" in looked.why("a")
    assert NOT_BELIEVED in looked.why("a")
    folder.put("a", b"goo")
    looked = folder.look()
    assert looked.verdicts == {"a": INCOMPLETE}
    assert "meant to have zeros" not in looked.why("a")
    folder.put("a", b"goods")
    looked = folder.look()
    assert looked.verdicts == {"a": CORRUPT}
    assert "It has 5 bytes, more than the 4 bytes" in looked.why("a")


def test_the_size_of_the_finished_file_tells_what_its_part_lacks(folder: Folder) -> None:
    folder.put("a.part", b"goo")
    looked = manifest(folder, {"files": [WHOLE]})
    assert looked.verdicts == {"a.part": INCOMPLETE}
    assert "It should have 4 bytes according to manifest.json" in looked.why("a.part")
    assert "bytes 3 to 3 are missing" in looked.why("a.part")
    assert looked.of(FindingKind.MISSING_FILE) == []


def test_what_a_manifest_names_and_is_not_there(folder: Folder) -> None:
    finding = manifest(folder, {"files": [WHOLE]}).one(FindingKind.MISSING_FILE)
    assert (finding.subject, finding.severity) == ("a", Severity.PROBLEM)


HOSTILE = {
    "nested deep": ("[" * 100_000, "nested too deep"),
    "cut": ('{"files": [{"name": "a", ', "no JSON that can be relied on"),
    "keys twice": (
        '{"files": [{"name": "a", "name": "b", "size": 1}]}',
        "it has two values for name",
    ),
    "no number": ('{"files": [{"name": "a", "size": NaN}]}', "it has NaN, which is not JSON"),
    "huge number": ('{"files": [{"name": "a", "size": ' + "9" * 5000 + "}]}", "no JSON"),
    "negative": ('{"files": [{"name": "a", "size": -4}]}', "has a size that is no number"),
    "size as text": ('{"files": [{"name": "a", "size": "4"}]}', "has a size that is no number"),
    "absolute": ('{"files": [{"name": "/etc/passwd", "size": 4}]}', "has an absolute path"),
    "upwards": ('{"files": [{"name": "../a", "size": 4}]}', "leads out of the directory"),
    "surrogate": ('{"files": [{"name": "\\ud800", "size": 4}]}', "has a name that is no text"),
    "nul": ('{"files": [{"name": "a\\u0000b", "size": 4}]}', "has a name that no file can have"),
    "nothing said": ('{"name": "My app", "version": "1", "icons": {}}', "names no file together"),
    "lines without end": ("x\n" * 200_002, "it has more than 200,000 lines"),
    "too much nonsense": ("a 4\n" + "x\n" * 20_000, "Nothing from line 10,002 on was read"),
    "prose": ("see the manual, please", "names no file together"),
    "not utf-8": (b'{"files": "\xff"}', "no JSON that can be relied on"),
}


@pytest.mark.parametrize("way", HOSTILE)
def test_hostile_manifests_are_told_and_the_rest_is_judged(folder: Folder, way: str) -> None:
    text, reason = HOSTILE[way]
    folder.put("a", b"good")
    folder.put("b", b"b")
    folder.put("b.sha256", digest(b"b"))
    looked = manifest(folder, text)
    assert reason in looked.one(FindingKind.DAMAGED_METADATA).explanation
    assert looked.verdicts["b"] is OK
    assert looked.verdicts["a"] is UNVERIFIABLE


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6),
              st.sampled_from(["a", "../a", "/a", digest(b"a"), f"md5:{digest(b'a', 'md5')}"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["files", "name", "path", "size", "sha256", "hashes", "a", "digest"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=_JSON, text=st.binary(max_size=60))
def test_no_manifest_makes_a_check_fail(
    tmp_path_factory: pytest.TempPathFactory, data: object, text: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.mkdir(exist_ok=True)
    folder = Folder(path, Handoff())
    folder.put("a", b"a")
    folder.put("manifest.json", json.dumps(data))
    folder.put("MANIFEST", text)
    looked = folder.look()
    assert looked.verdicts.keys() == {"a"}
    for one in looked.findings:
        assert display(one.explanation) == one.explanation


def test_names_that_are_hostile_to_terminals(folder: Folder) -> None:
    evil = [b"\x1b[2J.part", b"\x1b]0;t\x07.6eF3aB12", b"n\nl.part", b"\xff\xfe.part", b"<b>.part"]
    for name in evil:
        folder.put(name, b"half")
    folder.put(b"\x1b[31mgone.done")
    looked = folder.look()
    assert set(looked.verdicts.values()) == {INCOMPLETE}
    told = [one.explanation for one in looked.findings] + [one.subject for one in looked.findings]
    told += [j.why for j in looked.judged.values()]
    with folder.read() as (_root, _tree, knowledge):
        told += [text for one in knowledge.entries for text in (one.title, one.subtitle, one.name)]
    assert looked.of(FindingKind.ORPHAN)
    for text in told:
        assert display(text) == text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"a.csv.done", Marked(b"a.csv")),
        (b"in/a.OK", Marked(b"in/a")),
        (b"in/_SUCCESS", Marked(b"in", directory=True)),
        (b".done", Marked(b"", directory=True)),
        (b"done", None),
        (b"a.doner", None),
    ],
)
def test_markers(path: bytes, expected: Marked | None) -> None:
    assert marked(path) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["data.bin.6eF3aB12"], "handoff"),
        (["in/data.bin.filepart"], "handoff"),
        (["x.crdownload", "y.pdf"], "handoff"),
        (["data.csv", "data.csv.done"], "handoff"),
        (["a.iso", "a.iso.aria2"], "handoff"),
        (["a.iso.aria2"], None),
        (["data.csv.done"], None),
        (["a.tmp", "b.c"], None),
        (["in/deep/a.part"], None),
        (["a.bin", "a.bin.sha256"], "checksums"),
        (["a.bin", "a.bin.sha256", "b.part"], "handoff"),
        (["main.c", "log.20261121", "a.deadbeef"], None),
        ([".git/HEAD", "a.part"], None),
        (["bagit.txt", "data/a.part"], None),
        ([], None),
    ],
)
def test_what_is_recognised(
    folder: Folder, names: list[str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        folder.put(name, digest(b"") if name.endswith(".sha256") else b"")
    found = {one.name: one for one in (Checksums(), Handoff())}
    monkeypatch.setattr(registry, "formats", lambda: found)
    with Directory.open(os.fsencode(folder.path)) as root:
        form = registry.recognise(root)
    assert (form.name if form else None) == expected
