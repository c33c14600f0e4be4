"""What must be there before the first call, and where it is taken from."""

import logging
from random import Random

import pytest

from provisioner.clock import SystemClock
from provisioner.errors import ConfigurationError, CredentialsError
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.settings import ServiceSettings

LOOPBACK = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without an account."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


async def client_of(**settings):
    retry = BackoffPolicy(1, Random(1))
    async with open_gateway(
        ServiceSettings(**settings), retry=retry, clock=SystemClock()
    ) as gateway:
        return gateway._client


async def refused(kind, **settings):
    with pytest.raises(kind) as told:
        await client_of(**settings)
    return told.value


async def test_the_emulator_needs_neither_region_nor_credentials():
    client = await client_of(endpoint_url=LOOPBACK)
    assert client.meta.region_name == "us-east-1"


async def test_a_loopback_endpoint_uses_what_the_chain_has(machine):
    machine.setenv("AWS_ACCESS_KEY_ID", "mine")
    machine.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    machine.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = await client_of(endpoint_url=LOOPBACK)
    assert client._request_signer._credentials.access_key == "mine"
    assert client.meta.region_name == "eu-central-1"


@pytest.mark.parametrize("endpoint", [None, "https://service.example"])
async def test_placeholders_go_nowhere_else(endpoint):
    error = await refused(CredentialsError, region="us-east-1", endpoint_url=endpoint)
    assert "AWS_ACCESS_KEY_ID" in error.hint


async def test_half_a_key_is_told(machine):
    machine.setenv("AWS_ACCESS_KEY_ID", "mine")
    error = await refused(CredentialsError, region="us-east-1")
    assert "Partial credentials" in str(error)


async def test_a_missing_region_is_told(machine):
    machine.setenv("AWS_ACCESS_KEY_ID", "mine")
    machine.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    error = await refused(ConfigurationError)
    assert "--region" in error.hint
    assert "AWS_DEFAULT_REGION" in error.hint


async def test_a_region_that_is_none_is_told(machine):
    machine.setenv("AWS_ACCESS_KEY_ID", "mine")
    machine.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    error = await refused(ConfigurationError, region="us east!")
    assert "us-east-1" in error.hint


async def test_an_unknown_profile_is_told():
    error = await refused(ConfigurationError, profile="nobody", region="us-east-1")
    assert "nobody" in str(error)
    assert "list-profiles" in error.hint


async def test_a_damaged_configuration_is_told(machine, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.write_text("[profile\nnonsense")
    machine.setenv("AWS_CONFIG_FILE", str(damaged))
    error = await refused(ConfigurationError, region="us-east-1")
    assert "damaged" in str(error)


async def test_an_endpoint_in_clear_text_is_refused():
    await refused(ConfigurationError, endpoint_url="http://service.example")


async def test_an_endpoint_in_clear_text_is_refused_from_the_environment_too(machine):
    machine.setenv("AWS_ACCESS_KEY_ID", "mine")
    machine.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    machine.setenv("AWS_ENDPOINT_URL", "http://service.example")
    await refused(ConfigurationError, region="us-east-1")


async def test_region_and_profile_are_used(tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "[profile night]\nregion = eu-west-1\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    client = await client_of(profile="night")
    assert client.meta.endpoint_url == "https://voice-chime.eu-west-1.amazonaws.com"


async def test_the_pool_is_as_large_as_the_calls_at_once():
    client = await client_of(endpoint_url=LOOPBACK, connections=7, timeout=4.0)
    assert client.meta.config.max_pool_connections == 7
    assert client.meta.config.read_timeout == 4.0
    assert client.meta.config.connect_timeout == 4.0
    assert client.meta.config.retries["total_max_attempts"] == 1


async def test_nobody_switches_botocore_to_debug():
    await client_of(endpoint_url=LOOPBACK)
    for name in ("botocore", "aiobotocore", "aiohttp"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
