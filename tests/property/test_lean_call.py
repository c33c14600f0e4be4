"""The lean call and botocore's own: the same request to the byte, the same word on every reply."""

import asyncio
import json
import math
import ssl
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace

import aiohttp
import botocore.auth
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from provisioner.clock import SystemClock
from provisioner.gateway import BackoffPolicy, ServiceGateway
from provisioner.gateway.client import open_client
from provisioner.gateway.compiled import compiled
from provisioner.gateway.lean import LeanCall
from provisioner.gateway.post import PooledPost
from provisioner.gateway.rehearsal import nobodys, rehearse
from provisioner.gateway.stock import StockCall
from provisioner.gateway.transport import standing_in
from provisioner.session import GeoMatchParams, SessionRequest
from provisioner.settings import ServiceSettings

ENDPOINTS = {
    "a region": ({"region": "us-east-1"}, {}),
    "FIPS": ({"region": "us-gov-west-1"}, {"AWS_USE_FIPS_ENDPOINT": "true"}),
    "dual stack": ({"region": "eu-central-1"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    "another host": ({"region": "us-east-1", "endpoint_url": "https://example.com:8443/sub"}, {}),
    "loopback": ({"region": "us-west-2", "endpoint_url": "http://[::1]:8080"}, {}),
}
ALPHANUMERICS = "abcdefghijklmnopqrstuvwxyz0123456789"
REQUEST = nobodys("abcdef1ghij2klmno3pqr4")


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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    nothing = str(tmp_path_factory.mktemp("aws") / "nothing")
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


def assert_same_requests(world, where, requests, credentials, now):
    """What botocore makes of requests at a moment is what the lean call makes of them."""
    client, held = world.clients[where]
    held.access_key, held.secret_key, held.token = credentials

    async def compare():
        frozen = await held.get_frozen_credentials()
        calls = {}
        for request in requests:
            connector = request.voice_connector_id
            if connector not in calls:
                learned = await rehearse(client, nobodys(connector))
                calls[connector] = learned.url, compiled(learned, frozen, math.inf)
            theirs = await rehearse(client, request)
            url, call = calls[connector]
            body = call.body(request)
            assert (body, url) == (theirs.body, theirs.url)
            assert signed(call.headers(body, now)) == signed(theirs.headers)

    moment = datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None)
    with pytest.MonkeyPatch.context() as frozen:
        frozen.setattr(botocore.auth, "get_current_datetime", lambda: moment)
        world.runner.run(compare())


def signed(headers):
    """In their order, without what is random for each request."""
    return [(name, value) for name, value in headers.items() if name != "amz-sdk-invocation-id"]


NUMBERS = st.from_regex(r"\+?[1-9][0-9]{1,14}", fullmatch=True)
REQUESTS = st.builds(
    SessionRequest,
    voice_connector_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
    | st.text("aZ09-_.~/ %+&?#:@", min_size=1, max_size=9),
    participants=st.tuples(NUMBERS, NUMBERS),
    capabilities=st.sampled_from([("Voice",), ("SMS",), ("Voice", "SMS")]),
    name=st.none() | st.text("azAZ09 ", max_size=30),
    expiry_minutes=st.none() | st.integers(1, 10**9),
    number_selection_behavior=st.sampled_from([None, "PreferSticky", "AvoidSticky"]),
    geo_match_level=st.sampled_from([None, "Country", "AreaCode"]),
    geo_match_params=st.none() | st.just(GeoMatchParams(country="US", area_code="415")),
)
CREDENTIALS = st.tuples(
    st.text("AZ09", min_size=16, max_size=20),
    st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=40),
    st.none() | st.text("az09+/=", min_size=1, max_size=40),
)


@settings(max_examples=150)
@given(
    request=REQUESTS,
    where=st.sampled_from([*ENDPOINTS]),
    credentials=CREDENTIALS,
    now=st.integers(946_684_800, 4_102_444_800),
)
def test_a_request_is_botocores_to_the_byte_and_the_signature(
    world, request, where, credentials, now
):
    assert_same_requests(world, where, [request], credentials, now)


