"""What is found in caches of the real uv, and what it makes of them after a repair."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.real.uv.conftest import PACKAGES, QUICK, Shop, found, shape
from tests.real.uv.wheels import make_wheel

EVERY_UV = pytest.mark.parametrize("tool", ["uv", "uv-older"])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


@EVERY_UV
def test_thirty_packages_are_all_as_their_record_says(
    shops: Callable[..., Shop], tool: str
) -> None:
    shop = shops(tool, len(PACKAGES))
    document = shop.check(problems=False)
    assert document["format"] == "uv"
    assert document["complete"]
    assert {one["title"] for one in document["entries"]} == {f"{name} 1.0" for name in PACKAGES}
    for entry in document["entries"]:
        assert entry["verdict"] == "ok"
        assert entry["why"].startswith("5 files match the digests in RECORD. RECORD itself has")
        (wheel,) = entry["expected"]
        assert wheel["algorithm"] == "wheel-sha256"
    assert document["findings"] == []
    assert {one["verdict"] for one in document["locks"]} == {"free"}


def test_caches_of_two_versions_below_one_root(shops: Callable[..., Shop]) -> None:
    shop = shops("uv", 3)
    older = shops("uv-older", 0)
    older.cache = shop.cache
    older.install(*PACKAGES[:3])
    numbers = {one.name for one in shop.cache.glob("wheels-v*")}
    assert len(numbers) == 2
    document = shop.check(problems=False)
    assert len(document["entries"]) == 6
    assert document["findings"] == []
    shop.link(PACKAGES[0]).unlink()
    for link in shop.cache.glob(f"wheels-v*/index/*/{PACKAGES[1]}/*"):
        if link.suffix == ".http":
            os.truncate(link, 40)
    document = shop.check(problems=True)
    assert shape(document, "notice") == [("pointer-mismatch", [])]
    assert shape(document) == [("damaged-metadata", []), ("damaged-metadata", [])]


def test_an_installation_shares_its_bytes_by_hard_links_and_is_told_so(shop: Shop) -> None:
    shop.install(PACKAGES[0])
    changed = shop.target / PACKAGES[0] / "data.txt"
    if changed.stat().st_nlink < 2:
        pytest.skip("uv did not use hard links here")
    with changed.open("ab") as file:
        file.write(b"edited in the environment")
    (problem,) = found(shop.check(problems=True))
    assert problem["files"] == [f"{PACKAGES[0]}/data.txt"]
    assert "hard-linked from 1 other place" in problem["explanation"]
    outcome = shop.command("repair", shop.cache, *QUICK, "--apply", "--yes")
    assert [one["result"] for one in outcome["outcomes"]] == ["done"]
    assert changed.read_bytes().endswith(b"edited in the environment")
    shop.install(PACKAGES[0])
    assert not (shop.target / PACKAGES[0] / "data.txt").read_bytes().endswith(b"environment")


def test_one_flipped_byte_is_named(shop: Shop) -> None:
    flip(shop.archive(PACKAGES[1]) / PACKAGES[1] / "data.txt")
    document = shop.check(problems=True)
    (problem,) = found(document)
    assert problem["kind"] == "corrupt-entry"
    assert problem["files"] == [f"{PACKAGES[1]}/data.txt"]
    assert problem["subject"] == f"{PACKAGES[1]}-1.0/{shop.archive(PACKAGES[1]).name}"
    assert problem["explanation"].startswith(f"{PACKAGES[1]} 1.0: ")
    assert [one["verdict"] for one in document["entries"]].count("ok") == 2


def test_emptied_metadata_fails_in_uv_until_the_archive_is_moved_away(shop: Shop) -> None:
    metadata = shop.archive(PACKAGES[0]) / f"{PACKAGES[0]}-1.0.dist-info" / "METADATA"
    metadata.unlink()
    metadata.touch()
    assert "Metadata field Name not found" in shop.install(PACKAGES[0], code=2)
    (problem,) = found(shop.check(problems=True))
    assert f"uv fails on every install of {PACKAGES[0]} 1.0" in problem["explanation"]
    shop.command("repair", shop.cache, *QUICK, "--apply", "--yes")
    document = shop.check(problems=False)
    assert shape(document, "notice") == [("dangling-link", [])]
    shop.downloads()
    shop.install(PACKAGES[0])
    assert shop.downloads() == [f"/files/{PACKAGES[0]}-1.0-py3-none-any.whl"]
    assert shop.check(problems=False)["findings"] == []


@EVERY_UV
def test_a_link_that_was_re_pointed_without_its_pointer(
    shops: Callable[..., Shop], tool: str
) -> None:
    shop = shops(tool)
    link, pointer = shop.link(PACKAGES[0]), shop.pointer(PACKAGES[0])
    other = shop.cache / "archive-v0" / "RePointedToThis1"
    shutil.copytree(shop.archive(PACKAGES[0]), other)
    target = os.readlink(link)
    link.unlink()
    link.symlink_to(Path(target).with_name(other.name))
    document = shop.check(problems=True)
    (problem,) = found(document)
    assert problem["kind"] == "pointer-mismatch"
    assert problem["path"] == str(pointer)
    assert problem["explanation"].startswith(f"{PACKAGES[0]} 1.0: ")
    assert other.name in problem["explanation"]
    shop.command("repair", shop.cache, *QUICK, "--apply", "--yes")
    shop.downloads()
    shop.install(PACKAGES[0])
    assert len(shop.downloads()) == 1
    document = shop.check(problems=False)
    assert shape(document) == []
    assert {one["kind"] for one in found(document, "notice")} == {"orphan"}


def test_a_download_that_was_killed_leaves_staging(shops: Callable[..., Shop]) -> None:
    shop = shops()
    wheel = make_wheel(shop.index.folder, "large", content={"large/data.bin": os.urandom(3 << 20)})
    shop.index.slow.add(wheel.name)
    running = shop.start(*shop.installing("large"))
    assert shop.index.halfway.wait(30)
    held = shop.check(problems=False)
    assert [one["verdict"] for one in held["staging"]] == ["held"]
    holders = [one["pid"] for each in held["staging"] for one in each["holders"]]
    assert running.pid in holders
    root = next(one for one in held["locks"] if one["id"] == ".lock")
    assert root["verdict"] == "held"
    running.send_signal(signal.SIGKILL)
    running.communicate()
    shop.index.go_on.set()
    document = shop.check(problems=True)
    (staging,) = document["staging"]
    assert staging["verdict"] == "stale"
    (problem,) = found(document)
    assert problem["kind"] == "stale-staging"
    assert problem["subject"] == f"{Path(staging['path']).name} (large 1.0)"
    assert {one["verdict"] for one in document["locks"]} == {"free"}
    outcome = shop.command("repair", shop.cache, *QUICK, "--stale", "--apply", "--yes")
    assert [one["result"] for one in outcome["outcomes"]] == ["done"]
    assert shop.check(problems=False)["staging"] == []
    shop.install("large")


def test_while_uv_runs_a_repair_is_refused_and_names_it(shops: Callable[..., Shop]) -> None:
    shop = shops()
    flip(shop.archive(PACKAGES[0]) / PACKAGES[0] / "data.txt")
    shop.command("plan", shop.cache, *QUICK, "-o", shop.top / "plan.json", code=None)
    wheel = make_wheel(shop.index.folder, "waits", content={"waits/data.bin": os.urandom(1 << 16)})
    shop.index.slow.add(wheel.name)
    running = shop.start(*shop.installing("waits"))
    assert shop.index.halfway.wait(30)
    outcome = shop.command(
        "repair", shop.cache, *QUICK, "--plan", shop.top / "plan.json", "--apply", "--yes", code=4
    )
    (step,) = outcome["outcomes"]
    assert step["result"] == "refused"
    assert str(running.pid) in step["reason"]
    assert ".lock" in step["reason"]
    assert shop.archive(PACKAGES[0]).is_dir()
    shop.index.go_on.set()
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 0, output


@pytest.mark.parametrize(
    ("tool", "source"), [("uv", "wheel"), ("uv", "folder"), ("uv-older", "cache")]
)
def test_after_publishing_a_good_copy_uv_installs_it_offline(
    shops: Callable[..., Shop], tool: str, source: str
) -> None:
    shop = shops(tool)
    name = PACKAGES[0]
    archive = shop.archive(name)
    flip(archive / name / "data.txt")
    os.truncate(archive / f"{name}-1.0.dist-info" / "METADATA", 0)
    wheel = shop.index.folder / f"{name}-1.0-py3-none-any.whl"
    place = {"wheel": wheel, "folder": wheel.parent, "cache": shops("uv").cache}[source]
    published = shop.command(
        "publish", shop.cache, f"{name}-1.0/{archive.name}", *QUICK, "--from", place, "--yes"
    )
    assert [one["result"] for one in published["outcomes"]] == ["done"]
    assert shop.archive(name) == archive
    shop.downloads()
    shop.install(name, offline=True)
    assert shop.downloads() == []
    assert (shop.target / name / "data.txt").read_bytes() == name.encode() * 64
    assert shop.check(problems=False)["findings"] == []


def test_a_wheel_that_is_another_is_not_published(shops: Callable[..., Shop]) -> None:
    shop = shops()
    name = PACKAGES[0]
    archive = shop.archive(name)
    flip(archive / name / "data.txt")
    before = (archive / name / "data.txt").read_bytes()
    other = make_wheel(shop.top / "other", name, content={f"{name}/__init__.py": b"evil = 1\n"})
    shop.command(
        "publish",
        shop.cache,
        f"{name}-1.0/{archive.name}",
        *QUICK,
        "--from",
        other,
        "--yes",
        code=4,
    )
    assert (archive / name / "data.txt").read_bytes() == before


def source_tree(shop: Shop) -> Path:
    """A project that builds itself, without any other package."""
    wheel = make_wheel(shop.top / "made", "homemade")
    project = shop.top / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "homemade"\nversion = "1.0"\n'
    )
    (project / "backend.py").write_text(
        "import shutil\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    shutil.copy({str(wheel)!r}, folder)\n"
        f"    return {wheel.name!r}\n"
    )
    return project


@EVERY_UV
def test_wheels_that_uv_built_and_environments_of_tools(
    shops: Callable[..., Shop], tool: str
) -> None:
    shop = shops(tool, 0)
    shop.install(str(source_tree(shop)))
    make_wheel(
        shop.index.folder,
        "runs",
        content={
            "runs.py": b"def main(): print('it ran')\n",
            "runs-1.0.dist-info/entry_points.txt": b"[console_scripts]\nruns = runs:main\n",
        },
    )
    index = ("--default-index", shop.index.url, "--python", sys.executable)
    assert "it ran" in shop.run("tool", "run", *index, "runs")
    document = shop.check(problems=False)
    names = sorted(one["name"].rpartition("/")[0] for one in document["entries"])
    assert names == ["environment", "homemade-1.0", "homemade-1.0-py3-none-any.whl", "runs-1.0"]
    assert {one["verdict"] for one in document["entries"]} == {"ok"}
    assert document["findings"] == []
    archive = next(shop.cache.glob("archive-v0/*/homemade"))
    flip(archive / "data.txt")
    (problem,) = found(shop.check(problems=True))
    assert problem["repair"]["step"] == "republish-entry"
    assert problem["repair"]["source"].endswith("/homemade-1.0-py3-none-any.whl")
    (environment,) = shop.cache.glob("archive-v0/*/lib/python3*/site-packages/runs.py")
    environment.unlink()
    environment.write_text("def main(): print('something else')\n")
    assert "something else" in shop.run("tool", "run", *index, "runs")
    shop.command("repair", shop.cache, *QUICK, "--apply", "--yes")
    assert "it ran" in shop.run("tool", "run", *index, "runs")
    assert shop.check(problems=False)["findings"] == []
