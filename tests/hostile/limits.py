"""Trees of which others give up: how deep, how many, how large, how odd; all by the real command.

Every command may have 64 descriptors, and has to end in time by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.counts import Row
from tests.hostile.limits_running import DESCRIPTORS, Case, case, fast
from tests.hostile.limits_trees import (
    FUTURE_NS,
    PAST_NS,
    SPARSE,
    Opens,
    Providers,
    deepen,
    fill,
    listed,
    odd,
)

from cachewright.demo.provider import unpack

_DEPTH: Final = 5000
_QUICK_DEPTH: Final = 2200
"""More than Python recurses, and than one path may have bytes."""
_PLENTY: Final = 1_000_000
_FEW: Final = 5_000
_CAP_S: Final = 240.0
"""Longer than any step takes on a busy computer; what takes longer knows no end."""


def run(quick: bool) -> list[Row]:
    count, depth = (_FEW, _QUICK_DEPTH) if quick else (_PLENTY, _DEPTH)
    cap_s = _CAP_S if quick else 8 * _CAP_S
    rows = []
    parts: list[tuple[str, Callable[[Case], None]]] = [
        (f"{depth:,} directories deep", lambda one: _deep(one, depth)),
        (f"{count:,} files", lambda one: _many(one, count)),
        ("8 TiB without content", _sparse),
        ("FIFO, socket, devices, looping links", _odd),
        ("times of 2096 and of 1960", _times),
        ("a directory that may not be read", _unreadable),
        ("a file that grows while it is read", _growing),
        ("directories that come and go", _vanishing),
    ]
    for where, part in parts:
        with case(where, cap_s, quick=quick) as one:
            part(one)
            most = max(ran.most for ran in one.ran)
            one.expect(f"{most} descriptors", so=most <= DESCRIPTORS)
            rows.append(one.row())
    return rows


def _deep(one: Case, depth: int) -> None:
    """An entry and staging so deep, moved, put back, copied and purged."""
    made = Providers(one.top)
    files = deepen(made.entry, depth)
    staging = made.entry.parent / ".temp77"
    staging.mkdir()
    deepen(staging, depth)
    near, root = made.near(), made.root
    checked = one.run("check", root, "--json", *fast(*near), codes=(1,)).document
    entry = next(each for each in checked["entries"] if "/bad/" in each["path"])
    one.expect(f"the deep entry is {entry['verdict']}", so=entry["verdict"] == "corrupt")
    if not one.quick:
        one.run("plan", root, "-o", one.top / "plan.json", *fast(*near))
    done = one.run("repair", root, "--apply", "--json", *fast(*near), codes=(0, 4)).document
    steps = {each["step"]: each["result"] for each in done["outcomes"]}
    one.expect(f"repaired: {steps}", so=steps.get("republish-entry") == "done")
    one.run("undo")
    made.record(files)
    near = ["--project", made.projects]
    again = one.run("check", root, "--json", *fast(*near), codes=(0, 1)).document
    entry = next(each for each in again["entries"] if "/bad/" in each["path"])
    one.expect(f"all that is deep is recorded, yet {entry['verdict']}", so=entry["verdict"] == "ok")
    one.run("baseline", root, *fast(*near))
    _published(one, made, near, entry["name"], depth)
    one.run("quarantine", "purge", "--older-than", "0", "--yes")
    kept = one.run("quarantine", "list", "--json").document
    one.expect("something is left in quarantine", so=not kept["items"])


def _published(
    one: Case, made: Providers, near: list[str | bytes | Path], name: str, depth: int
) -> None:
    """From a folder that holds the same deep tree."""
    copy = Path(unpack(made.bad, str(one.top / "copy")))
    deepen(copy, depth)
    (made.entry / made.bad.executable).write_bytes(b"tampered with")
    one.run("publish", made.root, name, "--from", copy, *near)
    after = one.run("check", made.root, "--json", *fast(*near), codes=(0, 1)).document
    entry = next(each for each in after["entries"] if each["name"] == name)
    one.expect(f"published, yet {entry['verdict']}", so=entry["verdict"] == "ok")
    one.run("undo")


def _many(one: Case, count: int) -> None:
    """Small files in many directories, all listed, one of them corrupt."""
    root = one.top / "cache"
    fill(root, count)
    bad = root / "00003" / "0003003"
    bad.write_bytes(b"corrupt")
    mirror = one.top / "mirror" / "00003"
    mirror.mkdir(parents=True)
    (mirror / bad.name).write_bytes(b"0003003")
    near = ("--format", "checksums", "--source", one.top / "mirror")
    checked = one.run("check", root, "--json", "--findings-only", *fast(*near), codes=(1,)).document
    said = checked["summary"]
    one.expect(f"{said['entries']} entries", so=said["entries"] == count)
    one.expect(f"{said['ok']} are ok", so=said["ok"] == count - 1)
    one.run("repair", root, "--apply", *fast(*near))
    one.expect("it is not repaired", so=bad.read_bytes() == b"0003003")
    one.run("undo")
    one.expect("it is not undone", so=bad.read_bytes() == b"corrupt")
    if one.quick:
        return
    # One corrupt file is left out, and named by the exit code.
    taken = one.run("baseline", root, *fast(*near), codes=(3,))
    one.expect("not all are recorded", so=f"{count - 1:,} entries".encode() in taken.out)


def _sparse(one: Case) -> None:
    """Looked at at once; hashed only until somebody has enough of it; never copied."""
    root = one.top / "cache"
    root.mkdir()
    big = root / "disk.img"
    with big.open("wb") as file:
        file.truncate(SPARSE)
    (root / "SHA256SUMS").write_text(f"{'0' * 64}  disk.img\n")
    one.run("check", root, "--no-verify", codes=(0, 3))
    one.run("check", root, "--format", "handoff", "--no-verify", codes=(0, 1, 3))
    stopped = one.run(
        "check", root, "--format", "checksums", *fast(), codes=(130,), meanwhile=_told_then_stopped
    )
    one.expect("no progress was told", so=b"Verifying" in stopped.err)
    one.notes.append(f"Ctrl-C answered within {time.monotonic() - _stopped['at']:.1f} s")
    source = one.top / "mirror" / "disk.img"
    source.parent.mkdir()
    with source.open("wb") as file:
        file.truncate(SPARSE)
    refused = one.run(
        "publish", root, "disk.img", "--format", "checksums", "--from", source,
        codes=(130,), meanwhile=_stopped_after,
    )  # fmt: skip
    one.notes.append(f"publish from one answers {refused.code} in {refused.seconds:.0f} s")
    left = [name for name in os.listdir(one.top) if name.startswith(".cachewright-s")]
    one.expect(f"{left} is left", so=not left)
    made = Providers(one.top / "providers")
    copy = Path(unpack(made.bad, str(one.top / "copy")))
    for place in (made.entry, copy):
        with (place / "huge").open("wb") as file:
            file.truncate(SPARSE)
    entry, huge = str(made.entry.relative_to(made.root)), made.entry / "huge"
    one.run(
        "publish", made.root, entry, "--from", copy, *made.near(),
        codes=(130,), meanwhile=_stopped_after,
    )  # fmt: skip
    one.run("publish", made.root, entry, "--from", made.mirror, *made.near())
    one.expect("the huge file is still there", so=not huge.exists())
    one.run("undo")
    one.expect("the huge file is not back", so=huge.stat().st_size == SPARSE)


_stopped: Final = {"at": 0.0}


def _told_then_stopped(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, once it has begun to read: what it reads is told by the kernel."""
    _until_read(process)
    time.sleep(2.5)  # the progress of a run shorter than that is not told
    _stopped["at"] = time.monotonic()
    process.send_signal(signal.SIGINT)


