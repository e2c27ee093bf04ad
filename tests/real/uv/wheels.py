"""Small valid wheels, made here."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def digest(content: bytes) -> str:
    """As RECORD spells it."""
    raw = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def metadata(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def files_of(
    name: str, version: str, content: Mapping[str, bytes], unlisted: Sequence[str] = ()
) -> dict[str, bytes]:
    """Everything that a wheel holds, its RECORD last; ``unlisted`` files are not in that."""
    info = f"{name}-{version}.dist-info"
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        **content,
        f"{info}/METADATA": metadata(name, version),
        f"{info}/WHEEL": tags.encode(),
    }
    listed = {path: one for path, one in files.items() if path not in unlisted}
    rows = [f"{path},{digest(one)},{len(one)}\n" for path, one in listed.items()]
    return {**files, f"{info}/RECORD": "".join((*rows, f"{info}/RECORD,,\n")).encode()}


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    content: Mapping[str, bytes] | None = None,
    *,
    unlisted: Sequence[str] = (),
    packing: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """A pure wheel of one module, with a script of its own."""
    inside = content or {
        f"{name}/__init__.py": f"VERSION = {version!r}\n".encode(),
        f"{name}/data.txt": name.encode() * 64,
        f"{name}-{version}.data/scripts/{name}-run": b"#!python\nprint(1)\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", packing) as wheel:
        for place, one in files_of(name, version, inside, unlisted).items():
            wheel.writestr(zipfile.ZipInfo(place, (2024, 1, 1, 0, 0, 0)), one)
    return path
