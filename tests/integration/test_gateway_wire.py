"""Faults at the wire, through the real client: the verdict each gives, and one POST for each."""

import asyncio
import math
import re
import shutil
import socket
import ssl
import struct
import subprocess
from contextlib import asynccontextmanager, suppress
from random import Random

import msgspec
import pytest

from provisioner.clock import SystemClock, VirtualClock
from provisioner.errors import ExitCode, ServiceError
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.job import TOO_LATE, Verdict
from provisioner.session import SessionRequest
from provisioner.settings import ServiceSettings

REQUEST = SessionRequest(
    voice_connector_id="abcdef1ghij2klmno3pqr4",
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice", "SMS"),
)
SDK_PATH = "lean"
_VARYING = re.compile(
    rb"(?<=x-amz-date: )\w+|(?<=Signature=)\w+|(?<=invocation-id: )\S+", re.IGNORECASE
)
SESSION = {
    "ProxySessionId": "session-1",
    "Status": "Open",
    "ExpiryMinutes": 60,
    "Capabilities": ["SMS", "Voice"],
    "CreatedTimestamp": "2024-05-06T07:08:09.123Z",
    "Participants": [{"PhoneNumber": "+14155550100", "ProxyPhoneNumber": "+12065550199"}],
}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No account of the machine's, and retry settings that must not matter."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")


@pytest.fixture(autouse=True, params=["lean", "stock"])
def _path(request, monkeypatch):
    """Both ways through the SDK."""
    monkeypatch.setattr(f"{__name__}.SDK_PATH", request.param)


def reply(status, body=b"", **headers):
    body = body if isinstance(body, bytes) else msgspec.json.encode(body)
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def error(status, code, **headers):
    return reply(status, {"Code": code, "Message": "why"}, x_amzn_errortype=code, **headers)


def sends(data):
    async def behave(writer):
        writer.write(data)
        await writer.drain()

    return behave


def breaks_off(data):
    async def behave(writer):
        writer.write(data)
        await writer.drain()
        writer.close()

    return behave


async def closes(writer):
    writer.close()


async def resets(writer):
    linger_none = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
    writer.transport.abort()


async def hangs(_writer):
    await asyncio.Event().wait()


async def trickles(writer):
    writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