@pytest.mark.parametrize("where", ENDPOINTS)
def test_thousands_of_plain_requests_are_botocores_too(world, where):
    random = Random(where)
    credentials = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", random.choice([None, "to/ken=="]))
    connectors = ["".join(random.choices(ALPHANUMERICS, k=22)) for _ in range(50)]
    requests = [plain_request(random, random.choice(connectors)) for _ in range(1_000)]
    assert_same_requests(world, where, requests, credentials, random.uniform(1e9, 4e9))


def plain_request(random, connector):
    return SessionRequest(
        voice_connector_id=connector,
        participants=tuple(f"+{random.randrange(10**9, 10**14)}" for _ in range(2)),
        capabilities=random.choice([("Voice",), ("SMS",), ("Voice", "SMS")]),
        name=random.choice([None, f"customer {random.random():.9f}".replace(".", " ")]),
        expiry_minutes=random.choice([None, random.randrange(1, 720)]),
        number_selection_behavior=random.choice([None, "PreferSticky", "AvoidSticky"]),
        geo_match_level=random.choice([None, "Country", "AreaCode"]),
        geo_match_params=random.choice([None, GeoMatchParams(country="GB", area_code="020")]),
    )


class Reply:
    """A response as both paths read it."""

    url = URL("http://[::1]:8080/")

    def __init__(self, status, body, headers=()):
        self.status = status
        self.content = body
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers]
        self.headers = CIMultiDictProxy(CIMultiDict(headers))

    async def read(self):
        return self.content

    def __repr__(self):
        return f"Reply({self.status}, {self.content!r}, {self.raw_headers})"


def outcomes(world, reply):
    """What the client alone says of a reply, and what is said on the lean path."""
    client, credentials = world.clients["loopback"]
    stock = StockCall(client, math.inf)
    lean = LeanCall(stock, credentials, SystemClock())

    async def give(*_args, **_arguments):
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def send(*_):
        return await give()

    async def both():
        with standing_in(give):
            return [
                await gateway(create).create(REQUEST, not_after=math.inf)
                for create in (stock, lean)
            ]

    def gateway(create):
        retry = BackoffPolicy(1, Random(1))
        return ServiceGateway(client, create, retry=retry, clock=SystemClock(), patience=math.inf)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PooledPost, "send", send)
        return world.runner.run(both())


NO_DAY = b"2024-02-30T07:08:09.123Z"
TIMES = st.sampled_from(
    [
        "2024-05-06T07:08:09.123Z",
        NO_DAY.decode(),
        "2024-05-06T24:00:00.000Z",
        "2024-05-06T07:08:09Z",
        "2024-05-06T07:08:09.123456Z",
        "2024-05-06T09:08:09.123+02:00",
        "2024-05-06",
        "1714979289",
        "nonsense",
        "",
        "\u0662024-05-06T07:08:09.123Z",
        1714979289,
        1714979289.123,
    ]
)
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.just([])
    | st.just({})
)


def usually(strategy):
    return strategy | strategy | strategy | ODD


