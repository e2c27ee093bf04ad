from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats import terraform_rewrite
from cachewright.formats.terraform import Terraform
from cachewright.formats.terraform_lockfile import parse
from cachewright.formats.terraform_rewrite import Edit, rewrite
from cachewright.model import StepKind

ADDRESS = "tf.example.com/acme/toy"
A, B, C = ("h1:" + letter * 43 + "=" for letter in "ABC")
ZH = "zh:" + "0" * 64


def edit(*drop: str, add: tuple[str, ...] = ()) -> Edit:
    return Edit(ADDRESS, "1.2.3", drop, add)


def test_a_line_of_the_writer_goes_as_a_whole(facts: Any) -> None:
    old = facts.lock(A, B, ZH).encode()
    assert rewrite(old, [edit(A)]) == facts.lock(B, ZH).encode()
    assert rewrite(old, [edit(A, B)]) == facts.lock(ZH).encode()


@pytest.mark.parametrize("added", [A, B, C])
def test_an_added_line_stands_where_the_writer_would_put_it(facts: Any, added: str) -> None:
    old = facts.lock(*{A, B, C, ZH} - {added}, "h1:zzz").encode()
    new = rewrite(old, [edit("h1:zzz", add=(added,))])
    assert new == facts.lock(A, B, C, ZH).encode()


def test_an_added_line_after_all_others(facts: Any) -> None:
    assert rewrite(facts.lock(A, B).encode(), [edit(A, add=(C,))]) == facts.lock(B, C).encode()
    assert rewrite(facts.lock(A).encode(), [edit(A, add=(C,))]) == facts.lock(C).encode()
    assert rewrite(facts.lock(A).encode(), [edit(A, add=(C, B))]) == facts.lock(B, C).encode()


def test_line_ends_stay(facts: Any) -> None:
    old = facts.lock(A, B).replace("\n", "\r\n").encode()
    new = rewrite(old, [edit(A, add=(C,))])
    assert new == facts.lock(B, C).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("old", "drop", "add", "new"),
    [
        ('["A", "B"]', ["A"], [], '["B"]'),
        ('["A", "B"]', ["B"], [], '["A", ]'),
        ('["A","B","C",]', ["B"], [], '["A","C",]'),
        ('["A"]', ["A"], ["C"], '["C", ]'),
        ('["B"]', ["B"], ["A"], '["A", ]'),
        ('[ # all\n"A", # first\n"B" # last\n]', ["A"], [], '[ # all\n# first\n"B" # last\n]'),
        ('[ # all\n"A", # first\n"B" # last\n]', ["B"], [], '[ # all\n"A", # first\n # last\n]'),
        ('[\n"A"\n,"B"\n]', ["B"], [], '[\n"A"\n,\n]'),
        ('["A", "A", "B"]', ["A"], [], '["B"]'),
        ('[\n  "A",\n"A"]', ["A"], ["B"], '[\n  "B",\n]'),
        ('["A", "ZH"]', ["A"], ["C", "B"], '["B", "C", "ZH"]'),
    ],
)
def test_lists_written_by_hand(old: str, drop: list[str], add: list[str], new: str) -> None:
    values = {"A": A, "B": B, "C": C, "ZH": ZH}
    frame = f'# é\nprovider "{ADDRESS}" {{\n  version = "1.2.3"\n  hashes = %s\n}}\n'

    def full(text: str) -> bytes:
        for letter, value in values.items():
            text = text.replace(f'"{letter}"', f'"{value}"')
        return (frame % text).encode()

    change = edit(*(values[one] for one in drop), add=tuple(values[one] for one in add))
    assert rewrite(full(old), [change]) == full(new)


def test_two_blocks_at_once(facts: Any) -> None:
    other = "tf.example.com/acme/two"
    old = facts.lock(A, B) + facts.lock(B, C, address=other)
    new = rewrite(old.encode(), [edit(A), Edit(other, "1.2.3", (B,), ())])
    assert new == (facts.lock(B) + facts.lock(C, address=other)).encode()


def test_refusals(facts: Any) -> None:
    old = facts.lock(A, B).encode()
    for change, words in (
        (edit(A, add=(A,)), "dropped and added"),
        (edit(C), "not there any more"),
        (edit(A, B), "without any checksum"),
        (Edit(ADDRESS, "9.9.9", (A,), ()), "no longer records"),
        (Edit("tf.example.com/acme/two", "1.2.3", (A,), ()), "no longer records"),
    ):
        with pytest.raises(ValueError, match=words):
            rewrite(old, [change])
    with pytest.raises(ValueError, match="cannot be edited: it ends in the middle"):
        rewrite(old[:-3], [edit(A)])


