from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.formats import registry
from cachewright.formats.opentofu import OpenTofu
from cachewright.formats.terraform import Terraform
from cachewright.formats.terraform_layout import RULES, executable
from cachewright.model import Role, Type
from cachewright.storage.anchored import Directory

PLACE = "tf.example.com/acme/toy/1.2.3"
FOREIGN = Role.FOREIGN


def role_of(depth: int, name: str, kind: Type) -> Role:
    for rule in RULES:
        if rule.depth == depth and kind in rule.types and rule.name.fullmatch(name.encode()):
            return rule.role
    return FOREIGN


@pytest.mark.parametrize(
    ("depth", "name", "kind", "role"),
    [
        (1, "tf.example.com", Type.DIRECTORY, Role.CONTAINER),
        (1, "tf.example.com:8443", Type.DIRECTORY, Role.CONTAINER),
        (1, "localhost", Type.DIRECTORY, Role.CONTAINER),
        (1, "bücher.example", Type.DIRECTORY, Role.CONTAINER),
        (1, "xn--bcher-kva.example", Type.DIRECTORY, FOREIGN),
        (1, "tf.xn--bcher-kva.example", Type.DIRECTORY, FOREIGN),
        (1, "TF.example.com", Type.DIRECTORY, FOREIGN),
        (1, "tf..example", Type.DIRECTORY, FOREIGN),
        (1, ".cachewright-quarantine", Type.DIRECTORY, FOREIGN),
        (1, "lost+found", Type.DIRECTORY, FOREIGN),
        (1, "tf.example.com", Type.LINK, FOREIGN),
        (1, "tf.example.com", Type.FILE, FOREIGN),
        (2, "acme", Type.DIRECTORY, Role.CONTAINER),
        (2, "ac.me", Type.DIRECTORY, FOREIGN),
        (2, "ac--me", Type.DIRECTORY, FOREIGN),
        (2, "-acme", Type.DIRECTORY, FOREIGN),
        (2, "acme-", Type.DIRECTORY, FOREIGN),
        (3, "toy", Type.LINK, FOREIGN),
        (4, "1.2.3", Type.DIRECTORY, Role.CONTAINER),
        (4, "1.2.3-beta.1+x", Type.DIRECTORY, Role.CONTAINER),
        (4, "1.2", Type.DIRECTORY, FOREIGN),
        (4, "1.2.3.json", Type.FILE, Role.METADATA),
        (4, "index.json", Type.FILE, Role.METADATA),
        (4, "terraform-provider-toy_1.2.3_linux_amd64.zip", Type.FILE, Role.METADATA),
        (4, ".terraform-provider-toy_1.2.3_linux_amd64.zip", Type.FILE, Role.STAGING),
        (4, "notes.json", Type.FILE, FOREIGN),
        (5, "linux_amd64", Type.DIRECTORY, Role.ENTRY),
        (5, "linux_amd64", Type.LINK, Role.ENTRY),
        (5, "linux_amd64", Type.FILE, Role.ENTRY),
        (5, "linux_amd64", Type.OTHER, FOREIGN),
        (5, "linux_amd64.lock", Type.FILE, Role.LOCK),
        (5, "linux_amd64.lock", Type.DIRECTORY, FOREIGN),
        (5, "linux_amd64.bak-1", Type.DIRECTORY, FOREIGN),
        (5, "linux_amd64\n", Type.DIRECTORY, FOREIGN),
        (5, "linux_amd_64", Type.DIRECTORY, FOREIGN),
        (5, ".temp123", Type.DIRECTORY, Role.STAGING),
        (5, ".temp", Type.DIRECTORY, FOREIGN),
        (5, ".terraform-temp-9", Type.DIRECTORY, Role.STAGING),
        (5, ".temp123", Type.FILE, FOREIGN),
        (6, "linux_amd64", Type.DIRECTORY, FOREIGN),
    ],
)
def test_what_a_name_is(depth: int, name: str, kind: Type, role: Role) -> None:
    assert role_of(depth, name, kind) is role


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([b"terraform-provider-toy"], b"terraform-provider-toy"),
        (
            [b"terraform-provider-toy_v2", b"terraform-provider-toy_v1"],
            b"terraform-provider-toy_v1",
        ),
        ([b"terraform-provider-toy.exe"], b"terraform-provider-toy.exe"),
        ([b"terraform-provider-toybox_v1"], None),
        ([b"bin/terraform-provider-toy"], None),
        ([b"LICENSE.txt"], None),
        ([], None),
    ],
)
def test_the_executable(names: list[bytes], found: bytes | None) -> None:
    assert executable(names, b"toy") == found


