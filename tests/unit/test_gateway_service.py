"""The gateway over a client that answers from a script."""

import math
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from types import SimpleNamespace

import anyio
import pytest
from botocore import exceptions as boto

from provisioner.clock import VirtualClock
from provisioner.errors import ConnectorError, CredentialsError, ServiceError
from provisioner.gateway import BackoffPolicy, ServiceGateway
from provisioner.gateway.stock import StockCall
from provisioner.job import Verdict
from provisioner.session import ConnectorProxy, GeoMatchParams, Participant, SessionRequest

CONNECTOR = "abcdef1ghij2klmno3pqr4"
REQUEST = SessionRequest(
    voice_connector_id=CONNECTOR,
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice", "SMS"),
    name="a name",
    expiry_minutes=60,
    number_selection_behavior="PreferSticky",
    geo_match_level="AreaCode",
    geo_match_params=GeoMatchParams(country="US", area_code="415"),
)
MINIMAL = SessionRequest(
    voice_connector_id=CONNECTOR,
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice",),
)
METADATA = {"HTTPStatusCode": 201, "RequestId": "request-1", "HTTPHeaders": {}}
PROXY = {"Disabled": False, "DefaultSessionExpiryMinutes": 60, "PhoneNumberCountries": ["US"]}


def error(status, code, message="", operation="GetVoiceConnectorProxy"):
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return boto.ClientError(response, operation)


class ScriptedClient:
    meta = SimpleNamespace(endpoint_url="https://service.example")

    def __init__(self, *script):
        self.script = list(script)
        self.calls = []

    async def answer(self, **request):
        self.calls.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if step == "hang":
            await anyio.sleep_forever()
        return step

    create_proxy_session = get_voice_connector_proxy = list_proxy_sessions = answer


class World:
    def __init__(self, *script, attempts=3):
        self.clock = VirtualClock()
        self.client = ScriptedClient(*script)
        self.gateway = ServiceGateway(
            self.client,
            StockCall(self.client, 40.0),
            retry=BackoffPolicy(attempts, Random(1)),
            clock=self.clock,
            patience=40.0,
        )

    def create(self, request=REQUEST):
        return self.clock.run(self.gateway.create(request, not_after=math.inf))

    def list_sessions(self, token=None):
        return self.clock.run(self.gateway.list_sessions(CONNECTOR, token))

    def connector_proxy(self):
        return self.clock.run(self.gateway.connector_proxy(CONNECTOR))


def created(**session):
    return {"ResponseMetadata": METADATA, "ProxySession": session}


def test_a_request_is_sent_in_the_services_spelling():
    world = World(created(ProxySessionId="id"))
    world.create()
    assert world.client.calls == [
        {
            "VoiceConnectorId": CONNECTOR,
            "ParticipantPhoneNumbers": ("+14155550100", "+14155550101"),
            "Capabilities": ("Voice", "SMS"),
            "Name": "a name",
            "ExpiryMinutes": 60,
            "NumberSelectionBehavior": "PreferSticky",
            "GeoMatchLevel": "AreaCode",
            "GeoMatchParams": {"Country": "US", "AreaCode": "415"},
        }
    ]


def test_what_is_not_set_is_not_sent():
    world = World(created(ProxySessionId="id"))
    world.create(MINIMAL)
    assert set(world.client.calls[0]) == {
        "VoiceConnectorId",
        "ParticipantPhoneNumbers",
        "Capabilities",
    }


def test_a_session_is_handed_back_as_a_value():
    moment = datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
    participant = {"PhoneNumber": "+14155550100", "ProxyPhoneNumber": "+12065550199"}
    outcome = World(
        created(
            ProxySessionId="id",
            VoiceConnectorId=CONNECTOR,
            Status="Open",
            ExpiryMinutes=60,
            Capabilities=["SMS", "Voice"],
            CreatedTimestamp=moment,
            Participants=[participant, {"PhoneNumber": "+14155550101"}],
            GeoMatchParams={"Country": "US", "AreaCode": "415"},
            SomethingNew={"of": "tomorrow"},
        )
    ).create()
    assert outcome.verdict is Verdict.CREATED
    assert (outcome.status, outcome.request_id) == (201, "request-1")
    session = outcome.session
    assert session.created_at == "2024-05-06T07:08:09.123Z"
    assert session.capabilities == ("SMS", "Voice")
    assert session.proxy_number_of("+14155550100") == "+12065550199"
    assert session.participants[1] == Participant(phone_number="+14155550101")
    assert session.geo_match_params == GeoMatchParams(country="US", area_code="415")


@pytest.mark.parametrize(
    "answer",
    [
        {"ResponseMetadata": METADATA},
        {"ResponseMetadata": METADATA, "ProxySession": None},
        created(),
        created(ProxySessionId=""),
        created(ProxySessionId=7),
        created(Status="Open"),
        created(ProxySessionId="id", Participants=[None]),
    ],
)
def test_a_success_that_names_no_session_is_ambiguous(answer):
    outcome = World(answer).create()
    assert (outcome.verdict, outcome.error_code) == (Verdict.AMBIGUOUS, "UnreadableResponse")
    assert outcome.session is None


def test_a_success_whose_timestamp_has_no_place_in_time_is_ambiguous():
    moment = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    outcome = World(created(ProxySessionId="id", CreatedTimestamp=moment)).create()
    assert outcome.verdict is Verdict.AMBIGUOUS


