"""What comes back over the wire, through the real client: its verdict, after one POST."""

import math
import re

import pytest

from provisioner.errors import ExitCode
from provisioner.job import Verdict
from tests.integration.wire import (
    REQUEST,
    SESSION,
    breaks_off,
    closes,
    create_at,
    error,
    gateway_to,
    hangs,
    reply,
    resets,
    sends,
    trickles,
    wire,
)

pytestmark = pytest.mark.usefixtures("account", "sdk_path")

_VARYING = re.compile(
    rb"(?<=x-amz-date: )\w+|(?<=Signature=)\w+|(?<=invocation-id: )\S+", re.IGNORECASE
)


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


async def test_the_connectors_proxy_is_read():
    proxy = {"DefaultSessionExpiryMinutes": 60, "Disabled": False, "PhoneNumberCountries": ["US"]}
    async with wire(reply(200, {"Proxy": proxy})) as server, gateway_to(server.url) as gateway:
        found = await gateway.connector_proxy("abcdef1ghij2klmno3pqr4")
    assert (found.default_expiry_minutes, found.countries) == (60, ("US",))
