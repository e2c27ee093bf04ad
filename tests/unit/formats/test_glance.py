"""What lies in Glance's directories, judged by rows of a made database."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.formats.glance_making import CONTENT, Made, only_entry, only_lock

from cachewright.errors import NotACache, SourceUnusable
from cachewright.locks import filesystems
from cachewright.locks.filesystems import FilesystemFacts
from cachewright.model import (
    Confirm,
    EntryVerdict,
    FindingKind,
    HoldVerdict,
    Result,
    Severity,
    StepKind,
)
from cachewright.workbench import Workbench, undo

Second = Callable[..., Any]
"""Starts another process: see the fixture ``other``."""
NOBODY = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture
def glance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return Made(tmp_path / "glance")


def test_a_copy_is_held_against_the_strongest_digest(glance: Made) -> None:
    image = glance.published(name="Debian 12 <b>bold</b>")
    result = glance.check()
    entry = only_entry(result)
    assert (entry.name, entry.title) == (f"fast/{image}", "Debian 12 <b>bold</b>")
    assert entry.subtitle == f"fast · {image}"
    assert (entry.verdict, entry.why) == (EntryVerdict.OK, "It fits the image's sha512.")
    assert [one.algorithm for one in entry.expected] == ["sha512", "md5"]
    assert entry.expected[0].source == glance.address + b"#images/" + image.encode()
    assert result.complete
    assert not result.findings


@pytest.mark.parametrize(
    ("written", "verdict", "kind", "said"),
    [
        (CONTENT[:-1], EntryVerdict.INCOMPLETE, FindingKind.INCOMPLETE_ENTRY, "2199 bytes"),
        (CONTENT + b"x", EntryVerdict.CORRUPT, FindingKind.CORRUPT_ENTRY, "2201 bytes"),
        (b"T" + CONTENT[1:], EntryVerdict.CORRUPT, FindingKind.CORRUPT_ENTRY, "sha512 differs"),
    ],
)
def test_other_bytes_are_found_and_moved_only_by_typing(
    glance: Made, written: bytes, verdict: EntryVerdict, kind: FindingKind, said: str
) -> None:
    image = glance.published(written=written)
    with glance.opened() as bench:
        result = bench.check()
        found = glance.at(result, "fast", image)
        assert (only_entry(result).verdict, found.kind) == (verdict, kind)
        assert said in found.explanation
        assert "serves it all the same" in found.explanation
        plan = bench.plan()
        (step,) = plan.steps
        assert (step.step, step.confirm) == (StepKind.QUARANTINE_ENTRY, Confirm.TYPED)
        (refused,) = bench.repair(plan, apply=True)
        assert refused.result is Result.REFUSED
        (done,) = bench.repair(plan, apply=True, confirmations={step.id: f"fast/{image}"})
        assert done.result is Result.DONE
    assert not (glance.top / "fast" / image).exists()
    assert undo(done.undo).result is Result.DONE
    assert (glance.top / "fast" / image).read_bytes() == written


def test_md5_alone_is_weak_and_one_of_two_that_differs_is_disputed(glance: Made) -> None:
    weak = glance.published(os_hash_algo=None, os_hash_value=None)
    strange = glance.published(os_hash_algo="sm3", os_hash_value="0" * 64)
    torn = glance.published(checksum="0" * 32)
    bare = glance.published(os_hash_algo=None, os_hash_value=None, checksum=None)
    result = glance.check()
    verdicts = {one.name.removeprefix("fast/"): one for one in result.entries}
    for image in (weak, strange):
        assert verdicts[image].verdict is EntryVerdict.OK
        found = glance.at(result, "fast", image)
        assert (found.kind, found.severity) == (FindingKind.WEAK_DIGEST, Severity.NOTICE)
    assert verdicts[torn].verdict is EntryVerdict.DISPUTED
    assert glance.at(result, "fast", torn).kind is FindingKind.DISPUTED_DIGEST
    assert verdicts[bare].verdict is EntryVerdict.UNVERIFIABLE
    assert verdicts[bare].why == "The database has no digest of it."


def test_another_algorithm_than_the_usual_decides_too(glance: Made) -> None:
    value = hashlib.sha3_256(CONTENT).hexdigest()
    glance.published(os_hash_algo="sha3_256", os_hash_value=value.upper())
    glance.published()
    assert {one.why for one in glance.check().entries} == {
        "It fits the image's sha3_256.",
        "It fits the image's sha512.",
    }


def test_a_recorded_copy_that_is_not_there_is_missed(glance: Made) -> None:
    image = glance.image()
    glance.location(image)
    found = glance.at(glance.check(), "fast", image)
    assert (found.kind, found.severity) == (FindingKind.MISSING_FILE, Severity.PROBLEM)


def test_copies_of_deleted_images_and_elsewhere_are_not_missed(glance: Made) -> None:
    gone = glance.image(deleted=1)
    glance.location(gone)
    glance.location(glance.image(), value="rbd://pool/image")
    far = glance.image()
    glance.location(far, value=f"file:///elsewhere/{far}")
    glance.location(glance.image(), deleted=1)
    assert not glance.check().findings


def test_a_store_behind_a_link_is_the_same_store(glance: Made) -> None:
    image = glance.published()
    (glance.top / "way").symlink_to(glance.top / "fast")
    glance.sql("UPDATE image_locations SET value = ?", f"file://{glance.top}/way/{image}")
    assert only_entry(glance.check()).verdict is EntryVerdict.OK


def test_a_store_that_the_service_sees_by_another_path_holds_its_copies(glance: Made) -> None:
    image = glance.published()
    glance.sql("UPDATE image_locations SET value = ?", f"file:///only/in/a/container/{image}")
    result = glance.check()
    assert only_entry(result).name == f"fast/{image}"
    assert not result.findings
    there = glance.top / "there"
    there.mkdir()
    (there / image).write_bytes(CONTENT)
    glance.sql("UPDATE image_locations SET value = ?", f"file://{there}/{image}")
    assert glance.at(glance.check(), "fast", image).kind is FindingKind.ORPHAN


def test_what_the_service_itself_deletes_later_is_no_orphan(glance: Made) -> None:
    image = glance.image("pending_delete", deleted=1)
    glance.location(image, status="pending_delete", deleted=1)
    glance.file("fast", image)
    result = glance.check()
    assert not result.entries
    assert not result.findings


def test_an_encrypted_place_is_known_by_its_store(glance: Made) -> None:
    image = glance.published()
    glance.sql("UPDATE image_locations SET value = 'gAAAAABencrypted'")
    result = glance.check()
    assert only_entry(result).name == f"fast/{image}"
    assert not result.findings


@pytest.mark.parametrize(
    ("status", "severity", "said"),
    [
        ("saving", Severity.PROBLEM, "in the middle of the upload"),
        ("active", Severity.PROBLEM, "Every further copy of the image into this store fails"),
        ("deleted", Severity.NOTICE, "was deleted"),
        (None, Severity.NOTICE, "has no image of this ID"),
    ],
)
def test_a_file_that_no_row_publishes_is_an_orphan(
    glance: Made, status: str | None, severity: Severity, said: str
) -> None:
    image = NOBODY
    if status is not None:
        image = glance.image(status, None, deleted=int(status == "deleted"))
    glance.file("slow", image)
    with glance.opened() as bench:
        result = bench.check()
        found = glance.at(result, "slow", image)
        assert (found.kind, found.severity) == (FindingKind.ORPHAN, severity)
        assert said in found.explanation
        assert not result.entries
        (step,) = bench.plan(only=[StepKind.QUARANTINE_ENTRY]).steps
        assert step.confirm is Confirm.CLICK
        (done,) = bench.repair(bench.plan(only=[StepKind.QUARANTINE_ENTRY]), apply=True)
        assert done.result is Result.DONE
    assert not (glance.top / "slow" / image).exists()


def test_an_orphan_that_was_published_since_is_left_alone(glance: Made) -> None:
    image = glance.image()
    path = glance.file("slow", image, CONTENT)
    with glance.opened() as bench:
        plan = bench.plan()
        assert len(plan.steps) == 1
        glance.location(image, "slow")
        (outcome,) = bench.repair(plan, apply=True)
    assert outcome.result is Result.REFUSED
    assert path.exists()


def test_without_its_records_nothing_is_moved(glance: Made) -> None:
    paths = [glance.file("slow", glance.image()), glance.file("cache", NOBODY)]
    with glance.opened() as bench:
        plan = bench.plan()
        assert len(plan.steps) == 2
        glance.database.rename(glance.top / "elsewhere")
        outcomes = bench.repair(plan, apply=True)
    assert {one.result for one in outcomes} == {Result.REFUSED}
    assert all("could not be read" in one.reason for one in outcomes)
    assert all(path.exists() for path in paths)


def test_young_orphans_and_such_with_a_lock_are_moved_only_by_typing(glance: Made) -> None:
    young, locked = glance.image(), glance.image()
    glance.file("slow", young, ago_s=5)
    glance.file("slow", locked)
    glance.lock(locked, ago_s=1)
    with glance.opened() as bench:
        confirms = {one.path[-36:].decode(): one.confirm for one in bench.plan().steps}
    assert confirms == {young: Confirm.TYPED, locked: Confirm.TYPED}


def test_what_is_written_without_a_row_is_busy(glance: Made, other: Second) -> None:
    image = glance.image("saving", None)
    path = glance.file("slow", image)
    writer = other("f = open(sys.argv[1], 'ab'); ready()", path)
    with glance.opened() as bench:
        found = glance.at(bench.check(), "slow", image)
        assert not bench.plan().steps
    assert (found.kind, found.severity) == (FindingKind.BUSY_ENTRY, Severity.NOTICE)
    assert not found.repairs
    assert [one.pid for one in found.holders] == [writer.pid]


def test_a_writer_that_comes_after_the_look_keeps_the_file(glance: Made, other: Second) -> None:
    image = glance.image("saving", None)
    path = glance.file("slow", image)
    with glance.opened() as bench:
        plan = bench.plan(only=[StepKind.QUARANTINE_ENTRY])
        assert len(plan.steps) == 1
        other("f = open(sys.argv[1], 'r+b'); ready()", path)
        (outcome,) = bench.repair(plan, apply=True)
    assert outcome.result is Result.REFUSED
    assert path.exists()


def test_names_that_are_no_image_ids_are_foreign(glance: Made) -> None:
    glance.file("fast", "README")
    glance.file("fast", f"{NOBODY}.bak")
    result = glance.check()
    (found,) = result.findings
    assert (found.kind, sorted(found.files)) == (
        FindingKind.FOREIGN_FILE,
        [f"{NOBODY}.bak".encode(), b"README"],
    )


def test_what_is_staged_waits_and_what_is_cut_is_told(glance: Made) -> None:
    waiting = glance.image("uploading", None, size=5)
    cut = glance.image("uploading", None, size=9)
    glance.file("staging", waiting, b"12345")
    glance.file("staging", cut, b"12345")
    result = glance.check()
    verdicts = {one.name: one.verdict for one in result.entries}
    assert verdicts == {
        f"staging/{waiting}": EntryVerdict.UNVERIFIABLE,
        f"staging/{cut}": EntryVerdict.INCOMPLETE,
    }
    (found,) = result.findings
    assert (found.kind, found.path[-36:]) == (FindingKind.INCOMPLETE_ENTRY, cut.encode())
    assert "would publish what lies here as the whole image" in found.explanation


def test_what_was_staged_whole_is_kept_though_its_import_ended(glance: Made) -> None:
    image = glance.image("importing", None, size=5, name="kept")
    glance.file("staging", image, b"12345")
    result = glance.check()
    entry = only_entry(result)
    assert (entry.name, entry.verdict) == (f"staging/{image}", EntryVerdict.UNVERIFIABLE)
    assert not result.staging
    (found,) = result.findings
    assert (found.kind, found.severity) == (FindingKind.STUCK_RECORD, Severity.PROBLEM)
    assert "still lies in staging, whole: keep that" in found.explanation


def test_what_was_staged_in_part_is_not_called_whole(glance: Made) -> None:
    image = glance.image("importing", None, size=9)
    glance.file("staging", image, b"12345")
    stuck = [one for one in glance.check().findings if one.kind is FindingKind.STUCK_RECORD]
    assert ["whole: keep that" in one.explanation for one in stuck] == [False]


def test_of_directories_in_each_other_the_inner_one_acts(glance: Made) -> None:
    inner = glance.top / "fast" / "inner"
    inner.mkdir()
    path = glance.file("fast/inner", NOBODY)
    directories = replace(glance.directories, staging=os.fsencode(inner))
    with glance.opened(directories=directories) as bench:
        (done,) = bench.repair(bench.plan(only=[StepKind.QUARANTINE_STAGING]), apply=True)
    assert done.result is Result.DONE, done.reason
    assert not path.exists()


def test_where_others_may_write_nothing_goes_by_one_click(
    glance: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = FilesystemFacts("nfs4", local=False, exported=False, why="It lies on nfs4.")
    monkeypatch.setattr(filesystems, "facts", lambda _directory: shared)
    image = glance.image()
    glance.lock(image)
    glance.file("slow", image)
    with glance.opened() as bench:
        result = bench.check()
        assert {one.confirm for one in bench.plan().steps} == {Confirm.TYPED}
    lock = only_lock(result)
    assert lock.verdict is HoldVerdict.UNPROVEN
    assert "It lies on nfs4." in lock.explanation
    orphan = glance.image()
    glance.file("slow", orphan)
    with glance.opened() as bench:
        bench.check()
        confirms = {one.path[-36:].decode(): one.confirm for one in bench.plan().steps}
    assert confirms[orphan] is Confirm.TYPED


def test_an_unfinished_upload_is_warned_of(glance: Made, other: Second) -> None:
    image = glance.image("uploading", None)
    path = glance.file("staging", image)
    writer = other("f = open(sys.argv[1], 'ab'); ready()", path)
    live = glance.at(glance.check(), "staging", image)
    writer.end()
    assert (live.kind, live.severity, live.repairs) == (
        FindingKind.LIVE_STAGING,
        Severity.NOTICE,
        (),
    )
    with glance.opened() as bench:
        result = bench.check()
        found = glance.at(result, "staging", image)
        assert (found.kind, found.severity) == (FindingKind.STUCK_RECORD, Severity.PROBLEM)
        assert "Do not import it" in found.explanation
        (step,) = bench.plan().steps
        assert step.confirm is Confirm.TYPED
        (done,) = bench.repair(bench.plan(), apply=True, confirmations={step.id: step.wanted})
    assert done.result is Result.DONE
    assert not path.exists()


def test_other_staging_is_judged_as_staging_is_anywhere(glance: Made, other: Second) -> None:
    left = [NOBODY, f"{NOBODY}.qcow2", glance.image()]
    for name in left:
        glance.file("staging", name)
    used = glance.file("staging", glance.image("importing", None))
    other("f = open(sys.argv[1], 'rb'); ready()", used)
    result = glance.check()
    verdicts = {one.path.rpartition(b"/")[2].decode(): one.verdict for one in result.staging}
    assert verdicts == dict.fromkeys(left, HoldVerdict.STALE) | {used.name: HoldVerdict.HELD}


def test_the_image_cache(glance: Made) -> None:
    good, bad = glance.published(), glance.published(content=b"other" * 9, name="wrong")
    part, failed, queued = glance.image(), glance.image(), glance.image()
    glance.file("cache", good, CONTENT)
    glance.file("cache", bad, b"0ther" * 9)
    glance.file("cache", NOBODY)
    glance.file("cache/incomplete", part)
    glance.file("cache/invalid", failed)
    glance.file("cache/queue", queued, b"")
    glance.file("cache", "cache.db")
    with glance.opened() as bench:
        result = bench.check()
        cached = {one.name: one.verdict for one in result.entries if "cache" in one.name}
        assert cached == {
            f"image-cache/{good}": EntryVerdict.OK,
            f"image-cache/{bad}": EntryVerdict.CORRUPT,
        }
        assert {one.path.rpartition(b"/")[2].decode() for one in result.staging} == {part, failed}
        found = {one.path.rpartition(b"/")[2].decode(): one.kind for one in result.findings}
        assert found == {
            bad: FindingKind.CORRUPT_ENTRY,
            NOBODY: FindingKind.ORPHAN,
            part: FindingKind.STALE_STAGING,
            failed: FindingKind.STALE_STAGING,
        }
        plan = bench.plan()
        assert {one.confirm for one in plan.steps} == {Confirm.CLICK}
        assert {one.result for one in bench.repair(plan, apply=True)} == {Result.DONE}
        assert not bench.check().problems


def test_a_broken_time_or_size_hides_no_other_row(glance: Made) -> None:
    glance.published(created_at="yesterday", updated_at=b"\xff")
    glance.published(size="many")
    lock = glance.lock(glance.image())
    glance.sql("UPDATE tasks SET updated_at = 'soon', created_at = 'later'")
    result = glance.check()
    assert [one.verdict for one in result.entries] == [EntryVerdict.OK, EntryVerdict.OK]
    assert (only_lock(result).id, only_lock(result).verdict) == (lock, HoldVerdict.UNPROVEN)


def test_stuck_images_are_told_of_as_far_as_can_be_seen_from_here(glance: Made) -> None:
    far = glance.image("saving", None, name="far")
    locked = glance.image("importing", None, name="locked")
    glance.lock(locked, ago_s=5)
    glance.image("saving", None, deleted=1)
    glance.image("queued", None)
    strange = glance.image("saving", None, id="../slow", name="strange")
    near = glance.image("importing", None, name="near")
    glance.file("slow", near)
    result = glance.check()
    stuck = {one.subject: one for one in result.findings if one.kind is FindingKind.STUCK_RECORD}
    assert set(stuck) == {f"far ({far})", f"near ({near})", f"strange ({strange})"}
    assert stuck[f"strange ({strange})"].severity is Severity.NOTICE
    assert stuck[f"far ({far})"].severity is Severity.NOTICE
    assert "cannot be told whether somebody still writes it" in stuck[f"far ({far})"].explanation
    assert stuck[f"near ({near})"].severity is Severity.PROBLEM
    assert "refuses a new import" in stuck[f"near ({near})"].explanation


def test_a_store_alone_is_no_cache(glance: Made) -> None:
    glance.published()
    with pytest.raises(NotACache):
        Workbench.open(os.fsencode(glance.top / "fast"))


@pytest.mark.parametrize("what", ["corrupt", "missing"])
def test_a_good_copy_in_another_store_is_put_in_place(glance: Made, what: str) -> None:
    image = glance.published(written=b"?" * len(CONTENT))
    glance.location(image, "slow")
    glance.file("slow", image, CONTENT)
    path = glance.top / "fast" / image
    path.chmod(0o640)
    if what == "missing":
        path.unlink()
    with glance.opened() as bench:
        plan = bench.plan(findings=[glance.at(bench.check(), "fast", image).id])
        (step,) = plan.steps
        assert (step.step, step.confirm) == (StepKind.REPUBLISH_ENTRY, Confirm.CLICK)
        assert "its sha512 is the one that the database records" in step.why
        (done,) = bench.repair(plan, apply=True)
        assert done.result is Result.DONE, done.reason
        assert path.read_bytes() == CONTENT
        assert path.is_file()
        if what == "corrupt":
            assert path.stat().st_mode & 0o777 == 0o640
        assert not bench.check().problems
        assert undo(done.undo).result is Result.DONE
    assert path.exists() is (what == "corrupt")


def test_a_copy_by_hand_is_believed_only_by_its_digest(glance: Made, tmp_path: Path) -> None:
    image = glance.published(written=b"?" * len(CONTENT))
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / image).write_bytes(CONTENT[::-1])
    with glance.opened() as bench, pytest.raises(SourceUnusable):
        bench.publish(f"fast/{image}", os.fsencode(folder))
    (folder / image).write_bytes(CONTENT)
    with glance.opened() as bench:
        done = bench.publish(f"fast/{image}", os.fsencode(folder))
        assert done.result is Result.DONE, done.reason
    assert (glance.top / "fast" / image).read_bytes() == CONTENT
