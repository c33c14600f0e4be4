"""Clients of botocore's on an event loop, for what the lean call has to do as they do."""

import asyncio
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from provisioner.gateway.client import open_client
from provisioner.settings import ServiceSettings

ENDPOINTS = {
    "a region": ({"region": "us-east-1"}, {}),
    "FIPS": ({"region": "us-gov-west-1"}, {"AWS_USE_FIPS_ENDPOINT": "true"}),
    "dual stack": ({"region": "eu-central-1"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    "another host": ({"region": "us-east-1", "endpoint_url": "https://example.com:8443/sub"}, {}),
    "loopback": ({"region": "us-west-2", "endpoint_url": "http://[::1]:8080"}, {}),
}
NUMBERS = st.from_regex(r"\+?[1-9][0-9]{1,14}", fullmatch=True)


class World:
    """Clients on an event loop, and their credentials, which may be changed."""

    def __init__(self):
        self.runner = asyncio.Runner()
        self.opened = []
        self.clients = {}

    def open(self, name, given):
        context = open_client(ServiceSettings(**given))
        self.clients[name] = self.runner.run(context.__aenter__())
        self.opened.append(context)

    def close(self):
        for context in self.opened:
            self.runner.run(context.__aexit__(None, None, None))
        self.runner.close()


@contextmanager
def opened(nothing):
    """A world with every endpoint; `nothing` is the path of no file."""
    world = World()
    for name, (told, variables) in ENDPOINTS.items():
        with pytest.MonkeyPatch.context() as environment:
            for each in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "HTTPS_PROXY"):
                environment.delenv(each, raising=False)
            environment.setenv("AWS_CONFIG_FILE", nothing)
            environment.setenv("AWS_SHARED_CREDENTIALS_FILE", nothing)
            environment.setenv("AWS_ACCESS_KEY_ID", "testing")
            environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            for variable, value in variables.items():
                environment.setenv(variable, value)
            world.open(name, told)
    yield world
    world.close()
