"""One table of what a harness counted, and whether each count is as it has to be."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """``bad`` of ``trials`` went wrong.  None may, and at least ``aim`` are wanted; with
    ``expects_bad`` (a guard is missing on purpose) some must, or the harness sees nothing."""

    part: str
    where: str
    trials: int
    bad: int
    aim: int = 0
    note: str = ""
    expects_bad: bool = False

    @property
    def fails(self) -> bool:
        return self.trials < self.aim or bool(self.bad) != self.expects_bad


Part = Callable[[bool], Iterable[Row]]
"""Runs one part, its quick version if told so."""


def fails(rows: Iterable[Row]) -> bool:
    return any(row.fails for row in rows)


def table(rows: Sequence[Row]) -> str:
    """The rows as text, a line each, columns aligned."""
    head = ("part", "where", "trials", "aim", "bad", "", "note")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in {2, 3, 4} else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    wanted = "some" if row.expects_bad else "0"
    said = "FAILS" if row.fails else "ok"
    numbers = (f"{row.trials:,}", f"{row.aim:,}" if row.aim else "", f"{row.bad:,} of {wanted}")
    return (row.part, row.where, *numbers, said, row.note)


def main(parts: Mapping[str, Part], arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for, print one table, say by the exit code if all is well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="the short versions")
    parser.add_argument("--only", action="append", choices=list(parts), metavar="PART")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    chosen = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in chosen.only or parts:
        began = time.monotonic()
        rows.extend(parts[name](chosen.quick))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(table(rows))
    return 1 if fails(rows) else 0
