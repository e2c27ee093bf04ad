from __future__ import annotations

import os
from typing import Any

import pytest

from cachewright.formats.terraform import Terraform
from cachewright.model import EntryVerdict as Verdict
from cachewright.model import FindingKind, Severity, StepKind

WRONG = "h1:" + "A" * 43 + "="
OTHER = "h1:" + "B" * 43 + "="


def blocks(looked: Any) -> list[dict[str, Any]]:
    """What is to be rewritten, from the one problem there is."""
    (finding,) = looked.findings
    assert finding.kind is FindingKind.POISONED_CHECKSUM
    assert finding.severity is Severity.PROBLEM
    assert finding.repair.step is StepKind.DROP_POISONED_CHECKSUM
    return list(finding.repair.detail["blocks"])


def is_notice(looked: Any) -> bool:
    (finding,) = looked.findings
    assert finding.kind is FindingKind.UNEXPLAINED_CHECKSUM
    assert finding.severity is Severity.NOTICE
    return finding.repairs == ()


@pytest.fixture
def good(made: Any, facts: Any) -> str:
    made.entry()
    return str(facts.h1(facts.files))


def test_every_zh_is_at_hand(made: Any, facts: Any, good: str) -> None:
    linux = made.archive()
    darwin = made.archive({facts.binary: b"binary of darwin"}, "darwin_arm64")
    project = made.project(good, WRONG, facts.zh(linux), facts.zh(darwin))
    (block,) = blocks(made.look(project))
    assert block == {"provider": facts.address, "version": "1.2.3", "drop": [WRONG], "add": []}
    # One archive less and the line may be that platform's.
    darwin.unlink()
    assert is_notice(made.look(project))


def test_the_mirrors_index_lists_every_platform(made: Any, good: str) -> None:
    made.index(linux_amd64=[good], darwin_arm64=[OTHER])
    (block,) = blocks(made.look(made.project(good, OTHER, WRONG)))
    assert block["drop"] == [WRONG]


def test_an_index_with_a_platform_without_h1_accounts_for_nothing(made: Any, good: str) -> None:
    made.index(linux_amd64=[good], darwin_arm64=["zh:" + "0" * 64])
    assert is_notice(made.look(made.project(good, WRONG)))


def test_archives_without_an_index_account_for_nothing(made: Any, good: str) -> None:
    made.archive()
    assert is_notice(made.look(made.project(good, WRONG)))


def test_an_index_beside_signed_digests_accounts_for_nothing(made: Any, good: str) -> None:
    made.index(linux_amd64=[good])
    assert is_notice(made.look(made.project(good, WRONG, "zh:" + "0" * 64)))


def test_the_only_line_is_that_of_the_installed_platform(made: Any, good: str) -> None:
    made.archive()
    installed = made.project(WRONG, name="installed", installed=["linux_amd64"])
    (block,) = blocks(made.look(installed))
    assert (block["drop"], block["add"]) == ([WRONG], [good])
    # Not installed, or installed for a platform of which nothing is known: it may be right.
    assert is_notice(made.look(made.project(WRONG, name="bare")))
    elsewhere = made.project(WRONG, name="elsewhere", installed=["darwin_arm64"])
    assert is_notice(made.look(elsewhere))
    # Two lines: either may be another platform's.
    assert is_notice(made.look(made.project(WRONG, OTHER, name="two", installed=["linux_amd64"])))


def test_a_mirror_that_nothing_else_agrees_with_talks_no_line_out(made: Any, facts: Any) -> None:
    """Entry, archive and lock file all differ: the archive may be the one that was replaced."""
    entry = made.entry()
    (entry / facts.binary).write_bytes(b"damaged")
    made.archive({facts.binary: b"evil"})
    project = made.project(facts.h1(facts.files), installed=["linux_amd64"])
    looked = made.look(project)
    assert looked.kinds == [FindingKind.CORRUPT_ENTRY, FindingKind.UNEXPLAINED_CHECKSUM]
    # Nor is it offered for publishing what the lock file would refuse.
    steps = [one.step for one in looked.findings[0].repairs]
    assert steps == [StepKind.QUARANTINE_ENTRY]
    # Nor does it help the mirror that an index of its own says the same.
    made.index(linux_amd64=[facts.h1({facts.binary: b"evil"})])
    looked = made.look(project)
    assert looked.kinds == [FindingKind.CORRUPT_ENTRY, FindingKind.UNEXPLAINED_CHECKSUM]
    # A second lock file that knows the archive's content is a witness.
    witness = made.project(facts.h1({facts.binary: b"evil"}), name="witness")
    assert FindingKind.POISONED_CHECKSUM in made.look(project, witness).kinds


