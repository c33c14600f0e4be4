"""What the lean call does by itself, and when it leaves the call to the client."""

import logging
import math
from contextlib import asynccontextmanager

import msgspec
import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError, HTTPClientError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from provisioner.clock import VirtualClock
from provisioner.gateway import lean
from provisioner.gateway.client import open_client
from provisioner.gateway.fence import TooLateError
from provisioner.gateway.lean import LeanCall
from provisioner.gateway.post import Reply
from provisioner.gateway.rehearsal import nobodys
from provisioner.gateway.signature import Signer
from provisioner.gateway.stock import StockCall
from provisioner.job import Verdict
from provisioner.session import SessionRequest
from provisioner.settings import ServiceSettings

REQUEST = SessionRequest(
    voice_connector_id="abcdef1ghij2klmno3pqr4",
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice", "SMS"),
)
SESSION = {"ProxySessionId": "s1", "Participants": [{"PhoneNumber": "+14155550100"}]}
MIDNIGHT = 1_700_006_400.0


def reply(body):
    url = URL("https://service.example")
    return Reply(url, 201, CIMultiDictProxy(CIMultiDict()), (), msgspec.json.encode(body))


class Wire:
    """What leaves, by whichever way, and the reply to it."""

    def __init__(self):
        self.sent = []
        self.reply = reply({"ProxySession": SESSION})

    async def stock(self, method, url, **arguments):
        return self._reply(way="stock", method=method, url=str(url), **arguments)

    async def lean(self, post, varying, body):
        headers = CIMultiDict(post._request.headers)
        headers.update(varying)
        return self._reply(way="lean", url=str(post._request.url), headers=headers, data=body)

    def _reply(self, **sent):
        self.sent.append(sent)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    @property
    def headers(self):
        return self.sent[-1]["headers"]


class ChangingCredentials:
    """Credentials that rotate, or run out."""

    def __init__(self, frozen):
        self.frozen = frozen

    async def get_frozen_credentials(self):
        if isinstance(self.frozen, Exception):
            raise self.frozen
        return self.frozen


