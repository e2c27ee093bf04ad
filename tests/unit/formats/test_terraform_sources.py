from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.formats import terraform_copies
from cachewright.model import CancelToken, FindingKind, Severity
from cachewright.model import EntryVerdict as Verdict
from cachewright.storage.anchored import Directory

NAME = "tf.example.com/acme/toy/1.2.3/linux_amd64"


@pytest.fixture
def damaged(made: Any, facts: Any) -> Path:
    """A project whose cache entry has a flipped byte; whoever holds a good copy is asked."""
    entry = made.entry()
    (entry / facts.binary).write_bytes(b"Binary of linux")
    return Path(made.project(facts.h1(facts.files)))


def sources_of(looked: Any) -> list[bytes]:
    return [one.path for one in looked.copies[NAME]]


def test_a_single_archive(made: Any, damaged: Path, tmp_path: Path) -> None:
    path = made.archive(path=tmp_path / "terraform-provider-toy_1.2.3_linux_amd64.zip")
    assert sources_of(made.look(damaged, sources=[path])) == [os.fsencode(path)]


def test_a_single_archive_of_any_name(made: Any, damaged: Path, tmp_path: Path) -> None:
    path = made.archive(path=tmp_path / "good.zip")
    assert sources_of(made.look(damaged, sources=[path])) == [os.fsencode(path)]


def test_a_directory_of_archives(made: Any, damaged: Path, tmp_path: Path) -> None:
    path = made.archive(path=tmp_path / "kept/terraform-provider-toy_1.2.3_linux_amd64.zip")
    assert sources_of(made.look(damaged, sources=[tmp_path / "kept"])) == [os.fsencode(path)]


def test_another_cache_and_a_single_entry(made: Any, damaged: Path, tmp_path: Path) -> None:
    other = made.unpacked(tmp_path / "other" / NAME)
    assert sources_of(made.look(damaged, sources=[tmp_path / "other"])) == [os.fsencode(other)]
    assert sources_of(made.look(damaged, sources=[other])) == [os.fsencode(other)]
    plain = made.unpacked(tmp_path / "plain")
    assert sources_of(made.look(damaged, sources=[plain])) == [os.fsencode(plain)]


def test_a_copy_that_is_damaged_itself_is_none(
    made: Any, facts: Any, damaged: Path, tmp_path: Path
) -> None:
    other = made.unpacked(tmp_path / "other" / NAME)
    (other / facts.binary).write_bytes(b"bad")
    assert sources_of(made.look(damaged, sources=[tmp_path / "other"])) == []


def test_a_copy_of_its_own_in_a_project(made: Any, facts: Any, damaged: Path) -> None:
    project = made.project(facts.h1(facts.files), name="windows")
    own = made.unpacked(project / ".terraform/providers" / NAME)
    assert sources_of(made.look(damaged, project)) == [os.fsencode(own)]


def test_an_unnamed_copy_needs_a_lock_file_that_can_only_mean_this_platform(
    made: Any, facts: Any, tmp_path: Path
) -> None:
    """Or another platform's files would be published over the entry."""
    made.entry()
    darwin = {facts.binary: b"binary of darwin"}
    project = made.project("h1:" + "A" * 43 + "=", facts.h1(darwin))
    archive = made.archive(darwin, path=tmp_path / "unnamed.zip")
    plain = made.unpacked(tmp_path / "plain", darwin)
    looked = made.look(project, sources=[archive, plain])
    assert looked.verdict is Verdict.CORRUPT
    assert sources_of(looked) == []


def test_the_cache_is_no_source_of_its_own(made: Any, facts: Any, damaged: Path) -> None:
    os.mkfifo(made.cache / NAME / "pipe")
    (made.top / "alias").symlink_to(made.cache)
    looked = made.look(damaged, sources=[made.top / "alias"])
    assert sources_of(looked) == []
    assert looked.kinds == [FindingKind.CORRUPT_ENTRY, FindingKind.FOREIGN_TYPE]
    assert facts.binary in os.listdir(made.cache / NAME)


def test_where_a_link_leads_is_no_copy_of_the_entry(made: Any, facts: Any) -> None:
    target = made.unpacked(made.mirror / NAME)
    (made.cache / NAME).parent.mkdir(parents=True)
    (made.cache / NAME).symlink_to(target)
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.OK
    assert sources_of(looked) == []


