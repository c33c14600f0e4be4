"""Our patterns, enumerations and limits are those of botocore's service model."""

import re

import pytest
from botocore.loaders import Loader

from provisioner import session
from provisioner.source.values import NAME_LENGTH


@pytest.fixture(scope="module")
def shapes():
    return Loader().load_service_model("chime-sdk-voice", "service-2")["shapes"]


def encoded_members(struct):
    return {field.encode_name for field in session.msgspec.structs.fields(struct)}


@pytest.mark.parametrize(
    ("shape", "ours", "empty_allowed"),
    [
        ("E164PhoneNumber", session.PHONE_NUMBER, False),
        ("ProxySessionNameString", session.NAME, True),
        ("Country", session.COUNTRY, True),
        ("AreaCode", session.AREA_CODE, True),
    ],
)
def test_a_pattern_is_the_models(shapes, shape, ours, empty_allowed):
    alternatives = ["$"] if empty_allowed else []
    spelled = "|".join(f"^{each}" for each in [*alternatives, f"{ours.pattern}$"])
    model = shapes[shape]["pattern"].replace("{2,2}", "{2}").replace("{3,3}", "{3}")
    assert model == spelled


@pytest.mark.parametrize(
    ("shape", "ours"),
    [
        ("Capability", session.CAPABILITIES),
        ("NumberSelectionBehavior", session.NUMBER_SELECTION_BEHAVIORS),
        ("GeoMatchLevel", session.GEO_MATCH_LEVELS),
        ("ProxySessionStatus", session.STATUSES),
    ],
)
def test_an_enumeration_is_the_models(shapes, shape, ours):
    assert set(shapes[shape]["enum"]) == set(ours)


def test_the_connector_id_is_as_long_as_the_model_allows(shapes):
    assert shapes["NonEmptyString128"]["max"] == session.CONNECTOR_ID_LENGTH


def test_the_name_is_as_long_as_the_models_pattern_allows(shapes):
    longest = re.search(r"\{0,(\d+)\}", shapes["ProxySessionNameString"]["pattern"])
    assert int(longest[1]) == NAME_LENGTH


def test_the_expiry_begins_where_the_models_does(shapes):
    assert shapes["PositiveInteger"]["min"] == session.EXPIRY_MINUTES_MINIMUM


def test_a_listing_page_is_as_long_as_the_model_allows(shapes):
    assert shapes["ResultMax"]["max"] == session.LIST_PAGE_MAXIMUM


def test_a_pair_is_what_the_model_calls_for(shapes):
    numbers = shapes["ParticipantPhoneNumberList"]
    assert (numbers["min"], numbers["max"]) == (2, 2)


@pytest.mark.parametrize(
    ("shape", "struct"),
    [
        ("CreateProxySessionRequest", session.SessionRequest),
        ("GeoMatchParams", session.GeoMatchParams),
        ("Participant", session.Participant),
        ("ProxySession", session.Session),
    ],
)
def test_a_value_has_the_members_of_the_model(shapes, shape, struct):
    assert encoded_members(struct) == set(shapes[shape]["members"])