@pytest.fixture
def wire(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    wire = Wire()

    async def stock(_session, *arguments, **named):
        return await wire.stock(*arguments, **named)

    async def lean(post, varying, body):
        return await wire.lean(post, varying, body)

    monkeypatch.setattr("aiohttp.ClientSession.request", stock)
    monkeypatch.setattr("provisioner.gateway.post.PooledPost.send", lean)
    return wire


@asynccontextmanager
async def lean_call(clock=None):
    async with open_client(ServiceSettings(region="us-east-1")) as (client, credentials):
        yield LeanCall(StockCall(client, 40.0), credentials, clock or VirtualClock())


async def test_a_plain_session_needs_nothing_of_the_client_but_its_http_session(wire):
    async with lean_call() as call:
        await call(REQUEST, not_after=math.inf)
        call._stock.client = None
        outcome = await call(REQUEST, not_after=math.inf)
    assert (outcome.verdict, outcome.session.proxy_session_id) == (Verdict.CREATED, "s1")
    assert len(wire.sent) == 2


async def test_the_request_goes_where_the_client_would_send_it(wire):
    async with lean_call() as call:
        await call(REQUEST, not_after=math.inf)
    assert wire.sent[0]["way"] == "lean"
    assert wire.sent[0]["url"] == (
        "https://voice-chime.us-east-1.amazonaws.com"
        "/voice-connectors/abcdef1ghij2klmno3pqr4/proxy-sessions"
    )


async def test_a_proxy_of_the_environment_is_used_by_the_client_itself(wire, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    async with lean_call() as call:
        await call(REQUEST, not_after=math.inf)
    assert (wire.sent[0]["way"], wire.sent[0]["proxy"]) == ("stock", "http://proxy.example:3128")


async def test_each_request_has_an_invocation_id_of_its_own(wire):
    async with lean_call() as call:
        for _ in range(3):
            await call(REQUEST, not_after=math.inf)
    assert len({each["headers"]["amz-sdk-invocation-id"] for each in wire.sent}) == 3


async def test_credentials_are_asked_for_every_second(wire):
    clock = VirtualClock()
    async with lean_call(clock) as call:
        await call(REQUEST, not_after=math.inf)
        held = call._credentials
        held.access_key, held.secret_key, held.token = "rotated", "other", "token"
        clock.now += 1.0
        await call(REQUEST, not_after=math.inf)
    assert "Credential=rotated/" in wire.headers["Authorization"]
    assert wire.headers["X-Amz-Security-Token"] == "token"


async def test_credentials_that_cannot_be_had_are_the_clients_own_error(wire):
    async with lean_call() as call:
        call._credentials = ChangingCredentials(
            CredentialRetrievalError(provider="p", error_msg="")
        )
        with pytest.raises(CredentialRetrievalError):
            await call(REQUEST, not_after=math.inf)
    assert wire.sent == []


async def test_credentials_that_run_out_before_the_answer_is_read_leave_it_ambiguous(wire):
    wire.reply = reply({})
    async with lean_call() as call:
        await call(REQUEST, not_after=math.inf)
        call._stock.client._request_signer._credentials = ChangingCredentials(
            CredentialRetrievalError(provider="p", error_msg="")
        )
        with pytest.raises(HTTPClientError):
            await call(REQUEST, not_after=math.inf)


async def test_a_request_whose_moment_is_over_is_not_sent(wire):
    async with lean_call() as call:
        with pytest.raises(TooLateError):
            await call(REQUEST, not_after=call._clock.time() - 1)
    assert wire.sent == []


async def test_a_client_that_sends_something_unknown_makes_its_calls_itself(wire):
    def add(request, **_):
        request.headers["x-something-new"] = "of this body"

    async with lean_call() as call:
        call._stock.client.meta.events.register("before-sign.chime-sdk-voice", add)
        outcome = await call(REQUEST, not_after=math.inf)
    assert outcome.verdict is Verdict.CREATED
    assert wire.headers["x-something-new"] == "of this body"
    assert wire.sent[0]["way"] == "stock"


async def test_a_client_that_does_not_sign_makes_its_calls_itself(wire):
    def strip(request, **_):
        del request.headers["Authorization"]

    async with lean_call() as call:
        call._stock.client.meta.events.register("before-send.chime-sdk-voice", strip)
        await call(REQUEST, not_after=math.inf)
    assert wire.sent[0]["way"] == "stock"


async def test_compiled_calls_do_not_grow_with_the_connectors(wire, monkeypatch):
    monkeypatch.setattr(lean, "_MOST_CONNECTORS", 2)
    async with lean_call() as call:
        for number in range(5):
            request = nobodys(f"connector{number}")
            await call(request, not_after=math.inf)
        assert len(call._calls) <= 2
    assert len(wire.sent) == 5


async def test_no_number_reaches_a_debug_log(wire, caplog):
    caplog.set_level(logging.DEBUG)
    async with lean_call() as call:
        await call(REQUEST, not_after=math.inf)
        wire.reply = reply({})
        await call(REQUEST, not_after=math.inf)
    assert "testing" in caplog.text
    assert "415555" not in caplog.text


def test_a_signer_goes_on_past_midnight():
    credentials = ReadOnlyCredentials("key", "secret", None, None)
    headers = CIMultiDict(
        {
            "Content-Type": "application/json",
            "X-Amz-Date": "20231114T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=key/20231114/us-east-1/chime/aws4_request"
            f", SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}",
        }
    )

    def signer():
        return Signer(credentials, "POST", "https://service.example/path", headers)

    lasting = signer()
    for now in (MIDNIGHT - 0.5, MIDNIGHT + 0.5, MIDNIGHT - 0.5):
        assert lasting.sign(b"{}", now) == signer().sign(b"{}", now)
    assert lasting.sign(b"{}", MIDNIGHT).stamp == "20231115T000000Z"
