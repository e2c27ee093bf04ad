"""Links and pointers that disagree, lead nowhere or outside, and archives nobody refers to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgpack
import pytest
from tests.unit.formats.uv_making import ID, OTHER_ID, MadeUv, archive_value, newer, older

from cachewright.formats.base import References
from cachewright.formats.uv import Uv
from cachewright.model import Confirm, FindingKind, Severity, StepKind
from cachewright.model import EntryVerdict as Verdict
from cachewright.storage.anchored import Directory

PROBLEM, NOTICE = Severity.PROBLEM, Severity.NOTICE
MISMATCH, DANGLING = FindingKind.POINTER_MISMATCH, FindingKind.DANGLING_LINK
DAMAGED, ORPHAN = FindingKind.DAMAGED_METADATA, FindingKind.ORPHAN


@pytest.fixture
def made(tmp_path: Path) -> MadeUv:
    return MadeUv(tmp_path)


def test_link_and_pointer_agree_in_either_envelope(made: MadeUv) -> None:
    made.whole()
    made.write(f"{made.stem()}.http", older(msgpack.packb(archive_value(ID))))
    made.write(f"{made.stem()}.msgpack", newer(b"anything"))
    assert made.look().findings == []


def test_a_link_that_names_another_archive_than_the_pointer(made: MadeUv) -> None:
    made.whole()
    made.unpacked("toy", OTHER_ID)
    (made.cache / made.stem()).unlink()
    made.link(OTHER_ID)
    finding = made.look().finding
    assert (finding.kind, finding.severity) == (MISMATCH, PROBLEM)
    assert finding.subject == f"{made.stem()}.http"
    assert finding.path == os.fsencode(made.cache / f"{made.stem()}.http")
    assert finding.explanation == (
        f"toy 1.0: its link names the archive {OTHER_ID}, but its pointer {ID}; uv installs from "
        "the pointer's archive. uv cache prune would keep only the link's."
    )
    (offer,) = finding.repairs
    assert (offer.step, offer.confirm) == (StepKind.QUARANTINE_ENTRY, Confirm.CLICK)
    shutil.rmtree(made.cache / "archive-v0" / ID)
    assert "that one is not there" in made.look().finding.explanation


def test_what_uv_has_put_right_meanwhile_is_not_told(made: MadeUv) -> None:
    made.whole()
    made.unpacked("toy", OTHER_ID)
    place = made.cache / made.stem()
    place.unlink()
    made.link(OTHER_ID)
    gone = "CCCCCCCCCCCCCCCC"
    made.link(gone, made.stem("late"))
    made.pointer(gone, stem=made.stem("late"))
    with Directory.open(os.fsencode(made.cache)) as root:
        early = Uv().read(root, made.tree(root), References())
        late = Uv().read(root, made.tree(root), References())
        assert {one.kind for one in early.findings()} == {MISMATCH, DANGLING}
        made.pointer(OTHER_ID)
        made.unpacked("late", gone)
        assert [one.kind for one in late.findings()] == []


def test_of_two_pointers_the_one_that_disagrees_is_told(made: MadeUv) -> None:
    made.whole()
    made.unpacked("toy", OTHER_ID)
    made.write(f"{made.stem()}.rev", msgpack.packb([[1, 2], archive_value(OTHER_ID)]))
    assert [one.subject for one in made.look().findings] == [f"{made.stem()}.rev"]


def test_both_name_an_archive_that_is_gone(made: MadeUv) -> None:
    shutil.rmtree(made.whole())
    finding = made.look().finding
    assert (finding.kind, finding.severity) == (DANGLING, NOTICE)
    assert finding.repairs == ()
    assert f"toy 1.0: the archive {ID} that it names is not there" in finding.explanation
    (made.cache / made.stem()).unlink()
    assert made.look().shapes == [(DANGLING, NOTICE)]


def test_an_environment_that_is_gone(made: MadeUv) -> None:
    made.link(f"../../archive-v0/{ID}", "environments-v2/0123/4567")
    finding = made.look().finding
    assert (finding.kind, finding.severity) == (DANGLING, NOTICE)
    assert "uv makes it again" in finding.explanation


def test_a_pointer_alone_is_used_and_a_link_alone_is_not(made: MadeUv) -> None:
    made.unpacked()
    made.pointer()
    finding = made.look().finding
    assert (finding.kind, finding.severity, finding.repairs) == (MISMATCH, NOTICE, ())
    assert "uv cache prune would take its archive away" in finding.explanation
    (made.cache / f"{made.stem()}.http").unlink()
    made.link()
    finding = made.look().finding
    assert (finding.kind, finding.severity) == (MISMATCH, NOTICE)
    assert "it has a link but no pointer" in finding.explanation


def test_links_of_built_wheels_and_environments_need_no_pointer(made: MadeUv) -> None:
    made.unpacked()
    made.link(
        f"../../../../../archive-v0/{ID}",
        "sdists-v10/pypi/toy/1.0/REVISION01234567/toy-1.0-py3-none-any",
    )
    assert made.look().findings == []


@pytest.mark.parametrize(
    "target",
    ["/etc", "../../../../../../etc", "../../../archive-v0", "../../../wheels-v7/pypi", ".", ID],
)
def test_a_link_that_leads_to_no_archive_of_this_cache(made: MadeUv, target: str) -> None:
    made.whole()
    place = made.cache / made.stem()
    place.unlink()
    place.symlink_to(target)
    finding = made.look().finding
    assert (finding.kind, finding.severity) == (MISMATCH, PROBLEM)
    assert finding.path == os.fsencode(place)
    assert finding.explanation.startswith(f"toy 1.0: its link leads to {target}, which is no")
    assert finding.repairs[0].step is StepKind.QUARANTINE_ENTRY


def test_old_absolute_links_and_text_links_of_windows_are_links(made: MadeUv) -> None:
    made.whole()
    place = made.cache / made.stem()
    place.unlink()
    place.symlink_to(made.cache / "archive-v0" / ID)
    assert made.look().findings == []
    place.unlink()
    place.write_text(f"archive-v0/{ID}")
    assert made.look().findings == []
    place.write_text(f"archive-v0/{OTHER_ID}")
    assert made.look().shapes == [(MISMATCH, PROBLEM)]
    for text in ("archive-v0/../../etc", "x" * 300, ""):
        place.write_text(text)
        assert (DAMAGED, PROBLEM) in made.look().shapes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (newer(msgpack.packb(archive_value(ID)))[:30], "cut short"),
        (newer(msgpack.packb([])), "it names no archive"),
        (b"x" * (5 << 20), "far larger than uv writes it"),
    ],
)
def test_a_damaged_pointer(made: MadeUv, content: bytes, reason: str) -> None:
    made.whole()
    place = made.write(f"{made.stem()}.http", content)
    finding = made.look().finding
    assert (finding.kind, finding.severity, finding.verdict) == (DAMAGED, PROBLEM, Verdict.CORRUPT)
    assert finding.path == os.fsencode(place)
    assert finding.explanation.startswith("toy 1.0: its record cannot be used: ")
    assert reason in finding.explanation
    assert finding.repairs[0].step is StepKind.QUARANTINE_ENTRY


def test_damaged_revisions_name_the_source(made: MadeUv) -> None:
    made.write("sdists-v10/pypi/toy/1.0/revision.http", newer(msgpack.packb([ID, [], 5])))
    made.write("sdists-v10/path/0123/revision.rev", msgpack.packb([[1], [ID, [], None]]))
    assert made.look().findings == []
    made.write("sdists-v10/pypi/toy/1.0/revision.http", b"cut")
    made.write("sdists-v10/path/0123/revision.rev", b"\xc1")
    first, second = made.look().findings
    assert first.explanation.startswith("sdists-v10/path/0123/revision")
    assert second.explanation.startswith("toy 1.0: ")
    made.unpacked()
    folder = "sdists-v10/path/0123/REVISION01234567"
    made.link(f"../../../../archive-v0/{ID}", f"{folder}/other-2.0-py3-none-any")
    assert made.look().findings[0].explanation.startswith("other 2.0: ")


def test_what_may_not_be_read_is_told_and_not_called_damaged(made: MadeUv) -> None:
    made.whole()
    for name in (f"{made.stem()}.http", "simple-v27/pypi/toy.rkyv", "interpreter-v5/0/1.msgpack"):
        made.write(name, b"").chmod(0)
    with Directory.open(os.fsencode(made.cache)) as root:
        tree, user = made.tree(root), os.geteuid()
        os.seteuid(65534 if user == 0 else user)  # nobody
        try:
            found = list(Uv().read(root, tree, References()).findings())
        finally:
            os.seteuid(user)
    assert {(one.kind, one.severity) for one in found} == {(FindingKind.UNREADABLE, NOTICE)}
    assert len(found) == 3
    assert all(one.repairs == () for one in found)
    assert "could not be read (Permission denied) and was not judged" in found[0].explanation


def test_a_pointer_that_is_no_file(made: MadeUv) -> None:
    made.whole()
    place = made.cache / f"{made.stem()}.http"
    place.unlink()
    place.symlink_to("/etc/passwd")
    kinds = [kind for kind, _severity in made.look().shapes]
    assert kinds.count(MISMATCH) == 2  # the link without pointer, and the odd link itself


def test_an_archive_that_nothing_refers_to(made: MadeUv) -> None:
    made.unpacked()
    looked = made.look()
    finding = looked.finding
    assert (finding.kind, finding.severity, finding.repairs) == (ORPHAN, NOTICE, ())
    assert finding.subject == f"toy-1.0/{ID}"
    assert finding.explanation.startswith("toy 1.0: nothing in the cache refers to this archive")
    assert looked.verdict is Verdict.OK
    made.pointer()
    made.link()
    assert made.look().findings == []


def test_something_else_where_an_archive_belongs(made: MadeUv) -> None:
    top = made.whole()
    shutil.move(top, made.top / "elsewhere")
    top.symlink_to(made.top / "elsewhere")
    looked = made.look()
    assert looked.shapes == [(DANGLING, NOTICE), (FindingKind.FOREIGN_TYPE, PROBLEM)]
    finding = looked.findings[1]
    assert finding.explanation.startswith("toy 1.0: A link lies where the directory")
    assert finding.repairs[0].step is StepKind.QUARANTINE_ENTRY
    assert looked.verdicts == {}
    top.unlink()
    top.write_bytes(b"")
    assert "A file lies" in made.look().findings[1].explanation


def test_an_unfinished_checkout(made: MadeUv) -> None:
    made.write("git-v1/checkouts/0123/4567/setup.py", b"")
    finding = made.look().finding
    assert (finding.kind, finding.severity) == (FindingKind.INCOMPLETE_ENTRY, NOTICE)
    made.write("git-v1/checkouts/0123/4567.ok", b"")
    assert made.look().findings == []


def test_hostile_names_are_shown_safely(made: MadeUv) -> None:
    name = "<b>x</b>\x1b[31m"
    made.link(OTHER_ID, f"wheels-v7/pypi/{name.replace('/', '')}/1.0-py3-none-any")
    for finding in made.look().findings:
        assert "\x1b" not in finding.explanation + finding.subject


def test_which_package_staging_was_for(made: MadeUv) -> None:
    names = {
        ".tmpAAAAA1/toy-1.0.dist-info/METADATA": ".tmpAAAAA1 (toy 1.0)",
        ".tmpAAAAA2/big_one-2.0-py3-none-any.whl": ".tmpAAAAA2 (big-one 2.0)",
        ".tmpAAAAA3/big_one/data": ".tmpAAAAA3 (holds big_one)",
        ".tmpAAAAA4/.hidden": ".tmpAAAAA4",
        "wheels-v7/pypi/toy/.tmpAAAAA5/link": "wheels-v7/pypi/toy/.tmpAAAAA5",
    }
    for name in names:
        made.write(name, b"")
    assert sorted(one.name for one in made.look().knowledge.staging()) == sorted(names.values())
    made.whole()
    made.write(f"{made.stem()}.lock", b"")
    made.write(f"{made.stem('big-one', '3.0')}.lock", b"")
    told = {one.name for one in made.look().knowledge.staging()}
    assert ".tmpAAAAA3 (big-one 3.0)" in told
    assert ".tmpAAAAA4 (probably big-one 3.0)" in told
    made.write(f"{made.stem('another')}.lock", b"")
    assert ".tmpAAAAA4" in {one.name for one in made.look().knowledge.staging()}
