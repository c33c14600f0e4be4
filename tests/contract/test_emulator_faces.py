"""One suite over both faces of the emulator, with the client everybody has: boto3."""

import asyncio
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from provisioner.emulator.faults import parse_faults
from provisioner.emulator.http import serve
from provisioner.emulator.moto import moto_server
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings, Quota

PAIR = ["+14155550170", "+14155550171"]
CREATE = {
    "VoiceConnectorId": CONNECTOR,
    "ParticipantPhoneNumbers": PAIR,
    "Capabilities": ["Voice", "SMS"],
}


@contextmanager
def fast_server(settings):
    """The fast face in a thread of its own, because boto3 blocks."""
    ready, urls = threading.Event(), []

    async def run():
        async with serve(settings) as server:
            urls.append(server.url)
            stop = asyncio.Event()
            urls.append(lambda: loop.call_soon_threadsafe(stop.set))
            loop = asyncio.get_running_loop()
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait(10)
    try:
        yield urls[0]
    finally:
        urls[1]()
        thread.join()


@pytest.fixture(params=[fast_server, moto_server], ids=["fast", "moto"])
def connect(request):
    """Start a service with these settings; gives a client of it."""
    opened = []

    def start(**settings):
        context = request.param(EmulatorSettings(**settings))
        opened.append(context.__exit__)
        client = boto3.client(
            "chime-sdk-voice",
            endpoint_url=context.__enter__(),
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
        )
        opened.append(lambda *_: client.close())
        return client

    yield start
    for leave in reversed(opened):
        leave(None, None, None)


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_creating_answers_201_with_the_session(connect):
    answer = connect().create_proxy_session(**CREATE, Name="one", ExpiryMinutes=7)
    session = answer["ProxySession"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert session["Name"] == "one"
    assert session["ExpiryMinutes"] == 7
    assert session["Status"] == "Open"
    assert set(session["Capabilities"]) == {"Voice", "SMS"}
    assert {each["PhoneNumber"] for each in session["Participants"]} == set(PAIR)
    assert datetime.now(session["CreatedTimestamp"].tzinfo) - session[
        "CreatedTimestamp"
    ] < timedelta(minutes=1)


def test_every_member_of_a_request_comes_back(connect):
    wish = {"Country": "US", "AreaCode": "415"}
    session = connect().create_proxy_session(
        **CREATE,
        NumberSelectionBehavior="PreferSticky",
        GeoMatchLevel="AreaCode",
        GeoMatchParams=wish,
    )["ProxySession"]
    assert session["NumberSelectionBehavior"] == "PreferSticky"
    assert session["GeoMatchLevel"] == "AreaCode"
    assert session["GeoMatchParams"] == wish


def test_unset_members_are_absent(connect):
    session = connect().create_proxy_session(**CREATE)["ProxySession"]
    absent = {"Name", "EndedTimestamp", "GeoMatchLevel", "GeoMatchParams"}
    assert absent.isdisjoint(session)


def test_a_created_session_can_be_got(connect):
    client = connect()
    session = client.create_proxy_session(**CREATE)["ProxySession"]
    found = client.get_proxy_session(
        VoiceConnectorId=CONNECTOR, ProxySessionId=session["ProxySessionId"]
    )
    assert found["ProxySession"] == session


def test_updating_answers_201_with_the_changed_session(connect):
    client = connect()
    session = client.create_proxy_session(**CREATE)["ProxySession"]
    answer = client.update_proxy_session(
        VoiceConnectorId=CONNECTOR,
        ProxySessionId=session["ProxySessionId"],
        Capabilities=["SMS"],
        ExpiryMinutes=3,
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert answer["ProxySession"]["Capabilities"] == ["SMS"]
    assert answer["ProxySession"]["ExpiryMinutes"] == 3


def test_deleting_answers_204_and_the_session_is_gone(connect):
    client = connect()
    session = client.create_proxy_session(**CREATE)["ProxySession"]
    which = {"VoiceConnectorId": CONNECTOR, "ProxySessionId": session["ProxySessionId"]}
    assert client.delete_proxy_session(**which)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(client.get_proxy_session, **which) == ("NotFoundException", 404)


def test_lists_come_in_pages(connect):
    client = connect()
    made = {client.create_proxy_session(**CREATE)["ProxySession"]["ProxySessionId"] for _ in "abc"}
    first = client.list_proxy_sessions(VoiceConnectorId=CONNECTOR, MaxResults=2, Status="Open")
    second = client.list_proxy_sessions(
        VoiceConnectorId=CONNECTOR, MaxResults=2, Status="Open", NextToken=first["NextToken"]
    )
    listed = [each["ProxySessionId"] for each in first["ProxySessions"] + second["ProxySessions"]]
    assert sorted(listed) == sorted(made)
    assert "NextToken" not in second


def test_an_empty_list_is_a_list(connect):
    answer = connect().list_proxy_sessions(VoiceConnectorId=CONNECTOR, Status="Closed")
    assert answer["ProxySessions"] == []


def test_a_connectors_proxy_can_be_read(connect):
    proxy = connect().get_voice_connector_proxy(VoiceConnectorId=CONNECTOR)["Proxy"]
    assert proxy == {
        "DefaultSessionExpiryMinutes": 60,
        "Disabled": False,
        "PhoneNumberCountries": ["US"],
    }


def test_a_connectors_proxy_can_be_replaced(connect):
    client = connect()
    client.put_voice_connector_proxy(
        VoiceConnectorId=CONNECTOR,
        DefaultSessionExpiryMinutes=5,
        PhoneNumberPoolCountries=["GB"],
        FallBackPhoneNumber="+14155550199",
        Disabled=True,
    )
    proxy = client.get_voice_connector_proxy(VoiceConnectorId=CONNECTOR)["Proxy"]
    assert proxy == {
        "DefaultSessionExpiryMinutes": 5,
        "Disabled": True,
        "PhoneNumberCountries": ["GB"],
        "FallBackPhoneNumber": "+14155550199",
    }


def test_a_disabled_connector_says_so(connect):
    client = connect(disabled_connectors=(CONNECTOR,))
    with pytest.raises(client.exceptions.BadRequestException, match="connector is disabled"):
        client.create_proxy_session(**CREATE)


def test_a_malformed_number_is_a_bad_request(connect):
    request = CREATE | {"ParticipantPhoneNumbers": [PAIR[0], "4x"]}
    assert refusal(connect().create_proxy_session, **request) == ("BadRequestException", 400)


def test_a_foreign_token_is_a_bad_request(connect):
    call = connect().list_proxy_sessions
    answer = refusal(call, VoiceConnectorId=CONNECTOR, NextToken="x")
    assert answer == ("BadRequestException", 400)


def test_an_unknown_connector_is_not_found(connect):
    request = CREATE | {"VoiceConnectorId": "unknown"}
    assert refusal(connect().create_proxy_session, **request) == ("NotFoundException", 404)


def test_an_exhausted_pool_is_a_resource_limit(connect):
    client = connect(pool_size=1)
    client.create_proxy_session(**CREATE)
    answer = refusal(client.create_proxy_session, **CREATE)
    assert answer == ("ResourceLimitExceededException", 400)


def test_a_spent_quota_is_a_429(connect):
    client = connect(quota=Quota(rate=0.001))
    client.create_proxy_session(**CREATE)
    answer = refusal(client.create_proxy_session, **CREATE)
    assert answer == ("ThrottledClientException", 429)


@pytest.mark.parametrize(
    ("faults", "code", "status"),
    [
        ("throttle=100%", "ThrottledClientException", 429),
        ("unavailable=100%", "ServiceUnavailableException", 503),
        ("unavailable_after=100%", "ServiceUnavailableException", 503),
        ("failure_before=100%", "ServiceFailureException", 500),
        ("failure_after=100%", "ServiceFailureException", 500),
    ],
)
def test_a_fault_has_the_models_code_and_status(connect, faults, code, status):
    client = connect(faults=parse_faults(faults))
    assert refusal(client.create_proxy_session, **CREATE) == (code, status)
