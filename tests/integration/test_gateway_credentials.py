"""Roles that are assumed and run out, and the connections that calls share: by both SDK paths."""

import asyncio
import math
import re
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from provisioner.clock import SystemClock, VirtualClock
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.gateway.post import PooledPost
from provisioner.job import Verdict
from provisioner.session import SessionRequest
from provisioner.settings import ServiceSettings

REQUEST = SessionRequest(
    voice_connector_id="abcdef1ghij2klmno3pqr4",
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice", "SMS"),
)
SESSION = '{"ProxySession": {"ProxySessionId": "session-1", "Participants": []}}'
ROLE = """<AssumeRoleResponse><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>token/{number}==</SessionToken><Expiration>{until}</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
CONFIG = """[profile night]
role_arn = arn:aws:iam::111122223333:role/night
source_profile = base
[profile base]
aws_access_key_id = AKIABASE
aws_secret_access_key = secret
"""
_KEY = re.compile(r"(?i)^authorization: .*Credential=(\w+)/", re.MULTILINE)
_TOKEN = re.compile(r"(?i)^x-amz-security-token: (\S+)", re.MULTILINE)


class Service:
    """STS and the service at one address; `heads` are of the requests for sessions."""

    def __init__(self):
        self.heads = []
        self.roles = 0
        self.connections = set()

    async def serve(self, reader, writer):
        self.connections.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1]))
                writer.write(self._answer(head, body))
        writer.close()

    def _answer(self, head, body):
        if b"Action=AssumeRole" in body:
            self.roles += 1
            until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return _reply("200 OK", ROLE.format(number=self.roles, until=until))
        self.heads.append(head)
        return _reply("201 Created", SESSION)

    def signed_with(self):
        """Access key and session token of each request."""
        return [(_KEY.search(head)[1], _TOKEN.search(head)[1]) for head in self.heads]


def _reply(status, body):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


@pytest.fixture
async def service():
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield service
    server.close()
    for each in service.connections:
        each.cancel()
    await asyncio.gather(*service.connections, return_exceptions=True)
    await server.wait_closed()


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """An account whose only way in is a role."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return monkeypatch


@pytest.fixture(params=["lean", "stock"])
def path(request):
    return request.param


@pytest.fixture
def lean_calls(monkeypatch):
    """The calls that took the lean way."""
    bodies, send = [], PooledPost.send

    async def counted(post, varying, body):
        bodies.append(body)
        return await send(post, varying, body)

    monkeypatch.setattr(PooledPost, "send", counted)
    return bodies


@asynccontextmanager
async def gateway_to(service, clock=None, **settings):
    retry = BackoffPolicy(1, Random(1))
    given = ServiceSettings(endpoint_url=service.url, **settings)
    async with open_gateway(given, retry=retry, clock=clock or SystemClock()) as gateway:
        yield gateway


def run_out(role):
    """As if its hour were over."""
    role._expiry_time = datetime.now(UTC)
    role._refresh_using.__self__._cache.clear()


async def test_a_role_is_assumed_and_assumed_anew_when_it_runs_out(
    service, environment, path, lean_calls
):
    environment.setenv("AWS_ENDPOINT_URL_STS", service.url)
    clock = VirtualClock()
    async with gateway_to(service, clock, profile="night", sdk_path=path) as gateway:
        for _ in range(2):
            await gateway.create(REQUEST, not_after=math.inf)
        run_out(gateway._client._request_signer._credentials)
        clock.now += 1.0
        outcome = await gateway.create(REQUEST, not_after=math.inf)
    assert outcome.verdict is Verdict.CREATED
    first, renewed = ("ASIA1", "token/1=="), ("ASIA2", "token/2==")
    assert service.signed_with() == [first, first, renewed]
    assert len(lean_calls) == (3 if path == "lean" else 0)


async def test_calls_at_once_share_as_many_connections_as_the_pool_has(
    service, environment, path, lean_calls
):
    environment.setenv("AWS_ACCESS_KEY_ID", "mine")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    async with gateway_to(service, connections=2, sdk_path=path) as gateway:
        calls = [gateway.create(REQUEST, not_after=math.inf) for _ in range(9)]
        outcomes = await asyncio.gather(*calls)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.CREATED}
    assert len(service.heads) == 9
    assert len(service.connections) == 2
    assert len(lean_calls) == (9 if path == "lean" else 0)
