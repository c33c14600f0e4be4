"""`provisioner results`: write the result files of a campaign again."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt


@click.command(
    short_help="Write the result files of a campaign again.",
    epilog="""\b
Examples:
  provisioner results --campaign campaign
  provisioner results --campaign campaign --results jsonl --out results""",
)
@opt.config
@opt.ledger
@opt.option(
    "--campaign",
    metavar="NAME",
    callback=opt.unless_a_template,
    help="The campaign; may be left out when there is one.",
)
@opt.option("--out", metavar="DIR", help="Result files. [default: out/<campaign>]")
@opt.option(
    "--results", type=click.Choice(["csv", "jsonl"]), help="Default: the job file's own format."
)
@opt.json_output
def results(**options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Write the result files and the summary of a campaign again, from the ledger."""
    from provisioner.cli.records import write_again  # noqa: PLC0415  # keeps --help light

    return write_again(options)
