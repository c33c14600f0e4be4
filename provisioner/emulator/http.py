"""The fast face: the service over HTTP in this process's event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from provisioner.emulator.application import ServiceApplication
from provisioner.emulator.emulator import Emulator
from provisioner.emulator.protocol import HttpProtocol
from provisioner.emulator.settings import EmulatorSettings
from provisioner.errors import ConfigurationError


class RunningServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that accepts connections at `url`; `emulator` is what it shows."""

    url: str
    emulator: Emulator


@asynccontextmanager
async def serve(
    settings: EmulatorSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[RunningServer]:
    """Serve until the block ends; port 0 takes a free one. `clock` gives epoch seconds.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    emulator = Emulator(settings)
    connections: set[HttpProtocol] = set()
    factory = partial(HttpProtocol, ServiceApplication(emulator, clock), connections)
    try:
        server = await asyncio.get_running_loop().create_server(factory, host, port, backlog=1024)
    except OSError as error:
        hint = "choose another --port, or 0 for a free one"
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error}", hint=hint) from error
    try:
        yield RunningServer(url=_url(server), emulator=emulator)
    finally:
        server.close()
        await _drop(connections)


def _url(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _drop(connections: set[HttpProtocol]) -> None:
    for connection in list(connections):
        connection.abort()
    for connection in list(connections):
        await connection.gone.wait()
