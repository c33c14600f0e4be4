"""The body of `doctor`: one check after the other, each told in a line."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import anyio
import click
import msgspec

from provisioner.cli.speech import show
from provisioner.clock import SystemClock
from provisioner.errors import CannotWriteError, ExitCode, ProvisionerError
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.ledger import ledger_path, open_reader
from provisioner.session import ConnectorProxy
from provisioner.settings import ServiceSettings

_LOW_DISK = 1 << 30
_WAL_RESET_FIXED = (3, 51, 3)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at: what was found, what to do, and the exit code a run would get."""

    what: str
    found: str
    hint: str = ""
    exit_code: int = ExitCode.OK


def examine(options: dict[str, Any]) -> int:
    """All checks on stdout; the first exit code that is not 0."""
    checks = [*_environment(), *_ledger(options["ledger"]), *_service(options)]
    if options["json"]:
        show(msgspec.json.encode({"checks": checks}))
    else:
        for check in checks:
            show(_line(check))
    return next((check.exit_code for check in checks if check.exit_code), ExitCode.OK)


def _environment() -> Iterator[Check]:
    yield Check(
        what="provisioner",
        found=f"{version('provisioner')} on Python {platform.python_version()}, "
        f"aioboto3 {version('aioboto3')}, botocore {version('botocore')}",
    )
    yield Check(
        what="sqlite",
        found=sqlite3.sqlite_version,
        hint=""
        if sqlite3.sqlite_version_info >= _WAL_RESET_FIXED
        else "has the WAL-reset race between several writers; provisioner uses one, so it is safe",
    )


def _ledger(ledger: str) -> Iterator[Check]:
    try:
        path = ledger_path(ledger)
        yield _ledger_file(path)
        yield _disk(path.absolute().parent)
    except ProvisionerError as error:
        yield _failed("ledger", error)


def _ledger_file(path: Path) -> Check:
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise CannotWriteError(f"{path} cannot be written", hint="see --ledger")
    if not path.exists():
        return Check(what="ledger", found=f"{path}: will be created")
    with open_reader(path) as reader:
        return Check(what="ledger", found=f"{path}: {len(reader.campaigns())} campaigns")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    hint = "a million jobs need about 1 GB" if free < _LOW_DISK else ""
    return Check(what="disk", found=f"{free / 1e9:.1f} GB free in {folder}", hint=hint)


def _service(options: dict[str, Any]) -> Iterator[Check]:
    settings = ServiceSettings(
        region=options["region"],
        profile=options["profile"],
        endpoint_url=options["endpoint_url"],
        timeout=options["timeout"],
    )
    connector = options["voice_connector_id"]
    try:
        proxy = anyio.run(_proxy, settings, connector)
    except ProvisionerError as error:
        yield _failed("service", error)
        return
    yield Check(what="credentials", found="found")
    if proxy is not None:
        yield Check(what="connector", found=f"{connector}: {_described(proxy)}")


async def _proxy(settings: ServiceSettings, connector: str | None) -> ConnectorProxy | None:
    retry = BackoffPolicy(2, Random())  # noqa: S311  # spreads retries, guards nothing
    async with open_gateway(settings, retry=retry, clock=SystemClock()) as gateway:
        return await gateway.connector_proxy(connector) if connector else None


def _described(proxy: ConnectorProxy) -> str:
    minutes = proxy.default_expiry_minutes
    return f"sessions live {minutes} minutes by default, numbers from {', '.join(proxy.countries)}"


def _failed(what: str, error: ProvisionerError) -> Check:
    return Check(what=what, found=str(error), hint=error.hint, exit_code=error.exit_code)


def _line(check: Check) -> str:
    mark = (
        click.style("failed  ", fg="red")
        if check.exit_code
        else click.style("ok      ", fg="green")
    )
    hint = f"\n{'':10}{check.hint}" if check.hint else ""
    return f"{mark}  {check.what}: {check.found}{hint}"
