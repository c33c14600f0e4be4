"""`provisioner completion`: the script that teaches a shell our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from provisioner.cli.speech import show

_VARIABLE = "_PROVISIONER_COMPLETE"


@click.command(
    short_help="Print the completion script of a shell.",
    epilog="""\b
Examples:
  eval "$(provisioner completion bash)"
  provisioner completion zsh > ~/.zfunc/_provisioner
  provisioner completion fish > ~/.config/fish/completions/provisioner.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL."""
    scripts = get_completion_class(shell)
    if scripts is not None:
        group = ctx.find_root().command
        show(scripts(group, {}, "provisioner", _VARIABLE).source())
