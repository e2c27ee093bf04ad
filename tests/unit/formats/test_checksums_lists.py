"""Lists of checksums as text: every spelling that tools write, and every hostile one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from file_trees import digest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats.checksums_lists import BY_LENGTH, DIGITS, TROUBLES, parse, spelled
from cachewright.formats.checksums_places import LISTS, kind_of, resolved
from cachewright.text import display

SHA256 = digest(b"x")
SHA512 = digest(b"x", "sha512")
MD5 = digest(b"x", "md5")


@pytest.mark.parametrize(
    ("text", "algorithm", "name"),
    [
        (f"{SHA256}  a b.bin\n", "sha256", b"a b.bin"),
        (f"{SHA256} *a.bin\n", "sha256", b"a.bin"),
        (f"{SHA256} a.bin\n", "sha256", b"a.bin"),
        (f"{SHA256}\ta.bin\n", "sha256", b"a.bin"),
        (f"{SHA256.upper()}  a.bin\n", "sha256", b"a.bin"),
        (f"{SHA256}  a.bin\r\n", "sha256", b"a.bin"),
        (f"{SHA256}  a.bin", "sha256", b"a.bin"),
        (f"{SHA512}  a.bin\n", "sha512", b"a.bin"),
        (f"{MD5}  a.bin\n", "md5", b"a.bin"),
        (f"SHA256 (a (1).bin) = {SHA256}\n", "sha256", b"a (1).bin"),
        (f"SHA2-256(a.bin)= {SHA256}\n", "sha256", b"a.bin"),
        (f"MD5 (a.bin) = {MD5}\n", "md5", b"a.bin"),
        (f"BLAKE2b (a.bin) = {SHA512}\n", "blake2b", b"a.bin"),
        (f"SHA3-256(a.bin)= {SHA256}\n", "sha3_256", b"a.bin"),
        (f"\\{SHA256}  a\\nb\\\\c\\rd\n", "sha256", b"a\nb\\c\rd"),
        (f"\\SHA256 (a\\nb) = {SHA256}\n", "sha256", b"a\nb"),
        (f"{SHA256}  not\\nescaped\n", "sha256", b"not\\nescaped"),
        (f"{SHA256}\n", "sha256", b""),
    ],
)
def test_one_line_in_every_spelling(text: str, algorithm: str, name: bytes) -> None:
    parsed = parse(text.encode(), None)
    (one,) = parsed.lines
    assert (one.number, one.algorithm, one.name) == (1, algorithm, name)
    assert one.value in {SHA256, SHA512, MD5}
    assert parsed.troubles == []
    assert parsed.general == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"CRC32 (a) = {MD5}", "uses CRC32, which cannot be computed here"),
        (f"BLAKE2b-256 (a) = {SHA256}", "uses BLAKE2b-256"),
        (f"{SHA256[:-1]}  a", "has a digest of 63 digits, which no known algorithm gives"),
        (f"SHA512 (a) = {SHA256}", "has a digest that is none of SHA-512"),
        (f"SHA256 (a) = {'z' * 64}", "has a digest that is none of SHA-256"),
        (f"\\{SHA256}  a\\x", "has an escaped name that cannot be read"),
        (f"\\{SHA256}  a\\", "has an escaped name that cannot be read"),
        (f"{SHA256}  a\0b\n{SHA256}  c", "holds a NUL byte"),
        ("hello \x1b[31mred", "is no checksum line (hello \\x1b[31mred)"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_others_are_read(text: str, reason: str) -> None:
    parsed = parse(f"{SHA256}  first\n{text}\n{SHA256}  last\n".encode(), None)
    (trouble,) = parsed.troubles
    assert trouble.number == 2
    assert trouble.reason.startswith(reason)
    assert {one.name for one in parsed.lines} >= {b"first", b"last"}
    assert display(trouble.reason) == trouble.reason


def test_a_digest_of_another_length_than_the_list_is_named_for_is_not_used() -> None:
    parsed = parse(f"{SHA512}  a\n{SHA256}  b\n".encode(), "sha256")
    assert [one.name for one in parsed.lines] == [b"b"]
    assert parsed.troubles[0].reason == "has a digest that is none of SHA-256"


def test_comments_blank_lines_and_armour_are_no_trouble() -> None:
    text = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

# Fedora: 123 bytes
; also one
- {SHA256}  dashed

{SHA256}  plain
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
-----END PGP SIGNATURE-----
"""
    parsed = parse(text.encode(), None)
    assert [one.name for one in parsed.lines] == [b"dashed", b"plain"]
    assert parsed.troubles == []


def test_a_byte_order_mark_and_utf_16_are_told_and_read() -> None:
    parsed = parse(f"\ufeff{SHA256}  a\n".encode(), None)
    assert [one.name for one in parsed.lines] == [b"a"]
    assert "byte order mark" in parsed.general[0]
    parsed = parse(f"{SHA256}  a\r\n".encode("utf-16"), None)
    assert [one.name for one in parsed.lines] == [b"a"]
    assert "UTF-16" in parsed.general[0]


def test_a_nul_at_the_end_does_not_make_lines_names() -> None:
    parsed = parse(f"{SHA256}  a\n{SHA256}  b\n{SHA256}  c\0".encode(), None)
    assert [one.name for one in parsed.lines] == [b"a", b"b"]
    assert [one.number for one in parsed.troubles] == [3]


def test_names_that_are_not_utf_8_are_kept_as_bytes() -> None:
    parsed = parse(SHA256.encode() + b"  \xff\xfe\x80\n", None)
    assert parsed.lines[0].name == b"\xff\xfe\x80"