def _stopped_after(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C after a while, unless it ends by itself before."""
    until = time.monotonic() + 4
    while time.monotonic() < until:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)


def _until_read(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        said = Path(f"/proc/{process.pid}/io").read_text()
        if int(said.split("rchar: ")[1].split()[0]) > 256 << 20:
            return
        time.sleep(0.05)


def _odd(one: Case) -> None:
    """Things that are no files, listed as files, and inside an entry: never opened."""
    root = one.top / "cache"
    root.mkdir()
    (root / "sound").write_bytes(b"sound")
    names = odd(root)
    listed(root, dict.fromkeys((*names, "sound"), b"sound"))
    one.notes.append(f"{len(names)} kinds")
    made = Providers(one.top / "providers")
    inside = odd(made.entry)
    with contextlib.closing(Opens(root)) as first, contextlib.closing(Opens(made.entry)) as second:
        checked = one.run("check", root, "--json", *fast(), codes=(1, 3)).document
        sound = [each["path"] for each in checked["entries"] if each["verdict"] == "ok"]
        one.expect(f"sound are {sound}", so=[os.path.basename(each) for each in sound] == ["sound"])
        near = made.near()
        again = one.run("check", made.root, "--json", *fast(*near), codes=(1, 3)).document
        entry = next(each for each in again["entries"] if "/bad/" in each["path"])
        one.expect(f"that entry is {entry['verdict']}", so=entry["verdict"] != "ok")
        kinds = {each["kind"] for each in again["findings"]}
        one.expect(f"told as {kinds}", so=bool(kinds & {"foreign-type", "corrupt-entry"}))
        one.run("baseline", root, *fast(), codes=(0, 3))
        one.run("repair", made.root, "--apply", *fast(*near), codes=(0, 3))
        one.expect("not repaired", so=not os.path.lexists(made.entry / inside[0]))
        one.run("undo")
        one.expect("not put back", so=os.path.lexists(made.entry / inside[0]))
        one.run("publish", made.root, entry["name"], "--from", made.entry, *near, codes=(3, 4))
        one.run("repair", made.root, "--apply", *fast(*near), codes=(0, 3))
        one.run("quarantine", "purge", "--older-than", "0", "--yes")
        opened = (first.seen() & set(names)) | (second.seen() & set(inside))
        one.expect(f"opened: {opened}", so=not opened)


def _times(one: Case) -> None:
    """Nothing that is said of time breaks, and age proves nothing."""
    made = Providers(one.top)
    staging = made.entry.parent / ".temp77"
    staging.mkdir()
    for name, at in (("future", FUTURE_NS), ("past", PAST_NS)):
        (staging / name).write_bytes(b"half")
        os.utime(staging / name, ns=(at, at))
    executable = made.entry / made.bad.executable
    executable.write_bytes(b"tampered with")
    for at in (FUTURE_NS,) if one.quick else (FUTURE_NS, PAST_NS):
        for path in (executable, made.entry, staging, made.root):
            os.utime(path, ns=(at, at))
        near, root = made.near(), made.root
        one.run("check", root, *fast(*near), codes=(1,))
        checked = one.run("check", root, "--json", *fast(*near), codes=(1,)).document
        states = [each["verdict"] for each in checked["staging"]]
        one.expect(f"staging is {states}", so=states == ["unproven"])
        one.run("repair", root, "--apply", *fast(*near), codes=(0, 4))
        one.run("journal", "--json")
        one.run("undo")
    one.run("baseline", root, *fast(*near), codes=(0, 3))


def _unreadable(one: Case) -> None:
    """By somebody who may not read it: told, and never taken for empty or broken."""
    made = Providers(one.top)
    made.entry.chmod(0)
    one.may_all = False
    near, root = made.near(), made.root
    text = one.run("check", root, *fast(*near), codes=(1, 3))
    one.expect("it is not told", so=b"Not looked at" in text.out)
    checked = one.run("check", root, "--json", *fast(*near), codes=(1, 3)).document
    states = {each["verdict"] for each in checked["entries"] if "/bad/" in each["path"]}
    one.expect(f"the entry is {states}", so=states <= {"unreadable"})
    one.expect("it is called complete", so=not checked["complete"])
    one.run("repair", root, "--apply", *fast(*near), codes=(3, 4))
    one.expect("it was touched", so=made.entry.is_dir() and os.listdir(made.entry) != [])
    one.run("baseline", root, *fast(*near), codes=(3, 4))


@contextlib.contextmanager
def _busy(code: str, *arguments: str | Path) -> Iterator[None]:
    """Another process does this all the while."""
    begun = f"import os, sys\nprint(flush=True)\n{code}"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", begun, *arguments], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


_APPEND: Final = "f.write(b'x' * 4096); f.tell() > 256 << 20 and f.truncate(96 << 20)"
_WRITERS: Final = {
    "keeps it open": f"f = open(sys.argv[1], 'ab', 0)\nwhile 1: {_APPEND}",
    "comes back": f"while 1:\n with open(sys.argv[1], 'ab', 0) as f: {_APPEND}",
}


def _growing(one: Case) -> None:
    """Appended to, by a writer who keeps it open and by one who does not: busy, not corrupt."""
    root = one.top / "cache"
    root.mkdir()
    grown = root / "grows"
    for who, code in _WRITERS.items():
        grown.write_bytes(bytes(96 << 20))
        (root / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  grows\n")
        with _busy(code, grown):
            checked = one.run("check", root, "--json", *fast(), codes=(0, 1, 3)).document
            (entry,) = checked["entries"]
            one.expect(f"who {who}: {entry['verdict']}", so=entry["verdict"] == "busy")
            one.run("publish", root, "grows", "--from", grown, codes=(3, 4))


def _vanishing(one: Case) -> None:
    """Folders that are made and removed while they are walked: no more than not there."""
    root = one.top / "cache"
    root.mkdir()
    (root / "sound").write_bytes(b"sound")
    listed(root, {"sound": b"sound"})
    code = (
        "top = sys.argv[1]\n"
        "while 1:\n"
        " for a in range(20):\n"
        "  os.makedirs(f'{top}/v{a}/w/x')\n"
        "  open(f'{top}/v{a}/w/f', 'wb').close()\n"
        " for a in range(20):\n"
        "  os.unlink(f'{top}/v{a}/w/f'); os.removedirs(f'{top}/v{a}/w/x')\n"
    )
    with _busy(code, root):
        for _ in range(3):
            checked = one.run("check", root, "--json", *fast(), codes=(0, 3)).document
            states = {each["name"]: each["verdict"] for each in checked["entries"]}
            one.expect(f"{states}", so=states.get("sound") == "ok")
        one.run("baseline", root, *fast("--replace"), codes=(0, 3))