def recognised(path: Path) -> str | None:
    with Directory.open(os.fsencode(path)) as root:
        form = registry.recognise(root)
    return None if form is None else form.name


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        ([], None),
        ([f"{PLACE}/linux_amd64/"], "terraform"),
        ([f"{PLACE}/linux_amd64/", f"{PLACE}/linux_amd64.lock"], "opentofu"),
        ([f"{PLACE}/linux_amd64.lock"], "opentofu"),
        ([f"{PLACE}/"], "terraform"),
        ([f"{PLACE}/.temp42/"], "terraform"),
        ([f"{PLACE}/notes.txt"], None),
        (["tf.example.com/acme/toy/"], None),
        (["tf.example.com/acme/toy/terraform-provider-toy_1.2.3_linux_amd64.zip"], None),
        (["example/acme/toy/1.2.3/linux_amd64/"], None),
        (["a/b/c/d/e/", "tf.example.com/acme", "README"], None),
        (["src/github.com/acme/toy/1.2.3/linux_amd64/"], None),
    ],
)
def test_recognition(tmp_path: Path, paths: list[str], name: str | None) -> None:
    for path in paths:
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir(parents=True)
        else:
            place.write_bytes(b"")
    assert recognised(tmp_path) == name


def test_recognition_survives_strange_content(tmp_path: Path) -> None:
    (tmp_path / "a.loop.example.com").symlink_to("a.loop.example.com")
    os.mkfifo(tmp_path / "a.pipe.example.com")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff.example.com")
    closed = tmp_path / "a.closed.example.com"
    closed.mkdir()
    closed.chmod(0)
    for number in range(200):
        (tmp_path / f"host{number}.example.com" / "acme").mkdir(parents=True)
    with Directory.open(os.fsencode(tmp_path)) as root:
        assert not Terraform().recognise(root)
        assert not OpenTofu().recognise(root)


def test_locks_staging_gates_and_titles(made: Any) -> None:
    made.entry()
    made.unpacked(made.cache / "other.example.com/acme/toy/1.2.3/linux_amd64")
    version = made.cache / PLACE
    (version / ".temp42").mkdir()
    (version / "linux_amd64.lock").write_bytes(b"")
    leftover = version.parent / ".terraform-provider-toy_1.2.3_linux_amd64.zip"
    leftover.write_bytes(b"")
    relative = f"{PLACE}/linux_amd64".encode()
    lock = relative + b".lock"
    for form in (OpenTofu(), Terraform()):
        knowledge = made.look(form=form).knowledge
        (place,) = knowledge.locks()
        assert (place.id.encode(), place.relative) == (lock, lock)
        zipped, temporary = knowledge.staging()
        assert zipped.relative == os.fsencode(leftover.relative_to(made.cache))
        assert zipped.gates == ()
        assert temporary.relative == f"{PLACE}/.temp42".encode()
        assert [(one.relative, one.create) for one in temporary.gates] == [(lock, False)]
    assert [one.subtitle for one in knowledge.entries] == [
        "linux_amd64 · other.example.com",
        "linux_amd64 · tf.example.com",
    ]
    assert {one.title for one in knowledge.entries} == {"acme/toy 1.2.3"}


def test_gates(made: Any) -> None:
    made.entry()
    relative = f"{PLACE}/linux_amd64".encode()
    with Directory.open(os.fsencode(made.cache)) as root:
        tofu, terraform = (made.read(root, form) for form in (OpenTofu(), Terraform()))
        assert tofu.gate(relative).relative == relative + b".lock"
        assert tofu.gate(relative).create
        assert tofu.gate(relative + b"/docs/x").relative == relative + b".lock"
        assert tofu.gate(PLACE.encode()) is None
        assert terraform.gate(relative) is None
        (made.cache / f"{PLACE}/linux_amd64.lock").mkdir()
        assert terraform.gate(relative) is None
        (made.cache / f"{PLACE}/linux_amd64.lock").rmdir()
        (made.cache / f"{PLACE}/linux_amd64.lock").write_bytes(b"")
        found = terraform.gate(relative)
        assert (found.relative, found.create) == (relative + b".lock", False)


def test_users(made: Any, facts: Any) -> None:
    made.entry()
    good = facts.h1(facts.files)
    linked = made.project(good, name="linked", installed=["linux_amd64"])
    made.project(good, name="bare")
    around = made.project(good, name="around")
    link = around / ".terraform/providers" / PLACE / "linux_amd64"
    link.parent.mkdir(parents=True)
    (made.top / "alias").symlink_to(made.cache)
    link.symlink_to(made.top / "alias" / PLACE / "linux_amd64")
    knowledge = made.look(made.top).knowledge
    (entry,) = knowledge.entries
    assert knowledge.users(entry) == (os.fsencode(around), os.fsencode(linked))
