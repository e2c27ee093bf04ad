"""What a check of a cache of the stranger's says of its locks, and what one click would clean; as
a script for a looker with other rights, with one JSON argument and JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from cachewright.workbench import Options, open_bench


def told(root: str) -> dict[str, Any]:
    """Reports by name, and the names that one click would clean."""
    with open_bench(
        os.fsencode(root), format_name="stranger", options=Options(verify=False)
    ) as bench:
        result = bench.check()
        plan = bench.plan(stale_only=True)
    return {
        "locks": {
            os.fsdecode(os.path.basename(one.path)): {
                "verdict": one.verdict.value,
                "explanation": one.explanation,
                "holders": {str(who.pid): [*who.how, who.state, who.user] for who in one.holders},
                "evidence": [[fact.fact, fact.says.value, fact.detail] for fact in one.evidence],
            }
            for one in result.locks
        },
        "click": [os.fsdecode(os.path.basename(step.path)) for step in plan.steps],
    }


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    from blindfolds import BLINDFOLDS

    asked = json.loads(sys.argv[1])
    if asked["without"]:
        BLINDFOLDS[asked["without"]](setattr)
    print(json.dumps(told(asked["root"])), flush=True)
