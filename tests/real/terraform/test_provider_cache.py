"""A cache and lock files made by the real terraform, then damaged as the world damages them."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Confirm, FindingKind, Severity, StepKind
from cachewright.model import EntryVerdict as Verdict

ADDRESS = "tf.example.com/acme/toy"
BINARY = "terraform-provider-toy_v1.2.3_x5"
NAME = f"{ADDRESS}/1.2.3/linux_amd64"


def lines(project: Path) -> list[str]:
    text = (project / ".terraform.lock.hcl").read_text()
    return re.findall(r'"((?:h1|zh):[^"]+)"', text)


@pytest.fixture
def project(shop: Any) -> Path:
    shop.archive()
    project = shop.project()
    shop.init(project)
    return project


def test_a_fresh_cache_is_ok_and_our_h1_is_the_one_terraform_recorded(
    shop: Any, project: Path
) -> None:
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.OK}
    assert lines(project) == [f"h1:{looked.h1[NAME]}"]
    assert looked.findings == []
    entry = looked.knowledge.entries[0]
    assert (entry.title, entry.subtitle) == ("acme/toy 1.2.3", "linux_amd64")
    assert looked.knowledge.users(entry) == (os.fsencode(project),)


def test_without_any_source_it_is_unverifiable_and_no_problem(
    shop: Any, project: Path, tmp_path: Path
) -> None:
    shutil.rmtree(shop.mirror)
    os.rename(project / ".terraform.lock.hcl", tmp_path / "aside")
    looked = shop.look(project, mirror=False)
    assert looked.verdicts == {NAME: Verdict.UNVERIFIABLE}
    assert looked.findings == []


@pytest.mark.parametrize("mirror", [True, False], ids=["with-mirror", "lock-file-only"])
def test_a_flipped_byte(shop: Any, project: Path, mirror: bool) -> None:
    binary = shop.entry() / BINARY
    content = bytearray(binary.read_bytes())
    content[100] ^= 1
    binary.write_bytes(content)
    looked = shop.look(project, mirror=mirror)
    assert looked.verdicts == {NAME: Verdict.CORRUPT}
    (finding,) = looked.findings
    assert finding.kind is FindingKind.CORRUPT_ENTRY
    assert finding.severity is Severity.PROBLEM
    assert finding.files == ((BINARY.encode(),) if mirror else ())
    steps = [(offer.step, offer.confirm) for offer in finding.repairs]
    again = (StepKind.QUARANTINE_ENTRY, Confirm.CLICK)
    assert steps == ([(StepKind.REPUBLISH_ENTRY, Confirm.CLICK), again] if mirror else [again])


def test_a_cut_binary_says_how_much_is_there(shop: Any, project: Path) -> None:
    os.truncate(shop.entry() / BINARY, 1000)
    (finding,) = shop.look(project).findings
    assert finding.kind is FindingKind.CORRUPT_ENTRY
    assert finding.files == (BINARY.encode(),)
    assert f"{BINARY} is shorter than the good copy (1000 of 4115 bytes)" in finding.explanation


@pytest.mark.parametrize("mirror", [True, False], ids=["with-mirror", "lock-file-only"])
def test_an_extra_file_is_named(shop: Any, project: Path, mirror: bool) -> None:
    (shop.entry() / "extra.txt").write_text("x")
    looked = shop.look(project, mirror=mirror)
    (finding,) = looked.findings
    assert looked.verdicts == {NAME: Verdict.CORRUPT}
    assert (finding.kind, finding.files) == (FindingKind.FOREIGN_FILE, (b"extra.txt",))


def test_an_extra_file_whose_wrong_digest_terraform_put_beside_the_right_one(
    shop: Any, project: Path
) -> None:
    (shop.entry() / "extra.txt").write_text("x")
    shutil.rmtree(project / ".terraform")
    shop.init(project)
    assert len(lines(project)) == 2
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.CORRUPT}
    foreign, poisoned = looked.findings
    assert (foreign.kind, foreign.files) == (FindingKind.FOREIGN_FILE, (b"extra.txt",))
    assert poisoned.kind is FindingKind.POISONED_CHECKSUM
    assert f"h1:{looked.h1[NAME]}" in poisoned.explanation


def test_a_missing_file_and_a_missing_executable(shop: Any, project: Path) -> None:
    (shop.entry() / "LICENSE.txt").unlink()
    (finding,) = shop.look(project).findings
    assert (finding.kind, finding.files) == (FindingKind.MISSING_FILE, (b"LICENSE.txt",))
    (shop.entry() / BINARY).unlink()
    looked = shop.look(project)
    (finding,) = looked.findings
    assert looked.verdicts == {NAME: Verdict.INCOMPLETE}
    assert finding.kind is FindingKind.INCOMPLETE_ENTRY
    assert finding.files == (b"LICENSE.txt", BINARY.encode())
    assert finding.repair is not None
    assert finding.repair.step is StepKind.REPUBLISH_ENTRY


def test_a_lost_exec_bit_is_found_where_terraform_finds_nothing(shop: Any, project: Path) -> None:
    binary = shop.entry() / BINARY
    binary.chmod(0o644)
    shutil.rmtree(project / ".terraform")
    shop.init(project)
    assert not binary.stat().st_mode & 0o111
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.OK}
    (finding,) = looked.findings
    assert (finding.kind, finding.files) == (FindingKind.LOST_EXEC_BIT, (BINARY.encode(),))
    assert finding.repair is not None
    assert finding.repair.step is StepKind.RESTORE_EXEC_BIT
    assert dict(finding.repair.detail) == {"files": [BINARY]}


def test_directory_entries_in_the_archive_are_no_damage(shop: Any) -> None:
    archive = shop.archive(directories=["docs/"])
    project = shop.project()
    shop.init(project)
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.OK}
    (notice,) = looked.findings
    assert notice.severity is Severity.NOTICE
    assert notice.path == os.fsencode(archive)
    assert "1 directory (docs/) as members of their own" in notice.explanation
    # What the notice foretells.
    shutil.rmtree(shop.cache)
    shop.cache.mkdir()
    shutil.rmtree(project / ".terraform")
    output = shop.init(project, code=1)
    assert "doesn't match any of the checksums" in " ".join(output.split())
    # And with the h1 of the archive itself recorded too, as the notice says, it does not.
    lock = project / ".terraform.lock.hcl"
    zipped = re.search(r"gets (h1:\S+) for the archive", notice.explanation)
    assert zipped is not None
    lock.write_text(lock.read_text().replace("hashes = [", f'hashes = [\n    "{zipped[1]}",'))
    shop.init(project)
    assert shop.look(project).findings == []


def test_a_link_to_an_unpacked_mirror_is_read_through(shop: Any) -> None:
    unpacked = shop.mirror / ADDRESS / "1.2.3" / "linux_amd64"
    archive = shop.archive()
    shutil.unpack_archive(archive, unpacked)
    (unpacked / BINARY).chmod(0o755)
    os.rename(archive, shop.top / "kept.zip")
    project = shop.project()
    shop.init(project)
    assert shop.entry().is_symlink()
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.OK}
    entry = looked.knowledge.entries[0]
    assert entry.link_target == os.fsencode(unpacked)
    assert looked.knowledge.users(entry) == (os.fsencode(project),)
    (unpacked / BINARY).chmod(0o644)
    (finding,) = shop.look(project).findings
    assert finding.kind is FindingKind.LOST_EXEC_BIT
    assert finding.repairs == ()
    os.rename(unpacked, shop.top / "gone")
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.INCOMPLETE}
    (finding,) = looked.findings
    assert finding.kind is FindingKind.DANGLING_LINK


def test_a_lock_file_for_two_platforms_with_a_mirror_of_one_is_never_called_wrong(
    shop: Any,
) -> None:
    archive = shop.archive()
    other = shop.archive("darwin_arm64", {BINARY: (b"another", 0o755)})
    project = shop.project()
    platforms = ["-platform=linux_amd64", "-platform=darwin_arm64"]
    shop.run(project, "providers", "lock", f"-fs-mirror={shop.mirror}", *platforms)
    assert len(lines(project)) == 2
    shop.init(project)
    os.rename(other, shop.top / "elsewhere.zip")
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.OK}
    (notice,) = looked.findings
    assert notice.kind is FindingKind.UNEXPLAINED_CHECKSUM
    assert notice.severity is Severity.NOTICE
    assert notice.repairs == ()
    # With the other archive at hand the line is explained, and nothing is said at all.
    os.rename(shop.top / "elsewhere.zip", other)
    assert shop.look(project).findings == []
    assert archive.exists()


def test_the_index_of_a_mirror_that_terraform_wrote_vouches(shop: Any) -> None:
    shop.archive()
    project = shop.project()
    shop.init(project)
    index = shop.mirror / ADDRESS / "1.2.3.json"
    value = lines(project)[0]
    record = {"archives": {"linux_amd64": {"hashes": [value], "url": "unused.zip"}}}
    index.write_text(json.dumps(record))
    lock = project / ".terraform.lock.hcl"
    lock.write_text(lock.read_text().replace(value, "h1:" + "A" * 43 + "="))
    looked = shop.look(project)
    assert looked.verdicts == {NAME: Verdict.OK}
    (finding,) = looked.findings
    assert finding.kind is FindingKind.POISONED_CHECKSUM
