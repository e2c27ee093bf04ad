from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Confirm, FindingKind, StepKind
from cachewright.model import EntryVerdict as Verdict

WRONG = "h1:" + "A" * 43 + "="


def test_recorded_by_every_lock_file(made: Any, facts: Any) -> None:
    made.entry()
    good = facts.h1(facts.files)
    projects = [made.project(good, name=name) for name in ("a", "b", "c")]
    looked = made.look(*projects)
    assert looked.verdict is Verdict.OK
    assert list(looked.why.values()) == ["Its h1 is recorded by 3 lock files."]
    assert looked.findings == []


def test_recorded_by_some_is_disputed_and_names_both_sides(made: Any, facts: Any) -> None:
    made.entry()
    good = made.project(facts.h1(facts.files), name="good")
    bad = made.project(WRONG, name="bad")
    looked = made.look(good, bad)
    assert looked.verdict is Verdict.DISPUTED
    finding = looked.findings[0]
    assert finding.kind is FindingKind.DISPUTED_DIGEST
    assert f"recorded in {good}/.terraform.lock.hcl, but not in {bad}/" in finding.explanation
    assert [(one.step, one.confirm) for one in finding.repairs] == [
        (StepKind.QUARANTINE_ENTRY, Confirm.TYPED)
    ]


@pytest.mark.parametrize("source", ["archive", "index"])
def test_a_mirror_settles_the_dispute(made: Any, facts: Any, source: str) -> None:
    made.entry()
    good = facts.h1(facts.files)
    if source == "archive":
        made.archive()
    else:
        made.index(linux_amd64=[good])
    projects = [made.project(good, name="good"), made.project(WRONG, name="bad")]
    assert made.look(*projects).verdict is Verdict.OK


def test_a_line_of_another_platform_speaks_against_nothing(made: Any, facts: Any) -> None:
    made.entry()
    other = {facts.binary: b"binary of darwin"}
    made.archive(other, "darwin_arm64")
    good = made.project(facts.h1(facts.files), name="here")
    there = made.project(facts.h1(other), name="there")
    looked = made.look(good, there)
    assert looked.verdict is Verdict.OK
    assert looked.findings == []
    assert made.look(there).verdict is Verdict.UNVERIFIABLE


def test_a_mirror_that_differs_from_what_all_lock_files_say(made: Any, facts: Any) -> None:
    made.entry()
    archive = made.archive({**facts.files, facts.binary: b"replaced"})
    looked = made.look(made.project(facts.h1(facts.files), installed=["linux_amd64"]))
    assert looked.verdict is Verdict.DISPUTED
    assert looked.kinds == [FindingKind.DISPUTED_DIGEST]
    assert str(archive) in looked.findings[0].explanation


def test_two_sources_of_a_platform_that_differ(made: Any) -> None:
    made.entry()
    made.archive()
    made.index(linux_amd64=[WRONG])
    assert made.look().verdict is Verdict.DISPUTED


def test_only_zh_needs_the_archive(made: Any, facts: Any) -> None:
    made.entry()
    archive = made.archive()
    project = made.project(facts.zh(archive))
    assert made.look(project, sources=[]).verdict is Verdict.UNVERIFIABLE
    assert made.look(project).verdict is Verdict.OK


def test_an_archive_that_the_signed_list_does_not_know_is_doubted(made: Any, facts: Any) -> None:
    made.entry()
    made.archive()
    looked = made.look(made.project("zh:" + "0" * 64))
    assert looked.verdict is Verdict.DISPUTED
    assert looked.copies[f"{facts.address}/1.2.3/linux_amd64"] == []


def test_no_source_is_a_state_and_no_problem(made: Any) -> None:
    made.entry()
    looked = made.look(sources=[])
    assert looked.verdict is Verdict.UNVERIFIABLE
    assert looked.findings == []
    assert looked.knowledge.expected(looked.knowledge.entries[0]).missing


