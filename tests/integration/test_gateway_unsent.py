"""What never reaches the service, through the real client: provably not sent, or not in time."""

import math
import shutil
import ssl
import subprocess

import pytest

from provisioner.clock import VirtualClock
from provisioner.errors import ServiceError
from provisioner.job import TOO_LATE, Verdict
from tests.integration.wire import (
    REQUEST,
    SESSION,
    create_at,
    gateway_to,
    hangs,
    reply,
    unused_url,
    wire,
)

pytestmark = pytest.mark.usefixtures("account", "sdk_path")


@pytest.fixture
def certificate(tmp_path):
    """A server's TLS context with a certificate that nobody trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


async def test_a_request_whose_moment_is_over_is_not_sent():
    clock = VirtualClock()
    async with wire(reply(201, {"ProxySession": SESSION})) as server:
        async with gateway_to(server.url, clock=clock) as gateway:
            outcome = await gateway.create(REQUEST, not_after=clock.time() - 1.0)
            assert outcome == TOO_LATE
        assert server.requests == []


async def test_a_request_whose_moment_passes_after_it_was_signed_is_not_sent():
    clock = VirtualClock()

    def stop_the_process(request, **_):
        clock.now += 120.0 if "Authorization" in request.headers else 0.0

    async with wire(reply(201, {"ProxySession": SESSION})) as server:
        async with gateway_to(server.url, clock=clock) as gateway:
            gateway._client.meta.events.register_last("request-created", stop_the_process)
            outcome = await gateway.create(REQUEST, not_after=clock.time() + 60.0)
            assert outcome == TOO_LATE
        assert server.requests == []


async def test_reading_a_connector_has_no_moment():
    clock = VirtualClock()
    clock.now += 1e9
    async with (
        wire(reply(200, {"ProxySessions": []})) as server,
        gateway_to(server.url, clock=clock) as gateway,
    ):
        assert (await gateway.list_sessions("c")).sessions == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_listening_is_provably_not_sent(host):
    outcome = await create_at(unused_url(host=host))
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, "ConnectionRefused")
    assert not outcome.answered


async def test_an_unknown_name_is_provably_not_sent():
    outcome = await create_at("https://nowhere.invalid")
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, "NameNotResolved")


async def test_a_handshake_that_fails_is_provably_not_sent(certificate):
    async with wire(reply(201, {"ProxySession": SESSION}), tls=certificate) as server:
        outcome = await create_at(server.url)
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, "TlsHandshake")
    assert server.requests == []


async def test_a_certificate_of_the_bundle_that_is_named_is_trusted(
    certificate, monkeypatch, tmp_path
):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "chain.pem"))
    async with wire(reply(201, {"ProxySession": SESSION}), tls=certificate) as server:
        async with gateway_to(server.url) as gateway:
            outcomes = [await gateway.create(REQUEST, not_after=math.inf) for _ in range(3)]
        assert len(server.connections) == 1
    assert {outcome.verdict for outcome in outcomes} == {Verdict.CREATED}


async def test_a_handshake_that_never_ends_is_provably_not_sent(monkeypatch):
    monkeypatch.setattr("provisioner.gateway.client.LONGEST_CONNECT", 0.05)
    async with wire(hangs) as server:
        outcome = await create_at(server.url.replace("http:", "https:"))
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, "ConnectTimeout")


async def test_nothing_listening_is_told_of_a_connector():
    url = unused_url()
    async with gateway_to(url) as gateway:
        with pytest.raises(ServiceError, match=f"{url} .*nothing is listening"):
            await gateway.connector_proxy("abcdef1ghij2klmno3pqr4")
