from __future__ import annotations

import os
from pathlib import Path

from cachewright.discovery import discover
from cachewright.model import Location

ENTRY = "tf.example.com/acme/toy/1.2.3/linux_amd64"


def found(top: Path, **environment: str) -> list[Location]:
    return list(discover({"HOME": str(top), "XDG_CONFIG_HOME": str(top / "xdg"), **environment}))


def test_places_that_exist_once_each(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    customary = tmp_path / ".terraform.d/plugin-cache"
    (customary / ENTRY).mkdir(parents=True)
    (tmp_path / "alias").symlink_to(customary)
    assert [(one.format, one.root) for one in found(tmp_path)] == [
        ("terraform", os.fsencode(customary))
    ]
    assert len(found(tmp_path, TF_PLUGIN_CACHE_DIR=str(tmp_path / "alias"))) == 1
    assert len(found(tmp_path, TF_PLUGIN_CACHE_DIR=str(tmp_path / "missing"))) == 1


def test_what_lies_there_decides_the_format(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (tmp_path / ".tofurc").write_text(f'plugin_cache_dir = "{cache}"\n')
    assert [one.format for one in found(tmp_path)] == ["opentofu"]
    (cache / ENTRY).mkdir(parents=True)
    assert [one.format for one in found(tmp_path)] == ["terraform"]
    (cache / f"{ENTRY}.lock").write_bytes(b"")
    (one,) = found(tmp_path)
    assert (one.format, one.name) == ("opentofu", "OpenTofu provider cache")


def test_an_empty_directory_that_both_name(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    assert [one.format for one in found(tmp_path, TF_PLUGIN_CACHE_DIR=str(cache))] == ["terraform"]
