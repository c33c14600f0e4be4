import pytest

from provisioner.errors import ConfigurationError
from tests.unit.emulated import NOON, PAIR, create, make, refusal


def test_an_exhausted_pool_is_a_resource_limit():
    service = make(pool_size=1)
    create(service)
    refused = refusal(service, ParticipantPhoneNumbers=PAIR, Capabilities=["SMS"])
    assert (refused.code, refused.status) == ("ResourceLimitExceededException", 400)
    assert refused.short_code == "ResourceLimitExceeded"


def test_a_closed_session_gives_its_numbers_back():
    service = make(pool_size=1)
    create(service, ExpiryMinutes=1)
    create(service, NOON + 60)


def test_a_number_serves_many_pairs_at_once():
    service = make(pool_size=1)
    numbers = {
        create(service, pair=[f"+1415555{n:04d}", f"+1212555{n:04d}"])
        .participants[0]
        .proxy_phone_number
        for n in range(50)
    }
    assert len(numbers) == 1


def test_nobody_is_shown_his_own_number():
    service = make(pool_size=2)
    session = create(service, pair=["+12065550100", "+14155550171"])
    assert {each.proxy_phone_number for each in session.participants} == {"+12125550100"}


def test_a_sticky_pair_gets_its_numbers_again():
    service = make()
    sticky = {"NumberSelectionBehavior": "PreferSticky", "ExpiryMinutes": 1}
    first = create(service, **sticky)
    again = create(service, NOON + 60, **sticky)
    assert first.proxy_number_of(PAIR[0]) == again.proxy_number_of(PAIR[0])


@pytest.mark.parametrize(
    ("first", "members", "beginning"),
    [
        ("+442071838750", {"GeoMatchLevel": "Country"}, "+44"),
        ("+14165550100", {"GeoMatchLevel": "Country"}, "+1"),
        ("+14155550170", {"GeoMatchLevel": "AreaCode"}, "+1415"),
        (
            "+14155550170",
            {"GeoMatchLevel": "AreaCode", "GeoMatchParams": {"Country": "US", "AreaCode": "212"}},
            "+1212",
        ),
        (
            "+14155550170",
            {"GeoMatchLevel": "Country", "GeoMatchParams": {"Country": "DE", "AreaCode": ""}},
            "+49",
        ),
        ("+442071838750", {"GeoMatchLevel": "AreaCode"}, "+44"),
    ],
)
def test_geography_follows_the_first_participant_or_the_wish(first, members, beginning):
    service = make(countries=("US", "GB", "DE", "CA"))
    for _ in range(10):
        session = create(service, pair=[first, "+33199000000"], **members)
        proxies = [each.proxy_phone_number for each in session.participants]
        assert all(each.startswith(beginning) for each in proxies)


def test_a_wish_that_cannot_be_met_gets_another_number():
    session = create(make(), pair=["+491711234567", PAIR[0]], GeoMatchLevel="Country")
    assert session.participants[0].proxy_phone_number.startswith("+1")


@pytest.mark.parametrize("size", [0, 401])
def test_a_pool_beyond_the_fictional_ranges_cannot_be_had(size):
    with pytest.raises(ConfigurationError):
        make(pool_size=size)


@pytest.mark.parametrize("countries", [(), ("US", "ZZ")])
def test_countries_without_numbers_cannot_be_set(countries):
    with pytest.raises(ConfigurationError, match="no numbers"):
        make(countries=countries)
