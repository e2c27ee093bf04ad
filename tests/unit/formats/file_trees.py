"""Made trees of files, and a look at them without worker processes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cachewright.digests import FileDigest
from cachewright.formats.base import Format, Judgement, Knowledge, References, Verification
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import EntryVerdict, Finding, FindingKind, Role
from cachewright.storage.anchored import Directory

Verdict = EntryVerdict


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def line(name: str, content: bytes, algorithm: str = "sha256") -> str:
    return f"{digest(content, algorithm)}  {name}\n"


@dataclass
class Looked:
    """What was found: by the entry's name."""

    judged: dict[str, Judgement] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return {name: one.verdict for name, one in self.judged.items()}

    def why(self, name: str) -> str:
        return self.judged[name].why

    def of(self, kind: FindingKind) -> list[Finding]:
        every = [*self.findings, *(one for j in self.judged.values() for one in j.findings)]
        return [one for one in every if one.kind is kind]

    def one(self, kind: FindingKind) -> Finding:
        (found,) = self.of(kind)
        return found

    @property
    def kinds(self) -> list[str]:
        every = [*self.findings, *(one for j in self.judged.values() for one in j.findings)]
        return sorted(one.kind.value for one in every)


@dataclass
class Folder:
    """A directory to fill, and to look at with one format."""

    path: Path
    form: Format

    def put(self, name: str | bytes, content: bytes | str = b"") -> Path:
        place = Path(os.fsdecode(os.path.join(os.fsencode(self.path), os.fsencode(name))))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def recognised(self) -> bool:
        with Directory.open(os.fsencode(self.path)) as root:
            return self.form.recognise(root)

    @contextmanager
    def read(self, *sources: Path) -> Iterator[tuple[Directory, Tree, Knowledge]]:
        with Directory.open(os.fsencode(self.path)) as root:
            tree = scan_subtree(root, b"", Role.CONTAINER, self.form.rules)
            given = References(sources=tuple(os.fsencode(one) for one in sources))
            yield root, tree, self.form.read(root, tree, given)

    def look(self, *sources: Path) -> Looked:
        """Every file hashed and judged as a check does it."""
        looked = Looked()
        with self.read(*sources) as (root, _tree, knowledge):
            algorithms = sorted(knowledge.algorithms() or self.form.algorithms)
            for entry in knowledge.entries:
                seen = hashed(root.where(entry.relative), algorithms)
                looked.judged[entry.name] = knowledge.judge(entry, seen)
            looked.findings += knowledge.findings()
        return looked


def hashed(path: bytes, algorithms: Sequence[str]) -> Verification:
    with open(path, "rb") as file:
        content = file.read()
    values = {name: digest(content, name) for name in algorithms}
    return Verification({b"": FileDigest(len(content), os.stat(path).st_mode, values)}, values)
