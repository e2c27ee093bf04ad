"""Health bar, progress strip, sizes and ages."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachewright.model import EntryVerdict, Progress
from cachewright_gui import wording
from cachewright_gui.squarify import squarify
from cachewright_gui.widgets.health_bar import segments
from cachewright_gui.widgets.progress_strip import Pace, Speedometer, amounts, seconds_left, share


@given(
    st.dictionaries(st.sampled_from(list(EntryVerdict)), st.integers(0, 10**6)),
    st.integers(200, 3000),
)
def test_the_bar_is_filled_and_nothing_is_too_narrow_to_see(
    counts: dict[EntryVerdict, int], width: int
) -> None:
    made = segments(Counter(counts), width)
    assert [one for one, _ in made] == [
        one for one in wording.HEALTH_PHRASE if counts.get(one, 0) > 0
    ]
    if made:
        assert sum(extent for _, extent in made) == pytest.approx(width)
        assert min(extent for _, extent in made) >= 7


def test_the_pace_is_of_the_last_seconds_and_of_one_stage() -> None:
    speed = Speedometer()
    assert speed.add(Progress("verify", 0, 10, 0, 1000), 0.0) == Pace()
    assert speed.add(Progress("verify", 1, 10, 100, 1000), 1.0) == Pace(100, 1)
    for second in range(2, 12):
        pace = speed.add(Progress("verify", second, 20, 100 + 10 * second, 1000), float(second))
    assert pace.bytes_per_s == pytest.approx(10)
    assert speed.add(Progress("scan", 5), 20.0) == Pace()


@pytest.mark.parametrize(
    ("progress", "pace", "words"),
    [
        (Progress("scan", 12_345), Pace(0, 5000), "12,345   5,000/s"),
        (
            Progress("verify", 41_230, 96_411, 10**9, 2 * 10**9),
            Pace(5 * 10**7, 100),
            "41,230 of 96,411   1.0 GB of 2.0 GB   50.0 MB/s   20 s left",
        ),
        (Progress("settle", 0, 3), Pace(), "0 of 3"),
        (Progress("watch", 12, 60), Pace(0, 1), "48 s left"),
        (Progress("records"), Pace(), ""),
    ],
)
def test_progress_is_told_as_far_as_it_is_known(progress: Progress, pace: Pace, words: str) -> None:
    assert amounts(progress, pace) == words


def test_shares_and_times_left() -> None:
    assert share(Progress("scan", 5)) is None
    assert share(Progress("x", 1, 4)) == 0.25
    assert share(Progress("x", 1, 4, 30, 40)) == 0.75
    assert share(Progress("x", 9, 4)) == 1.0
    assert seconds_left(Progress("x", 1, 4), Pace()) is None
    assert seconds_left(Progress("x", 1, 4), Pace(0, 3)) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (42, "42 s"), (95, "1 min 35 s"), (1800, "30 min"), (7260, "2 h 01 min")],
)
def test_times_left_are_coarse(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_sizes_and_ages_are_words_with_an_exact_twin() -> None:
    now = time.time()
    assert wording.size(1) == "1 B"
    assert wording.size(512) == "512 B"
    assert wording.size(3_200_000_000) == "3.2 GB"
    assert wording.exact_size(3_200_000_000) == "3,200,000,000 bytes"
    assert wording.age(0) == ""
    assert wording.age(int((now - 7300) * 1e9), now) == "2 hours ago"
    assert wording.age(int((now + 90) * 1e9), now) == "in the future"
    assert wording.exact_time(0) == ""
    assert len(wording.exact_time(time.time_ns())) == len("2026-01-01 00:00:00 +0000")
    assert wording.plural(1, "entry", "entries") == "1 entry"
    assert wording.plural(1204, "entry", "entries") == "1,204 entries"


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=60),
    st.floats(10, 2000),
    st.floats(10, 2000),
)
def test_tiles_fill_their_box_in_proportion(sizes: list[int], width: float, height: float) -> None:
    sizes.sort(reverse=True)
    boxes = squarify([float(one) for one in sizes], (5.0, 7.0, width, height))
    assert len(boxes) == len(sizes)
    scale = width * height / sum(sizes)
    for size, (left, top, across, down) in zip(sizes, boxes, strict=True):
        assert across * down == pytest.approx(size * scale, rel=1e-6, abs=1e-6)
        assert left >= 5 - 1e-6
        assert top >= 7 - 1e-6
        assert left + across <= 5 + width + 1e-3
        assert top + down <= 7 + height + 1e-3


def test_nothing_is_laid_out_in_no_room() -> None:
    assert squarify([2.0, 1.0], (0, 0, 0, 10)) == [(0, 0, 0, 0)] * 2
    assert squarify([], (0, 0, 10, 10)) == []
