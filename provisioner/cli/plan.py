"""`provisioner plan`: what a run would do, no call."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt


@click.command(
    short_help="What a run would do, no call.",
    epilog="""\b
Examples:
  provisioner plan jobs/campaign.csv
  provisioner plan jobs/campaign.csv --rate 50 --json""",
)
@click.argument("jobs")
@opt.config
@opt.ledger
@opt.campaign
@opt.rate
@opt.input_options
@opt.option("--skip-invalid", is_flag=True, help="Plan without the invalid rows.")
@opt.json_output
def plan(jobs: str, **options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Tell what a run of JOBS would do, how long it would take and when its sessions close."""
    from provisioner.cli.planning import report_plan  # noqa: PLC0415  # keeps --help light

    return report_plan(jobs, options)