def test_the_archives_own_h1_with_its_directories_vouches_too(made: Any, facts: Any) -> None:
    files = {**facts.files, "docs/README.md": b"hi"}
    made.entry(files)
    made.archive(files, directories=["docs/"])
    recorded = facts.h1(files, ["docs/"])
    assert recorded != facts.h1(files)
    looked = made.look(made.project(recorded))
    assert looked.verdict is Verdict.OK
    assert looked.findings == []


def change(entry: Path, what: str) -> None:
    binary = next(entry.glob("terraform-provider-*"))
    if "change" in what:
        binary.write_bytes(b"BINARY of linux")
    if "cut" in what:
        binary.write_bytes(b"binary")
    if "extra" in what:
        (entry / "extra").write_bytes(b"")
    if "missing" in what:
        (entry / "LICENSE.txt").unlink()


@pytest.mark.parametrize(
    ("what", "expected", "words"),
    [
        ("change", (FindingKind.CORRUPT_ENTRY, ["BINARY"]), "BINARY differs from the good copy."),
        ("cut", (FindingKind.CORRUPT_ENTRY, ["BINARY"]), "is shorter than the good copy (6 of 15"),
        ("extra", (FindingKind.FOREIGN_FILE, ["extra"]), "extra does not belong there."),
        ("missing", (FindingKind.MISSING_FILE, ["LICENSE.txt"]), "LICENSE.txt is missing."),
        (
            "change+extra+missing",
            (FindingKind.CORRUPT_ENTRY, ["LICENSE.txt", "extra", "BINARY"]),
            "BINARY differs from the good copy. extra does not belong there. LICENSE.txt is",
        ),
    ],
)
def test_which_files(
    made: Any, facts: Any, what: str, expected: tuple[FindingKind, list[str]], words: str
) -> None:
    change(made.entry(), what)
    archive = made.archive()
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.CORRUPT
    (finding,) = looked.findings
    names = sorted(name.replace("BINARY", facts.binary).encode() for name in expected[1])
    assert (finding.kind, list(finding.files)) == (expected[0], names)
    assert words.replace("BINARY", facts.binary) in finding.explanation
    best = finding.repair
    assert (best.step, best.confirm) == (StepKind.REPUBLISH_ENTRY, Confirm.CLICK)
    assert best.source == os.fsencode(archive)
    assert finding.repairs[1].step is StepKind.QUARANTINE_ENTRY


@pytest.mark.parametrize("extra", [["one"], ["one", "two"], ["one", "two", "three"]])
def test_extra_files_without_a_good_copy(made: Any, facts: Any, extra: list[str]) -> None:
    entry = made.entry()
    for name in extra:
        (entry / name).write_text(name)
    looked = made.look(made.project(facts.h1(facts.files)))
    (finding,) = looked.findings
    if len(extra) < 3:
        assert finding.kind is FindingKind.FOREIGN_FILE
        assert list(finding.files) == [name.encode() for name in extra]
    else:
        assert (finding.kind, finding.files) == (FindingKind.CORRUPT_ENTRY, ())
        assert "cannot be told without a good copy" in finding.explanation
    assert [one.step for one in finding.repairs] == [StepKind.QUARANTINE_ENTRY]


def test_a_name_with_a_line_break_is_corrupt_even_if_nothing_vouches(made: Any) -> None:
    entry = made.entry()
    (entry / "odd\nname").write_text("")
    looked = made.look(sources=[])
    assert looked.verdict is Verdict.CORRUPT
    (finding,) = looked.findings
    assert (finding.kind, finding.files) == (FindingKind.FOREIGN_FILE, (b"odd\nname",))
    assert "odd\\nname does not belong there" in finding.explanation


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_things_that_are_no_files(made: Any, facts: Any, kind: str) -> None:
    entry = made.entry()
    made.archive()
    if kind == "link":
        (entry / "odd").symlink_to("LICENSE.txt")
    else:
        os.mkfifo(entry / "odd")
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.CORRUPT
    (finding,) = looked.findings
    assert (finding.kind, finding.files) == (FindingKind.FOREIGN_TYPE, (b"odd",))
    assert finding.repair.step is StepKind.REPUBLISH_ENTRY


