"""Options: an environment twin and a configuration key for each, and those that commands share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from provisioner import defaults
from provisioner.cli.commands import COMMANDS
from provisioner.cli.configuration import read_config, texts
from provisioner.cli.values import Duration, RateOrAuto, TimeOfDay

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_CONFIG = Path("provisioner.toml")


class Option(click.Option):
    """An option with the environment twin `PROVISIONER_<OPTION>`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # click's signature
        super().__init__(*args, **kwargs)
        if self.envvar is None and self.name is not None:
            self.envvar = f"PROVISIONER_{self.name.upper()}"

    def process_value(self, ctx: click.Context, value: Any) -> Any:  # noqa: ANN401  # click's
        """As click's; a value that cannot be used says where it came from."""
        try:
            return super().process_value(ctx, value)
        except click.BadParameter as error:
            if ctx.get_parameter_source(self.name or "") is not ParameterSource.ENVIRONMENT:
                raise
            said = f"{error.message.removesuffix('.')}; it comes from {self.envvar}"
            raise click.BadParameter(said, ctx, self) from error


def option(*names: str, **attributes: Any) -> Callable[[Function], Function]:  # noqa: ANN401  # click's signature
    """As click.option, with the environment twin."""
    return click.option(*names, cls=Option, **attributes)


class Chained:
    """Several option decorators as one."""

    def __init__(self, *decorators: Callable[[Any], Any]) -> None:
        self._decorators = decorators

    def __call__(self, function: Function) -> Function:
        """Apply them so that help lists them in the order given."""
        for decorate in reversed(self._decorators):
            function = decorate(function)
        return function


def _load_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None and not DEFAULT_CONFIG.exists():
        return
    path = path or DEFAULT_CONFIG
    ctx.default_map = texts(ctx, path, read_config(path, option_names()))


def option_names() -> set[str]:
    """Every option of any command, with underscores."""
    modules = [import_module(f"provisioner.cli.{name}") for name in COMMANDS]
    commands: list[click.Command] = [
        getattr(m, name) for m, name in zip(modules, COMMANDS, strict=True)
    ]
    return {
        parameter.name
        for command in commands
        for parameter in command.params
        if isinstance(parameter, Option) and parameter.name
    }


def unless_a_template(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """The campaign's name; None for a configured template of one when no job file fills it."""
    configured = ctx.get_parameter_source(param.name or "") is ParameterSource.DEFAULT_MAP
    template = configured and name is not None and "{stem}" in name
    return None if template and ctx.params.get("jobs") is None else name


config = option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_load_config,
    help="Option values in TOML; ./provisioner.toml when it is there.",
)

ledger = option(
    "--ledger",
    metavar="PATH|URL",
    default=defaults.LEDGER,
    show_default=True,
    help="The durable record: a file, or sqlite:///PATH.",
)

campaign = option(
    "--campaign",
    metavar="NAME",
    callback=unless_a_template,
    help="The campaign's name; {date} and {stem} expand. Default: the job file's stem.",
)

rate = option(
    "--rate",
    type=RateOrAuto(),
    default="auto",
    show_default=True,
    help="Calls a second, a ceiling that is never exceeded; auto learns what the service allows.",
)

settle = option(
    "--settle",
    type=Duration(),
    default=Duration.text(defaults.SETTLE),
    show_default=True,
    help="How long an unanswered attempt is left alone before a listing may prove its absence; "
    "less than 10m on loopback only.",
)

time_zone = option(
    "--time-zone", metavar="NAME", help="Of times of day, such as Europe/Berlin. [default: ours]"
)

window_options = Chained(
    option(
        "--deadline",
        type=TimeOfDay(),
        metavar="HH:MM",
        help="Be done when the clock next shows this time; the rest stays pending.",
    ),
    option(
        "--max-duration",
        type=Duration(positive=True),
        metavar="DURATION",
        help="Be done after this long, such as 3h; the rest stays pending.",
    ),
    time_zone,
)

log_options = Chained(
    option(
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        show_default=True,
        help="auto: JSON when stderr is no terminal.",
    ),
    option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="Default: info; warning where a terminal shows the progress.",
    ),
)

json_output = option("--json", is_flag=True, help="One JSON object on stdout.")

input_options = Chained(
    option(
        "--format",
        type=click.Choice(["csv", "tsv", "jsonl"]),
        help="The job file's format; default: by its extension.",
    ),
    option("--encoding", help="The job file's encoding; default: UTF-8, or what its BOM says."),
    option("--voice-connector-id", metavar="ID", help="For rows that name no connector."),
    option("--capabilities", metavar="LIST", help="For rows that name none. [default: Voice|SMS]"),
    option("--expiry-minutes", type=click.IntRange(min=1), help="For rows that do not say."),
    option(
        "--number-selection-behavior",
        type=click.Choice(["PreferSticky", "AvoidSticky"]),
        help="For rows that do not say.",
    ),
    option(
        "--geo-match-level",
        type=click.Choice(["Country", "AreaCode"]),
        help="For rows that do not say.",
    ),
    option("--geo-match-country", metavar="CC", help="For rows that do not say."),
    option("--geo-match-area-code", metavar="NNN", help="For rows that do not say."),
)

lane_options = Chained(
    option("--region", metavar="REGION", help="AWS region; default: the standard AWS chain."),
    option("--profile", metavar="NAME", help="AWS profile; default: the standard AWS chain."),
    option("--endpoint-url", metavar="URL", help="Another endpoint; https unless on loopback."),
)

service_options = Chained(
    lane_options,
    option(
        "--timeout",
        type=Duration(positive=True),
        default=Duration.text(defaults.TIMEOUT),
        show_default=True,
        help="One call's answer.",
    ),
)
