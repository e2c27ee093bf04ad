"""The quick version of the parsers' part."""

from __future__ import annotations

from tests.counts import fails, table
from tests.hostile import parsers


def test_every_parser_answers_or_refuses_in_its_own_words() -> None:
    rows = list(parsers.run(True))
    assert not fails(rows), "\n" + table(rows)
    assert sum(row.trials for row in rows if not row.expects_bad) >= 3000
