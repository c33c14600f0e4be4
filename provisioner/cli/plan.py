"""`provisioner plan`: what a run would do, no call."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt
from provisioner.cli.values import Moment


@click.command(
    short_help="What a run would do, no call.",
    epilog="""\b
Examples:
  provisioner plan jobs/campaign.csv
  provisioner plan jobs/campaign.csv --rate 50 --json
  provisioner plan jobs/campaign.csv --rate 20 --deadline 06:00 --needed-until 20:00""",
)
@click.argument("jobs")
@opt.config
@opt.ledger
@opt.campaign
@opt.rate
@opt.lane_options
@opt.window_options
@opt.option(
    "--needed-until",
    type=Moment(),
    metavar="TIME",
    help="Warn of sessions that would be closed by then: HH:MM, or a date with it.",
)
@opt.input_options
@opt.option("--skip-invalid", is_flag=True, help="Plan without the invalid rows.")
@opt.option("--extend", is_flag=True, help="Plan with the new rows of a file that has changed.")
@opt.json_output
def plan(jobs: str, **options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Tell what a run of JOBS would do, how long it would take and when its sessions close.

    Without --rate the one counts that runs learned for the region, where the ledger has one. Exits
    65 where a run would refuse the file: invalid rows, or a changed file without --extend.
    """
    from provisioner.cli.planning import report_plan  # noqa: PLC0415  # keeps --help light

    return report_plan(jobs, options)
