"""Runs the real terraform, offline: a toy provider in a packed mirror, one cache, projects."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cachewright.digests import FileDigest, hash_file
from cachewright.formats import registry
from cachewright.formats.base import Entry, Format, Knowledge, References, Verification
from cachewright.inventory.walker import scan
from cachewright.model import CancelToken, Finding, FindingKind, no_progress
from cachewright.model import EntryVerdict as Verdict
from cachewright.storage.anchored import Directory

HOST = "tf.example.com"
ADDRESS = f"{HOST}/acme/toy"
VERSION = "1.2.3"
BINARY = "terraform-provider-toy_v1.2.3_x5"
FILES: Mapping[str, tuple[bytes, int]] = {
    BINARY: (b"#!/bin/sh\necho toy\n" + bytes(range(256)) * 16, 0o755),
    "LICENSE.txt": (b"MIT\n", 0o644),
    "docs/README.md": (b"hi\n", 0o644),
}


def tool(name: str) -> str:
    """The program's path; without it the test is skipped, or fails where CI promises it."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, but CI is meant to have it")
        pytest.skip(reason)
    return found


@dataclass
class Looked:
    """What the format says of the cache after every entry was hashed."""

    knowledge: Knowledge
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    h1: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def of(self, kind: FindingKind) -> list[Finding]:
        return [one for one in self.findings if one.kind is kind]


@dataclass
class Shop:
    """A mirror, a cache and projects below one directory, and the terraform to use them."""

    terraform: str
    top: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mirror = self.top / "mirror"
        self.cache = self.top / "cache"
        self.cache.mkdir()
        self.settings = self.top / "cli.tfrc"
        self.settings.write_text(
            f"provider_installation {{\n"
            f'  filesystem_mirror {{\n    path    = "{self.mirror}"\n'
            f'    include = ["{HOST}/*/*"]\n  }}\n'
            f'  direct {{\n    exclude = ["{HOST}/*/*"]\n  }}\n}}\n'
            "disable_checkpoint = true\n"
        )
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.top / "home"),
            "TMPDIR": str(self.top),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_CONFIG_FILE": str(self.settings),
            "TF_PLUGIN_CACHE_DIR": str(self.cache),
        }

    def entry(self, platform: str = "linux_amd64") -> Path:
        return self.cache / ADDRESS / VERSION / platform

    def archive(
        self,
        platform: str = "linux_amd64",
        files: Mapping[str, tuple[bytes, int]] = FILES,
        directories: Sequence[str] = (),
        packing: int = zipfile.ZIP_DEFLATED,
    ) -> Path:
        path = self.mirror / ADDRESS / f"terraform-provider-toy_{VERSION}_{platform}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", packing) as archive:
            for name in directories:
                archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), b"")
            for name, (content, mode) in files.items():
                info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
                info.external_attr = (stat.S_IFREG | mode) << 16
                info.compress_type = packing
                archive.writestr(info, content)
        return path

    def project(self, name: str = "project") -> Path:
        path = self.top / name
        path.mkdir()
        (path / "main.tf").write_text(
            "terraform {\n  required_providers {\n    toy = {\n"
            f'      source  = "{ADDRESS}"\n      version = "{VERSION}"\n    }}\n  }}\n}}\n'
        )
        return path

    def start(self, project: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [self.terraform, *arguments],
            cwd=project,
            env={**self.environment, **more},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test left running or stopped."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.started.clear()

    def run(self, project: Path, *arguments: str, code: int = 0, **more: str) -> str:
        process = self.start(project, *arguments, **more)
        return self.finish(process, code)

    def finish(self, process: subprocess.Popen[str], code: int = 0) -> str:
        output, _ = process.communicate(timeout=100)
        self.started.remove(process)
        assert process.returncode == code, output
        return output

    def init(self, project: Path, *arguments: str, code: int = 0, **more: str) -> str:
        return self.run(project, "init", "-no-color", "-input=false", *arguments, code=code, **more)

    def look(self, *projects: Path, sources: Sequence[Path] = (), mirror: bool = True) -> Looked:
        """Scan, hash and judge as a check would, with nothing between us and the format."""
        environment = self.environment if mirror else {"HOME": self.environment["HOME"]}
        references = References(
            tuple(os.fsencode(one) for one in projects),
            tuple(os.fsencode(one) for one in sources),
            environment,
        )
        with Directory.open(os.fsencode(self.cache)) as root:
            form = registry.recognise(root)
            assert form is not None
            tree = scan(root, form.rules, progress=no_progress, cancel=CancelToken())
            knowledge = form.read(root, tree, references)
            looked = Looked(knowledge)
            for entry in knowledge.entries:
                seen = hashed(form, root, entry)
                judgement = knowledge.judge(entry, seen)
                looked.verdicts[entry.name] = judgement.verdict
                looked.h1[entry.name] = seen.whole.get("h1", "")
                looked.findings += judgement.findings
            looked.findings += knowledge.findings()
        return looked


def hashed(form: Format, root: Directory, entry: Entry) -> Verification:
    top = entry.link_target or root.where(entry.relative)
    files: dict[bytes, FileDigest] = {}
    strange: list[bytes] = []
    for folder, folders, names in os.walk(top):
        for name in (*names, *folders):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            relative = os.path.relpath(path, top)
            if stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    size, values = hash_file(file.fileno(), ("sha256",), CancelToken())
                files[relative] = FileDigest(size, mode, values)
            elif not stat.S_ISDIR(mode):
                strange.append(relative)
    return Verification(files, form.whole(files), tuple(strange))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tool("terraform"), tmp_path)
    yield shop
    shop.close()
