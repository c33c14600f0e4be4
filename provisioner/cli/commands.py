"""The command group; each command lives in a module of its name and is imported when needed."""

from __future__ import annotations

from importlib import import_module

import click

from provisioner.cli.speech import show

COMMANDS = (
    "run",
    "validate",
    "plan",
    "status",
    "rate",
    "results",
    "reconcile",
    "emulate",
    "doctor",
    "completion",
)


class Commands(click.Group):
    """Finds commands by name; their order is that of a campaign's life."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Import and return one; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"provisioner.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415  # keeps --help light

        show(f"provisioner {version('provisioner')}")
        ctx.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  provisioner validate jobs/campaign.csv
  provisioner run jobs/campaign.csv --emulate --rate 200
  provisioner run jobs/campaign.csv --region us-east-1 --rate 10
  provisioner status""",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def provisioner() -> None:
    """Provision thousands of Amazon Chime SDK proxy sessions, each exactly once."""
