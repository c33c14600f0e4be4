import pytest

from provisioner.emulator.settings import CONNECTOR, Quota
from provisioner.errors import ConfigurationError
from tests.unit.emulated import NOON, PAIR, create, get, make, page, refusal, scan


def test_a_created_session_tells_what_was_asked_and_when():
    session = create(
        make(), Name="night 7", ExpiryMinutes=30, NumberSelectionBehavior="AvoidSticky"
    )
    assert session.name == "night 7"
    assert session.expiry_minutes == 30
    assert session.number_selection_behavior == "AvoidSticky"
    assert session.status == "Open"
    assert session.created_at == session.updated_at == "2023-11-14T22:13:20.250Z"
    assert {each.phone_number for each in session.participants} == set(PAIR)
    assert set(session.capabilities) == {"Voice", "SMS"}


def test_members_that_were_not_sent_are_absent():
    session = create(make())
    assert session.name is session.geo_match_level is session.ended_at is None


def test_participants_and_capabilities_come_in_any_order():
    service = make()
    sessions = [create(service) for _ in range(40)]
    assert {each.participants[0].phone_number for each in sessions} == set(PAIR)
    assert {each.capabilities[0] for each in sessions} == {"Voice", "SMS"}


def test_the_same_seed_gives_the_same_sessions():
    first, second = make(seed=7), make(seed=7)
    assert [create(first) for _ in range(5)] == [create(second) for _ in range(5)]


def test_an_unset_expiry_is_the_connectors_default():
    assert create(make(default_expiry_minutes=45)).expiry_minutes == 45


def test_a_session_closes_when_its_minutes_are_over():
    service = make()
    session = create(service, ExpiryMinutes=2)
    assert get(service, session, NOON + 119.9).status == "Open"
    closed = get(service, session, NOON + 500)
    assert closed.status == "Closed"
    assert closed.ended_at == "2023-11-14T22:15:20.250Z"


def test_the_services_clock_does_not_step_back():
    service = make()
    session = create(service, ExpiryMinutes=1)
    service.advance(NOON + 60)
    assert get(service, session, NOON).status == "Closed"


def test_an_update_moves_the_expiry_from_the_creation():
    service = make()
    session = create(service, ExpiryMinutes=1)
    change = {"VoiceConnectorId": CONNECTOR, "ProxySessionId": session.proxy_session_id}
    change |= {"Capabilities": ["SMS"], "ExpiryMinutes": 3}
    updated = service.call("UpdateProxySession", change, NOON + 30).proxy_session
    assert updated.capabilities == ("SMS",)
    assert updated.updated_at > updated.created_at
    assert get(service, session, NOON + 179).status == "Open"
    assert get(service, session, NOON + 180).status == "Closed"


def test_an_update_to_a_time_that_is_over_closes():
    service = make()
    session = create(service, ExpiryMinutes=60)
    change = {"VoiceConnectorId": CONNECTOR, "ProxySessionId": session.proxy_session_id}
    change |= {"Capabilities": ["SMS"], "ExpiryMinutes": 1}
    answer = service.call("UpdateProxySession", change, NOON + 120)
    assert answer.proxy_session.status == "Closed"


def test_a_closed_session_cannot_be_updated():
    service = make()
    session = create(service, ExpiryMinutes=1)
    change = {"ProxySessionId": session.proxy_session_id, "Capabilities": ["SMS"]}
    assert refusal(service, "UpdateProxySession", NOON + 61, **change).status == 400


def test_a_deleted_session_is_gone_but_remembered():
    service = make()
    session = create(service)
    parameters = {"ProxySessionId": session.proxy_session_id}
    assert (
        service.call("DeleteProxySession", {"VoiceConnectorId": CONNECTOR} | parameters, NOON)
        is None
    )
    assert refusal(service, "GetProxySession", **parameters).code == "NotFoundException"
    assert scan(service) == []
    assert [each.deleted for each in service.records()] == [True]


def test_a_closed_session_can_be_deleted():
    service = make()
    session = create(service, ExpiryMinutes=1)
    parameters = {"VoiceConnectorId": CONNECTOR, "ProxySessionId": session.proxy_session_id}
    service.call("DeleteProxySession", parameters, NOON + 120)
    assert scan(service) == []


def test_a_session_of_another_connector_is_not_found():
    service = make(connectors=(CONNECTOR, "second"))
    session = create(service)
    parameters = {"VoiceConnectorId": "second", "ProxySessionId": session.proxy_session_id}
    assert refusal(service, "GetProxySession", **parameters).code == "NotFoundException"


def test_an_unknown_connector_is_not_found():
    assert refusal(make(), "GetVoiceConnectorProxy", VoiceConnectorId="x").status == 404


def test_any_connector_exists_when_the_settings_say_so():
    assert create(make(any_connector=True), VoiceConnectorId="x").voice_connector_id == "x"


def test_a_disabled_connector_refuses_sessions_and_says_so():
    service = make(disabled_connectors=(CONNECTOR,))
    refused = refusal(service, ParticipantPhoneNumbers=PAIR, Capabilities=["SMS"])
    assert refused.code == "BadRequestException"
    assert "disabled" in refused.message


