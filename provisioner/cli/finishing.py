"""Telling somebody that a run is over: the command of --on-finish."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress

import msgspec

from provisioner.cli.speech import say
from provisioner.errors import ExitCode, UsageError
from provisioner.report import summary_json
from provisioner.run import Result
from provisioner.session import mask_numbers

LONGEST = 60.0
"""Seconds after which the command is killed."""

_STDERR = 2
_TWIN = "PROVISIONER_ON_FINISH"


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What a run that has no summary says on the command's standard input, as JSON.

    The members have the names of the summary's; `stopped` is the error.
    """

    schema: int = 1
    campaign: str | None
    exit_code: int
    stopped: str


def words(command: str | None) -> list[str]:
    """A command as a shell would split it; no shell ever sees it.

    Raises:
        UsageError: its quotes are not closed, or there is nothing in it.
    """
    if command is None:
        return []
    try:
        split = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--on-finish {command!r}: {error}", hint="close the quotes") from None
    if not split:
        raise UsageError("--on-finish is empty", hint="name a command, or leave the option out")
    return split


def tell_result(command: list[str], result: Result) -> None:
    """Run the command with what a run came to."""
    summary = result.summary
    counts = {name: str(rows) for name, rows in summary.counts.items()}
    facts = {
        "campaign": summary.campaign,
        "exit_code": str(int(result.exit_code)),
        "stopped": summary.stopped or "",
        "out": str(result.out.absolute()),
        "rows": str(summary.input.rows),
    }
    _run(command, facts | counts, summary_json(summary))


def tell_error(command: list[str], error: Exception, campaign: str | None) -> None:
    """Run the command with what ended a run that came to nothing."""
    code = int(getattr(error, "exit_code", ExitCode.UNEXPECTED))
    ending = Ending(campaign=campaign, exit_code=code, stopped=mask_numbers(str(error)))
    facts = {"campaign": campaign or "", "exit_code": str(code), "stopped": ending.stopped}
    _run(command, facts, msgspec.json.encode(ending))


def _run(command: list[str], facts: dict[str, str], data: bytes) -> None:
    """Run it to its end or for a minute; what it says goes to stderr, its failure changes nothing.

    It does not inherit --on-finish: a command that runs `provisioner` would never end.
    """
    if not command:
        return
    inherited = {name: value for name, value in os.environ.items() if name != _TWIN}
    told = {f"PROVISIONER_{name.upper()}": value for name, value in facts.items()}
    try:
        with subprocess.Popen(  # noqa: S603  # the operator's own command, without a shell
            command,
            env=inherited | told,
            stdin=subprocess.PIPE,
            stdout=_STDERR,
            start_new_session=True,
        ) as process:
            trouble = _await(process, data + b"\n")
    except OSError as error:
        trouble = str(error.strerror)
    if trouble:
        say(f"--on-finish {command[0]}: {trouble}", "the run itself is done")


def _await(process: subprocess.Popen[bytes], data: bytes) -> str:
    """What went wrong, if anything did."""
    try:
        process.communicate(data, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"took longer than {LONGEST:g} s and was killed"
    except BaseException:
        _kill(process)
        raise
    return f"ended with {process.returncode}" if process.returncode else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The command and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
