"""RECORD as wheels have it, and as nobody should: hostile, cut, odd."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachewright.digests import FileDigest
from cachewright.formats.uv_compare import compare
from cachewright.formats.uv_healing import healed
from cachewright.formats.uv_record import Record, RecordDamaged, algorithms_in, read_record
from cachewright.model import EntryVerdict as Verdict

PLACE = b"toy-1.0.dist-info/RECORD"
CONTENT = b"x = 1\n"


def spelled(content: bytes = CONTENT, algorithm: str = "sha256") -> str:
    raw = hashlib.new(algorithm, content).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"


def not_exact(value: str) -> str:
    """The same 32 bytes, with bits set that no digest has room for."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return value[:-1] + letters[letters.index(value[-1]) | 1]


GOOD = f"toy/a.py,{spelled()},6\ntoy-1.0.dist-info/RECORD,,\n"


def read(text: str, place: bytes = PLACE) -> Record:
    return read_record(text.encode(), place)


def found(*names: bytes, content: bytes = CONTENT) -> dict[bytes, FileDigest]:
    values = {name: hashlib.new(name, content).hexdigest() for name in ("sha256", "sha512", "md5")}
    return dict.fromkeys((*names, PLACE), FileDigest(len(content), 0o100644, values))


def test_a_digest_a_size_and_its_own_row() -> None:
    record = read(GOOD)
    row = record.rows[b"toy/a.py"]
    assert (row.algorithm, row.digest) == ("sha256", hashlib.sha256(CONTENT).hexdigest())
    assert row.size == 6
    assert record.lists_itself
    assert record.faults == ()


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        f"\n{GOOD}\n\n",
        GOOD.replace("toy/a.py", '"toy/a.py"'),
        GOOD.replace("toy/a.py", "./toy//a.py"),
        GOOD + GOOD,
        GOOD.replace(",6\n", "=,6\n"),
    ],
    ids=["CRLF", "no last line break", "blank lines", "quoted", "roundabout", "twice", "padded"],
)
def test_spellings_that_say_the_same(text: str) -> None:
    record = read(text)
    assert record.faults == ()
    assert record.rows[b"toy/a.py"] == read(GOOD).rows[b"toy/a.py"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("../../etc/passwd,,\n", "../../etc/passwd lies outside the archive"),
        ("toy/../../x,,\n", "lies outside the archive"),
        ("..,,\n", "lies outside the archive"),
        (".,,\n", "lies outside the archive"),
        ("/etc/passwd,,\n", "/etc/passwd lies outside the archive"),
        ("C:\\x,,\n", "lies outside the archive"),
        ("\\\\host\\x,,\n", "lies outside the archive"),
        (",,\n", "no file is named"),
        ("b,sha256=,\n", "the digest of b is none"),
        ("b,sha256,\n", "the digest of b is none"),
        ("b,sha256=abc,\n", "the digest of b is none"),
        ("b,sha256=!!!!,\n", "the digest of b is none"),
        (f"b,{spelled()[:-1]},\n", "the digest of b is none"),
        (f"b,{not_exact(spelled())},\n", "the digest of b is none"),
        (f"b,{spelled()}AAAA,\n", "the digest of b is none"),
        ("b,crc32=AAAA,\n", "the digest of b is of an unknown kind: crc32"),
        (f"b,{spelled().replace('sha', 'SHA')},\n", "of an unknown kind: SHA256"),
        ("b,,many\n", "the size of b is no number: many"),
        ("b,,-1\n", "the size of b is no number"),
        ("b,,9999999999999999999999\n", "the size of b is no number"),
        ("b,,,\n", "b has 4 columns instead of 3"),
        (f"toy/a.py,{spelled(b'')},6\n", "toy/a.py is listed twice, differently"),
        ("\x1b[31mred,,x\n", "\\x1b[31mred"),
    ],
)
def test_a_row_that_says_nothing_is_told_and_the_others_count(row: str, fault: str) -> None:
    record = read(GOOD + row)
    (told,) = record.faults
    assert fault in told
    assert told.startswith("line 3: ")
    assert b"b" not in record.rows
    assert (b"toy/a.py" in record.rows) == ("twice" not in fault)
    assert not any(name.startswith((b"/", b"..")) for name in record.rows)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n\r\n", "it is empty"),
        (b"\xff\xfe,,\n", "it is no UTF-8 text"),
        (b"a\0b,,\n", "it holds NUL characters"),
        (b'"never closed,,\n', "is no CSV"),
        (b"x" * 200_000 + b",,\n", "is no CSV"),
    ],
)
def test_what_is_no_record_at_all(content: bytes, reason: str) -> None:
    with pytest.raises(RecordDamaged, match=reason):
        read_record(content, PLACE)


