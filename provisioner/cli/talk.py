"""What a run says on stderr while it goes: problems, progress, log lines."""

from __future__ import annotations

import os
import sys
from typing import Any, Self, TextIO

from provisioner.cli.speech import tell
from provisioner.clock import SystemClock
from provisioner.events import Event
from provisioner.job import Problem
from provisioner.report import RunTally, render_problems
from provisioner.report.lines import event_logger
from provisioner.report.logs import configure_logging
from provisioner.report.progress import LoggedProgress, Progress, TerminalProgress


class Talk:
    """A context manager; its methods are what `provision` calls back."""

    def __init__(self, input_name: str, options: dict[str, Any]) -> None:
        self.tally = RunTally()
        self._input_name = input_name
        self._stream: TextIO = sys.stderr
        self._progress: Progress | None = None
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        usual = "warning" if terminal or options["quiet"] else "info"
        if terminal and not options["quiet"]:
            progress = TerminalProgress(self.tally, sys.stderr)
            self._stream, self._progress = progress.log_stream, progress
        logger = configure_logging(
            "console" if terminal and options["log_format"] == "auto" else options["log_format"],
            options["log_level"] or usual,
            self._stream,
            colors=terminal and "NO_COLOR" not in os.environ,
        )
        if self._progress is None and not options["quiet"]:
            self._progress = LoggedProgress(self.tally, logger)
        self._log = event_logger(logger)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.__exit__(*_)

    def on_event(self, event: Event) -> None:
        """Log it and show what it changed."""
        self._log(event)
        if self._progress is not None:
            self._progress(event)

    def on_problem(self, problem: Problem) -> None:
        """Tell one problem of the job file."""
        for line in render_problems(self._input_name, [problem]):
            tell(line, self._stream)

    async def keep_fresh(self) -> None:
        """Renew the progress while nothing happens, until cancelled."""
        if self._progress is not None:
            await self._progress.keep_fresh(SystemClock())
