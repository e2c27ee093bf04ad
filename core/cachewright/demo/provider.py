"""Made-up providers: their files, their archives, and the lock files that vouch for them."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cachewright import digests

HOST: Final = "registry.example.com"
PLATFORM: Final = "linux_amd64"

_TIME: Final = (2026, 1, 15, 9, 30, 0)
"""Of every archive member: archives of the same content are the same bytes."""

_HEAD: Final = """\
# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """One version of a provider for one platform.  ``kilobytes`` is its executable's size."""

    kind: str
    version: str
    kilobytes: int = 64
    namespace: str = "acme"

    @property
    def address(self) -> str:
        return f"{HOST}/{self.namespace}/{self.kind}"

    @property
    def name(self) -> str:
        """The entry's path below a cache, which is its name too."""
        return f"{self.address}/{self.version}/{PLATFORM}"

    @property
    def executable(self) -> str:
        return f"terraform-provider-{self.kind}_v{self.version}_x5"

    @property
    def archive(self) -> str:
        return f"terraform-provider-{self.kind}_{self.version}_{PLATFORM}.zip"

    def files(self) -> dict[str, bytes]:
        """Content by relative name: the same at every call."""
        source = random.Random(self.name)  # noqa: S311  # made-up content, not a secret
        return {
            self.executable: b"\x7fELF" + source.randbytes(self.kilobytes * 1024),
            "LICENSE.txt": b"Made up for a demonstration.\n",
            "README.md": f"# {self.kind} {self.version}\n".encode(),
        }

    def h1(self) -> str:
        """``h1:...`` as a lock file spells it."""
        return h1(self.files())


def h1(files: Mapping[str, bytes]) -> str:
    """``h1:...`` of a directory with these files."""
    hashed = {
        name.encode(): digests.FileDigest(
            len(content), 0, {"sha256": hashlib.sha256(content).hexdigest()}
        )
        for name, content in files.items()
    }
    return f"h1:{digests.h1(hashed)}"


def unpack(provider: Provider, cache: str) -> str:
    """Put the provider into the cache as ``init`` leaves it; returns the entry's path."""
    place = os.path.join(cache, provider.name)
    for name, content in provider.files().items():
        write(os.path.join(place, name), content, executable=name == provider.executable)
    return place


def pack(provider: Provider, mirror: str) -> str:
    """Put the provider's archive into the mirror; returns its path."""
    place = os.path.join(mirror, provider.address)
    os.makedirs(place, exist_ok=True)
    path = os.path.join(place, provider.archive)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in provider.files().items():
            member = zipfile.ZipInfo(name, _TIME)
            mode = 0o755 if name == provider.executable else 0o644
            member.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return path


def write(path: str, content: bytes, *, executable: bool = False) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o755 if executable else 0o644)


def lock_block(provider: Provider, hashes: Iterable[str]) -> str:
    """One block of a lock file, in the tool's own style (terraform.md 2.1)."""
    lines = "".join(f'    "{one}",\n' for one in sorted(hashes))
    return (
        f'\nprovider "{provider.address}" {{\n'
        f'  version     = "{provider.version}"\n'
        f'  constraints = "{provider.version}"\n'
        f"  hashes = [\n{lines}  ]\n}}\n"
    )


def lock_file(recorded: Mapping[Provider, Sequence[str]]) -> bytes:
    """A whole lock file, providers in order of address."""
    blocks = [
        lock_block(one, recorded[one]) for one in sorted(recorded, key=lambda each: each.address)
    ]
    return (_HEAD + "".join(blocks)).encode()
