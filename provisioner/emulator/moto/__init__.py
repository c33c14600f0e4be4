"""The service as a backend of moto, which needs the `moto` extra: `pip install provisioner[moto]`.

moto has no plug-in interface, so `register` uses three places it looks at, and the extra pins the
releases where they were seen. Faults that break the wire appear as a 500 here.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from provisioner.emulator.settings import EmulatorSettings
from provisioner.errors import ConfigurationError

_SERVICE = "chimesdkvoice"
_HOST = re.compile(r"https?://voice-chime\.(.+)\.amazonaws\.com")


def register(settings: EmulatorSettings | None = None) -> None:
    """Teach moto the service; again, with other settings, to start afresh with those.

    Raises:
        ConfigurationError: moto is not installed.
    """
    try:
        index = importlib.import_module("moto.backend_index")
        dispatcher = importlib.import_module("moto.moto_server.werkzeug_app")
    except ImportError as error:
        hint = "install it with: pip install 'provisioner[moto]'"
        raise ConfigurationError(f"moto is not installed: {error}", hint=hint) from error
    if (_SERVICE, _HOST) not in index.backend_url_patterns:
        index.backend_url_patterns.append((_SERVICE, _HOST))
    dispatcher.SIGNING_ALIASES["chime"] = "voice-chime"
    models = importlib.import_module(f"{__name__}.models")
    sys.modules[f"moto.{_SERVICE}"] = models
    models.start_afresh(settings or EmulatorSettings())


@contextmanager
def moto_server(settings: EmulatorSettings | None = None) -> Iterator[str]:
    """A moto server with the service, on a free loopback port in a thread; gives its URL.

    Raises:
        ConfigurationError: moto is not installed.
    """
    register(settings)
    threaded = importlib.import_module("moto.server").ThreadedMotoServer
    server = threaded(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
