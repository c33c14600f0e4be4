"""The lean call and botocore's own: the same word on every reply."""

import json
import math
import ssl
from random import Random
from types import SimpleNamespace

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from provisioner.clock import SystemClock
from provisioner.gateway import BackoffPolicy, ServiceGateway
from provisioner.gateway.lean import LeanCall
from provisioner.gateway.post import PooledPost, Reply
from provisioner.gateway.rehearsal import nobodys
from provisioner.gateway.stock import StockCall
from provisioner.gateway.transport import standing_in
from tests.property.lean_world import NUMBERS, opened

REQUEST = nobodys("abcdef1ghij2klmno3pqr4")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with opened(str(tmp_path_factory.mktemp("aws") / "nothing")) as world:
        yield world


def reply_of(status, body, headers=()):
    """A response as both paths read it."""
    raw = tuple((name.encode(), value.encode()) for name, value in headers)
    whole = CIMultiDictProxy(CIMultiDict(headers))
    return Reply(URL("http://[::1]:8080/"), status, whole, raw, body)


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
    theirs, ours = outcomes(world, reply_of(status, body, headers))
    assert ours == theirs


@settings(max_examples=1_000)
@given(
    status=st.sampled_from([200, 202, 204, 301, 307, 400, 401, 403, 404, 408, 409, 413, 429])
    | st.sampled_from([201, 500, 502, 503, 504]),
    body=BODIES,
    headers=HEADERS,
)
def test_every_other_answer_is_judged_as_botocore_reads_it(world, status, body, headers):
    theirs, ours = outcomes(world, reply_of(status, body, headers))
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
