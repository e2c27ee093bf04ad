"""One archive against its RECORD: every way it can be wrong, and what is said of it."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.real.uv.wheels import digest, files_of, make_wheel
from tests.unit.formats.uv_making import ID, OTHER_ID, MadeUv, hashed

from cachewright.formats.base import References
from cachewright.formats.uv import Uv
from cachewright.model import Confirm, FindingKind, Severity, StepKind
from cachewright.model import EntryVerdict as Verdict
from cachewright.storage.anchored import Directory

INFO = "toy-1.0.dist-info"
RECORD = f"{INFO}/RECORD"


@pytest.fixture
def made(tmp_path: Path) -> MadeUv:
    return MadeUv(tmp_path)


def test_a_whole_archive_is_ok_and_says_what_vouches(made: MadeUv) -> None:
    made.whole()
    looked = made.look()
    (entry,) = looked.entries.values()
    assert (entry.name, entry.title) == (f"toy-1.0/{ID}", "toy 1.0")
    assert entry.subtitle == f"py3-none-any · {ID}"
    assert looked.verdict is Verdict.OK
    assert looked.why[entry.name] == (
        "4 files match the digests in RECORD. RECORD itself has none."
    )
    assert looked.findings == []
    (wheel,) = looked.knowledge.expected(entry).whole
    assert (wheel.algorithm, wheel.value) == ("wheel-sha256", "ab" * 32)
    assert wheel.source.endswith(b"1.0-py3-none-any.http")


def test_without_a_pointer_the_digest_of_the_wheel_is_not_known(made: MadeUv) -> None:
    made.unpacked()
    looked = made.look()
    (entry,) = looked.entries.values()
    assert looked.verdict is Verdict.OK
    assert looked.knowledge.expected(entry).whole == ()
    assert "no pointer tells" in looked.knowledge.expected(entry).missing


def test_a_flipped_byte(made: MadeUv) -> None:
    data = made.whole() / "toy" / "data.txt"
    data.write_bytes(b"Data" + data.read_bytes()[4:])
    looked = made.look()
    finding = looked.finding
    assert (looked.verdict, finding.kind) == (Verdict.CORRUPT, FindingKind.CORRUPT_ENTRY)
    assert finding.files == (b"toy/data.txt",)
    assert finding.severity is Severity.PROBLEM
    assert finding.explanation == (
        "toy 1.0: toy/data.txt is not what RECORD says. uv never looks at these digests, so "
        "every new environment gets it as it is."
    )
    (expected,), (actual,) = finding.expected, finding.actual
    assert expected.value == hashlib.sha256(b"data" * 50).hexdigest()
    assert expected.source.endswith(RECORD.encode())
    assert actual.value == hashlib.sha256(data.read_bytes()).hexdigest()
    (offer,) = finding.repairs
    assert (offer.step, offer.confirm) == (StepKind.QUARANTINE_ENTRY, Confirm.CLICK)


def test_a_cut_file_and_many_changed_ones(made: MadeUv) -> None:
    content = {f"toy/{number}.py": b"x" * 9 for number in range(8)}
    top = made.unpacked(files=files_of("toy", "1.0", content))
    for number in range(7):
        os.truncate(top / f"toy/{number}.py", 3)
    finding = made.look().findings[0]
    assert "toy/0.py is cut short (3 of 9 bytes)." in finding.explanation
    assert "2 more files are not." in finding.explanation
    assert len(finding.files) == 7


def test_empty_metadata_names_the_package_and_what_uv_does(made: MadeUv) -> None:
    os.truncate(made.whole() / INFO / "METADATA", 0)
    finding = made.look().finding
    assert finding.files == (f"{INFO}/METADATA".encode(),)
    assert "METADATA is empty (45 bytes are recorded)" in finding.explanation
    assert "uv fails on every install of toy 1.0 because of the empty" in finding.explanation


@pytest.mark.parametrize("name", ["METADATA", "WHEEL"])
def test_missing_metadata(made: MadeUv, name: str) -> None:
    (made.whole() / INFO / name).unlink()
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.INCOMPLETE, [FindingKind.MISSING_FILE])
    assert "uv fails on every install of toy 1.0 without it" in looked.finding.explanation


def test_a_missing_file(made: MadeUv) -> None:
    (made.whole() / "toy" / "data.txt").unlink()
    looked = made.look()
    assert (looked.verdict, looked.finding.kind) == (Verdict.INCOMPLETE, FindingKind.MISSING_FILE)
    assert looked.finding.files == (b"toy/data.txt",)


def test_a_file_that_came_from_elsewhere(made: MadeUv) -> None:
    (made.whole() / "evil.pth").write_text("import evil")
    looked = made.look()
    assert (looked.verdict, looked.finding.kind) == (Verdict.CORRUPT, FindingKind.FOREIGN_FILE)
    assert looked.finding.files == (b"evil.pth",)


def test_several_causes_are_one_corrupt_entry(made: MadeUv) -> None:
    top = made.whole()
    (top / "evil.pth").touch()
    (top / "toy" / "data.txt").unlink()
    assert made.look().finding.kind is FindingKind.CORRUPT_ENTRY


def test_compiled_files_are_no_damage(made: MadeUv) -> None:
    place = made.whole() / "toy" / "__pycache__" / "x.cpython-311.pyc"
    place.parent.mkdir()
    place.write_bytes(b"code")
    looked = made.look()
    assert looked.verdict is Verdict.OK
    assert "1 compiled file (.pyc) came later; nothing vouches" in next(iter(looked.why.values()))


def test_hard_links_are_told(made: MadeUv) -> None:
    top = made.whole()
    os.link(top / "toy" / "data.txt", made.top / "environment.txt")
    looked = made.look()
    assert "hard-linked from 1 other place" in next(iter(looked.why.values()))
    (made.top / "environment.txt").write_bytes(b"edited")
    explanation = made.look().finding.explanation
    assert "toy/data.txt is hard-linked from 1 other place" in explanation
    os.link(top / "toy" / "__init__.py", made.top / "another")
    os.truncate(top / "toy" / "data.txt", 0)
    (top / "toy" / "data.txt").unlink()
    (top / "toy" / "data.txt").touch()
    assert "hard-linked" not in made.look().finding.explanation


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\xff", "it is no UTF-8 text"),
        (b'"', "is no CSV"),
    ],
)
def test_a_record_that_says_nothing(made: MadeUv, content: bytes, words: str) -> None:
    (made.whole() / RECORD).write_bytes(content)
    looked = made.look()
    finding = looked.finding
    assert looked.verdict is Verdict.UNVERIFIABLE
    assert (finding.kind, finding.severity) == (FindingKind.DAMAGED_METADATA, Severity.PROBLEM)
    assert words in finding.explanation
    assert finding.files == (RECORD.encode(),)


def test_a_huge_record_is_not_read(made: MadeUv) -> None:
    os.truncate(made.whole() / RECORD, 64 << 20)
    looked = made.look()
    assert looked.problems == [FindingKind.DAMAGED_METADATA]
    assert "is far larger than that of any wheel" in looked.finding.explanation


def test_a_record_that_was_cut(made: MadeUv) -> None:
    record = made.whole() / RECORD
    record.write_bytes(record.read_bytes().splitlines(keepends=True)[0])
    looked = made.look()
    assert (looked.verdict, looked.problems) == (
        Verdict.UNVERIFIABLE,
        [FindingKind.DAMAGED_METADATA],
    )
    assert "lists neither itself nor" in looked.finding.explanation


def test_a_hostile_row_is_told_and_the_rest_judged(made: MadeUv) -> None:
    top = made.whole()
    with (top / RECORD).open("ab") as file:
        file.write(b"../../../etc/passwd,,\n/etc/passwd,,\n" + b"a,sha256=x,\n" * 3)
    looked = made.look()
    assert looked.verdict is Verdict.UNVERIFIABLE
    assert "../../../etc/passwd lies outside the archive" in looked.finding.explanation
    assert "and 2 more" in looked.finding.explanation
    (top / "toy" / "data.txt").write_bytes(b"changed")
    looked = made.look()
    assert looked.verdict is Verdict.CORRUPT
    assert looked.problems == [FindingKind.CORRUPT_ENTRY, FindingKind.DAMAGED_METADATA]


def test_without_record_or_info_or_any_file(made: MadeUv) -> None:
    top = made.whole()
    (top / RECORD).unlink()
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.INCOMPLETE, [FindingKind.MISSING_FILE])
    for name in ("METADATA", "WHEEL"):
        (top / INFO / name).unlink()
    (top / INFO).rmdir()
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.INCOMPLETE, [FindingKind.INCOMPLETE_ENTRY])
    (entry,) = looked.entries.values()
    assert (entry.name, entry.title) == (f"toy-1.0/{ID}", "toy 1.0")  # by its link
    for name in ("__init__.py", "data.txt"):
        (top / "toy" / name).unlink()
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.INCOMPLETE, [FindingKind.INCOMPLETE_ENTRY])
    assert "holds no file" in looked.finding.explanation


def test_nothing_tells_what_it_was(made: MadeUv) -> None:
    (made.cache / "archive-v0" / ID).mkdir()
    (entry,) = made.look().entries.values()
    assert (entry.name, entry.title) == (f"archive-v0/{ID}", f"Unknown archive {ID}")


def test_two_wheels_in_one_archive(made: MadeUv) -> None:
    made.whole()
    made.unpacked("zeta")
    looked = made.look()
    assert (looked.verdict, looked.problems) == (
        Verdict.UNVERIFIABLE,
        [FindingKind.DAMAGED_METADATA],
    )
    assert f"{INFO}, zeta-1.0.dist-info" in looked.finding.explanation


def test_links_and_pipes_do_not_belong(made: MadeUv) -> None:
    top = made.whole()
    (top / "toy" / "link").symlink_to("/etc/passwd")
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.CORRUPT, [FindingKind.FOREIGN_TYPE])
    (top / "toy" / "data.txt").unlink()
    os.mkfifo(top / "toy" / "data.txt")
    assert made.look().findings[0].files == (b"toy/data.txt", b"toy/link")


def test_a_name_that_is_not_utf8_is_extra_and_shown_safely(made: MadeUv) -> None:
    top = made.whole()
    with open(os.fsencode(top) + b"/toy/\xff\x1b.py", "wb"):
        pass
    finding = made.look().finding
    assert finding.files == (b"toy/\xff\x1b.py",)
    assert "\\xff\\x1b.py" in finding.explanation


def test_a_weak_digest_is_a_notice(made: MadeUv) -> None:
    files = files_of("toy", "1.0", {"toy/a.py": b"a"})
    md5 = hashlib.md5(b"a", usedforsecurity=False).digest()
    row = f"toy/a.py,md5={base64.urlsafe_b64encode(md5).decode()},1\n"
    files[RECORD] = files[RECORD].replace(f"toy/a.py,{digest(b'a')},1\n".encode(), row.encode())
    made.unpacked(files=files)
    looked = made.look()
    assert looked.verdict is Verdict.OK
    kinds = [one.kind for one in looked.findings]
    assert FindingKind.WEAK_DIGEST in kinds
    assert looked.problems == []


def test_no_digest_at_all_is_unverifiable_and_no_problem(made: MadeUv) -> None:
    files = {"toy/a.py": b"a", RECORD: f"toy/a.py,,1\n{RECORD},,\n".encode()}
    made.unpacked(files=files)
    looked = made.look()
    assert looked.verdict is Verdict.UNVERIFIABLE
    assert looked.problems == []
    assert "had no digest in the wheel" in next(iter(looked.why.values()))


SITE = "lib/python3.11/site-packages"


def environment_files(name: str = "toy") -> dict[str, bytes]:
    inside = {
        f"{SITE}/{path}": one for path, one in files_of(name, "1.0", {"toy.py": b"x"}).items()
    }
    record = f"{SITE}/{name}-1.0.dist-info/RECORD"
    row = f"../../../bin/{name},{digest(b'run')},3\n".encode()
    return {
        **inside,
        record: row + inside[record],
        f"bin/{name}": b"run",
        "bin/activate": b"whatever",
        "pyvenv.cfg": b"home = /usr/bin\n",
    }


def test_an_environment_is_judged_by_each_record_in_it(made: MadeUv) -> None:
    top = made.unpacked(files=environment_files())
    (top / "lib64").symlink_to("lib")
    (top / "bin" / "python").symlink_to("/usr/bin/python3")
    made.link(f"../../archive-v0/{ID}", "environments-v2/0123456789abcdef/0123456789abcdef")
    looked = made.look()
    (entry,) = looked.entries.values()
    assert (entry.name, entry.title) == (f"environment/{ID}", "Environment: toy 1.0")
    assert looked.verdict is Verdict.OK
    assert looked.findings == []
    (top / "bin" / "toy").write_bytes(b"evil")
    looked = made.look()
    assert looked.finding.files == (b"bin/toy",)
    assert "the tool runs with it as it is" in looked.finding.explanation
    assert looked.finding.repairs[0].why.startswith("uv makes it again")
    (top / SITE / INFO / "RECORD").unlink()
    assert made.look().problems == [FindingKind.MISSING_FILE]


def test_an_empty_environment_is_unverifiable(made: MadeUv) -> None:
    made.unpacked(files={"pyvenv.cfg": b"", "bin/python": b""})
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.UNVERIFIABLE, [])


def built(made: MadeUv, **options: int) -> Path:
    folder = made.cache / "sdists-v10/path/0123456789abcdef/REVISION01234567"
    return make_wheel(folder, "toy", **options)


def test_a_built_wheel_vouches_for_itself(made: MadeUv) -> None:
    wheel = built(made, packing=zipfile.ZIP_STORED)
    looked = made.look()
    (entry,) = looked.entries.values()
    assert entry.name == "toy-1.0-py3-none-any.whl/REVISION01234567"
    assert entry.title == "toy 1.0"
    assert (looked.verdict, looked.findings) == (Verdict.OK, [])
    content = wheel.read_bytes()
    wheel.write_bytes(content.replace(b"toy" * 64, b"Toy" + b"toy" * 63))
    looked = made.look()
    assert (looked.verdict, looked.problems) == (Verdict.CORRUPT, [FindingKind.CORRUPT_ENTRY])
    assert "cannot be unpacked" in looked.finding.explanation
    wheel.write_bytes(content[:100])
    assert made.look().verdict is Verdict.CORRUPT
    wheel.write_bytes(b"")
    assert made.look().verdict is Verdict.CORRUPT


def test_what_changes_between_hashing_and_judging_is_not_believed(made: MadeUv) -> None:
    made.whole()
    built(made)
    with Directory.open(os.fsencode(made.cache)) as root:
        knowledge = Uv().read(root, made.tree(root), References())
        judged = {}
        for entry in knowledge.entries:
            place = made.cache / os.fsdecode(entry.relative)
            seen = hashed(os.fsencode(place), frozenset({"sha256"}))
            record = place / RECORD if place.is_dir() else place
            with record.open("ab") as file:
                file.write(b"\n")
            judged[entry.name] = knowledge.judge(entry, seen)
    verdicts = {one.verdict for one in judged.values()}
    assert verdicts == {Verdict.UNVERIFIABLE}
    assert all("changed while it was looked at" in one.why for one in judged.values())


def test_entries_of_the_same_name_are_told_apart(made: MadeUv) -> None:
    made.unpacked()
    for bucket in ("archive-v1",):
        for relative, one in files_of("toy", "1.0", {"toy/a.py": b"a"}).items():
            made.write(f"{bucket}/{ID}/{relative}", one)
    assert set(made.look().entries) == {f"archive-v0/{ID}", f"archive-v1/{ID}"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_flipped_bit_in_any_file_with_a_digest_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made = MadeUv(tmp_path_factory.mktemp("flip"))
    top = made.whole()
    names = ["toy/__init__.py", "toy/data.txt", f"{INFO}/METADATA", f"{INFO}/WHEEL"]
    place = top / data.draw(st.sampled_from(names))
    content = bytearray(place.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    place.write_bytes(content)
    finding = made.look().finding
    assert finding.kind is FindingKind.CORRUPT_ENTRY
    assert finding.files == (os.fsencode(place.relative_to(top)),)


def test_two_archives_are_judged_apart(made: MadeUv) -> None:
    made.whole()
    os.truncate(made.whole("other", OTHER_ID) / "other" / "data.txt", 1)
    looked = made.look()
    assert looked.verdicts == {
        f"toy-1.0/{ID}": Verdict.OK,
        f"other-1.0/{OTHER_ID}": Verdict.CORRUPT,
    }
    assert looked.finding.subject == f"other-1.0/{OTHER_ID}"