def test_an_environments_record_may_lead_to_its_programs_but_not_out_of_it() -> None:
    place = b"lib/python3.11/site-packages/toy-1.0.dist-info/RECORD"
    record = read("../../../bin/toy,,3\n../../../../x,,\n", place)
    assert set(record.rows) == {b"bin/toy"}
    assert len(record.faults) == 1


def test_weak_and_strong_digests() -> None:
    text = f"a,{spelled(algorithm='md5')},6\nb,{spelled(algorithm='sha512')},6\n"
    assert algorithms_in(text.encode()) == {"md5", "sha512"}
    compared = compare(found(b"a", b"b"), read(text), (PLACE,))
    assert compared.verdict is Verdict.OK
    assert compared.weak == (b"a",)
    assert compared.fitting == 2
    without = {name: FileDigest(6, 0o100644, {"sha256": "x"}) for name in (b"a", b"b")}
    assert compare(without, read(text), (PLACE,)).unknown == (b"a", b"b")


def test_sizes_speak_where_digests_do_not() -> None:
    record = read(f"toy/a.py,{spelled()},6\nb,,6\nc,,7\n")
    compared = compare(found(b"toy/a.py", b"b", b"c"), record, (PLACE,))
    assert compared.bare == (b"b",)
    assert compared.changed == (b"c",)
    assert compared.cut == {b"c": (6, 7)}


def test_a_healed_record_tells_the_size_of_the_former_one_and_that_is_no_fault() -> None:
    record = read(f"toy/a.py,{spelled()},6\ntoy-1.0.dist-info/RECORD,,99\n")
    compared = compare(found(b"toy/a.py"), record, (PLACE,))
    assert (compared.wrong, compared.verdict) == ((), Verdict.OK)


def test_compiled_files_and_signatures_may_be_added_and_nothing_else() -> None:
    names = (
        b"toy/a.py",
        b"toy/__pycache__/a.cpython-311.pyc",
        b"__pycache__/b.pyc",
        b"toy-1.0.dist-info/RECORD.jws",
        b"toy/bare.pyc",
        b"toy/RECORD.jws",
        b"evil.pth",
    )
    compared = compare(found(*names), read(GOOD), (PLACE,))
    assert compared.compiled == (b"__pycache__/b.pyc", b"toy/__pycache__/a.cpython-311.pyc")
    assert compared.extra == (b"evil.pth", b"toy/RECORD.jws", b"toy/bare.pyc")
    assert compared.verdict is Verdict.CORRUPT
    inside = compare(found(*names), read(GOOD), (PLACE,), extras=False)
    assert inside.verdict is Verdict.OK


def test_files_of_faulty_rows_are_neither_extra_nor_missing() -> None:
    record = read(GOOD + "b,sha256=abc,6\n")
    assert compare(found(b"toy/a.py", b"b"), record, (PLACE,)).wrong == ()


def test_healing_is_what_uv_does() -> None:
    files = {
        b"toy/a.py": FileDigest(6, 0, {}),
        b"toy/new.py": FileDigest(4, 0, {}),
        PLACE: FileDigest(9, 0, {}),
    }
    text = f"toy/gone.py,,1\ntoy/a.py,{spelled()},6\n".encode()
    assert healed(text, files).decode() == (
        f"toy-1.0.dist-info/RECORD,,9\ntoy/a.py,{spelled()},6\ntoy/new.py,,4\n"
    )
    assert healed(GOOD.encode(), {b"toy/a.py": files[b"toy/a.py"], PLACE: files[PLACE]}) == (
        GOOD.encode()
    )
    with pytest.raises(ValueError, match="unexpected end of data"):
        healed(b'"open', files)


def stays_inside(content: bytes) -> None:
    try:
        record = read_record(content, PLACE)
    except RecordDamaged:
        return
    for name in record.rows:
        assert name
        assert not name.startswith(b"/")
        assert b".." not in name.split(b"/")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    stays_inside(content)


@given(st.text(alphabet='a./\\,"\n\r=sha256:C0-', max_size=60))
def test_odd_rows_never_lead_out(text: str) -> None:
    stays_inside(text.encode())


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_a_flipped_bit_in_a_record_is_noticed_or_changes_nothing(at: int, bit: int) -> None:
    content = bytearray(GOOD.encode())
    content[at] ^= 1 << bit
    files = found(b"toy/a.py")
    try:
        record = read_record(bytes(content), PLACE)
    except RecordDamaged:
        return
    compared = compare(files, record, (PLACE,))
    noticed = record.faults or compared.wrong or not compared.fitting
    assert noticed or record.rows[b"toy/a.py"].digest == read(GOOD).rows[b"toy/a.py"].digest


def test_a_record_of_faulty_lines_only_is_damaged_as_a_whole() -> None:
    with pytest.raises(RecordDamaged, match="more than 1000 of its lines are faulty"):
        read_record(b",,\n" * 100_000, b"toy-1.0.dist-info/RECORD")
