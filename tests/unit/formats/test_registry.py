from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cachewright.errors import UnknownFormat
from cachewright.formats import registry
from cachewright.formats.opentofu import OpenTofu
from cachewright.formats.terraform import Terraform
from cachewright.storage.anchored import Directory


def test_the_installed_formats() -> None:
    found = registry.formats()
    assert isinstance(found["terraform"], Terraform)
    assert isinstance(found["opentofu"], OpenTofu)
    assert registry.by_name("terraform") is found["terraform"]
    assert registry.broken_formats() == ()


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(UnknownFormat, match=r"named tofu\. Known: .*opentofu.*terraform"):
        registry.by_name("tofu")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("gone", "no_such_module_here:X", "ModuleNotFoundError"),
        ("gone", "cachewright.formats.terraform:Nothing", "AttributeError"),
        ("text", "cachewright.text:display", "it is no cache format"),
        ("other", "cachewright.formats.terraform:Terraform", "calls itself terraform"),
    ],
)
def test_a_broken_format_is_reported_and_harms_nobody(name: str, value: str, words: str) -> None:
    good = EntryPoint("opentofu", "cachewright.formats.opentofu:OpenTofu", registry.GROUP)
    loaded = registry.load([EntryPoint(name, value, registry.GROUP), good])
    assert list(loaded.formats) == ["opentofu"]
    (broken,) = loaded.broken
    assert broken.name == name
    assert words in broken.reason


def test_the_more_particular_format_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "tf.example.com/acme/toy/1.2.3"
    (place / "linux_amd64").mkdir(parents=True)
    (place / "linux_amd64.lock").write_bytes(b"")
    for forms in ([Terraform(), OpenTofu()], [OpenTofu(), Terraform()]):
        found = {one.name: one for one in forms}
        monkeypatch.setattr(registry, "formats", lambda found=found: found)
        with Directory.open(os.fsencode(tmp_path)) as root:
            assert registry.recognise(root) is found["opentofu"]


def test_a_format_that_fails_to_look_recognises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Clumsy(Terraform):
        def recognise(self, root: Directory) -> bool:
            raise RuntimeError(root.path)

    monkeypatch.setattr(registry, "formats", lambda: {"clumsy": Clumsy()})
    with Directory.open(os.fsencode(tmp_path)) as root:
        assert registry.recognise(root) is None
    assert "failed to look at" in caplog.text


def test_a_name_is_given_once() -> None:
    point = EntryPoint("terraform", "cachewright.formats.terraform:Terraform", registry.GROUP)
    loaded = registry.load([point, point])
    assert list(loaded.formats) == ["terraform"]
    assert "taken" in loaded.broken[0].reason
