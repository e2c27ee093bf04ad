from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import Cancelled
from cachewright.formats import terraform_projects
from cachewright.formats.terraform_layout import Release
from cachewright.formats.terraform_projects import Projects, read_projects
from cachewright.model import CancelToken, FindingKind, Severity

H1 = "h1:" + "A" * 43 + "="
RELEASE = Release(b"tf.example.com/acme/toy", b"1.2.3")
NAME = ".terraform.lock.hcl"


def read(*paths: Path) -> Projects:
    return read_projects([os.fsencode(path) for path in paths], CancelToken())


def where(found: Projects) -> list[str]:
    return [os.fsdecode(record.project) for record in found.of(RELEASE)]


@pytest.fixture
def lock(facts: Any) -> str:
    return str(facts.lock(H1))


def put(path: Path, text: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / NAME).write_text(text)
    return path


def test_lock_files_below_a_project(tmp_path: Path, lock: str) -> None:
    wanted = [put(tmp_path / name, lock) for name in (".", "live/a", "live/b/c")]
    for skipped in (".terraform/modules/x", ".git/x", "node_modules/x"):
        put(tmp_path / skipped, lock)
    assert sorted(where(read(tmp_path))) == sorted(str(path) for path in wanted)


def test_no_link_is_followed(tmp_path: Path, lock: str) -> None:
    outside = put(tmp_path / "outside", lock)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "linked").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / NAME).symlink_to(outside / NAME)
    found = read(inside)
    assert where(found) == []
    (finding,) = found.findings
    assert "no regular file" in finding.explanation


def test_the_same_project_twice_counts_once(tmp_path: Path, lock: str) -> None:
    inner = put(tmp_path / "a", lock)
    assert len(where(read(tmp_path, inner, tmp_path))) == 1


def test_a_lock_file_given_by_name_is_read_alone(tmp_path: Path, lock: str) -> None:
    put(tmp_path, lock)
    put(tmp_path / "below", lock)
    assert where(read(tmp_path / NAME)) == [str(tmp_path)]


def test_the_working_directory_counts_only_with_a_lock_file_of_its_own(
    tmp_path: Path, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "below", lock)
    monkeypatch.chdir(tmp_path)
    assert where(read()) == []
    put(tmp_path, lock)
    assert sorted(where(read())) == [str(tmp_path), str(tmp_path / "below")]


@pytest.mark.parametrize(
    ("content", "severity", "words"),
    [
        (b"", Severity.NOTICE, "it is empty"),
        (b"\xff\xfe", Severity.PROBLEM, "it is not UTF-8 text"),
        (b'provider "x', Severity.PROBLEM, "it ends in the middle"),
        (b"#" * ((512 << 10) + 1), Severity.PROBLEM, "larger than 512 KiB and was not read"),
    ],
)
def test_a_damaged_lock_file_vouches_for_nothing(
    tmp_path: Path, content: bytes, severity: Severity, words: str
) -> None:
    (tmp_path / NAME).write_bytes(content)
    (finding,) = read(tmp_path).findings
    assert finding.kind is FindingKind.DAMAGED_METADATA
    assert finding.severity is severity
    assert finding.path == os.fsencode(tmp_path / NAME)
    assert words in finding.explanation


def test_a_pipe_in_its_place_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    (finding,) = read(tmp_path).findings
    assert "was not opened" in finding.explanation


def test_a_project_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (finding,) = read(tmp_path / "typo").findings
    assert (finding.kind, finding.severity) == (FindingKind.UNREADABLE, Severity.PROBLEM)


def test_many_directories_are_bounded(
    tmp_path: Path, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform_projects, "MAX_DIRECTORIES", 10)
    for number in range(20):
        put(tmp_path / f"p{number:02}", lock)
    found = read(tmp_path)
    assert len(where(found)) == 9
    (finding,) = found.findings
    assert finding.severity is Severity.NOTICE
    assert "the first 10 directories only" in finding.explanation


def test_deep_trees_are_left_at_a_depth(tmp_path: Path, lock: str) -> None:
    deep = tmp_path
    for _ in range(terraform_projects.MAX_DEPTH + 1):
        deep /= "d"
    put(deep.parent, lock)
    put(deep, lock)
    assert where(read(tmp_path)) == [str(deep.parent)]


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        read_projects([os.fsencode(tmp_path)], token)


def test_what_is_installed(made: Any) -> None:
    made.entry()
    project = made.project(H1, installed=["linux_amd64", "darwin_arm64"])
    place = project / ".terraform/providers/tf.example.com/acme/toy/1.2.3"
    (place / "windows_amd64").mkdir()
    (place / "linux_amd64.lock").write_bytes(b"")
    (record,) = read(project).of(RELEASE)
    found = {one.platform: one for one in record.installed}
    assert sorted(found) == [b"darwin_arm64", b"linux_amd64", b"windows_amd64"]
    linux = made.cache / "tf.example.com/acme/toy/1.2.3/linux_amd64"
    assert found[b"linux_amd64"].target == os.fsencode(linux)
    assert found[b"linux_amd64"].place == (linux.stat().st_dev, linux.stat().st_ino)
    assert found[b"darwin_arm64"].place is None
    assert found[b"windows_amd64"].target is None
