"""`provisioner status`: campaigns and their counts."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt


@click.command(
    short_help="Campaigns and their counts.",
    epilog="""\b
Examples:
  provisioner status
  provisioner status --campaign campaign --json
  provisioner status --watch""",
)
@opt.config
@opt.ledger
@opt.option(
    "--campaign", metavar="NAME", callback=opt.unless_a_template, help="This campaign only."
)
@opt.option("--watch", is_flag=True, help="Show them again and again until nothing is left to do.")
@opt.json_output
def status(**options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Show the campaigns of a ledger and their rows by state; a run may be going on."""
    if options["watch"]:
        from provisioner.cli.watching import watch  # noqa: PLC0415  # keeps --help light

        return watch(options)
    from provisioner.cli.records import show_status  # noqa: PLC0415  # keeps --help light

    return show_status(options)
