"""What uv remembers of indexes, metadata and interpreters: cut and changed answers."""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
import pytest
from tests.unit.formats.uv_making import MadeUv, newer, older

from cachewright.model import FindingKind, StepKind

ANSWER = b"an answer of some index" * 40


@pytest.fixture
def made(tmp_path: Path) -> MadeUv:
    made = MadeUv(tmp_path)
    for name in ("toy", "other"):
        made.write(f"simple-v27/pypi/{name}.rkyv", newer(ANSWER))
        made.write(f"simple-v24/pypi/{name}.rkyv", older(ANSWER))
        made.write(f"wheels-v7/pypi/{name}/1.0-py3-none-any.msgpack", newer(ANSWER))
    made.write("interpreter-v5/0123/4567.msgpack", msgpack.packb([[1, 2], ["x"]]))
    made.write("sdists-v10/pypi/toy/1.0/REVISION01234567/metadata.msgpack", msgpack.packb(["toy"]))
    return made


def damaged(made: MadeUv) -> list[str]:
    findings = made.look().findings
    assert {one.kind for one in findings} <= {FindingKind.DAMAGED_METADATA}
    assert all(one.repairs[0].step is StepKind.QUARANTINE_ENTRY for one in findings)
    return [one.subject for one in findings]


def test_whole_answers_of_both_envelopes(made: MadeUv) -> None:
    assert damaged(made) == []


@pytest.mark.parametrize(
    "name",
    [
        "simple-v27/pypi/toy.rkyv",
        "simple-v24/pypi/toy.rkyv",
        "wheels-v7/pypi/toy/1.0-py3-none-any.msgpack",
        "interpreter-v5/0123/4567.msgpack",
        "sdists-v10/pypi/toy/1.0/REVISION01234567/metadata.msgpack",
    ],
)
@pytest.mark.parametrize("left", [0, 3, -1])
def test_a_cut_answer(made: MadeUv, name: str, left: int) -> None:
    place = made.cache / name
    os.truncate(place, min(left % place.stat().st_size, place.stat().st_size - 1))
    assert damaged(made) == [name]


def test_a_changed_end_is_noticed_where_there_is_a_crc(made: MadeUv) -> None:
    for number, noticed in ((27, True), (24, False)):
        place = made.cache / f"simple-v{number}/pypi/toy.rkyv"
        content = bytearray(place.read_bytes())
        content[len(ANSWER) + 5] ^= 1
        place.write_bytes(content)
        assert (f"simple-v{number}/pypi/toy.rkyv" in damaged(made)) == noticed


def test_the_package_of_an_answer_is_named(made: MadeUv) -> None:
    os.truncate(made.cache / "wheels-v7/pypi/toy/1.0-py3-none-any.msgpack", 5)
    assert made.look().finding.explanation.startswith("toy 1.0: what uv remembers")


def test_a_huge_one_is_not_read_whole(made: MadeUv) -> None:
    os.truncate(made.cache / "simple-v27/pypi/toy.rkyv", 8 << 40)
    os.truncate(made.cache / "interpreter-v5/0123/4567.msgpack", 8 << 40)
    assert set(damaged(made)) == {"simple-v27/pypi/toy.rkyv", "interpreter-v5/0123/4567.msgpack"}
