"""What the manual says is tried: its examples run, its commands are understood."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cachewright.cli.exit_code import ExitCode
from cachewright.cli.main import cachewright
from cachewright.cli.verbs import VERBS
from cachewright.demo.provider import Provider, lock_file, unpack, write
from cachewright_gui import preflight

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[str]:
    for block in blocks("sh"):
        for line in block.splitlines():
            if match := re.search(r"(?:^|bin/)cachewright .*", line):
                yield match[0].removeprefix("bin/")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one provider in its cache, that has a byte too many."""
    provider = Provider("toy", "1.2.3", 4)
    place = Path(unpack(provider, str(tmp_path / "cache")))
    (place / "README.md").write_bytes(b"changed")
    write(str(tmp_path / "project" / ".terraform.lock.hcl"), lock_file({provider: [provider.h1()]}))
    return tmp_path / "project"


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_an_example_runs_as_it_stands(project: Path, number: int) -> None:
    environment = {
        **os.environ,
        "HOME": str(project),
        "TMPDIR": str(project),
        "CACHEWRIGHT_STATE_DIR": str(project / "state"),
        "TF_PLUGIN_CACHE_DIR": str(project.parent / "cache"),
    }
    environment.pop("TF_CLI_CONFIG_FILE", None)
    ran = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", blocks("python")[number]],
        cwd=project,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout


def test_there_are_examples() -> None:
    assert len(blocks("python")) >= 3
    assert len(list(commands())) >= 6


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    with click.Context(cachewright) as context:
        verb = cachewright.get_command(context, words[0])
        assert verb is not None
        verb.make_context(words[0], words[1:], parent=context)


def test_every_verb_and_exit_code_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)", MANUAL, re.MULTILINE))
    assert set(VERBS) <= told
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", MANUAL, re.MULTILINE)}
    assert codes == set(ExitCode)


def test_the_setup_installs_what_the_manual_names() -> None:
    script = (ROOT / ".ci" / "setup").read_text()
    listed = re.findall(r"packages\+?=\((.*?)\)", script, re.DOTALL)
    packages = {word for group in listed for word in group.split()}
    assert len(packages) > 15
    assert not {one for one in packages if one not in MANUAL}
    wanted = {*preflight._ALWAYS.values(), *preflight._XCB.values(), *preflight._WAYLAND.values()}
    assert wanted <= packages
