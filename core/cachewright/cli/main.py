"""The ``cachewright`` command: finds the verb, turns every error into a sentence and a code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata

import click
from click.exceptions import NoArgsIsHelpError

from cachewright.cli import output
from cachewright.cli.exit_code import ExitCode, kind_of
from cachewright.cli.verbs import WINDOW, Verbs
from cachewright.errors import CachewrightError, Cancelled
from cachewright.text import display


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        output.say([f"cachewright {metadata.version('cachewright')}"])
        ctx.exit()


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    options_metavar="",
    subcommand_metavar="[VERB] [ARGUMENTS]... | [PATH]",
)
@click.option(
    "--version", is_flag=True, is_eager=True, callback=_show_version, help="Show the version."
)
def cachewright(version: bool) -> None:
    """Open a cache, see what is wrong in it and why, and repair it safely.

    Without a verb the window opens; with a PATH it opens on that cache.

    Exit codes: 0 nothing wrong, or done; 1 problems found; 2 usage; 3 could not look at
    everything; 4 refused; 5 a repair failed; 130 interrupted.
    """
    del version


def _failed(arguments: Sequence[str], kind: str, message: str, code: int) -> int:
    output.tell(message)
    if "--json" in arguments:
        from cachewright.report import document

        output.emit(document.error(kind, message, code))
    return int(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code and raises nothing a person could cause."""
    try:
        code = cachewright.main(list(arguments), prog_name="cachewright", standalone_mode=False)
        return int(code) if isinstance(code, int) else ExitCode.FINE
    except click.ClickException as error:
        return _failed(arguments, "usage", _usage(error), ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _failed(arguments, "cancelled", str(Cancelled()), ExitCode.INTERRUPTED)
    except CachewrightError as error:
        return _failed(arguments, kind_of(error), display(str(error)), error.exit_code)
    except SystemExit:  # how click itself tells that the reader of its help went away
        return ExitCode.FINE
    except Exception as error:  # noqa: BLE001  # the last line of defence: told and logged
        from cachewright.cli import crash

        return _failed(arguments, "unexpected", crash.record(error), ExitCode.INCOMPLETE)


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, NoArgsIsHelpError) or context is None or context.info_name == WINDOW:
        return message
    return f"{display(message)} See '{context.command_path} --help'."


def main() -> None:
    """The entry point of the installed command."""
    output.prepare_streams()
    code = run(sys.argv[1:])
    output.finish()
    sys.exit(code)
