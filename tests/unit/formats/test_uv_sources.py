"""Good copies: wheels, folders of wheels, other caches, and those that are none."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import zipfile
from pathlib import Path

import msgpack
import pytest
from tests.real.uv.wheels import files_of, make_wheel
from tests.unit.formats.uv_making import ID, MadeUv, archive_value, hashed, newer

from cachewright.formats.base import References, Verification
from cachewright.formats.uv import Uv
from cachewright.model import CancelToken, FindingKind, StepKind
from cachewright.model import EntryVerdict as Verdict
from cachewright.storage.anchored import Directory

CONTENT = {"toy/__init__.py": b"x = 1\n", "toy/data.txt": b"data" * 50}


@pytest.fixture
def made(tmp_path: Path) -> MadeUv:
    made = MadeUv(tmp_path)
    made.whole()
    return made


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def broken(made: MadeUv) -> Path:
    place = made.cache / "archive-v0" / ID / "toy" / "data.txt"
    place.write_bytes(b"broken")
    return place


def wheel(made: MadeUv, folder: str = "wheels", **changed: bytes) -> Path:
    content = {**CONTENT, **{f"toy/{name}.txt": one for name, one in changed.items()}}
    return make_wheel(made.top / folder, "toy", content=content)


def proofs(made: MadeUv, *sources: Path) -> list[tuple[str, str]]:
    """Name and proof of each copy."""
    (copies,) = made.look(*sources).copies.values()
    return [(os.fsdecode(os.path.basename(one.path)), one.proof) for one in copies]


BY_RECORD = "all its files have the digests in the entry's RECORD"
BY_SHA256 = "its SHA-256 is the one that uv recorded of the wheel"


def test_a_wheel_by_its_files(made: MadeUv) -> None:
    good = wheel(made)
    broken(made)
    looked = made.look(good)
    (finding,) = looked.findings
    republish, quarantine = finding.repairs
    assert (republish.step, republish.source) == (StepKind.REPUBLISH_ENTRY, os.fsencode(good))
    assert quarantine.step is StepKind.QUARANTINE_ENTRY
    assert proofs(made, good) == proofs(made, good.parent) == [(good.name, BY_RECORD)]
    assert proofs(made) == []


def test_a_wheel_by_its_sha256_though_the_record_is_lost(made: MadeUv) -> None:
    good = wheel(made)
    made.pointer(sha256=sha256(good))
    (made.cache / "archive-v0" / ID / "toy-1.0.dist-info" / "RECORD").write_bytes(b"")
    assert proofs(made, good) == [(good.name, BY_SHA256)]
    other = wheel(made, "other", data=b"another")
    assert proofs(made, other) == []
    shutil.rmtree(made.cache / "archive-v0" / ID)
    (made.cache / "archive-v0" / ID).mkdir()
    assert proofs(made, good) == [(good.name, BY_SHA256)]


@pytest.mark.parametrize("name", ["data", "more"])
def test_a_wheel_with_other_files_is_none(made: MadeUv, name: str) -> None:
    broken(made)
    assert proofs(made, wheel(made, **{name: b"another"})) == []


def test_a_wheel_of_another_name_is_not_even_read(made: MadeUv) -> None:
    (made.top / "wheels").mkdir()
    odd = made.top / "wheels" / "toy-2.0-py3-none-any.whl"
    odd.write_bytes(b"no wheel")
    assert made.look(odd.parent).findings == []
    renamed = wheel(made).rename(made.top / "renamed.zip")
    assert proofs(made, renamed) == [("renamed.zip", BY_RECORD)]


def test_damaged_sources_are_told_and_left_out(made: MadeUv) -> None:
    folder = made.top / "wheels"
    folder.mkdir()
    (folder / "toy-1.0-py3-none-any.whl").write_bytes(b"no wheel")
    empty = made.top / "empty"
    empty.mkdir()
    pipe = made.top / "pipe"
    os.mkfifo(pipe)
    broken(made)
    looked = made.look(folder, empty, pipe, made.top / "missing")
    told = [one for one in looked.findings if not one.repairs]
    kinds = [one.kind for one in told]
    assert sorted(kinds) == [
        FindingKind.DAMAGED_METADATA,
        FindingKind.FOREIGN_TYPE,
        FindingKind.UNREADABLE,
        FindingKind.UNREADABLE,
    ]
    assert all(
        "vouches for nothing" in one.explanation for one in looked.findings if not one.repairs
    )


def test_a_wheel_without_record_or_with_a_hostile_name(made: MadeUv) -> None:
    for names in (
        ["toy/a.py"],
        ["../evil", "toy-1.0.dist-info/RECORD"],
        ["a.dist-info/RECORD", "b.dist-info/RECORD"],
    ):
        path = made.top / "toy-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"")
        broken(made)
        looked = made.look(path)
        assert looked.copies[f"toy-1.0/{ID}"] == []
        assert FindingKind.DAMAGED_METADATA in [one.kind for one in looked.findings]


def another_cache(made: MadeUv) -> MadeUv:
    top = made.top / "another"
    top.mkdir()
    other = MadeUv(top)
    other.unpacked("toy", "CCCCCCCCCCCCCCCC")
    return other


def test_another_cache_by_record(made: MadeUv) -> None:
    other = another_cache(made)
    broken(made)
    assert proofs(made, other.cache) == [("CCCCCCCCCCCCCCCC", BY_RECORD)]
    os.truncate(other.cache / "archive-v0/CCCCCCCCCCCCCCCC/toy/data.txt", 1)
    assert proofs(made, other.cache) == []


def test_another_cache_by_its_pointer_though_the_record_is_lost(made: MadeUv) -> None:
    other = another_cache(made)
    stem = "wheels-v6/pypi/toy/1.0-py3-none-any"
    value = archive_value("CCCCCCCCCCCCCCCC", "ab" * 32)
    other.write(f"{stem}.http", newer(msgpack.packb(value)))
    (made.cache / "archive-v0" / ID / "toy-1.0.dist-info" / "RECORD").write_bytes(b"")
    ((name, proof),) = proofs(made, other.cache)
    assert name == "CCCCCCCCCCCCCCCC"
    assert "unpacked it from the wheel with the recorded SHA-256" in proof
    data = other.cache / "archive-v0/CCCCCCCCCCCCCCCC/toy/data.txt"
    content = data.read_bytes()
    data.write_bytes(b"not what its RECORD says")
    assert proofs(made, other.cache) == []
    data.write_bytes(content)
    value = archive_value("CCCCCCCCCCCCCCCC", "cd" * 32)
    other.write(f"{stem}.http", newer(msgpack.packb(value)))
    assert proofs(made, other.cache) == []


def test_an_archive_of_another_cache_by_itself_and_the_own_cache_never(made: MadeUv) -> None:
    other = another_cache(made)
    broken(made)
    alone = other.cache / "archive-v0" / "CCCCCCCCCCCCCCCC"
    assert proofs(made, alone) == [(alone.name, BY_RECORD)]
    assert proofs(made, made.cache) == []
    made.unpacked()
    assert proofs(made, made.cache) == []


def test_the_wheel_that_was_built_here_is_a_copy(made: MadeUv) -> None:
    shutil.rmtree(made.cache / "wheels-v7")
    folder = "sdists-v10/path/0123456789abcdef/REVISION01234567"
    make_wheel(made.cache / folder, "toy", content=CONTENT)
    made.link(f"../../../../archive-v0/{ID}", f"{folder}/toy-1.0-py3-none-any")
    broken(made)
    (made.cache / "archive-v0" / ID / "toy-1.0.dist-info" / "RECORD").write_bytes(b"")
    looked = made.look()
    (copy,) = looked.copies[f"toy-1.0/{ID}"]
    assert copy.proof == "uv built this wheel and unpacked the entry from it"


def staged(made: MadeUv, source: Path) -> tuple[dict[str, bytes], Verdict]:
    """What the first copy writes, and what is then said of it."""
    stage = made.top / "stage"
    stage.mkdir()
    with Directory.open(os.fsencode(made.cache)) as root, Directory.open(os.fsencode(stage)) as to:
        references = References(sources=(os.fsencode(source),))
        knowledge = Uv().read(root, made.tree(root), references)
        (entry,) = knowledge.entries
        copy = knowledge.copies(entry)[0]
        written = copy.write_into(to, CancelToken())
        seen = hashed(os.fsencode(stage), frozenset({"sha256"}))
        assert {name: one.sha256 for name, one in written.items()} == {
            name: one.sha256 for name, one in seen.files.items()
        }
        assert written.keys() == copy.files().keys()
        verdict = knowledge.judge(entry, seen).verdict
        nothing = knowledge.judge(entry, Verification({}, {})).verdict
        odd = knowledge.judge(entry, Verification(copy.files(), {}, (b"link",))).verdict
    assert nothing is Verdict.INCOMPLETE
    assert odd is not Verdict.OK
    files = {
        str(one.relative_to(stage)): one.read_bytes() for one in stage.rglob("*") if one.is_file()
    }
    return files, verdict


def test_what_a_wheel_is_unpacked_to(made: MadeUv) -> None:
    broken(made)
    files, verdict = staged(made, wheel(made))
    assert files == files_of("toy", "1.0", CONTENT)
    assert verdict is Verdict.OK


def test_files_get_the_modes_that_uv_gives_them(made: MadeUv) -> None:
    good = wheel(made)
    with zipfile.ZipFile(good) as archive:
        inside = {one.filename: archive.read(one) for one in archive.infolist()}
    modes = {"toy/__init__.py": 0o775, "toy/data.txt": 0o600}
    with zipfile.ZipFile(good, "w") as archive:
        for name, one in inside.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | modes.get(name, 0o444)) << 16
            archive.writestr(info, one)
    broken(made)
    staged(made, good)
    top = made.top / "stage"
    found = {one.name: stat.S_IMODE(one.stat().st_mode) for one in top.rglob("*") if one.is_file()}
    assert found.pop("__init__.py") == 0o755
    assert set(found.values()) == {0o644}


def test_a_record_that_does_not_list_all_is_healed_as_uv_does(made: MadeUv) -> None:
    made.unpacked(files={"toy/data.txt": b"broken"})
    odd = make_wheel(made.top / "w", "toy", content=CONTENT, unlisted=["toy/data.txt"])
    made.pointer(sha256=sha256(odd))
    files, verdict = staged(made, odd)
    assert verdict is Verdict.OK
    record = files["toy-1.0.dist-info/RECORD"].decode().splitlines()
    assert "toy/data.txt,,200" in record
    assert record == sorted(record)


def test_what_an_archive_is_copied_to(made: MadeUv) -> None:
    other = another_cache(made)
    broken(made)
    files, verdict = staged(made, other.cache)
    assert files == files_of("toy", "1.0", CONTENT)
    assert verdict is Verdict.OK


def test_a_wheel_that_was_published_with_a_wrong_record_is_as_it_should_be(made: MadeUv) -> None:
    files = files_of("toy", "1.0", CONTENT)
    wrong = {**files, "toy/data.txt": b"never what RECORD says"}
    path = made.top / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, one in wrong.items():
            archive.writestr(name, one)
    made.unpacked(files=wrong)
    made.pointer(sha256=sha256(path))
    assert made.look().verdict is Verdict.CORRUPT
    looked = made.look(path)
    assert (looked.verdict, looked.findings) == (Verdict.OK, [])
    assert "file by file what" in next(iter(looked.why.values()))
    broken(made)
    assert made.look(path).verdict is Verdict.CORRUPT


def test_digests_of_other_kinds_are_asked_for_and_compared(made: MadeUv) -> None:
    files = files_of("toy", "1.0", CONTENT)
    raw = base64.urlsafe_b64encode(hashlib.sha512(b"x = 1\n").digest()).rstrip(b"=").decode()
    record = f"toy/__init__.py,sha512={raw},6\n".encode()
    own = b"toy-1.0.dist-info/RECORD,,\n"
    rest = {name: one for name, one in files.items() if not name.endswith("RECORD")}
    for name, one in rest.items():
        if name != "toy/__init__.py":
            spelled = base64.urlsafe_b64encode(hashlib.sha256(one).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={spelled},{len(one)}\n".encode()
    made.unpacked(files={**rest, "toy-1.0.dist-info/RECORD": record + own})
    looked = made.look()
    assert looked.knowledge.algorithms() == {"sha256", "sha512"}
    assert looked.verdict is Verdict.OK
    (made.cache / "archive-v0" / ID / "toy" / "__init__.py").write_bytes(b"x = 2\n")
    assert made.look().finding.files == (b"toy/__init__.py",)
