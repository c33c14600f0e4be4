"""The configuration file: option values in TOML, held to the same rules as those typed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from provisioner.cli.values import RowsToRetry
from provisioner.errors import ConfigurationError


def read_config(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """What the file says, by the names of options with underscores.

    Raises:
        ConfigurationError: the file cannot be read, is no TOML, or has a key that is not `known`.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="see --config"
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is not TOML: {error}", hint="jobs/provisioner.toml is an example"
        ) from None
    for key in values:
        _refuse_unknown(path, key, known)
    return values


def texts(ctx: click.Context, path: Path, values: dict[str, Any]) -> dict[str, str]:
    """The values that the command of `ctx` has options for, as they would be typed.

    Raises:
        ConfigurationError: one that its option refuses.
    """
    options = {each.name: each for each in ctx.command.params if isinstance(each, click.Option)}
    return {
        key: _text(ctx, path, options[key], value)
        for key, value in values.items()
        if key in options
    }


def _text(ctx: click.Context, path: Path, option: click.Option, value: object) -> str:
    """A value as it would be typed, once its option takes it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not _is_scalar(value, option):
        raise _refused(path, option, f"{text} is not a value it takes")
    try:
        option.type(text, option, ctx)
    except click.BadParameter as error:
        raise _refused(path, option, error.message) from None
    return text


def _is_scalar(value: object, option: click.Option) -> bool:
    if isinstance(value, bool):
        return option.is_flag or isinstance(option.type, RowsToRetry)
    return isinstance(value, (str, int, float))


def _refused(path: Path, option: click.Option, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: {option.name}: {why}", hint="write it as it would be typed after the option"
    )


def _refuse_unknown(path: Path, key: str, known: Iterable[str]) -> None:
    if key not in known:
        near = get_close_matches(key, known, n=1)
        raise ConfigurationError(
            f"{path}: {key!r} is not an option",
            hint=f"did you mean {near[0]!r}?" if near else "`provisioner run --help` lists them",
        )
