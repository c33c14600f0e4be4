"""`provisioner doctor`: is everything here that a night needs?"""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt


@click.command(
    short_help="Check environment, credentials, connector, ledger.",
    epilog="""\b
Examples:
  provisioner doctor
  provisioner doctor --voice-connector-id abcdef1ghij2klmno3pqr4 --region us-east-1""",
)
@opt.config
@opt.ledger
@opt.service_options
@opt.option("--voice-connector-id", metavar="ID", help="Check this connector with one call.")
@opt.json_output
def doctor(**options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Check the environment, the ledger, the credentials and, if named, the connector.

    Exits 0 when all is well, otherwise with the code a run would end with.
    """
    from provisioner.cli.examination import examine  # noqa: PLC0415  # keeps --help light

    return examine(options)
