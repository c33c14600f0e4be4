"""All that is said: errors and talk on stderr, data on stdout.

A listener that has left, a full disk behind stdout or a character that the terminal's encoding
lacks never ends a command: what was done counts, not whether anybody could read of it.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_LIBRARIES = ("botocore", "aiobotocore", "boto3", "urllib3", "aiohttp", "asyncio")


class ForgivingFile(io.FileIO):
    """A standard stream's file; what cannot be written is dropped."""

    def write(self, data: ReadableBuffer) -> int:
        """Write if possible; how many bytes were taken."""
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


def prepare() -> None:
    """Open the standard streams that are missing and make those for speaking forgiving."""
    for number in range(3):
        _open_if_missing(number)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  # lives as long as we do
    sys.stdout = _forgiving(1, sys.stdout)
    sys.stderr = _forgiving(2, sys.stderr)


def hush_libraries() -> None:
    """Keep what the SDK and the event loop log, tracebacks and all, off the terminal.

    What matters of it comes back as an error of ours. A handler of the embedding program's own
    still gets everything.
    """
    for name in _LIBRARIES:
        logging.getLogger(name).addHandler(logging.NullHandler())


def say(message: str, hint: str = "") -> None:
    """Tell the person at the terminal what went wrong and what to do next, on stderr."""
    tell(f"{click.style('error:', fg='red', bold=True)} {message}")
    if hint:
        tell(f"  {hint}")


def tell(line: str, stream: TextIO | None = None) -> None:
    """A line of talk on `stream`, which is stderr unless a progress line has to stay below it."""
    click.echo(line, file=stream, err=True)


def show(data: str | bytes, *, newline: bool = True) -> None:
    """Data on stdout."""
    click.echo(data, nl=newline)


def _open_if_missing(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest free number is given, and all below this one are taken.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _forgiving(number: int, stream: TextIO | None) -> TextIO:
    """A stream like `stream`, which is None where Python found none at its start."""
    return io.TextIOWrapper(
        io.BufferedWriter(ForgivingFile(number, "w", closefd=False)),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
