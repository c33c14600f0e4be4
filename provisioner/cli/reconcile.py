"""`provisioner reconcile`: settle ambiguous attempts now; list duplicates and orphans."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt


@click.command(
    short_help="Settle ambiguous attempts now; list duplicates and orphans.",
    epilog="""\b
Examples:
  provisioner reconcile --region us-east-1
  provisioner reconcile --campaign campaign --region us-east-1 --wait
  provisioner reconcile jobs/campaign.csv --adopt --ledger new.db --region us-east-1""",
)
@click.argument("jobs", required=False)
@opt.config
@opt.ledger
@opt.campaign
@opt.option("--adopt", is_flag=True, help="Give unsent rows the sessions the service has for them.")
@opt.option("--wait", is_flag=True, help="Wait for what is not due yet.")
@opt.settle
@opt.rate
@opt.service_options
@opt.option("--out", metavar="DIR", help="Result files. [default: out/<campaign>]")
@opt.option(
    "--results", type=click.Choice(["csv", "jsonl"]), help="Default: the job file's own format."
)
@opt.input_options
@opt.option("--skip-invalid", is_flag=True, help="Set invalid rows aside instead of refusing.")
@opt.log_options
@opt.json_output
def reconcile(jobs: str | None, **options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """List what the service has and settle the rows in doubt with it; create nothing.

    Rows whose session is found are created. Those shown to have none are pending, for `run` to
    send. Rows that need review are looked at again. A session that no row has is listed as a
    duplicate or an orphan. The result files are written again.

    With JOBS and --adopt a lost ledger is made anew: sessions that the campaign has at the service
    are recorded instead of created again.
    """
    from provisioner.cli.reconciling import reconcile_now  # noqa: PLC0415  # keeps --help light

    return reconcile_now(jobs, options)
