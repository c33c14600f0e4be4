"""Folds over the ledger and the events: result files, summary, progress, logs."""

from provisioner.report.exits import exit_code
from provisioner.report.render import render_summary
from provisioner.report.results import result_paths, write_results
from provisioner.report.summary import Causes, Summary, summarize, summary_json, write_summary
from provisioner.report.tally import RunTally

__all__ = [
    "Causes",
    "RunTally",
    "Summary",
    "exit_code",
    "render_summary",
    "result_paths",
    "summarize",
    "summary_json",
    "write_results",
    "write_summary",
]