def test_a_call_that_never_ends_is_given_up_as_ambiguous():
    world = World("hang")
    outcome = world.create()
    assert (outcome.verdict, outcome.error_code) == (Verdict.AMBIGUOUS, "ReadTimeout")
    assert world.clock.monotonic() == pytest.approx(40.0)


def test_a_create_is_never_tried_again():
    world = World(error(429, "ThrottledClientException", operation="CreateProxySession"))
    assert world.create().throttled
    assert len(world.client.calls) == 1


def test_cancellation_passes_through():
    world = World("hang")

    async def program():
        with anyio.move_on_after(1.0) as scope:
            await world.gateway.create(REQUEST, not_after=math.inf)
        return scope.cancelled_caught

    assert world.clock.run(program())


def test_the_connectors_proxy_is_read():
    assert World({"Proxy": PROXY}).connector_proxy() == ConnectorProxy(
        default_expiry_minutes=60, disabled=False, countries=("US",)
    )


@pytest.mark.parametrize(
    "trouble",
    [
        error(429, "ThrottledClientException"),
        error(503, "ServiceUnavailableException"),
        error(500, "ServiceFailureException"),
        boto.ConnectTimeoutError(endpoint_url="https://service.example"),
        boto.ReadTimeoutError(endpoint_url="https://service.example"),
        boto.EndpointConnectionError(endpoint_url="https://service.example"),
    ],
)
def test_reading_it_is_tried_again_where_that_helps(trouble):
    world = World(trouble, trouble, {"Proxy": PROXY})
    assert world.connector_proxy().countries == ("US",)
    assert len(world.client.calls) == 3


def test_a_connector_without_a_proxy_is_told():
    with pytest.raises(ConnectorError, match=f"{CONNECTOR} has no proxy") as told:
        World({"ResponseMetadata": METADATA}).connector_proxy()
    assert "put-voice-connector-proxy" in told.value.hint


def test_a_disabled_proxy_is_told():
    with pytest.raises(ServiceError, match=f"{CONNECTOR} is disabled"):
        World({"Proxy": PROXY | {"Disabled": True}}).connector_proxy()


def test_a_missing_connector_is_told():
    world = World(error(404, "NotFoundException", "no such connector"))
    with pytest.raises(ConnectorError, match=f"{CONNECTOR} .*no such connector") as told:
        world.connector_proxy()
    assert "region" in told.value.hint
    assert len(world.client.calls) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_missing_permission_names_the_action(status):
    with pytest.raises(CredentialsError) as told:
        World(error(status, "AccessDeniedException")).connector_proxy()
    assert "chime:GetVoiceConnectorProxy" in told.value.hint


def test_missing_credentials_are_told():
    with pytest.raises(CredentialsError, match="NoCredentialsError"):
        World(boto.NoCredentialsError()).connector_proxy()


def test_a_service_that_stays_unwilling_is_given_up():
    world = World(error(503, "ServiceUnavailableException", "later"))
    with pytest.raises(ServiceError, match=r"unwell.*later") as told:
        world.connector_proxy()
    assert "again later" in told.value.hint
    assert len(world.client.calls) == 3


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (boto.ConnectTimeoutError(endpoint_url="u"), "does not accept a connection"),
        (boto.ReadTimeoutError(endpoint_url="u"), "does not answer"),
        (boto.SSLError(endpoint_url="u", error="certificate"), "no TLS connection"),
        (boto.HTTPClientError(error="odd"), "HTTPClientError"),
    ],
)
def test_a_service_out_of_reach_is_named_with_the_reason(trouble, reason):
    with pytest.raises(ServiceError, match=reason) as told:
        World(trouble).connector_proxy()
    assert "https://service.example" in str(told.value)


LISTED = {"ProxySessions": [{"ProxySessionId": "s1"}, {"ProxySessionId": "s2"}]}


def test_a_listing_asks_for_a_full_page_of_all_statuses():
    world = World(LISTED)
    world.list_sessions()
    assert world.client.calls == [{"VoiceConnectorId": CONNECTOR, "MaxResults": 100}]


def test_a_listing_goes_on_with_its_token():
    world = World(LISTED)
    world.list_sessions("next")
    assert world.client.calls[0]["NextToken"] == "next"


def test_a_page_has_its_sessions_and_leads_on():
    page = World(LISTED | {"NextToken": "t"}).list_sessions()
    assert [each.proxy_session_id for each in page.sessions] == ["s1", "s2"]
    assert page.next_token == "t"


@pytest.mark.parametrize("token", [{}, {"NextToken": ""}, {"NextToken": None}])
def test_the_last_page_leads_nowhere(token):
    assert World(LISTED | token).list_sessions().next_token is None


@pytest.mark.parametrize("parsed", [{}, {"ProxySessions": [{"Name": "no id"}]}])
def test_a_page_that_cannot_be_read_is_no_page(parsed):
    outcome = World(parsed).list_sessions()
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, "UnreadableResponse")


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        (error(500, "ServiceFailureException", operation="ListProxySessions"), Verdict.RETRYABLE),
        (boto.ReadTimeoutError(endpoint_url="x"), Verdict.RETRYABLE),
        (error(403, "AccessDeniedException", operation="ListProxySessions"), Verdict.FATAL),
    ],
)
def test_a_listing_that_fails_says_why(step, verdict):
    assert World(step).list_sessions().verdict is verdict