def test_a_connector_needs_a_configuration_before_its_first_session():
    service = make(bare_connectors=("bare",))
    assert refusal(service, "GetVoiceConnectorProxy", VoiceConnectorId="bare").status == 404
    members = {"ParticipantPhoneNumbers": PAIR, "Capabilities": ["SMS"]}
    assert refusal(service, VoiceConnectorId="bare", **members).status == 400
    put = {
        "VoiceConnectorId": "bare",
        "DefaultSessionExpiryMinutes": 5,
        "PhoneNumberPoolCountries": ["CA"],
    }
    proxy = service.call("PutVoiceConnectorProxy", put, NOON).proxy
    assert (proxy.default_session_expiry_minutes, proxy.disabled) == (5, False)
    assert create(service, VoiceConnectorId="bare").expiry_minutes == 5


def test_countries_without_numbers_are_refused():
    put = {"DefaultSessionExpiryMinutes": 5, "PhoneNumberPoolCountries": ["ZZ"]}
    assert "US" in refusal(make(), "PutVoiceConnectorProxy", **put).message


@pytest.mark.parametrize(
    "change",
    [
        {"ParticipantPhoneNumbers": [PAIR[0]]},
        {"ParticipantPhoneNumbers": [PAIR[0], "+0123"]},
        {"ParticipantPhoneNumbers": [PAIR[0], "+1415555017१"]},
        {"ParticipantPhoneNumbers": [PAIR[0], PAIR[1] + "\n"]},
        {"ParticipantPhoneNumbers": [PAIR[0], PAIR[0].lstrip("+")]},
        {"Capabilities": []},
        {"Capabilities": ["Fax"]},
        {"Name": "a" * 31},
        {"Name": "a_b"},
        {"ExpiryMinutes": 0},
        {"ExpiryMinutes": "5"},
        {"ExpiryMinutes": 721},
        {"GeoMatchLevel": "Planet"},
        {"GeoMatchParams": {"Country": "US"}},
        {"GeoMatchParams": {"Country": "usa", "AreaCode": "415"}},
        {"VoiceConnectorId": "x" * 129},
    ],
    ids=str,
)
def test_what_the_model_forbids_is_a_bad_request(change):
    service = make(maximum_expiry_minutes=720)
    parameters = {"ParticipantPhoneNumbers": PAIR, "Capabilities": ["SMS"]} | change
    refused = refusal(service, **parameters)
    assert (refused.code, refused.status) == ("BadRequestException", 400)
    assert "5550170" not in refused.message


def test_a_list_shows_every_session_once_across_pages():
    service = make()
    ids = {create(service).proxy_session_id for _ in range(7)}
    listed = scan(service, MaxResults=3)
    assert sorted(listed) == sorted(ids)


def test_a_session_made_during_a_scan_moves_the_others_but_loses_none():
    service = make()
    ids = {create(service).proxy_session_id for _ in range(4)}
    first, token = page(service, MaxResults=2)
    create(service)
    second, _ = page(service, MaxResults=100, NextToken=token)
    assert ids <= {*first, *second}
    assert set(first) & set(second)


def test_a_list_can_be_of_one_status():
    service = make()
    closed = create(service, ExpiryMinutes=1).proxy_session_id
    still_open = create(service, ExpiryMinutes=9).proxy_session_id
    assert scan(service, NOON + 60, Status="Closed") == [closed]
    assert scan(service, NOON + 60, Status="Open") == [still_open]


def test_a_page_holds_at_most_a_hundred():
    service = make()
    for _ in range(101):
        create(service)
    assert len(page(service)[0]) == 100
    assert refusal(service, "ListProxySessions", MaxResults=101).status == 400


@pytest.mark.parametrize("token", ["", "x", "eCB5IHo=", "\u00e9"])
def test_a_token_that_is_none_of_ours_is_refused(token):
    assert refusal(make(), "ListProxySessions", NextToken=token).message == "Invalid NextToken"


def test_a_token_of_another_listing_is_refused():
    service = make()
    for _ in range(2):
        create(service)
    token = page(service, MaxResults=1)[1]
    assert refusal(service, "ListProxySessions", NextToken=token, Status="Open").status == 400


def test_a_session_is_listed_after_the_delay():
    service = make(listing_delay=10.0)
    session = create(service)
    assert get(service, session, NOON + 9).status == "Open"
    assert scan(service, NOON + 9) == []
    assert scan(service, NOON + 10) == [session.proxy_session_id]


def test_closed_sessions_leave_lists_after_their_retention():
    service = make(closed_retention=30.0)
    session = create(service, ExpiryMinutes=1)
    assert scan(service, NOON + 89) == [session.proxy_session_id]
    assert scan(service, NOON + 90) == []


def test_the_quota_of_one_operation_leaves_the_others_alone():
    service = make(quota=Quota(rate=1))
    create(service)
    parameters = {"ParticipantPhoneNumbers": PAIR, "Capabilities": ["SMS"]}
    assert refusal(service, **parameters).code == "ThrottledClientException"
    assert len(scan(service)) == 1
    create(service, NOON + 1)


def test_a_changed_quota_holds_from_then_on():
    service = make(quota=Quota(rate=1))
    create(service)
    service.change_quota(None)
    create(service)


def test_a_malformed_request_costs_quota():
    service = make(quota=Quota(rate=1))
    assert refusal(service).status == 400
    assert refusal(service).status == 429


@pytest.mark.parametrize("quota", [{"rate": 0}, {"rate": 1, "burst": 0}, {"rate": 1, "window": 0}])
def test_a_quota_that_lets_nothing_through_cannot_be_set(quota):
    with pytest.raises(ConfigurationError, match="above zero"):
        Quota(**quota)
