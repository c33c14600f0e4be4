"""The heartbeat of a run from the terminal: written while it goes, and once more at its end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

import anyio

from provisioner.errors import CannotWriteError, ExitCode, ProvisionerError
from provisioner.ports import Clock
from provisioner.report import RunTally
from provisioner.report.heartbeat import heartbeat, refuse_other_than_heartbeat, write_heartbeat

EVERY = 5.0
"""Seconds between two beats."""


class Pulse:
    """A context manager; `path` None writes nothing.

    The first beat must succeed. A later one that cannot be written is left out: the run matters
    more, and a file that grows old is what a monitor looks for.

    Raises:
        UsageError, CannotWriteError: on entering; the file that was there is untouched.
    """

    def __init__(self, path: Path | None, tally: RunTally, clock: Clock) -> None:
        self._path = path
        self._tally = tally
        self._clock = clock
        self.exit_code: int = ExitCode.UNEXPECTED

    def __enter__(self) -> Self:
        if self._path is not None:
            refuse_other_than_heartbeat(self._path)
        self._beat()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, ProvisionerError):
            self.exit_code = error.exit_code
        with suppress(CannotWriteError):
            self._beat(self.exit_code)

    async def keep(self) -> None:
        """Write a beat every few seconds, until cancelled."""
        while True:
            await self._clock.sleep(EVERY)
            with suppress(CannotWriteError):
                await anyio.to_thread.run_sync(self._beat)

    def _beat(self, exit_code: int | None = None) -> None:
        if self._path is not None:
            beat = heartbeat(
                self._tally, now=self._clock.time(), pid=os.getpid(), exit_code=exit_code
            )
            write_heartbeat(beat, self._path)
