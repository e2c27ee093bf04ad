"""``python -m tests.crash.worker PART KIND SHARE``: one share of one part on one file system.

Prints its rows as JSON.  ``enclosure`` starts it where nobody else is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.counts import Row
from tests.crash.enclosure import say
from tests.crash.filesystems import NoMount, scratch

STRANGER = Path(__file__).parents[1] / "stranger"
sys.path.insert(0, str(STRANGER))

if TYPE_CHECKING:
    from tests.crash.scenario import Scenario


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("kill", "errors"))
    parser.add_argument("kind", help="of file system; 'here' for a directory of what is there")
    parser.add_argument("--share", default="0/1", help="only every so-many-th scenario")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    at, of = map(int, options.share.split("/"))
    try:
        with _place(options.kind) as top:
            say(list(_rows(options.part, options.kind, top, at, of, quick=options.quick)))
    except NoMount as refused:
        unmet = Row(options.part, options.kind, 0, 0, aim=1, note=f"not mounted: {refused}")
        say([] if options.quick else [unmet])


@contextmanager
def _place(kind: str) -> Iterator[Path]:
    if kind == "here":
        with tempfile.TemporaryDirectory() as top:
            yield Path(top)
    else:
        with scratch(kind) as top:
            yield top


def _rows(part: str, kind: str, top: Path, at: int, of: int, *, quick: bool) -> Iterator[Row]:
    from tests.crash import failing, killing, verbs

    def share(scenarios: Sequence[Scenario]) -> Sequence[Scenario]:
        return [one for index, one in enumerate(scenarios) if index % of == at]

    if part == "errors":
        chosen = verbs.QUICK if quick else verbs.ALL
        yield failing.fail_verbs(share(chosen), top, quick=quick).row("errors", kind)
    else:
        kills = killing.quick_kills(kind) if quick else killing.kills(kind)
        for one in kills:
            if share(one.scenarios):
                yield one.run(share(one.scenarios), top)


if __name__ == "__main__":
    main()
