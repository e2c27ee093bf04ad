"""Lists that the real tools wrote, judged, repaired, and checked again by the real tools."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.real.tools import environment

from cachewright.model import CheckResult, EntryVerdict, FindingKind, Outcome, Result, StepKind
from cachewright.repair import publication
from cachewright.storage.anchored import Directory
from cachewright.workbench import Options, Unwatched, Workbench, undo

QUICK: Mapping[str, Any] = {"floor_s": 0.0, "observe_s": 0.1, "settle_s": 0.3, "environment": {}}
OK, CORRUPT = EntryVerdict.OK, EntryVerdict.CORRUPT


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "state"
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(place))
    return place


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Forty files of many sizes and names, and a copy of them beside."""
    top, chance = tmp_path / "tree", random.Random(4)  # noqa: S311 - the same in every run
    for number in range(40):
        place = top / f"d{number % 4}" / f"file {number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(chance.randbytes(1 + number * 997))
    (top / "d0/new\nline\\").write_bytes(b"odd")
    shutil.copytree(top, tmp_path / "copy")
    return top


def check(top: Path, *sources: Path, form: str | None = None, **more: Any) -> CheckResult:
    given = tuple(os.fsencode(one) for one in sources)
    options = Options(sources=given, **{**QUICK, **more})
    with Workbench.open(os.fsencode(top), format_name=form, options=options) as bench:
        return bench.check()


def repair(top: Path, *sources: Path) -> tuple[Outcome, ...]:
    options = Options(sources=tuple(os.fsencode(one) for one in sources), **QUICK)
    with Workbench.open(os.fsencode(top), options=options) as bench:
        bench.check()
        plan = bench.plan(only={StepKind.REPUBLISH_ENTRY})
        return bench.repair(plan, apply=True)


def verdicts(result: CheckResult) -> dict[bytes, EntryVerdict]:
    return {os.path.relpath(one.path, result.root): one.verdict for one in result.entries}


