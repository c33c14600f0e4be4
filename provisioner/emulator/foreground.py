"""The fast face as a whole process: until Ctrl-C, SIGTERM, or the end of standard input."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from provisioner.emulator.http import serve
from provisioner.emulator.settings import EmulatorSettings

_STDIN = 0
_CHUNK = 4096


def run_forever(
    settings: EmulatorSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], None],
    until_stdin_closes: bool = False,
) -> None:
    """Serve until told to stop; `on_ready` gets the URL once connections are accepted.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(_run(settings, (host, port), on_ready, until_stdin_closes=until_stdin_closes))


async def _run(
    settings: EmulatorSettings,
    address: tuple[str, int],
    on_ready: Callable[[str], None],
    *,
    until_stdin_closes: bool,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(settings, host=address[0], port=address[1]) as server:
        on_ready(server.url)
        if until_stdin_closes:
            threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read, because a thread blocked in sys.stdin would hold its lock at interpreter exit.
    while os.read(_STDIN, _CHUNK):
        pass
    loop.call_soon_threadsafe(stop.set)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Uvloop's event loop where it is installed, else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
