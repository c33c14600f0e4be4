"""The body of `emulate`: the fast HTTP face until somebody stops it."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any

import anyio
import click

from provisioner.emulator.faults import parse_faults
from provisioner.emulator.http import serve
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings, Quota
from provisioner.errors import ExitCode


def serve_until_told(options: dict[str, Any]) -> int:
    """Serve until SIGINT or SIGTERM, then exit 0."""
    settings = EmulatorSettings(
        seed=options["seed"],
        faults=parse_faults(options["faults"]),
        quota=Quota(rate=options["quota"]) if options["quota"] else None,
        any_connector=options["any_connector"],
    )
    anyio.run(
        _serve,
        settings,
        options["host"],
        options["port"],
        backend_options={"use_uvloop": find_spec("uvloop") is not None},
    )
    return ExitCode.OK


async def _serve(settings: EmulatorSettings, host: str, port: int) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serve(settings, host=host, port=port) as server:
            click.echo(server.url)
            click.echo(
                f"serving voice connector {CONNECTOR}; any credentials will do; Ctrl-C stops",
                err=True,
            )
            if not _is_loopback(host):
                click.echo(f"warning: {host} can be reached from other machines", err=True)
            await anext(aiter(signals))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
