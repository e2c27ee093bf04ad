"""Small made caches, mirrors and lock files, and a look at them without the pipeline."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cachewright.digests import FileDigest
from cachewright.formats.base import Format, GoodCopy, Knowledge, References, Verification
from cachewright.formats.terraform import Terraform
from cachewright.inventory.tree import scan_subtree
from cachewright.model import EntryVerdict as Verdict
from cachewright.model import Finding, FindingKind, Role
from cachewright.storage.anchored import Directory

sys.path.insert(0, str(Path(__file__).parent))

ADDRESS = "tf.example.com/acme/toy"
LINUX = "linux_amd64"
BINARY = "terraform-provider-toy_v1.2.3_x5"
FILES: Mapping[str, bytes] = {BINARY: b"binary of linux", "LICENSE.txt": b"MIT\n"}


def h1_of(files: Mapping[str, bytes], directories: Iterable[str] = ()) -> str:
    """Terraform's directory hash, computed here from its description alone."""
    every = {**files, **dict.fromkeys(directories, b"")}
    lines = [f"{hashlib.sha256(every[name]).hexdigest()}  {name}\n" for name in sorted(every)]
    whole = hashlib.sha256("".join(lines).encode()).digest()
    return "h1:" + base64.b64encode(whole).decode()


@dataclass
class Looked:
    knowledge: Knowledge
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    copies: dict[str, Sequence[GoodCopy]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def kinds(self) -> list[FindingKind]:
        return [one.kind for one in self.findings]

    @property
    def verdict(self) -> Verdict:
        (verdict,) = self.verdicts.values()
        return verdict


@dataclass
class Made:
    """Everything below one directory; nothing exists until it is asked for."""

    top: Path

    def __post_init__(self) -> None:
        self.cache = self.top / "cache"
        self.mirror = self.top / "mirror"
        self.cache.mkdir()
        self.mirror.mkdir()

    def entry(self, files: Mapping[str, bytes] = FILES, platform: str = LINUX) -> Path:
        return self.unpacked(self.cache / ADDRESS / "1.2.3" / platform, files)

    def unpacked(self, path: Path, files: Mapping[str, bytes] = FILES) -> Path:
        path.mkdir(parents=True)
        for name, content in files.items():
            place = path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755 if name.startswith("terraform-provider-") else 0o644)
        return path

    def archive(
        self,
        files: Mapping[str, bytes] = FILES,
        platform: str = LINUX,
        directories: Sequence[str] = (),
        path: Path | None = None,
    ) -> Path:
        place = path or self.mirror / ADDRESS / f"terraform-provider-toy_1.2.3_{platform}.zip"
        place.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place, "w") as archive:
            for name in directories:
                archive.writestr(zipfile.ZipInfo(name), b"")
            for name, content in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFREG | 0o755) << 16
                archive.writestr(info, content)
        return place

    def index(self, **platforms: Sequence[str]) -> Path:
        place = self.mirror / ADDRESS / "1.2.3.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        records = {name: {"hashes": list(one), "url": "x.zip"} for name, one in platforms.items()}
        place.write_text(json.dumps({"archives": records}))
        return place

    def project(self, *hashes: str, name: str = "project", installed: Sequence[str] = ()) -> Path:
        path = self.top / name
        path.mkdir(parents=True, exist_ok=True)
        (path / ".terraform.lock.hcl").write_text(lock_text(*hashes))
        for platform in installed:
            link = path / ".terraform/providers" / ADDRESS / "1.2.3" / platform
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.cache / ADDRESS / "1.2.3" / platform)
        return path

    def read(
        self,
        root: Directory,
        form: Format,
        projects: Sequence[Path] = (),
        sources: Sequence[Path] | None = None,
    ) -> Knowledge:
        given = [self.mirror] if sources is None else sources
        references = References(
            tuple(os.fsencode(one) for one in projects),
            tuple(os.fsencode(one) for one in given),
            {"HOME": str(self.top / "nobody"), "XDG_DATA_DIRS": str(self.top / "nothing")},
        )
        tree = scan_subtree(root, b"", Role.CONTAINER, form.rules)
        return form.read(root, tree, references)

    def look(
        self,
        *projects: Path,
        sources: Sequence[Path] | None = None,
        form: Format | None = None,
    ) -> Looked:
        """Judge every entry; the mirror is a source unless others are given."""
        form = form or Terraform()
        with Directory.open(os.fsencode(self.cache)) as root:
            knowledge = self.read(root, form, projects, sources)
            looked = Looked(knowledge)
            for entry in knowledge.entries:
                seen = hashed(form, entry.link_target or root.where(entry.relative))
                judgement = knowledge.judge(entry, seen)
                looked.verdicts[entry.name] = judgement.verdict
                looked.why[entry.name] = judgement.why
                looked.findings += judgement.findings
            looked.findings += knowledge.findings()
            # Asked for while the root is still pinned.
            looked.copies = {one.name: knowledge.copies(one) for one in knowledge.entries}
        return looked


def hashed(form: Format, top: bytes) -> Verification:
    files: dict[bytes, FileDigest] = {}
    strange: list[bytes] = []
    for folder, folders, names in os.walk(top):
        for name in (*names, *folders):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    content = file.read()
                values = {"sha256": hashlib.sha256(content).hexdigest()}
                files[relative] = FileDigest(len(content), mode, values)
            elif not stat.S_ISDIR(mode):
                strange.append(relative)
    return Verification(files, form.whole(files), tuple(strange))


def lock_text(*hashes: str, address: str = ADDRESS, version: str = "1.2.3") -> str:
    """As terraform writes it."""
    listed = "".join(f'    "{one}",\n' for one in sorted(hashes))
    given = f"  hashes = [\n{listed}  ]\n" if hashes else ""
    return (
        '# This file is maintained automatically by "terraform init".\n'
        "# Manual edits may be lost in future updates.\n"
        f'\nprovider "{address}" {{\n  version     = "{version}"\n'
        f'  constraints = "{version}"\n{given}}}\n'
    )


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.fixture(scope="session")
def facts() -> object:
    """The names and functions above, for test files that cannot import a conftest."""

    class Facts:
        files = FILES
        binary = BINARY
        address = ADDRESS
        h1 = staticmethod(h1_of)
        lock = staticmethod(lock_text)

        @staticmethod
        def zh(path: Path) -> str:
            return "zh:" + hashlib.sha256(path.read_bytes()).hexdigest()

    return Facts
