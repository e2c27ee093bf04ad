from __future__ import annotations

import subprocess

import pytest

from cachewright.report.command import command, quoted


@pytest.mark.parametrize(
    "argument",
    [
        b"plain",
        b"with space",
        b"quote's",
        b'back\\slash $(id) `id` "x"',
        b"new\nline\ttab\x1b[31m",
        b"not text \xff\xfe",
        "ünïcode".encode(),
        "right\u202eleft".encode(),
        b"",
        b"-rf",
    ],
)
def test_a_shell_reads_back_the_very_bytes(argument: bytes) -> None:
    shown = quoted(argument)
    assert shown.isprintable()
    echoed = subprocess.run(
        ["bash", "-c", f"printf %s {shown}" if argument != b"-rf" else f"printf -- {shown}"],
        check=True,
        capture_output=True,
    )
    assert echoed.stdout == argument


def test_a_command_is_ready_to_be_pasted() -> None:
    assert command(["check", b"/a b"]) == "cachewright check '/a b'"
