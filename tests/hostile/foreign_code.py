"""Nothing of a cache is ever run: canaries in every place from which some program runs code.

Each would leave its name in a folder.  Where the kernel lets us watch, the calls tell as well that
no file of the cache was executed, or loaded as Python or a library loads it: by its path.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.counts import Row
from tests.unit.formats.uv_making import MadeUv

PART: Final = "foreign code"
_MODULES: Final = (
    "sitecustomize", "usercustomize", "click", "rich", "numpy", "json", "sqlite3", "humanize",
    "platformdirs", "msgpack", "tree_sitter", "portalocker", "setup", "conftest", "noxfile", "evil",
    "PySide6", "csv", "socket", "hashlib",
)  # fmt: skip
_HOOKS: Final = ("pre-commit", "post-checkout", "fsmonitor-watchman", "post-index-change")
_PROGRAMS: Final = (
    "git",
    "terraform",
    "tofu",
    "uv",
    "npm",
    "python",
    "python3",
    "sh",
    "env",
    "strace",
)
_LOADED: Final = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"(/[^"]*)"')
_CALLS: Final = "trace=execve,execveat,open,openat"
_CODE: Final = (".py", ".pyc", ".so", ".pth", ".so.6", ".so.0", "entry_points.txt")
_RUN: Final = re.compile(r'execve(?:at)?\([^"]*"([^"]*)"')
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "the command": (os.path.join(os.path.dirname(sys.executable), "cachewright"),),
    "python -m": (sys.executable, "-m", "cachewright"),
}


class _Pickled:
    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


def plant(folder: Path, marks: Path) -> int:
    """Canaries in this folder; how many."""
    before = _count(folder)
    python = f"import os\nopen(os.path.join({str(marks)!r}, 'NAME'), 'w').close()\n"
    shell = f"#!/bin/sh\n: > {marks}/NAME\n"
    for name in _MODULES:
        _write(folder / f"{name}.py", python.replace("NAME", f"module-{name}"))
    for name in ("__init__", "__main__"):
        _write(folder / f"{name}.py", python.replace("NAME", name))
    _write(folder / "evil.pth", f"import os; open({str(marks / 'pth')!r}, 'w').close()\n")
    for group in ("cachewright.formats", "cachewright.window"):
        _write(
            folder / f"{group}-1.0.dist-info" / "entry_points.txt", f"[{group}]\nevil = evil:Evil\n"
        )
        _write(folder / f"{group}-1.0.dist-info" / "METADATA", "Name: evil\nVersion: 1.0\n")
    for name in _HOOKS:
        _write(folder / ".git" / "hooks" / name, shell.replace("NAME", f"hook-{name}"), 0o755)
    _write(
        folder / ".git" / "config",
        f"[core]\n fsmonitor = : > {marks}/fsmonitor\n pager = : > {marks}/pager\n"
        f"[alias]\n status = !: > {marks}/alias\n",
    )
    _write(folder / ".git" / "HEAD", "ref: refs/heads/main\n")
    for name in _PROGRAMS:
        _write(folder / name, shell.replace("NAME", f"program-{name}"), 0o755)
    for name in (".envrc", ".bashrc", ".profile", "Makefile", ".terraformrc", "uv.toml"):
        _write(folder / name, f": > {marks}/shell-{name}\n")
    _write(
        folder / "pyproject.toml",
        '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
        '[tool.pytest.ini_options]\naddopts = "-p evil"\n',
    )
    pickled = pickle.dumps(_Pickled(f": > {marks}/pickle"))
    for name in ("cache.pickle", "data.pkl", "archive.joblib"):
        (folder / name).write_bytes(pickled)
    for name in ("libc.so.6", "libsqlite3.so.0", "_json.so"):
        (folder / name).write_bytes(b"\x7fELF")
    return _count(folder) - before


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _count(folder: Path) -> int:
    return sum(1 for one in folder.rglob("*") if one.is_file())


def run(quick: bool) -> Iterator[Row]:
    """Every verb that looks, by every way to start it, from within the cache."""
    verbs = ("check",) if quick else ("check", "locks", "plan", "repair", "discover")
    for name, command in COMMANDS.items():
        yield _tried(name, command, verbs)


def _tried(name: str, command: Sequence[str], verbs: Sequence[str]) -> Row:
    bad: list[str] = []
    canaries = 0
    watched = watching()
    for verb in verbs:
        with tempfile.TemporaryDirectory(prefix="cw-code-") as top:
            marks, log = Path(top) / "marks", Path(top) / "calls"
            marks.mkdir()
            made = MadeUv(Path(top))
            archive = made.whole()
            canaries = plant(archive, marks) + plant(made.cache, marks)
            start = [watched, "-f", "-qq", "-e", _CALLS, "-o", str(log)] if watched else []
            asked = [verb] if verb == "discover" else [verb, str(made.cache), "--format", "uv"]
            if verb == "plan":
                asked += ["-o", os.path.join(top, "plan.json")]
            for inside in (made.cache, archive):
                done = subprocess.run(
                    [*start, *command, *asked],
                    cwd=inside,
                    env=_environment(Path(top)),
                    capture_output=True,
                    check=False,
                )
                if done.returncode not in {0, 1, 3}:
                    bad.append(f"{verb} ended with {done.returncode}: {done.stderr[-200:]!r}")
                bad += loaded(log, os.fsencode(made.cache)) if watched else []
            bad += [f"{verb} ran {one.name}" for one in marks.iterdir()]
    seen = "calls watched" if watched else "calls not watched: the kernel refuses"
    note = f"{canaries} canaries, {len(verbs)} verbs, {seen}" + "".join(
        f"; {one}" for one in bad[:4]
    )
    return Row(PART, name, canaries * len(verbs), len(bad), aim=1, note=note)


def _environment(top: Path) -> dict[str, str]:
    """As it is, with the worst PATH that anybody has."""
    path = os.pathsep.join([".", "/usr/bin", "/bin"])
    return {
        **os.environ,
        "PATH": path,
        "HOME": str(top),
        "CACHEWRIGHT_STATE_DIR": str(top / "state"),
    }


def watching() -> str:
    """The program that watches the calls of others; empty where that is not possible here."""
    program = shutil.which("strace") or ""
    if not program:
        return ""
    tried = [program, "-qq", "-o", os.devnull, "true"]
    return (
        program if subprocess.run(tried, capture_output=True, check=False).returncode == 0 else ""
    )


def loaded(log: Path, cache: bytes) -> list[str]:
    """What of the cache was executed, or opened by its path as code is."""
    inside = os.fsdecode(cache) + "/"
    found: list[str] = []
    for line in log.read_text(errors="replace").splitlines():
        if (call := _RUN.search(line)) and " = 0" in line:
            name = call[1]
            if name.startswith(inside) or not name.startswith("/"):
                found.append(f"executed {name}")
        elif (call := _LOADED.search(line)) and _is_code(call[1], inside):
            found.append(f"opened {call[1]}")
    return found


def _is_code(path: str, inside: str) -> bool:
    return path.startswith(inside) and path.endswith(_CODE)