TEXTS = st.text(max_size=8)
PARTICIPANT = st.fixed_dictionaries(
    {},
    optional={"PhoneNumber": usually(NUMBERS), "ProxyPhoneNumber": usually(NUMBERS), "More": ODD},
)
SESSION = st.fixed_dictionaries(
    {"ProxySessionId": usually(TEXTS)},
    optional={
        "VoiceConnectorId": usually(TEXTS),
        "Name": usually(TEXTS),
        "Status": usually(st.sampled_from(["Open", "InProgress", "Closed"])),
        "ExpiryMinutes": usually(st.integers(0, 720)) | st.just("60") | st.just(60.0),
        "Capabilities": usually(st.permutations(["Voice", "SMS"])),
        "CreatedTimestamp": usually(TIMES),
        "UpdatedTimestamp": usually(TIMES),
        "EndedTimestamp": usually(TIMES),
        "Participants": usually(st.lists(usually(PARTICIPANT), max_size=3)),
        "NumberSelectionBehavior": usually(TEXTS),
        "GeoMatchLevel": usually(TEXTS),
        "GeoMatchParams": usually(
            st.fixed_dictionaries({}, optional={"Country": TEXTS, "AreaCode": TEXTS})
        ),
        "Unknown": ODD,
    },
)
CREATED = st.fixed_dictionaries({"ProxySession": usually(SESSION)}, optional={"Unknown": ODD})
CODES = st.sampled_from(
    [
        "AccessDeniedException",
        "BadRequestException",
        "ConflictException",
        "ExpiredTokenException",
        "ForbiddenException",
        "NotFoundException",
        "ResourceLimitExceededException",
        "ServiceFailureException",
        "ServiceUnavailableException",
        "SignatureDoesNotMatch",
        "ThrottledClientException",
        "UnauthorizedClientException",
        "com.amazonaws#ThrottledClientException:http://what/",
    ]
)
ERROR = st.fixed_dictionaries(
    {},
    optional={
        "Code": usually(CODES),
        "code": usually(CODES),
        "__type": usually(CODES),
        "Message": usually(
            st.sampled_from(["why", "the voice connector is disabled", "+14155550100"])
        ),
        "message": usually(TEXTS),
    },
)
BODIES = (CREATED | ERROR | ODD).map(json.dumps).map(str.encode) | st.sampled_from(
    [b"", b"<html>", b"\xff\xfe{", b'{"ProxySession": {"ProxySes', b"\xef\xbb\xbf{}", b"[" * 9_999]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-amzn-requestid": TEXTS,
        "x-amz-request-id": TEXTS,
        "x-amzn-ErrorType": CODES,
        "retry-after": st.sampled_from(["3", "Wed, 21 Oct 2026 07:28:00 GMT", "soon"]),
    },
).map(lambda headers: list(headers.items()))


@settings(max_examples=1_000)
@given(status=st.just(201), body=CREATED.map(json.dumps).map(str.encode), headers=HEADERS)
@example(201, b'{"ProxySession": {"ProxySessionId": "a", "Name": "\\ud800"}}', [])
@example(201, b'{"ProxySession": {"ProxySessionId": "a", "ProxySessionId": "b"}}', [])
@example(201, b'{"ProxySession": {"ProxySessionId": "a", "EndedTimestamp": "%s"}}' % NO_DAY, [])
@example(201, b'{"ProxySession": {"ProxySessionId": "a", "ExpiryMinutes": 6e1}}', [])
@example(201, b'{"ProxySession": {"ProxySessionId": "a", "Name": "\xff"}}', [])
def test_a_session_reads_as_botocore_has_it(world, status, body, headers):
    theirs, ours = outcomes(world, Reply(status, body, headers))
    assert ours == theirs


@settings(max_examples=1_000)
@given(
    status=st.sampled_from([200, 202, 204, 301, 307, 400, 401, 403, 404, 408, 409, 413, 429])
    | st.sampled_from([201, 500, 502, 503, 504]),
    body=BODIES,
    headers=HEADERS,
)
def test_every_other_answer_is_judged_as_botocore_reads_it(world, status, body, headers):
    theirs, ours = outcomes(world, Reply(status, body, headers))
    assert ours == theirs


KEY = SimpleNamespace(host="example.com", port=443, ssl=True, is_ssl=True)
REFUSED = OSError(111, "why")
SILENCES = [
    aiohttp.ClientConnectorError(KEY, REFUSED),
    aiohttp.ClientConnectorDNSError(KEY, REFUSED),
    aiohttp.ClientConnectorSSLError(KEY, REFUSED),
    aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("why")),
    aiohttp.ClientProxyConnectionError(KEY, REFUSED),
    aiohttp.ConnectionTimeoutError("Connection timeout to host"),
    aiohttp.SocketTimeoutError("Timeout on reading data from socket"),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError("why"),
    aiohttp.ClientOSError(104, "Connection reset by peer"),
    aiohttp.ClientConnectionResetError("Cannot write to closing transport"),
    aiohttp.ClientResponseError(None, (), status=400, message="why"),
    aiohttp.InvalidURL("nonsense"),
    TimeoutError(),
    OSError(28, "why"),
    RuntimeError("Session is closed"),
]


@pytest.mark.parametrize("error", SILENCES, ids=lambda error: type(error).__name__)
def test_a_failure_of_the_transport_is_told_as_botocore_tells_it(world, error):
    theirs, ours = outcomes(world, error)
    assert ours == theirs
