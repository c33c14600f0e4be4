"""The exit code a campaign's rows ask for."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.errors import ExitCode
from provisioner.job import JobState
from provisioner.report.record import FILE_NAMES, FILES

PRECEDENCE = (
    ExitCode.CREDENTIALS,
    ExitCode.SERVICE,
    ExitCode.HALTED,
    ExitCode.NEEDS_REVIEW,
    ExitCode.ROWS_FAILED,
    ExitCode.STOPPED_EARLY,
)
"""Which one is told when several hold, the first first."""


def file_counts(counts: Mapping[JobState, int]) -> dict[str, int]:
    """Rows by result file, those without rows too, from rows by state."""
    by_file = dict.fromkeys(FILE_NAMES, 0)
    for state, rows in counts.items():
        by_file[FILES[state]] += rows
    return by_file


def exit_code(counts: Mapping[JobState, int], stopped: ExitCode | None = None) -> ExitCode:
    """What to tell the caller, from rows by state and why the run stopped before its end, if so.

    A reason outside `PRECEDENCE` (a second signal, an unexpected error) is told as it is. Having
    been stopped early matters only while rows are pending.
    """
    if stopped is not None and stopped not in PRECEDENCE:
        return stopped
    rows = file_counts(counts)
    holding = {
        stopped if stopped is not ExitCode.STOPPED_EARLY else None,
        ExitCode.NEEDS_REVIEW if rows["needs_review"] else None,
        ExitCode.ROWS_FAILED if rows["failed"] or rows["rejected"] else None,
        ExitCode.STOPPED_EARLY if rows["pending"] else None,
    }
    return next((code for code in PRECEDENCE if code in holding), ExitCode.OK)
