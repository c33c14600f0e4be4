import math

import pytest

from provisioner.emulator.emulator import Emulator
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.gateway import EmulatedGateway
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from provisioner.errors import CredentialsError, ExitCode, ServiceError
from provisioner.job import TOO_LATE, Verdict
from provisioner.session import ConnectorProxy, SessionPage, SessionRequest

REQUEST = SessionRequest(
    voice_connector_id=CONNECTOR,
    participants=("+14155550170", "+14155550171"),
    capabilities=("Voice", "SMS"),
    name="p1",
)


class VirtualClock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def time(self):
        return self.now

    def monotonic(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


def gateway(faults="", **settings):
    emulator = Emulator(EmulatorSettings(faults=parse_faults(faults), **settings))
    return EmulatedGateway(emulator, VirtualClock(), timeout=30.0)


async def test_a_created_session_comes_with_its_request_id():
    outcome = await gateway().create(REQUEST, not_after=math.inf)
    assert outcome.verdict is Verdict.CREATED
    assert outcome.session.name == "p1"
    assert outcome.status == 201
    assert outcome.request_id


@pytest.mark.parametrize(
    ("faults", "verdict", "code", "answered"),
    [
        ("throttle=100%", Verdict.RETRYABLE, "ThrottledClientException", True),
        ("unavailable=100%", Verdict.RETRYABLE, "ServiceUnavailableException", True),
        ("unavailable_after=100%", Verdict.RETRYABLE, "ServiceUnavailableException", True),
        ("failure_before=100%", Verdict.AMBIGUOUS, "ServiceFailureException", True),
        ("failure_after=100%", Verdict.AMBIGUOUS, "ServiceFailureException", True),
        ("unreadable=100%", Verdict.AMBIGUOUS, "UnreadableResponse", True),
        ("lost=100%", Verdict.AMBIGUOUS, "ConnectionClosedError", False),
        ("reset=100%", Verdict.AMBIGUOUS, "ConnectionResetError", False),
        ("hang=100%", Verdict.AMBIGUOUS, "ReadTimeoutError", False),
    ],
)
async def test_each_fault_gives_the_verdict_that_its_caller_can_know(
    faults, verdict, code, answered
):
    outcome = await gateway(faults).create(REQUEST, not_after=math.inf)
    assert (outcome.verdict, outcome.error_code, outcome.answered) == (verdict, code, answered)
    assert outcome.throttled is (code == "ThrottledClientException")


async def test_patience_is_asked_for_when_the_service_says_how_much():
    outcome = await gateway("throttle=100%", retry_after=3).create(REQUEST, not_after=math.inf)
    assert outcome.retry_after == 3


async def test_an_impossible_request_is_refused_for_good():
    pair = ("+14155550170", "+14155550170")
    request = SessionRequest(
        voice_connector_id=CONNECTOR, participants=pair, capabilities=("Voice",)
    )
    assert (await gateway().create(request, not_after=math.inf)).verdict is Verdict.REFUSED


@pytest.mark.parametrize("settings", [{"connectors": ()}, {"disabled_connectors": (CONNECTOR,)}])
async def test_a_missing_or_disabled_connector_is_fatal(settings):
    outcome = await gateway(**settings).create(REQUEST, not_after=math.inf)
    assert (outcome.verdict, outcome.fatal_exit) == (Verdict.FATAL, ExitCode.SERVICE)


async def test_a_call_that_travels_longer_than_its_signature_lives_is_fatal():
    outcome = await gateway("latency=20m").create(REQUEST, not_after=math.inf)
    assert (outcome.verdict, outcome.fatal_exit) == (Verdict.FATAL, ExitCode.CREDENTIALS)


async def test_a_call_takes_its_latency():
    slow = gateway("latency=200ms")
    before = slow._clock.time()
    await slow.create(REQUEST, not_after=math.inf)
    assert slow._clock.time() - before == pytest.approx(0.2)


async def test_a_hanging_call_takes_the_timeout():
    hanging = gateway("hang=100%,latency=2s")
    before = hanging._clock.time()
    await hanging.create(REQUEST, not_after=math.inf)
    assert hanging._clock.time() - before == pytest.approx(30.0)


async def test_a_connectors_configuration_is_told():
    proxy = await gateway().connector_proxy(CONNECTOR)
    assert proxy == ConnectorProxy(default_expiry_minutes=60, countries=("US",))


async def test_a_connectors_configuration_is_asked_for_again_after_a_fault():
    proxy = await gateway("unavailable=30%,lost=30%,on=all").connector_proxy(CONNECTOR)
    assert proxy.default_expiry_minutes == 60


async def test_a_service_that_never_answers_cannot_be_reached():
    with pytest.raises(ServiceError, match="cannot be reached"):
        await gateway("unavailable=100%,on=all").connector_proxy(CONNECTOR)


async def test_a_missing_connector_is_a_service_error():
    with pytest.raises(ServiceError, match="does not exist"):
        await gateway().connector_proxy("missing")


async def test_a_stale_signature_is_a_credentials_error():
    with pytest.raises(CredentialsError):
        await gateway("latency=20m").connector_proxy(CONNECTOR)


async def test_a_request_whose_moment_is_over_is_not_sent():
    service = gateway()
    assert await service.create(REQUEST, not_after=0.0) == TOO_LATE
    assert (await service.list_sessions(CONNECTOR)).sessions == ()


async def test_a_page_lists_sessions_and_leads_to_the_next():
    service = gateway(pool_size=400)
    for _ in range(101):
        await service.create(REQUEST, not_after=math.inf)
    first = await service.list_sessions(CONNECTOR)
    last = await service.list_sessions(CONNECTOR, first.next_token)
    assert (len(first.sessions), len(last.sessions), last.next_token) == (100, 1, None)


async def test_a_listing_without_sessions_is_a_page():
    assert await gateway().list_sessions(CONNECTOR) == SessionPage(sessions=())


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ("throttle=100%,on=all", "ThrottledClientException"),
        ("failure_before=100%,on=all", "ServiceFailureException"),
        ("lost=100%,on=all", "ConnectionClosedError"),
    ],
)
async def test_a_listing_that_fails_may_be_tried_again(faults, code):
    outcome = await gateway(faults).list_sessions(CONNECTOR)
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, code)


async def test_the_listing_of_a_missing_connector_is_fatal():
    outcome = await gateway(connectors=()).list_sessions(CONNECTOR)
    assert outcome.verdict is Verdict.FATAL
