"""The process that reads a large job file: rows from standard input to standard output."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import IO, BinaryIO

import msgspec

from provisioner.errors import InputMissingError, InputRefusedError
from provisioner.source.apart import End, Reading, told, write_frame
from provisioner.source.input import Input
from provisioner.source.job_file import JobFile


def send(reading: Reading, jobs: BinaryIO, out: IO[bytes]) -> None:
    """Send every row, and then how it ended."""
    opened = Input(name=reading.name, sha256=reading.sha256, stream=jobs, stamp=reading.stamp)
    job_file = JobFile(reading.settings, opened)
    try:
        for entries in job_file.entries_here(reading.campaign):
            write_frame(out, entries)
        end = End(layout=job_file.layout())
    except (InputRefusedError, InputMissingError) as error:
        end = told(error)
    write_frame(out, end)


if __name__ == "__main__":
    # Whoever asked for the rows may be gone.
    with suppress(BrokenPipeError), open(1, "wb", closefd=False) as pipe:
        send(msgspec.json.decode(sys.argv[1], type=Reading), sys.stdin.buffer, pipe)
