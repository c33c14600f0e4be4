"""`provisioner validate`: every problem of a job file, no call."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt


@click.command(
    short_help="Every problem of a job file, no call.",
    epilog="""\b
Examples:
  provisioner validate jobs/campaign.csv
  provisioner validate jobs/broken.csv --json
  provisioner validate - --format csv < jobs/campaign.csv""",
)
@click.argument("jobs")
@opt.config
@opt.input_options
@opt.json_output
def validate(jobs: str, **options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Tell every problem of JOBS with its line and column; send nothing.

    Exits 0 when every row is valid, 65 otherwise.
    """
    from provisioner.cli.inspection import report_problems  # noqa: PLC0415  # keeps --help light

    return report_problems(jobs, options)