def test_archives_of_other_versions_and_types_say_nothing(made: Any, facts: Any) -> None:
    made.entry()
    place = made.mirror / facts.address
    for name in ("toy_1.2.4", "toys_1.2.3", "toy_1.2.3_x"):
        other = {facts.binary: name.encode()}
        made.archive(other, path=place / f"terraform-provider-{name}_linux_amd64.zip")
    assert made.look().verdict is Verdict.UNVERIFIABLE


def test_a_recorded_h1_of_the_archive_itself_makes_it_a_good_copy(made: Any, facts: Any) -> None:
    files = {**facts.files, "docs/README.md": b"hi"}
    entry = made.entry(files)
    (entry / "LICENSE.txt").unlink()
    archive = made.archive(files, directories=["docs/"])
    looked = made.look(made.project(facts.h1(files, ["docs/"])))
    assert sources_of(looked) == [os.fsencode(archive)]


def test_a_directory_with_a_link_is_no_copy(made: Any, damaged: Path, tmp_path: Path) -> None:
    other = made.unpacked(tmp_path / "other" / NAME)
    os.rename(other / "LICENSE.txt", tmp_path / "text")
    (other / "LICENSE.txt").symlink_to(tmp_path / "text")
    looked = made.look(damaged, sources=[tmp_path / "other"])
    assert sources_of(looked) == []
    assert looked.findings[-1].path == os.fsencode(other)


def test_a_damaged_archive_vouches_for_nothing(made: Any, facts: Any) -> None:
    made.entry()
    path = made.archive()
    content = bytearray(path.read_bytes())
    content[content.index(b"binary of linux")] ^= 1
    path.write_bytes(content)
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.OK
    (notice,) = looked.findings
    assert (notice.kind, notice.severity) == (FindingKind.DAMAGED_METADATA, Severity.NOTICE)
    assert notice.path == os.fsencode(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"archives": []}', '{"archives": {"x_y": {}}}', "[" * 100_000]
)
def test_a_damaged_index_vouches_for_nothing(made: Any, facts: Any, text: str) -> None:
    made.entry()
    path = made.index(linux_amd64=["h1:x"])
    path.write_text(text)
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.OK
    assert [one.path for one in looked.findings] == [os.fsencode(path)]


def test_a_source_that_is_not_there_is_a_problem(made: Any) -> None:
    made.entry()
    (finding,) = made.look(sources=[made.top / "typo"]).findings
    assert (finding.kind, finding.severity) == (FindingKind.UNREADABLE, Severity.PROBLEM)


def test_an_archive_in_the_cache_itself_vouches(made: Any, facts: Any) -> None:
    made.entry()
    name = "terraform-provider-toy_1.2.3_linux_amd64.zip"
    made.archive(path=made.cache / facts.address / name)
    assert made.look(sources=[]).verdict is Verdict.OK


def test_copies_write_what_they_say(made: Any, facts: Any, damaged: Path, tmp_path: Path) -> None:
    made.archive()
    made.unpacked(tmp_path / "other" / NAME)
    looked = made.look(damaged, sources=[made.mirror, tmp_path / "other"])
    packed, unpacked = looked.copies[NAME]
    for number, copy in enumerate((packed, unpacked)):
        place = tmp_path / f"staging{number}"
        place.mkdir()
        with Directory.open(os.fsencode(place)) as staging:
            written = copy.write_into(staging, CancelToken())
        assert {name: one.sha256 for name, one in written.items()} == {
            name: one.sha256 for name, one in copy.files().items()
        }
        assert (place / facts.binary).read_bytes() == facts.files[facts.binary]
        assert os.access(place / facts.binary, os.X_OK)
        assert copy.proof


def test_an_archive_is_read_once_until_it_changes(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.fsencode(made.archive())
    real = terraform_copies._read_archive
    read: list[bytes] = []

    def counting(path: bytes, cancel: CancelToken) -> terraform_copies.ArchiveFacts:
        read.append(path)
        return real(path, cancel)

    monkeypatch.setattr(terraform_copies, "_read_archive", counting)
    archives = terraform_copies.Archives()
    alias = path + b".zip"
    os.link(path, alias)
    first = archives.facts(path, CancelToken())
    assert archives.facts(path, CancelToken()) is first
    assert len(read) == 1
    assert archives.facts(alias, CancelToken()).path == alias
    read.clear()
    os.utime(path, (1, 1))
    archives.facts(path, CancelToken())
    assert len(read) == 1
