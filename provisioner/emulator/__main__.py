"""`python -m provisioner.emulator`: one line with the URL on stdout, then serve."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from provisioner.emulator.faults import parse_faults
from provisioner.emulator.foreground import run_forever
from provisioner.emulator.settings import EmulatorSettings, Quota
from provisioner.errors import ConfigurationError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        run_forever(
            _settings(options),
            host=options.host,
            port=options.port,
            on_ready=_announce,
            until_stdin_closes=options.until_stdin_closes,
        )
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_code
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m provisioner.emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--settings", default="{}", metavar="JSON", help="EmulatorSettings")
    parser.add_argument("--seed", type=int, help="of everything random")
    parser.add_argument("--faults", metavar="TEXT", help="such as throttle=1%%,lost=0.1%%")
    parser.add_argument("--quota", type=float, metavar="RATE", help="requests/s per operation")
    parser.add_argument("--quota-burst", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--until-stdin-closes", action="store_true")
    return parser


def _settings(options: argparse.Namespace) -> EmulatorSettings:
    try:
        settings = msgspec.json.decode(options.settings, type=EmulatorSettings)
    except msgspec.DecodeError as error:
        hint = "give a JSON object with the fields of EmulatorSettings"
        raise ConfigurationError(f"cannot read --settings: {error}", hint=hint) from None
    changes: dict[str, object] = {}
    if options.seed is not None:
        changes["seed"] = options.seed
    if options.faults is not None:
        changes["faults"] = parse_faults(options.faults)
    if options.quota is not None:
        changes["quota"] = Quota(rate=options.quota, burst=options.quota_burst)
    return msgspec.structs.replace(settings, **changes)


if __name__ == "__main__":
    sys.exit(main())
