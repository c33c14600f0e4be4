"""`provisioner emulate`: serve the local emulator of the service."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import options as opt
from provisioner.cli.values import Rate


@click.command(
    short_help="Serve the local emulator of the service.",
    epilog="""\b
Examples:
  provisioner emulate --port 8080
  provisioner emulate --port 8080 --faults throttle=1%,lost=0.1%,latency=30ms~10ms --quota 50
  aws chime-sdk-voice list-proxy-sessions --voice-connector-id abcdef1ghij2klmno3pqr4 \\
    --endpoint-url http://127.0.0.1:8080 --region us-east-1""",
)
@opt.config
@opt.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@opt.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: a free one."
)
@opt.option("--seed", type=int, default=1, show_default=True, help="Decides every fault.")
@opt.option("--faults", metavar="LIST", default="", help="Such as throttle=1%,lost=0.1%.")
@opt.option("--quota", type=Rate(min=0, min_open=True), help="Requests a second.")
@opt.option("--any-connector", is_flag=True, help="Every voice connector id exists.")
def emulate(**options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Serve the emulator of the service until Ctrl-C; for demonstrations and tests.

    Any credentials will do. boto3, aioboto3 and the AWS CLI can use it with --endpoint-url.
    """
    from provisioner.cli.emulation import serve_until_told  # noqa: PLC0415  # keeps --help light

    return serve_until_told(options)