def test_the_end_of_the_last_line_is_noticed() -> None:
    assert parse(f"{SHA256}  a\n".encode(), None).ends
    assert not parse(f"{SHA256}  a".encode(), None).ends


@pytest.mark.parametrize("program", ["sha256sum", "md5sum", "sha512sum", "b2sum"])
@pytest.mark.parametrize("way", [[], ["--binary"], ["--tag"], ["--zero"]])
def test_what_the_real_programs_write_is_read(tmp_path: Path, program: str, way: list[str]) -> None:
    names = [b"plain", b"two words", b"a\nb\\c", b"e\rf", b"\xff\xfe", b" lead", b"(x) = y", b"-r"]
    for name in names:
        (tmp_path / Path(str(name, "utf-8", "surrogateescape"))).write_bytes(name)
    said = subprocess.run(
        [program, *way, "--", *names], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    algorithm = program.removesuffix("sum").replace("b2", "blake2b")
    parsed = parse(said, algorithm)
    assert parsed.troubles == []
    assert [one.name for one in parsed.lines] == names
    for one in parsed.lines:
        assert one.value == digest(one.name, algorithm)


_NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"\0" not in name and name not in {b".", b".."} and b"/" not in name
)


def _written(name: bytes, value: str) -> bytes:
    """As GNU writes it."""
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + value.encode() + b"  " + escaped + b"\n"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_NAMES, st.binary(max_size=8)), max_size=6))
def test_whatever_name_is_written_comes_back(files: list[tuple[bytes, bytes]]) -> None:
    text = b"".join(_written(name, digest(content)) for name, content in files)
    parsed = parse(text, "sha256")
    assert [(one.name, one.value) for one in parsed.lines] == [
        (name, digest(content)) for name, content in files
    ]
    assert parsed.troubles == []


_FRAGMENTS = st.sampled_from(
    [SHA256.encode(), MD5.encode(), b"  ", b" *", b"\n", b"\r\n", b"\\", b"SHA256 (", b") = ",
     b"\0", b"../", b"/", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b]0;x\x07", b"# ",
     b"-----BEGIN PGP SIGNED MESSAGE-----\n", b"-----BEGIN PGP SIGNATURE-----\n"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.one_of(_FRAGMENTS, st.binary(max_size=6)), max_size=20).map(b"".join),
    st.sampled_from([None, *DIGITS]),
)
def test_no_text_makes_trouble_that_is_not_told(text: bytes, algorithm: str | None) -> None:
    parsed = parse(text, algorithm)
    for one in parsed.lines:
        assert len(one.value) == DIGITS[one.algorithm]
        assert set(one.value) <= set("0123456789abcdef")
        assert b"\0" not in one.name
    numbers = [one.number for one in (*parsed.lines, *parsed.troubles)]
    assert len(set(numbers)) == len(numbers)
    for trouble in parsed.troubles:
        assert display(trouble.reason) == trouble.reason


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"b", b".."]), max_size=3).map(b"/".join),
    st.lists(st.sampled_from([b"..", b".", b"", b"x", b"/", b"y\n"]), max_size=8).map(b"/".join),
)
def test_no_name_leads_out_of_the_tree(directory: bytes, name: bytes) -> None:
    directory = b"/".join(one for one in directory.split(b"/") if one not in {b"..", b""})
    path, why = resolved(directory, name)
    assert bool(path) != bool(why)
    assert b".." not in path.split(b"/")
    assert not path.startswith(b"/")


@pytest.mark.parametrize(
    ("name", "algorithm", "stem"),
    [
        (b"SHA256SUMS", "sha256", b""),
        (b"SHA512SUMS.txt", "sha512", b""),
        (b"MD5SUMS", "md5", b""),
        (b"sha256sum.txt", "sha256", b""),
        (b"CHECKSUMS", None, b""),
        (b"Fedora-40-CHECKSUM", None, b""),
        (b"checksums.txt", None, b""),
        (b"terraform_1.2.3_SHA256SUMS", "sha256", b""),
        (b"SHASUMS256.txt", "sha256", b""),
        (b"B2SUMS", "blake2b", b""),
        (b"a.tar.gz.sha256", "sha256", b"a.tar.gz"),
        (b"a.bin.MD5", "md5", b"a.bin"),
        (b"a.bin.sha512sum", "sha512", b"a.bin"),
        (b"checksums.sha256", "sha256", b"checksums"),
    ],
)
def test_names_that_are_lists(name: bytes, algorithm: str | None, stem: bytes) -> None:
    kind = kind_of(name)
    assert kind is not None
    assert (kind.algorithm, kind.stem) == (algorithm, stem)
    assert LISTS.fullmatch(name)


@pytest.mark.parametrize(
    "name", [b"go.sum", b"sha256.c", b"md5.py", b"checksum.c", b"summary.txt", b".sha256", b"a"]
)
def test_names_that_are_not(name: bytes) -> None:
    assert kind_of(name) is None
    assert not LISTS.fullmatch(name)


def test_algorithms_are_spelled_for_people() -> None:
    assert [spelled(one) for one in ("sha256", "md5", "sha3_256", "blake2b")] == [
        "SHA-256",
        "MD5",
        "SHA3-256",
        "BLAKE2b",
    ]
    assert set(BY_LENGTH.values()) <= set(DIGITS)


def test_a_list_of_nonsense_is_not_read_to_its_end() -> None:
    good = b"0" * 32 + b"  a\n"
    parsed = parse(good + b"x\n" * 30_000 + good, None)
    assert (len(parsed.lines), len(parsed.troubles)) == (1, TROUBLES)
    assert parsed.stopped.startswith("Nothing from line 10,002 on was read")
