"""`provisioner rate`: change the rate of the run that is going on."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt
from provisioner.cli.values import Rate


@click.command(
    short_help="Change the rate of the run that is going on.",
    epilog="""\b
Examples:
  provisioner rate 25
  provisioner rate 0 --ledger night.db""",
)
@click.argument("calls", type=Rate(min=0, max=100_000))
@opt.config
@opt.ledger
def rate(calls: float, **options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Let the run on the ledger make at most CALLS a second from now on; 0 pauses it.

    Exits 0 once the run obeys, which takes it a second at most, and 78 when no run does.
    """
    from provisioner.cli.ordering import order  # noqa: PLC0415  # keeps --help light

    return order(calls, options["ledger"])