def test_an_entry_with_the_mirrors_executable_is_a_witness(made: Any) -> None:
    entry = made.entry()
    (entry / "extra").write_text("x")
    archive = made.archive()
    looked = made.look(made.project(WRONG, installed=["linux_amd64"]))
    assert looked.kinds == [FindingKind.FOREIGN_FILE, FindingKind.POISONED_CHECKSUM]
    assert looked.findings[0].repair.source == os.fsencode(archive)


def test_a_line_that_fits_an_entry_that_is_not_disproved_is_left_alone(
    made: Any, facts: Any, good: str
) -> None:
    made.archive({facts.binary: b"another"})
    looked = made.look(made.project(good, installed=["linux_amd64"]))
    assert looked.kinds == [FindingKind.DISPUTED_DIGEST]


def test_the_digest_of_a_damaged_entry_beside_the_right_one(made: Any, facts: Any) -> None:
    damaged = {**facts.files, "extra": b"x"}
    made.entry(damaged)
    made.archive()
    looked = made.look(made.project(facts.h1(facts.files), facts.h1(damaged)))
    assert looked.verdict is Verdict.CORRUPT
    assert looked.kinds == [FindingKind.FOREIGN_FILE, FindingKind.POISONED_CHECKSUM]
    (block,) = looked.findings[1].repair.detail["blocks"]
    assert block["drop"] == [facts.h1(damaged)]


def test_both_digests_of_an_archive_with_directories_are_put_in(made: Any, facts: Any) -> None:
    files = {**facts.files, "docs/README.md": b"hi"}
    made.entry(files)
    made.archive(files, directories=["docs/"])
    (block,) = blocks(made.look(made.project(WRONG, installed=["linux_amd64"])))
    assert block["add"] == sorted([facts.h1(files), facts.h1(files, ["docs/"])])


def test_one_problem_per_lock_file_with_all_its_blocks(made: Any, facts: Any) -> None:
    made.entry()
    made.archive()
    second = "tf.example.com/acme/two"
    files = {"terraform-provider-two": b"two"}
    made.unpacked(made.cache / second / "1.2.3" / "linux_amd64", files)
    place = made.mirror / second / "terraform-provider-two_1.2.3_linux_amd64.zip"
    zh = facts.zh(made.archive(files, path=place))
    project = made.project(WRONG, installed=["linux_amd64"])
    lock = project / ".terraform.lock.hcl"
    lock.write_text(lock.read_text() + facts.lock(WRONG, zh, address=second))
    looked = made.look(project)
    found = blocks(looked)
    assert [one["provider"] for one in found] == [facts.address, second]
    finding = looked.findings[0]
    assert finding.path == os.fsencode(lock)
    form = Terraform()
    lock.write_bytes(form.rewrite(finding.repair.step, finding.repair.detail, lock.read_bytes()))
    assert made.look(project).findings == []


def test_the_same_unexplained_line_in_many_lock_files_is_one_notice(made: Any, good: str) -> None:
    projects = [made.project(good, WRONG, name=f"p{number}") for number in range(5)]
    looked = made.look(*projects)
    assert is_notice(looked)
    assert "p1/.terraform.lock.hcl" in looked.findings[0].explanation


def test_nothing_is_said_where_nothing_could_be_explained(made: Any, facts: Any) -> None:
    entry = made.entry()
    (entry / facts.binary).write_bytes(b"damaged")
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.kinds == [FindingKind.CORRUPT_ENTRY]