class Wire:
    """A server that reads whole requests, counts them, and answers each the same way."""

    def __init__(self, behave):
        self.behave = behave
        self.requests = []
        self.connections = set()

    async def serve(self, reader, writer):
        self.connections.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                self.requests.append(head)
                await self.behave(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def wire(behave, *, tls=None):
    served = Wire(behave if callable(behave) else sends(behave))
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    served.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        for each in served.connections:
            each.cancel()
        await asyncio.gather(*served.connections, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def gateway_to(url, *, timeout=5.0, clock=None, path=None):  # noqa: ASYNC109  # the setting
    settings = ServiceSettings(
        endpoint_url=url, region="us-east-1", timeout=timeout, sdk_path=path or SDK_PATH
    )
    retry = BackoffPolicy(2, Random(1))
    async with open_gateway(settings, retry=retry, clock=clock or SystemClock()) as gateway:
        yield gateway


async def create_at(url, *, timeout=5.0):  # noqa: ASYNC109  # the setting of that name
    async with gateway_to(url, timeout=timeout) as gateway:
        return await gateway.create(REQUEST, not_after=math.inf)


def unused_url(scheme="http", host="127.0.0.1"):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"{scheme}://{host}:{listener.getsockname()[1]}"


async def test_a_session_is_created():
    async with wire(reply(201, {"ProxySession": SESSION}, x_amzn_requestid="request-1")) as server:
        outcome = await create_at(server.url)
    assert outcome.verdict is Verdict.CREATED
    assert outcome.request_id == "request-1"
    assert outcome.session.proxy_session_id == "session-1"
    assert outcome.session.created_at == "2024-05-06T07:08:09.123Z"
    assert outcome.session.proxy_number_of("+14155550100") == "+12065550199"


async def test_the_request_says_who_sends_it_and_that_it_is_the_first():
    async with wire(reply(201, {"ProxySession": SESSION})) as server:
        await create_at(server.url)
    head = server.requests[0].lower()
    assert b"provisioner/" in head
    assert b"amz-sdk-request: attempt=1" in head


async def test_both_ways_write_the_same_head():
    async with wire(reply(201, {"ProxySession": SESSION})) as server:
        for path in ("stock", "lean"):
            async with gateway_to(server.url, path=path) as gateway:
                await gateway.create(REQUEST, not_after=math.inf)
    stock, lean = (_VARYING.sub(b"", head) for head in server.requests)
    assert stock == lean


async def test_a_word_in_between_is_passed_over():
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async with wire(early + reply(201, {"ProxySession": SESSION})) as server:
        outcome = await create_at(server.url)
    assert outcome.verdict is Verdict.CREATED


async def test_one_connection_serves_call_after_call():
    async with wire(reply(201, {"ProxySession": SESSION})) as server:
        async with gateway_to(server.url) as gateway:
            for _ in range(3):
                await gateway.create(REQUEST, not_after=math.inf)
        assert len(server.connections) == 1


ANSWERS = {
    "201 of HTML": (reply(201, b"<html>"), Verdict.AMBIGUOUS, "UnreadableResponse"),
    "201 of nothing": (reply(201), Verdict.AMBIGUOUS, "UnreadableResponse"),
    "204": (reply(204), Verdict.AMBIGUOUS, "UnreadableResponse"),
    "201 of a list": (reply(201, []), Verdict.AMBIGUOUS, "AttributeError"),
    "201 of bytes that are no text": (
        reply(201, b"\xff\xfe{"),
        Verdict.AMBIGUOUS,
        "UnicodeDecodeError",
    ),
    "201 of a nonsense time": (
        reply(201, {"ProxySession": SESSION | {"CreatedTimestamp": "nonsense"}}),
        Verdict.AMBIGUOUS,
        "ValueError",
    ),
    "429 modelled": (
        error(429, "ThrottledClientException"),
        Verdict.RETRYABLE,
        "ThrottledClientException",
    ),
    "429 without a code": (reply(429, {"message": "Throttled"}), Verdict.RETRYABLE, "429"),
    "503 modelled": (
        error(503, "ServiceUnavailableException"),
        Verdict.RETRYABLE,
        "ServiceUnavailableException",
    ),
    "503 of a load balancer": (reply(503, b"<html>"), Verdict.AMBIGUOUS, "503"),
    "502": (reply(502, b"<html>"), Verdict.AMBIGUOUS, "502"),
    "500": (error(500, "ServiceFailureException"), Verdict.AMBIGUOUS, "ServiceFailureException"),
    "500 of nothing": (reply(500), Verdict.AMBIGUOUS, "500"),
    "400": (error(400, "BadRequestException"), Verdict.REFUSED, "BadRequestException"),
    "403": (error(403, "AccessDeniedException"), Verdict.FATAL, "AccessDeniedException"),
    "404": (error(404, "NotFoundException"), Verdict.FATAL, "NotFoundException"),
}


@pytest.mark.parametrize(("data", "verdict", "code"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_gives_its_verdict_after_one_post(data, verdict, code):
    async with wire(data) as server:
        outcome = await create_at(server.url)
    assert (outcome.verdict, outcome.error_code) == (verdict, code)
    assert len(server.requests) == 1


ODD_TIMES = ["0001-01-01T00:00:00.000+14:00", "yesterday", "99999999999999", ""]


@pytest.mark.parametrize("moment", ODD_TIMES)
async def test_a_session_made_at_an_odd_time_is_ambiguous(moment):
    odd = reply(201, {"ProxySession": SESSION | {"CreatedTimestamp": moment}})
    async with wire(odd) as server:
        outcome = await create_at(server.url)
    assert outcome.verdict is Verdict.AMBIGUOUS


SILENCES = {
    "closed after the request": (closes, "ConnectionClosed"),
    "reset after the request": (resets, "ConnectionReset"),
    "a truncated body": (
        breaks_off(b'HTTP/1.1 201 Created\r\ncontent-length: 9999\r\n\r\n{"Proxy'),
        "ConnectionClosed",
    ),
    "a garbage status line": (sends(b"\x16\x03garbage\r\n\r\n"), "UnreadableResponse"),
    "a garbage length": (
        sends(b"HTTP/1.1 201 Created\r\ncontent-length: many\r\n\r\n"),
        "UnreadableResponse",
    ),
    "an endless header": (reply(201, b"{}", x="a" * 20_000), "UnreadableResponse"),
}


@pytest.mark.parametrize(("behave", "code"), SILENCES.values(), ids=SILENCES)
async def test_no_proper_answer_is_ambiguous_after_one_post(behave, code):
    async with wire(behave) as server:
        outcome = await create_at(server.url)
    assert (outcome.verdict, outcome.error_code) == (Verdict.AMBIGUOUS, code)
    assert not outcome.answered
    assert len(server.requests) == 1


@pytest.mark.parametrize("behave", [hangs, trickles])
async def test_an_answer_that_does_not_come_in_time_is_ambiguous_after_one_post(behave):
    async with wire(behave) as server:
        outcome = await create_at(server.url, timeout=0.5)
    assert (outcome.verdict, outcome.error_code) == (Verdict.AMBIGUOUS, "ReadTimeout")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status):
    async with wire(reply(201, {"ProxySession": SESSION})) as elsewhere:
        async with wire(reply(status, location=f"{elsewhere.url}/x")) as server:
            outcome = await create_at(server.url)
        assert elsewhere.requests == []
    assert (outcome.verdict, outcome.fatal_exit) == (Verdict.FATAL, ExitCode.SERVICE)
    assert len(server.requests) == 1


async def test_a_connection_the_server_has_closed_meanwhile_is_not_used_for_a_second_post():
    async def answers_once(writer):
        await breaks_off(reply(429, {"message": "Throttled"}))(writer)

    async with wire(answers_once) as server, gateway_to(server.url) as gateway:
        for _ in range(5):
            await gateway.create(REQUEST, not_after=math.inf)
        assert len(server.requests) <= 5


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


async def test_the_connectors_proxy_is_read():
    proxy = {"DefaultSessionExpiryMinutes": 60, "Disabled": False, "PhoneNumberCountries": ["US"]}
    async with wire(reply(200, {"Proxy": proxy})) as server, gateway_to(server.url) as gateway:
        found = await gateway.connector_proxy("abcdef1ghij2klmno3pqr4")
    assert (found.default_expiry_minutes, found.countries) == (60, ("US",))


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
