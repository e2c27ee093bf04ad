"""BagIt bags: what their manifests vouch for, and what a bag must be."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_trees import Folder, Looked, Verdict, digest, line

from cachewright.formats.checksums import Checksums
from cachewright.model import FindingKind, Severity

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
FILES = {"data/a": b"a", "data/sub/b": b"bb"}


class Bag(Folder):
    """A whole bag, to be spoiled."""

    def fill(self, inside: str = "") -> Bag:
        self.put(f"{inside}bagit.txt", DECLARATION)
        self.put(f"{inside}bag-info.txt", "Source: test\nPayload-Oxum: 3.2\n")
        for name, content in FILES.items():
            self.put(inside + name, content)
        self.manifest("sha256", inside=inside)
        return self

    def manifest(self, algorithm: str, inside: str = "", **more: bytes) -> None:
        every = {**FILES, **more}
        text = "".join(line(name, content, algorithm) for name, content in every.items())
        self.put(f"{inside}manifest-{algorithm}.txt", text)

    def tag_manifest(self) -> None:
        names = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt"]
        text = "".join(line(name, (self.path / name).read_bytes()) for name in names)
        self.put("tagmanifest-sha256.txt", text)


@pytest.fixture
def bag(tmp_path: Path) -> Bag:
    path = tmp_path / "bag"
    path.mkdir()
    return Bag(path, Checksums()).fill()


def problems(looked: Looked) -> list[FindingKind]:
    return [one.kind for one in looked.findings if one.severity is Severity.PROBLEM]


def test_a_whole_bag_is_whole(bag: Bag) -> None:
    bag.tag_manifest()
    looked = bag.look()
    assert looked.verdicts == dict.fromkeys(
        ["bag-info.txt", "bagit.txt", "data/a", "data/sub/b", "manifest-sha256.txt"], Verdict.OK
    ) | {"bag-info.txt": Verdict.OK}
    assert looked.kinds == []
    assert bag.recognised()


def test_a_changed_payload_and_a_changed_manifest(bag: Bag) -> None:
    bag.tag_manifest()
    bag.put("data/a", b"x")
    assert bag.look().verdicts["data/a"] is Verdict.CORRUPT
    bag.manifest("sha256", **{"data/a": b"x"})
    looked = bag.look()
    assert looked.verdicts["data/a"] is Verdict.OK
    assert looked.verdicts["manifest-sha256.txt"] is Verdict.CORRUPT


def test_payload_that_no_manifest_names_is_a_problem(bag: Bag) -> None:
    bag.put("data/added", b"x")
    looked = bag.look()
    assert looked.verdicts["data/added"] is Verdict.UNVERIFIABLE
    assert looked.why("data/added").startswith("No manifest of its bag names it")
    finding = looked.one(FindingKind.FOREIGN_FILE)
    assert (finding.severity, finding.files) == (Severity.PROBLEM, (b"data/added",))
    accounting = looked.one(FindingKind.ACCOUNTING)
    assert "counts 2 payload files of 3 bytes" in accounting.explanation
    assert "there are 3 files of 4 bytes" in accounting.explanation


def test_a_tag_file_that_no_manifest_names_is_nobody_s_problem(bag: Bag) -> None:
    bag.put("notes.txt", b"x")
    looked = bag.look()
    assert looked.verdicts["notes.txt"] is Verdict.UNVERIFIABLE
    assert problems(looked) == []


def test_what_is_missing_and_what_is_still_to_be_fetched(bag: Bag) -> None:
    bag.put("fetch.txt", "https://example.com/b?x=\x1b[2J 2 data/sub/b\n../up x y\n")
    (bag.path / "data/sub/b").unlink()
    (bag.path / "data/a").unlink()
    looked = bag.look()
    said = {one.subject: one.explanation for one in looked.of(FindingKind.MISSING_FILE)}
    assert said["data/a"] == "manifest-sha256.txt names it, but it is not there."
    assert "still to be fetched from https://example.com/b?x=\\x1b[2J;" in said["data/sub/b"]
    assert (
        "line 2 is no line of a fetch list" in looked.one(FindingKind.DAMAGED_METADATA).explanation
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [("data/a%b", "data/a%25b"), ("data/a\nb", "data/a%0Ab"), ("data/a\rb", "data/a%0db"),
     ("data/a%41", "data/a%2541"), ("data/a%20b", "data/a%20b")],
)  # fmt: skip
def test_names_are_encoded_as_the_standard_has_it(bag: Bag, name: str, written: str) -> None:
    bag.put(name, b"x")
    text = (bag.path / "manifest-sha256.txt").read_text()
    bag.put("manifest-sha256.txt", text + f"{digest(b'x')}  {written}\n")
    looked = bag.look()
    assert [*looked.verdicts.values()].count(Verdict.OK) == len(FILES) + 1
    assert looked.of(FindingKind.MISSING_FILE) == []


def test_manifests_that_name_different_files(bag: Bag) -> None:
    bag.manifest("sha512")
    bag.put("data/c", b"c")
    bag.manifest("sha256", **{"data/c": b"c"})
    bag.put("bag-info.txt", b"")
    finding = bag.look().one(FindingKind.DAMAGED_METADATA)
    assert finding.path.endswith(b"manifest-sha512.txt")
    assert finding.files == (b"data/c",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{digest(b'a')}  /etc/passwd", "has an absolute path"),
        (f"{digest(b'a')}  data/../../x", "leads out of the directory"),
        (f"{digest(b'a')}  bag-info.txt", "names a file that is no payload"),
        (f"{digest(b'a', 'md5')}  data/a", "has a digest that is none of SHA-256"),
        ("prose", "is no manifest line (prose)"),
    ],
)
def test_hostile_lines_of_a_manifest(bag: Bag, text: str, reason: str) -> None:
    with (bag.path / "manifest-sha256.txt").open("a") as file:
        file.write(text + "\n")
    looked = bag.look()
    assert f"line 3 {reason}" in looked.one(FindingKind.DAMAGED_METADATA).explanation
    assert looked.verdicts["data/a"] is Verdict.OK


def test_a_manifest_in_an_algorithm_nobody_knows(bag: Bag) -> None:
    (bag.path / "manifest-sha256.txt").rename(bag.path / "manifest-crc32.txt")
    looked = bag.look()
    said = {one.explanation for one in looked.of(FindingKind.DAMAGED_METADATA)}
    assert any("crc32 cannot be computed here" in one for one in said)
    assert any("It has no manifest" in one for one in said)
    assert set(looked.verdicts.values()) == {Verdict.UNVERIFIABLE}


def test_a_bag_below_the_top_keeps_to_itself(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    folder = Bag(tmp_path / "many", Checksums())
    folder.fill("one/").fill("two/")
    folder.put("two/data/a", b"changed")
    folder.put("data/loose", b"x")
    looked = folder.look()
    assert looked.verdicts["one/data/a"] is Verdict.OK
    assert looked.verdicts["two/data/a"] is Verdict.CORRUPT
    assert looked.why("data/loose") == "No list here names it, so nothing vouches for it."
    assert folder.recognised()


def test_no_bag_at_all(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    folder = Folder(tmp_path / "bag", Checksums())
    folder.put("bagit.txt", b"hello")
    folder.put("manifest-sha256.txt", line("data/a", b"a"))
    folder.put("data/a", b"a")
    looked = folder.look()
    assert set(looked.verdicts) == {"bagit.txt", "data/a", "manifest-sha256.txt"}
    assert set(looked.verdicts.values()) == {Verdict.UNVERIFIABLE}