def test_a_file_replaced_by_a_link_is_told_of_once(made: Any, facts: Any) -> None:
    entry = made.entry()
    made.archive()
    os.rename(entry / "LICENSE.txt", made.top / "elsewhere")
    (entry / "LICENSE.txt").symlink_to(made.top / "elsewhere")
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.CORRUPT
    assert looked.kinds == [FindingKind.FOREIGN_TYPE]


def test_an_empty_directory(made: Any) -> None:
    made.entry({})
    looked = made.look()
    assert looked.verdict is Verdict.INCOMPLETE
    assert looked.kinds == [FindingKind.INCOMPLETE_ENTRY]


def test_a_missing_executable_that_was_published_so_cannot_be_repaired(made: Any) -> None:
    files = {"LICENSE.txt": b"MIT\n"}
    made.entry(files)
    made.archive(files)
    looked = made.look()
    assert looked.verdict is Verdict.INCOMPLETE
    (finding,) = looked.findings
    assert finding.kind is FindingKind.INCOMPLETE_ENTRY
    assert finding.repairs == ()


def test_a_regular_file_where_the_directory_belongs(made: Any, facts: Any) -> None:
    place = made.cache / facts.address / "1.2.3" / "linux_amd64"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    looked = made.look()
    assert looked.verdict is Verdict.CORRUPT
    (finding,) = looked.findings
    assert finding.kind is FindingKind.FOREIGN_TYPE
    assert finding.repair.step is StepKind.QUARANTINE_ENTRY


def test_a_dangling_link(made: Any, facts: Any) -> None:
    place = made.cache / facts.address / "1.2.3" / "linux_amd64"
    place.parent.mkdir(parents=True)
    place.symlink_to(made.top / "gone")
    looked = made.look()
    assert looked.verdict is Verdict.INCOMPLETE
    (finding,) = looked.findings
    assert finding.kind is FindingKind.DANGLING_LINK
    assert "Only the link is moved" in finding.repair.why


def test_a_lost_exec_bit_keeps_the_verdict(made: Any, facts: Any) -> None:
    entry = made.entry()
    (entry / facts.binary).chmod(0o644)
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.verdict is Verdict.OK
    (finding,) = looked.findings
    assert finding.repair.step is StepKind.RESTORE_EXEC_BIT
    assert finding.verdict is Verdict.OK


def test_a_lost_exec_bit_in_a_damaged_entry_has_the_repair_of_the_damage(
    made: Any, facts: Any
) -> None:
    entry = made.entry()
    (entry / "LICENSE.txt").write_bytes(b"changed")
    (entry / facts.binary).chmod(0o644)
    made.archive()
    looked = made.look(made.project(facts.h1(facts.files)))
    assert looked.kinds == [FindingKind.CORRUPT_ENTRY, FindingKind.LOST_EXEC_BIT]
    assert {one.repair.step for one in looked.findings} == {StepKind.REPUBLISH_ENTRY}


def test_nothing_is_written_through_a_link(made: Any, facts: Any) -> None:
    place = made.cache / facts.address / "1.2.3" / "linux_amd64"
    place.parent.mkdir(parents=True)
    target = made.unpacked(made.top / "unpacked")
    place.symlink_to(target)
    (target / facts.binary).chmod(0o644)
    (finding,) = made.look(made.project(facts.h1(facts.files))).findings
    assert finding.kind is FindingKind.LOST_EXEC_BIT
    assert finding.repairs == ()


def test_windows_has_no_exec_bit(made: Any) -> None:
    name = "terraform-provider-toy_v1.2.3.exe"
    entry = made.entry({name: b"MZ"}, platform="windows_amd64")
    (entry / name).chmod(0o644)
    assert made.look().findings == []


def test_the_explanation_never_carries_hostile_bytes(made: Any, facts: Any) -> None:
    entry = made.entry()
    (entry / "\x1b[31m\u202e").write_text("")
    (finding,) = made.look(made.project(facts.h1(facts.files))).findings
    assert not re.search(r"[\x00-\x1f\u202e]", finding.explanation)
