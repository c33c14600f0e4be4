"""Folds over the ledger and the events: result files, summary, progress, logs."""

from provisioner.report.atomic import ensure_writable
from provisioner.report.bottleneck import Limits
from provisioner.report.exits import exit_code, file_counts
from provisioner.report.lines import event_logger
from provisioner.report.logs import configure_logging
from provisioner.report.moments import iso
from provisioner.report.problems import problems_json, render_problems
from provisioner.report.progress import LoggedProgress, Progress, TerminalProgress
from provisioner.report.render import render_summary, seconds_text
from provisioner.report.results import result_paths, write_results
from provisioner.report.summary import (
    Audit,
    Cause,
    Causes,
    Summary,
    summarize,
    summary_json,
    write_summary,
)
from provisioner.report.tally import LatencyQuantiles, RunTally

__all__ = [
    "Audit",
    "Cause",
    "Causes",
    "LatencyQuantiles",
    "Limits",
    "LoggedProgress",
    "Progress",
    "RunTally",
    "Summary",
    "TerminalProgress",
    "configure_logging",
    "ensure_writable",
    "event_logger",
    "exit_code",
    "file_counts",
    "iso",
    "problems_json",
    "render_problems",
    "render_summary",
    "result_paths",
    "seconds_text",
    "summarize",
    "summary_json",
    "write_results",
    "write_summary",
]