def test_what_is_written_otherwise_stays_as_it_was(facts: Any) -> None:
    old = facts.lock(A, B).replace('"1.2.3"\n  hashes', '"1\\u002e2.3"\n  hashes').encode()
    assert parse(old)[0].constraints == "1.2.3"
    assert rewrite(old, [edit(A)]) == old.replace(f'    "{A}",\n'.encode(), b"")


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (f'    "{B}",\n', ""),
        (f'"{B}"', f'"{C}"'),
        ('constraints = "1.2.3"', 'constraints = "1.2.4"'),
        ('version     = "1.2.3"', 'version     = "1.2.4"'),
        ('acme/toy" {', 'acme/two" {'),
        (f'    "{ZH}",\n', f'    "{A}",\n    "{ZH}",\n'),
    ],
)
def test_what_came_out_otherwise_than_wanted_is_not_handed_out(
    facts: Any, monkeypatch: pytest.MonkeyPatch, found: str, instead: str
) -> None:
    real = terraform_rewrite._apply

    def clumsy(old: bytes, changes: Any) -> bytes:
        new = real(old, changes)
        assert found.encode() in new
        return new.replace(found.encode(), instead.encode())

    monkeypatch.setattr(terraform_rewrite, "_apply", clumsy)
    with pytest.raises(ValueError, match="cannot be edited safely"):
        rewrite(facts.lock(A, B, ZH).encode(), [edit(A)])


def test_what_terraform_would_not_read_is_not_handed_out(
    facts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = terraform_rewrite._apply

    def clumsy(old: bytes, changes: Any) -> bytes:
        return real(old, changes).replace(b"  version", b'  extra = "x"\n  version')

    monkeypatch.setattr(terraform_rewrite, "_apply", clumsy)
    with pytest.raises(ValueError, match="holds a setting that does not belong there"):
        rewrite(facts.lock(A, B).encode(), [edit(A)])


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"blocks": []},
        {"blocks": ["x"]},
        {"blocks": [{"provider": ADDRESS, "version": "1.2.3", "drop": [A]}]},
        {"blocks": [{"provider": ADDRESS, "version": "1.2.3", "drop": [], "add": []}]},
        {"blocks": [{"provider": ADDRESS, "version": "1.2.3", "drop": A, "add": []}]},
        {"blocks": [{"provider": ADDRESS, "version": 1, "drop": [A], "add": []}]},
        {"blocks": [{"provider": ADDRESS, "version": "1.2.3", "drop": [A], "add": [1]}]},
    ],
)
def test_an_odd_plan_changes_nothing(facts: Any, detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="step"):
        Terraform().rewrite(StepKind.DROP_POISONED_CHECKSUM, detail, facts.lock(A, B).encode())


def test_other_steps_rewrite_nothing() -> None:
    with pytest.raises(ValueError, match="rewrites nothing"):
        Terraform().rewrite(StepKind.QUARANTINE_ENTRY, {}, b"")


_VALUES = [f"{scheme}:{number}" for scheme in ("h1", "zh") for number in range(4)]


@settings(deadline=None)
@given(
    hashes=st.lists(st.sampled_from(_VALUES), min_size=1, max_size=6),
    drop=st.sets(st.sampled_from(_VALUES), min_size=1, max_size=3),
    add=st.sets(st.sampled_from(_VALUES), max_size=2),
    gaps=st.lists(
        st.sampled_from(["", " ", "\n", "\n    ", " # x\n", "\r\n", " /* y */ "]),
        min_size=14,
        max_size=14,
    ),
    trailing=st.booleans(),
)
def test_only_the_wanted_changes(
    hashes: list[str], drop: set[str], add: set[str], gaps: list[str], trailing: bool
) -> None:
    drop &= set(hashes)
    add -= drop
    if not drop or not (set(hashes) - drop) | add:
        return
    blanks = iter(gaps)
    items = [f'{next(blanks)}"{one}"{next(blanks)}' for one in hashes]
    listed = ",".join(items) + ("," if trailing else "") + next(blanks)
    old = f'provider "{ADDRESS}" {{\n version = "1.2.3"\n hashes = [{listed}]\n}}\n# end'
    change = Edit(ADDRESS, "1.2.3", tuple(sorted(drop)), tuple(sorted(add)))
    new = rewrite(old.encode(), [change]).decode()
    (block,) = parse(new.encode())
    assert {one.text for one in block.hashes} == (set(hashes) - drop) | add
    # Comments and whatever else stood there are still there.
    assert new.count("# x") == old.count("# x")
    assert new.count("/* y */") == old.count("/* y */")
    assert new.endswith("# end")
    assert new.startswith(old[: old.index("[") + 1])
    assert len(list(itertools.chain(*(one.text for one in block.hashes)))) > 0


@settings(deadline=None)
@given(
    blocks=st.dictionaries(
        st.from_regex(r"h[.]x/a/[a-z]{1,3}", fullmatch=True),
        st.sets(st.sampled_from(_VALUES), min_size=2),
        min_size=1,
        max_size=4,
    ),
    data=st.data(),
)
def test_the_writers_file_comes_out_as_if_written_without(
    facts: Any, blocks: dict[str, set[str]], data: st.DataObject
) -> None:
    def file(values: dict[str, set[str]]) -> bytes:
        texts = [facts.lock(*values[name], address=name) for name in sorted(values)]
        return "\n".join(texts).encode()

    changed = data.draw(st.sets(st.sampled_from(sorted(blocks)), min_size=1))
    left = dict(blocks)
    edits = []
    for name in sorted(changed):
        every = sorted(blocks[name])
        drop = data.draw(st.sets(st.sampled_from(every), min_size=1, max_size=len(every) - 1))
        left[name] = blocks[name] - drop
        edits.append(Edit(name, "1.2.3", tuple(sorted(drop)), ()))
    assert rewrite(file(blocks), edits) == file(left)
