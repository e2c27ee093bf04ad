from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from cachewright.formats.terraform_settings import (
    OPENTOFU,
    TERRAFORM,
    Mirror,
    Product,
    Settings,
    read_settings,
)
from cachewright.model import FindingKind, Severity


def read(top: Path, product: Product = TERRAFORM, **environment: str) -> Settings:
    return read_settings({"HOME": str(top / "home"), **environment}, product)


def put(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def cache(name: str) -> str:
    return f'plugin_cache_dir = "{name}"\n'


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    put(tmp_path / "home/.terraformrc", cache("/from/file"))
    assert read(tmp_path).cache == b"/from/file"
    assert read(tmp_path, TF_PLUGIN_CACHE_DIR="").cache == b"/from/file"
    # Taken as it is: only the file's value is expanded.
    assert read(tmp_path, TF_PLUGIN_CACHE_DIR="/$HOME").cache == b"/$HOME"


def test_variables_in_the_file(tmp_path: Path) -> None:
    put(tmp_path / "home/.terraformrc", cache("$HOME/a/${NAME}/$NOBODY"))
    home = os.fsencode(tmp_path / "home")
    assert read(tmp_path, NAME="x").cache == home + b"/a/x/"


@pytest.mark.parametrize("variable", ["TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG"])
def test_an_override_is_the_only_file_read(tmp_path: Path, variable: str) -> None:
    put(tmp_path / "home/.terraformrc", cache("/home"))
    put(tmp_path / "home/.terraform.d/a.tfrc", cache("/folder"))
    other = put(tmp_path / "other.tfrc", "disable_checkpoint = true\n")
    assert read(tmp_path, **{variable: other}).cache is None
    missing = read(tmp_path, **{variable: str(tmp_path / "missing")})
    assert missing.cache is None
    (notice,) = missing.findings
    assert (notice.kind, notice.severity) == (FindingKind.DAMAGED_METADATA, Severity.NOTICE)
    assert "it does not exist" in notice.explanation


def test_files_of_the_settings_directory(tmp_path: Path) -> None:
    put(tmp_path / "home/.terraform.d/b.tfrc.json", json.dumps({"plugin_cache_dir": "/b"}))
    assert read(tmp_path).cache == b"/b"
    put(tmp_path / "home/.terraform.d/a.tfrc", cache("/a"))
    put(tmp_path / "home/.terraform.d/a.txt", cache("/no"))
    assert read(tmp_path).cache == b"/a"
    put(tmp_path / "home/.terraformrc", cache("/first"))
    assert read(tmp_path).cache == b"/first"


def test_opentofu_has_its_own_files(tmp_path: Path) -> None:
    xdg = str(tmp_path / "xdg")
    put(tmp_path / "xdg/opentofu/tofurc", cache("/xdg"))
    assert read(tmp_path, OPENTOFU).cache is None
    assert read(tmp_path, OPENTOFU, XDG_CONFIG_HOME=xdg).cache == b"/xdg"
    put(tmp_path / "home/.terraformrc", cache("/terraform"))
    assert read(tmp_path, OPENTOFU, XDG_CONFIG_HOME=xdg).cache == b"/terraform"
    put(tmp_path / "home/.tofurc", cache("/tofu"))
    assert read(tmp_path, OPENTOFU, XDG_CONFIG_HOME=xdg).cache == b"/tofu"
    assert read(tmp_path).cache == b"/terraform"
    put(tmp_path / "home/.tofurc", "disable_checkpoint = true\n")
    assert read(tmp_path, OPENTOFU, XDG_CONFIG_HOME=xdg).cache is None


def test_json_in_a_file_of_any_name(tmp_path: Path) -> None:
    document = {
        "plugin_cache_dir": "/j",
        "provider_installation": {"filesystem_mirror": {"path": "/m", "include": ["h.x/*/*"]}},
    }
    put(tmp_path / "home/.terraformrc", json.dumps(document))
    settings = read(tmp_path)
    assert settings.cache == b"/j"
    assert settings.mirrors == (Mirror(b"/m", ("h.x/*/*",), ()),)


def test_mirrors_in_their_order(tmp_path: Path) -> None:
    text = """
credentials "h.x" { token = "secret" }
host "h.x" { services = { "providers.v1" = "http://127.0.0.1/" } }
provider_installation {
  filesystem_mirror {
    path    = "/one"
    include = ["h.x/*/*", "acme/*"]
  }
  network_mirror { url = "https://h.x/" }
  filesystem_mirror {
    path    = "/two"
    exclude = ["h.x/acme/*"]
  }
  direct {}
}
"""
    put(tmp_path / "home/.terraformrc", text)
    settings = read(tmp_path)
    assert settings.findings == []
    one, two = settings.mirrors
    assert (one.path, two.path) == (b"/one", b"/two")
    assert one.serves(b"h.x/any/toy")
    assert one.serves(b"other.y/acme/toy")
    assert not one.serves(b"other.y/any/toy")
    assert two.serves(b"h.x/any/toy")
    assert not two.serves(b"h.x/acme/toy")
    # Without a host it is the default host's, which need not be this one.
    assert Mirror(b"/", (), ("acme/*",)).serves(b"h.x/acme/toy")


def test_implied_mirrors_stand_in_where_none_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home/.terraform.d").mkdir(parents=True)
    settings = read(tmp_path, XDG_DATA_HOME="/data", XDG_DATA_DIRS="/s1:/s2")
    assert [one.path for one in settings.mirrors] == [
        os.fsencode(tmp_path / "terraform.d/plugins"),
        os.fsencode(tmp_path / "home/.terraform.d/plugins"),
        b"/data/terraform/plugins",
        b"/s1/terraform/plugins",
        b"/s2/terraform/plugins",
    ]
    put(tmp_path / "home/.terraformrc", "provider_installation {\n  direct {}\n}\n")
    assert read(tmp_path).mirrors == ()


@pytest.mark.parametrize(
    "text",
    [
        'credentials "h.x" { token = "secret-token"',
        "plugin_cache_dir = " + "[" * 3000,
        '{"plugin_cache_dir": "secret-token"',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a":' * 10_000,
        "\0" * 100,
        "# secret-token\n" * 40_000,
    ],
)
def test_broken_settings_are_a_notice_that_quotes_nothing(tmp_path: Path, text: str) -> None:
    put(tmp_path / "home/.terraformrc", text)
    settings = read(tmp_path)
    assert settings.cache is None
    (notice,) = settings.findings
    assert notice.severity is Severity.NOTICE
    assert "secret" not in notice.explanation


def test_strings_are_unescaped_and_statements_may_share_a_line(tmp_path: Path) -> None:
    mirror = 'filesystem_mirror { path = "/a\\"b" include = ["h.x/\\u0061/*", "${X}/*", 5] }'
    text = f'plugin_cache_dir = "/\\u00e9" provider_installation {{ {mirror} direct {{}} }}'
    put(tmp_path / "home/.terraformrc", text)
    settings = read(tmp_path)
    assert settings.findings == []
    assert settings.cache == "/\u00e9".encode()
    assert settings.mirrors == (Mirror(b'/a"b', ("h.x/a/*", "${X}/*"), ()),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'a = "x"\nb = = 1\n', "line 2 holds something that does not belong there"),
        (b'a = "x"\nb {\n', "it ends in the middle"),
        (b'a = "\\ud800"\n', "a string holds an escape that means nothing"),
        (b'a = "\xff"\n', "it is not UTF-8 text"),
        (b'{"a": "\xff"}', "it is not UTF-8 text"),
        (b'{"a": 1,\n}', "it is not written in a way that can be read (line 2)"),
        (b"a = 1\n" + b"a {\n" * 200 + b"}\n" * 200, "line 103 holds blocks within too many"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: bytes, reason: str) -> None:
    path = tmp_path / "home/.terraformrc"
    path.parent.mkdir()
    path.write_bytes(text)
    (notice,) = read(tmp_path).findings
    assert f"These settings were left out: {reason}" in notice.explanation


def test_odd_values_are_left_out(tmp_path: Path) -> None:
    mirror = 'filesystem_mirror {\n  path = ["x"]\n }'
    text = f"plugin_cache_dir = 5\nprovider_installation {{\n {mirror}\n}}\n"
    put(tmp_path / "home/.terraformrc", text)
    settings = read(tmp_path)
    assert (settings.cache, settings.mirrors) == (None, ())


def test_settings_that_are_a_link_or_a_pipe(tmp_path: Path) -> None:
    real = put(tmp_path / "elsewhere/rc", cache("/linked"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.terraformrc").symlink_to(real)
    assert read(tmp_path).cache == b"/linked"
    (tmp_path / "home/.terraformrc").unlink()
    os.mkfifo(tmp_path / "home/.terraformrc")
    (notice,) = read(tmp_path).findings
    assert "not a regular file" in notice.explanation


def test_nothing_is_read_without_a_home() -> None:
    assert read_settings({}, TERRAFORM).cache is None


@pytest.mark.parametrize(
    "text",
    [
        'plugin_cache_dir = "/a"\nplugin_cache_dir = "/b"\n',
        '{"plugin_cache_dir": "/a", "plugin_cache_dir": "/b"}',
    ],
)
def test_settings_that_say_one_thing_twice_are_left_out(tmp_path: Path, text: str) -> None:
    put(tmp_path / "home/.terraformrc", text)
    settings = read(tmp_path)
    assert settings.cache is None
    (notice,) = settings.findings
    assert re.search("a second value for|has two values for", notice.explanation)
