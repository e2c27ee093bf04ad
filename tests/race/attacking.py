"""Start the attacker, a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.race.cells import Counts

PLAIN: Final = [sys.executable, "-S", "-E", "-s"]
"""Python without site packages, which starts quickly."""


@contextmanager
def attacker(counts: Counts, **asked: Any) -> Iterator[None]:
    """Let ``swapping.py`` run for the block; its swaps are added to the counts."""
    command = [*PLAIN, str(Path(__file__).with_name("swapping.py")), json.dumps(asked)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield
            counts["swaps"] += int(process.communicate()[0])
        finally:
            process.kill()
