from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cachewright.model import EntryVerdict, HoldVerdict, Progress
from cachewright_gui.collector import Collector, Part


def test_news_waits_once_however_much_is_told(script: Any) -> None:
    told: list[None] = []
    collector = Collector(script.root, 1, lambda: told.append(None))
    for count in range(1000):
        collector.progress(Progress("scan", count))
    collector.entries(script.entries)
    assert len(told) == 1
    news = collector.take()
    assert news.progress == Progress("scan", 999)
    assert news.parts == {Part.PROGRESS, Part.ENTRIES}
    collector.progress(Progress("verify"))
    assert len(told) == 2
    assert collector.take().parts == {Part.PROGRESS}
    assert not collector.take().parts


def test_a_report_told_again_replaces_the_former(script: Any) -> None:
    collector = Collector(script.root, 1, lambda: None)
    collector.tree(script.tree)
    collector.entries([replace(one, verdict=EntryVerdict.UNCHECKED) for one in script.entries])
    assert collector.marks.counts[EntryVerdict.UNCHECKED] == 4
    collector.entries(script.entries)
    counts = {verdict: count for verdict, count in collector.marks.counts.items() if count}
    assert counts == {
        EntryVerdict.OK: 1,
        EntryVerdict.CORRUPT: 1,
        EntryVerdict.BUSY: 1,
        EntryVerdict.UNVERIFIABLE: 1,
    }


def test_directories_know_what_lies_below_them(script: Any) -> None:
    collector = Collector(script.root, 1, lambda: None)
    collector.tree(script.tree)
    collector.entries(script.entries)
    row = script.tree.find(b"registry.terraform.io/hashicorp")
    assert collector.marks.below[row][EntryVerdict.CORRUPT] == 1
    assert sum(collector.marks.below[row].values()) == 4
    aws = script.tree.find(b"registry.terraform.io/hashicorp/aws")
    assert sum(collector.marks.below[aws].values()) == 1


def test_staging_and_locks_are_marked_in_the_tree_and_foreign_paths_are_not(script: Any) -> None:
    collector = Collector(script.root, 1, lambda: None)
    collector.tree(script.tree)
    outside = replace(script.staging[0], path=b"/elsewhere/.temp8841902")
    collector.staging([outside])
    assert not collector.marks.holds
    collector.staging(script.staging)
    assert list(collector.marks.holds.values()) == [HoldVerdict.STALE]


def test_what_a_result_no_longer_has_is_gone(script: Any, tmp_path: Path) -> None:
    del tmp_path
    collector = Collector(script.root, 1, lambda: None)
    collector.tree(script.tree)
    collector.entries(script.entries)
    result = replace(script.result(), entries=script.entries[1:])
    collector.finish(result, script.tree)
    assert set(collector.marks.entries) == {one.name for one in script.entries[1:]}
    assert collector.marks.counts[EntryVerdict.CORRUPT] == 0