def flip(place: Path, chance: random.Random) -> None:
    content = bytearray(place.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    place.write_bytes(content)


LISTS = {
    "SHA256SUMS": ["sha256sum"],
    "SHA512SUMS": ["sha512sum", "--binary"],
    "MD5SUMS": ["md5sum", "--tag"],
    "sha1sum.txt": ["sha1sum"],
    "B2SUMS": ["b2sum"],
    "checksums.txt": ["sha384sum", "--tag"],
    "SHA224SUMS": ["shasum", "-a", "224"],
}


def write_list(top: Path, name: str) -> None:
    files = sorted(os.path.relpath(one, top) for one in top.rglob("*") if one.is_file())
    said = subprocess.run([*LISTS[name], "--", *files], cwd=top, capture_output=True, check=True)
    (top / name).write_bytes(said.stdout)


def failed_by_the_tool(top: Path, name: str) -> int:
    program = [one for one in LISTS[name] if one not in {"--binary", "--tag"}]
    said = subprocess.run(
        [*program, "--check", name], cwd=top, capture_output=True, check=False, env={"LC_ALL": "C",
        "PATH": os.environ["PATH"]},
    )  # fmt: skip
    return len(re.findall(rb": FAILED$", said.stdout, re.MULTILINE))


def spoil(tree: Path, name: str, count: int) -> list[Path]:
    chance = random.Random(name)  # noqa: S311 - the same in every run
    spoiled = chance.sample(sorted(tree.rglob("*.bin")), count)
    for place in spoiled:
        flip(place, chance)
    return spoiled


@pytest.mark.parametrize("name", LISTS)
def test_flipped_bits_are_found_where_the_tool_finds_them(tree: Path, name: str) -> None:
    if shutil.which(LISTS[name][0]) is None:
        reason = f"{LISTS[name][0]} is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    write_list(tree, name)
    spoiled = spoil(tree, name, 12)
    found = verdicts(check(tree))
    assert {path for path, verdict in found.items() if verdict is CORRUPT} == {
        os.fsencode(os.path.relpath(one, tree)) for one in spoiled
    }
    assert [*found.values()].count(OK) == 29
    assert failed_by_the_tool(tree, name) == len(spoiled)


@pytest.mark.parametrize("name", ["SHA512SUMS", "MD5SUMS"])
def test_what_is_mended_is_right_by_the_tool(tree: Path, tmp_path: Path, name: str) -> None:
    write_list(tree, name)
    spoiled = spoil(tree, name, 2)
    done = repair(tree, tmp_path / "copy")
    assert [one.result for one in done] == [Result.DONE] * len(spoiled)
    assert failed_by_the_tool(tree, name) == 0
    for place in spoiled:
        copy = tmp_path / "copy" / place.relative_to(tree)
        assert place.read_bytes() == copy.read_bytes()


def test_a_missing_file_is_put_back_and_can_be_taken_out_again(tree: Path, tmp_path: Path) -> None:
    write_list(tree, "SHA256SUMS")
    gone = tree / "d1/file 1.bin"
    gone.unlink()
    finding = next(one for one in check(tree).problems if one.kind is FindingKind.MISSING_FILE)
    assert finding.repairs == ()
    (outcome,) = repair(tree, tmp_path / "copy")
    assert outcome.result is Result.DONE
    assert failed_by_the_tool(tree, "SHA256SUMS") == 0
    assert undo(outcome.undo).result is Result.DONE
    assert not gone.exists()


def test_a_mended_file_can_be_made_bad_again(tree: Path, tmp_path: Path) -> None:
    write_list(tree, "SHA256SUMS")
    place = tree / "d1/file 1.bin"
    place.write_bytes(b"bad")
    place.chmod(0o640)
    (outcome,) = repair(tree, tmp_path / "copy")
    assert place.read_bytes() == (tmp_path / "copy/d1/file 1.bin").read_bytes()
    assert place.stat().st_mode & 0o777 == 0o640
    assert undo(outcome.undo).result is Result.DONE
    assert place.read_bytes() == b"bad"


def test_a_copy_that_changes_after_it_was_judged_is_not_published(
    tree: Path, tmp_path: Path
) -> None:
    write_list(tree, "SHA256SUMS")
    place, copy = tree / "d1/file 1.bin", tmp_path / "copy/d1/file 1.bin"
    place.write_bytes(b"bad")
    options = Options(sources=(os.fsencode(tmp_path / "copy"),), **QUICK)
    with Workbench.open(os.fsencode(tree), options=options) as bench:
        bench.check()
        plan = bench.plan(only={StepKind.REPUBLISH_ENTRY})
        copy.write_bytes(b"worse")
        (outcome,) = bench.repair(plan, apply=True)
    assert outcome.result is Result.REFUSED
    assert place.read_bytes() == b"bad"


@pytest.mark.parametrize("failing", [b"alone", b"stage"])
def test_a_publication_that_fails_leaves_nothing_behind(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: bytes
) -> None:
    """However far the one file was on its way out of the directory that it was staged in."""
    write_list(tree, "SHA256SUMS")
    place = tree / "d1/file 1.bin"
    place.write_bytes(b"bad")
    before = place.stat()
    rename = publication.rename_noreplace

    def rename_or_fail(parent: Directory, name: bytes, to: Directory, new: bytes) -> None:
        if new == failing:
            raise OSError(errno.EIO, "said the test")
        rename(parent, name, to, new)

    monkeypatch.setattr(publication, "rename_noreplace", rename_or_fail)
    (outcome,) = repair(tree, tmp_path / "copy")
    assert outcome.result in {Result.FAILED, Result.ROLLED_BACK}
    assert place.read_bytes() == b"bad"
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.listdir(tmp_path / ".cachewright-quarantine") == ["lock"]


KILLED = """
import os, signal, sys
from cachewright.repair import publication
from cachewright.workbench import Options, Workbench
root, source, count = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), int(sys.argv[3])
left = [count]
def killing(real):
    def act(*what):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*what)
    return act
publication.rename_noreplace = killing(publication.rename_noreplace)
publication.exchange = killing(publication.exchange)
with Workbench.open(root, options=Options(sources=(source,), settle_s=0.0)) as bench:
    bench.check()
    bench.repair(bench.plan(), apply=True)
print(count - left[0])
"""


@pytest.mark.parametrize("point", range(1, 6))
def test_killed_before_any_rename_the_file_is_the_whole_old_or_the_whole_new_one(
    tmp_path: Path, point: int
) -> None:
    for name, content in (("tree", b"bad"), ("copy", b"good" * 5000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(content)
    listed = subprocess.run(
        ["sha256sum", "a"], cwd=tmp_path / "copy", capture_output=True, check=True
    )
    (tmp_path / "tree/SHA256SUMS").write_bytes(listed.stdout)
    command = [sys.executable, "-c", KILLED, tmp_path / "tree", tmp_path / "copy", str(point)]
    said = subprocess.run(command, capture_output=True, check=False)
    now = (tmp_path / "tree/a").read_bytes()
    if point == 5:
        assert (said.returncode, said.stdout) == (0, b"4\n"), "there are four renames in all"
    else:
        assert said.returncode == -signal.SIGKILL
    assert now == (b"bad" if point <= 3 else b"good" * 5000)
    kept = [
        one.read_bytes()
        for one in (tmp_path / ".cachewright-quarantine").rglob("*/*")
        if one.is_file()
    ]
    assert (b"bad" in kept) == (point > 3), "the old one is never lost"


def test_publishing_by_name(tree: Path, tmp_path: Path) -> None:
    write_list(tree, "SHA256SUMS")
    place, copy = tree / "d1/file 1.bin", tmp_path / "copy/d1/file 1.bin"
    place.write_bytes(b"bad")
    with Workbench.open(os.fsencode(tree), options=Options(**QUICK)) as bench:
        outcome = bench.publish("d1/file 1.bin", os.fsencode(copy))
    assert outcome.result is Result.DONE
    assert place.read_bytes() == copy.read_bytes()


def bagit(top: Path, *how: str) -> int:
    program = [environment("bagit") / "python", environment("bagit") / "bagit.py"]
    said = subprocess.run([*program, "--quiet", *how, top], capture_output=True, check=False)
    return said.returncode


def test_a_bag_that_bagit_made(tree: Path, tmp_path: Path) -> None:
    assert bagit(tree, "--sha256", "--md5") == 0
    assert bagit(tree, "--validate") == 0
    result = check(tree)
    assert set(verdicts(result).values()) == {OK}
    assert result.findings == ()
    place = tree / "data/d1/file 1.bin"
    flip(place, random.Random(1))  # noqa: S311 - as above
    assert bagit(tree, "--validate") != 0
    bad = {path for path, verdict in verdicts(check(tree)).items() if verdict is CORRUPT}
    assert bad == {b"data/d1/file 1.bin"}
    (tmp_path / "copy").rename(tmp_path / "data")
    (outcome,) = repair(tree, tmp_path)
    assert outcome.result is Result.DONE
    assert bagit(tree, "--validate") == 0
    (tree / "data/added").write_bytes(b"x")
    assert bagit(tree, "--validate") != 0
    kinds = {one.kind for one in check(tree).problems}
    assert kinds == {FindingKind.FOREIGN_FILE, FindingKind.ACCOUNTING}


def test_a_file_with_a_writer_is_busy_and_the_others_are_judged(
    tree: Path, child: Callable[..., Any]
) -> None:
    write_list(tree, "SHA256SUMS")
    place = tree / "d1/file 1.bin"
    writer = (
        "import sys; f = open(sys.argv[1], 'r+b'); print('ready', flush=True); sys.stdin.read()"
    )
    with child(writer, place):
        found = verdicts(check(tree))
    assert found.pop(b"d1/file 1.bin") is EntryVerdict.BUSY
    assert set(found.values()) == {OK}


class Then(Unwatched):
    """Does something once, a moment after what was doubtful was left to settle."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.later: threading.Thread | None = None

    def progress(self, progress: Any) -> None:
        if progress.stage == "settle" and self.later is None:
            self.later = threading.Timer(0.2, self.act)
            self.later.start()


def check_while(top: Path, act: Callable[[], object]) -> CheckResult:
    watcher = Then(act)
    options = Options(**{**QUICK, "settle_s": 1.0})
    with Workbench.open(os.fsencode(top), options=options) as bench:
        result = bench.check(watcher)
    assert watcher.later is not None
    watcher.later.join()
    return result


def test_a_list_that_is_renewed_after_its_files_is_no_damage(tree: Path) -> None:
    write_list(tree, "SHA256SUMS")
    place = tree / "d1/file 1.bin"
    place.write_bytes(b"a newer version, whose line comes a moment later")
    result = check_while(tree, lambda: write_list(tree, "SHA256SUMS"))
    assert verdicts(result)[b"d1/file 1.bin"] is EntryVerdict.BUSY
    assert verdicts(check(tree))[b"d1/file 1.bin"] is OK


def test_a_young_list_is_waited_for(tree: Path) -> None:
    """The new list came before its old file is replaced."""
    write_list(tree, "SHA256SUMS")
    place, listed = tree / "d1/file 1.bin", tree / "SHA256SUMS"
    for one in tree.rglob("*"):
        os.utime(one, (1_000_000_000, 1_000_000_000))
    old = place.read_bytes()
    newer = re.sub(r"\w{64}(?=  d1/file 1\.bin)", "0" * 64, listed.read_text())
    listed.write_text(newer)
    result = check_while(tree, lambda: place.write_bytes(old[::-1]))
    assert verdicts(result)[b"d1/file 1.bin"] is EntryVerdict.BUSY


def test_nothing_of_a_hostile_tree_reaches_the_terminal(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    evil = [b"\x1b[2Jclear", b"\x1b]0;t\x07", b"n\nl", b"\xff\xfe", "a\u202eb".encode(), b"<b>"]
    for name in evil:
        Path(os.fsdecode(os.fsencode(top) + b"/" + name)).write_bytes(b"changed")
    text = b"".join(b"0" * 64 + b"  " + name.replace(b"\n", b"") + b"\n" for name in evil)
    (top / "SHA256SUMS").write_bytes(text + b"\x1b[31m prose\n" + b"0" * 64 + b"  /\x1b[2J\n")
    command = [sys.executable, "-m", "cachewright", "check", str(top), "--format", "checksums"]
    for how in ([], ["--json"]):
        said = subprocess.run([*command, *how], capture_output=True, check=False)
        assert said.returncode == 1
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", said.stdout)
        assert "\u202e".encode() not in said.stdout
