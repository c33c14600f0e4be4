"""The command line: parsing, wiring, exit codes."""

from __future__ import annotations

import os
import signal
import sys

import click

from provisioner.cli.commands import provisioner
from provisioner.cli.speech import hush_libraries, prepare, say
from provisioner.errors import ExitCode, ProvisionerError

__all__ = ["main", "provisioner"]

_TRACEBACK = "PROVISIONER_TRACEBACK"


def main() -> None:
    """Run the command line and exit with the contract's code."""
    _end_by_sigterm()
    prepare()
    hush_libraries()
    sys.exit(_exit_code())


def _end_by_sigterm() -> None:
    """As everywhere else also where the kernel leaves it to us: the first process of a container.

    `run` listens for itself once it is under way.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


def _exit_code() -> int:
    try:
        return int(provisioner.main(prog_name="provisioner", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ProvisionerError as error:
        say(str(error), error.hint)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        say(
            _unexpected(error), f"what was recorded is safe; {_TRACEBACK}=1 shows where it happened"
        )
        return ExitCode.UNEXPECTED


def _unexpected(error: Exception) -> str:
    from provisioner.session import mask_numbers  # noqa: PLC0415  # keeps --help light

    return f"unexpected {type(error).__name__}: {mask_numbers(str(error))}"
