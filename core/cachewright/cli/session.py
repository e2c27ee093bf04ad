"""What every verb that looks at a cache does first: open it, and watch it being checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cachewright.cli import output
from cachewright.cli.interrupt import cancellable
from cachewright.cli.options import Look
from cachewright.cli.progress import shown
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import CancelToken, CheckResult
    from cachewright.workbench import Bench, Watcher


@contextmanager
def opened(look: Look, *, verify: bool = True) -> Iterator[Bench]:
    from cachewright.workbench import open_bench

    options = look.options(verify=verify)
    with open_bench(look.root, format_name=look.format_name, options=options) as bench:
        yield bench


@contextmanager
def watched() -> Iterator[tuple[Watcher, CancelToken]]:
    """Progress on stderr and Ctrl-C as a request to stop, while the block runs."""
    with cancellable() as token, shown() as watcher:
        yield watcher, token


def end_interrupted(root: bytes | None = None) -> None:
    """Before anything is changed: end what was interrupted (in the cache at ``root``), and say
    on stderr what became of it."""
    from cachewright import workbench

    for one in workbench.recover(root):
        output.tell(f"{display(one.path)}: {display(one.reason)}")


def checked(bench: Bench) -> CheckResult:
    with watched() as (watcher, token):
        return bench.check(watcher, token)
