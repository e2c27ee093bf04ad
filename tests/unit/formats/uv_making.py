"""Small uv caches made by hand, and a look at them without the pipeline."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
from tests.real.uv.wheels import files_of

from cachewright.digests import FileDigest
from cachewright.formats.base import Entry, GoodCopy, Knowledge, References, Verification
from cachewright.formats.uv import Uv
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import EntryVerdict as Verdict
from cachewright.model import Finding, FindingKind, Role, Severity
from cachewright.storage.anchored import Directory

ID = "AAAAAAAAAAAAAAAA"
OTHER_ID = "BBBBBBBBBBBBBBBB"
TAG = "Signature: 8a477f597d28d172789f06886806bc55"
WHEELS = "wheels-v7/pypi"
_POLICY = b"rules of how long it holds" * 4


def newer(content: bytes) -> bytes:
    """The envelope of uv 0.13."""
    length = struct.pack("<Q", len(content))
    return content + _POLICY + struct.pack("<I", zlib.crc32(_POLICY + length)) + length


def older(content: bytes) -> bytes:
    """The envelope of uv 0.12."""
    return content + _POLICY + struct.pack("<Q", len(_POLICY))


def archive_value(archive: str, sha256: str = "", filename: str = "") -> list[Any]:
    return [archive, [{"Sha256": sha256}] if sha256 else [], filename, 0, 77]


@dataclass
class Looked:
    knowledge: Knowledge
    entries: dict[str, Entry] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    copies: dict[str, Sequence[GoodCopy]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        (verdict,) = self.verdicts.values()
        return verdict

    @property
    def shapes(self) -> list[tuple[FindingKind, Severity]]:
        return [(one.kind, one.severity) for one in self.findings]

    @property
    def problems(self) -> list[FindingKind]:
        return [one.kind for one in self.findings if one.severity is Severity.PROBLEM]

    @property
    def finding(self) -> Finding:
        (finding,) = self.findings
        return finding


class MadeUv:
    """One cache below ``top``; nothing is in it until it is asked for."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.cache = top / "cache"
        self.cache.mkdir()
        self.write("CACHEDIR.TAG", TAG.encode())
        self.write(".lock", b"")
        (self.cache / "archive-v0").mkdir()

    def write(self, relative: str, content: bytes) -> Path:
        place = self.cache / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def unpacked(
        self,
        name: str = "toy",
        archive: str = ID,
        files: Mapping[str, bytes] | None = None,
        version: str = "1.0",
    ) -> Path:
        """An archive; ``files`` are all of it where given, else a small wheel's."""
        content = {f"{name}/__init__.py": b"x = 1\n", f"{name}/data.txt": b"data" * 50}
        for relative, one in (files or files_of(name, version, content)).items():
            self.write(f"archive-v0/{archive}/{relative}", one)
        return self.cache / "archive-v0" / archive

    def stem(self, name: str = "toy", version: str = "1.0") -> str:
        return f"{WHEELS}/{name}/{version}-py3-none-any"

    def link(self, target: str = ID, stem: str = "") -> Path:
        place = self.cache / (stem or self.stem())
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(f"../../../archive-v0/{target}" if "/" not in target else target)
        return place

    def pointer(self, archive: str = ID, sha256: str = "ab" * 32, stem: str = "") -> Path:
        value = archive_value(archive, sha256, "toy-1.0-py3-none-any.whl")
        return self.write(f"{stem or self.stem()}.http", newer(msgpack.packb(value)))

    def whole(self, name: str = "toy", archive: str = ID) -> Path:
        """An archive with its link and pointer."""
        self.link(archive, self.stem(name))
        self.pointer(archive, stem=self.stem(name))
        return self.unpacked(name, archive)

    def tree(self, root: Directory) -> Tree:
        return scan_subtree(root, b"", Role.CONTAINER, Uv.rules)

    def look(self, *sources: Path) -> Looked:
        """Judge every entry, and ask for good copies while the root is still pinned."""
        references = References(sources=tuple(os.fsencode(one) for one in sources))
        form = Uv()
        with Directory.open(os.fsencode(self.cache)) as root:
            knowledge = form.read(root, self.tree(root), references)
            looked = Looked(knowledge)
            algorithms = knowledge.algorithms() or form.algorithms
            for entry in knowledge.entries:
                looked.entries[entry.name] = entry
                seen = hashed(root.where(entry.relative), algorithms)
                judgement = knowledge.judge(entry, seen)
                looked.verdicts[entry.name] = judgement.verdict
                looked.why[entry.name] = judgement.why
                looked.findings += judgement.findings
            looked.copies = {one.name: knowledge.copies(one) for one in knowledge.entries}
            looked.findings += knowledge.findings()
        return looked


def hashed(top: bytes, algorithms: frozenset[str]) -> Verification:
    files: dict[bytes, FileDigest] = {}
    strange: list[bytes] = []
    if os.path.isfile(top):
        return Verification({b"": _digest(top, algorithms)}, {})
    for folder, folders, names in os.walk(top):
        for name in (*names, *folders):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            if os.path.isfile(path) and not os.path.islink(path):
                files[relative] = _digest(path, algorithms)
            elif os.path.islink(path) or not os.path.isdir(path):
                strange.append(relative)
    return Verification(files, {}, tuple(strange))


def _digest(path: bytes, algorithms: frozenset[str]) -> FileDigest:
    with open(path, "rb") as file:
        content = file.read()
    values = {name: hashlib.new(name, content).hexdigest() for name in algorithms}
    return FileDigest(len(content), os.lstat(path).st_mode, values)
