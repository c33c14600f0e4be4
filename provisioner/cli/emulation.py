"""The body of `emulate`: the fast HTTP face until somebody stops it."""

from __future__ import annotations

from typing import Any

from provisioner.cli.speech import show, tell
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.foreground import run_forever
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
    run_forever(settings, host=options["host"], port=options["port"], on_ready=_announce)
    return ExitCode.OK


def _announce(url: str) -> None:
    """The URL alone on stdout, for scripts; what a person wants to know on stderr."""
    show(url)
    tell(f"serving voice connector {CONNECTOR}; any credentials will do; Ctrl-C stops")
