"""What Glance's own configuration says, read as its own library reads it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from tests.unit.formats.glance_making import QUICK, Made, only_entry

from cachewright.discovery import discover
from cachewright.errors import AddressInvalid, StoreUnreadable
from cachewright.formats.glance import Glance
from cachewright.formats.glance_config import parse, settings_of
from cachewright.model import EntryVerdict
from cachewright.workbench import CompositeBench, open_bench

WHOLE = """
# a comment
[DEFAULT]
state_path = /srv/glance
enabled_backends = fast:file,
  slow:file, ceph:rbd
image_cache_dir = $state_path/cache

[database]
connection = "mysql+pymysql://glance:pa$$word@db/glance"
[fast]
filesystem_store_datadir = /data/fast/
[slow]
filesystem_store_datadirs = /data/slow one:200
filesystem_store_datadirs = /data/slow-two:100
[os_glance_staging_store]
filesystem_store_datadir = ${DEFAULT.state_path}/staging ; not a comment
"""


def test_a_whole_configuration() -> None:
    found = settings_of(WHOLE)
    assert found.address == "mysql+pymysql://glance:pa$$word@db/glance"
    assert [(one.name, one.store, one.path) for one in found.stores] == [
        ("fast", "fast", b"/data/fast"),
        ("slow", "slow", b"/data/slow one"),
        ("slow.2", "slow", b"/data/slow-two"),
    ]
    assert found.staging == b"/srv/glance/staging ; not a comment"
    assert found.image_cache == b"/srv/glance/cache"
    assert found.elsewhere == ("ceph (rbd)",)
    assert found.wrong == ()
    assert "pa$$word" not in repr(found)


def test_an_old_configuration_with_one_store() -> None:
    found = settings_of(
        "[DEFAULT]\nnode_staging_uri = file:///srv/staging/\n[database]\nconnection = sqlite://\n"
        "[glance_store]\nstores = file,http\nfilesystem_store_datadir = /srv/images\n"
    )
    assert [(one.name, one.path) for one in found.stores] == [("file", b"/srv/images")]
    assert (found.staging, found.image_cache) == (b"/srv/staging", None)


def test_what_is_not_said_is_as_the_service_has_it() -> None:
    found = settings_of("[database]\nconnection = sqlite:////x\n")
    assert [one.path for one in found.stores] == [b"/var/lib/glance/images"]
    assert found.staging == b"/tmp/staging"
    several = settings_of("[DEFAULT]\nenabled_backends = one:file\n")
    assert [one.path for one in several.stores] == [b"/var/lib/glance/images"]
    assert several.staging == b"/var/lib/glance/os_glance_staging_store"


def test_what_is_missing_or_wrong_is_told() -> None:
    assert settings_of("").wrong == (
        "The configuration names no database: [database] connection is missing.",
    )
    wrong = settings_of(
        "[DEFAULT]\nenabled_backends = a:file\n[a]\nfilesystem_store_datadir = relative/path\n"
    )
    assert wrong.stores == ()
    assert "The directory of the store a is no absolute path." in wrong.wrong
    none = settings_of("[DEFAULT]\nenabled_backends = a:rbd\n")
    assert "The configuration names no store that is a directory." in none.wrong


@pytest.mark.parametrize(
    "text",
    [
        "\x00\xff[", "[[[[", "=", "= x\n  y", "  continued from nothing", "[a]\n= b", "a",
        "[DEFAULT]\nimage_cache_dir = $image_cache_dir", "[x]\na = $b\nb = $a$a$a",
        "[DEFAULT]\nimage_cache_dir = /x\0y", "[DEFAULT]\nenabled_backends = :,,:file",
    ],
)  # fmt: skip
def test_strange_text_is_read_without_harm(text: str) -> None:
    found = settings_of(text)
    named = [*(one.path for one in found.stores), found.staging, found.image_cache]
    assert all(path is None or path.startswith(b"/") for path in named)


def test_values_that_name_each_other_for_ever_end() -> None:
    chain = "".join(f"v{one} = $v{one + 1}$v{one + 1}\n" for one in range(40))
    found = settings_of(f"[DEFAULT]\n{chain}image_cache_dir = /$v0\n")
    assert found.image_cache is not None


def test_options_may_stand_several_times() -> None:
    assert parse("[s]\na = 1\na = 2\n[t]\na=3\n[s]\na=4") == {
        ("s", "a"): ["1", "2", "4"],
        ("t", "a"): ["3"],
    }


@pytest.fixture
def glance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return Made(tmp_path / "glance")


def configured(glance: Made, more: str = "", database: str | None = None) -> Path:
    connection = glance.address.decode() if database is None else database
    path = glance.top / "etc" / "glance-api.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"[DEFAULT]\nenabled_backends = fast:file, slow:file\n{more}\n"
        f"[database]\nconnection = {connection}\n"
        f"[fast]\nfilesystem_store_datadir = {glance.top}/fast\n"
        f"[slow]\nfilesystem_store_datadir = {glance.top}/slow\n"
        f"[os_glance_staging_store]\nfilesystem_store_datadir = {glance.top}/staging\n"
    )
    return path


def test_the_file_or_its_directory_is_a_root(glance: Made) -> None:
    image = glance.published()
    path = configured(glance)
    for root in (path, path.parent):
        with open_bench(os.fsencode(root), options=QUICK) as bench:
            assert isinstance(bench, CompositeBench)
            assert bench.root == os.fsencode(path)
            entry = only_entry(bench.check())
            assert (entry.name, entry.verdict) == (f"fast/{image}", EntryVerdict.OK)


def test_a_file_of_another_name_wants_its_format_named(glance: Made) -> None:
    path = configured(glance).rename(glance.top / "other.conf")
    assert not Glance().spreads(os.fsencode(path), named=False)
    with open_bench(os.fsencode(path), format_name="glance", options=QUICK) as bench:
        assert bench.check().complete


def test_a_store_that_is_not_there_is_a_gap_and_the_rest_is_judged(glance: Made) -> None:
    glance.published()
    path = configured(glance)
    (glance.top / "slow").rmdir()
    with open_bench(os.fsencode(path), options=QUICK) as bench:
        result = bench.check()
        assert not result.complete
        (gap,) = result.gaps
        assert gap.path == os.fsencode(glance.top / "slow")
        assert "slow" in gap.reason
        assert "does not exist" in gap.reason
        assert only_entry(result).verdict is EntryVerdict.OK
        assert any("slow could not be read" in one for one in bench.notes())


def test_without_a_database_the_files_are_listed_and_not_judged(glance: Made) -> None:
    image = glance.published()
    glance.file("staging", image)
    path = configured(glance, database="")
    with open_bench(os.fsencode(path), options=QUICK) as bench:
        result = bench.check()
        assert not result.complete
        assert "names no database" in result.gaps[0].reason
        assert {one.verdict for one in result.entries} == {EntryVerdict.UNVERIFIABLE}
        assert len(result.entries) == 2
        assert not bench.plan().steps
        assert bench.locks() == ()
        assert any("[database] connection is missing" in one for one in bench.notes())


def test_other_stores_are_named_in_the_notes(glance: Made) -> None:
    path = configured(glance, "enabled_backends = fast:file, ceph:rbd")
    with open_bench(os.fsencode(path), options=QUICK) as bench:
        assert "not looked at: ceph (rbd)." in " ".join(bench.notes())


def test_a_configuration_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "glance-api.conf"
    path.write_bytes(b"x" * (5 << 20))
    with pytest.raises(StoreUnreadable, match="larger than"):
        open_bench(os.fsencode(path))
    path.write_text("[database]\nconnection = oracle://x\n")
    with pytest.raises(AddressInvalid, match="only SQLite, PostgreSQL"):
        open_bench(os.fsencode(path))


def test_discover_finds_it_by_its_own_variable(glance: Made) -> None:
    path = configured(glance)
    found = discover({"OS_GLANCE_CONFIG_DIR": str(path.parent), "HOME": str(glance.top)})
    assert (os.fsencode(path), "glance") in {(one.root, one.format) for one in found}
    assert not list(Glance().default_locations({"OS_GLANCE_CONFIG_DIR": str(glance.top / "no")}))


def test_names_that_stand_for_ever_more_are_not_put_in() -> None:
    letters = "abcdefgh"
    bomb = "".join(f"{one} = {f'${two}' * 1000}\n" for one, two in itertools.pairwise(letters))
    found = settings_of(f"[DEFAULT]\n{bomb}h = x\nimage_cache_dir = /srv/$a\nstaging = /srv/$h\n")
    assert found.image_cache is not None
    assert len(found.image_cache) < 1 << 17
    every = settings_of("[DEFAULT]\nimage_cache_dir = /$a/$$/$b\na = $b$b\nb = x\n")
    assert every.image_cache == b"/xx/$/x"


def test_a_value_of_a_million_lines_is_read_in_one_pass() -> None:
    text = "[DEFAULT]\na = x\n" + " y\n" * 1_000_000
    ((value,),) = parse(text).values()
    assert value.count("\n") == 1_000_000
