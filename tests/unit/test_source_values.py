import pytest

from provisioner.errors import ConfigurationError
from provisioner.settings import RowDefaults
from provisioner.source.known_terms import KnownTerms
from provisioner.source.validation import Accepted, Validator

A, B = "+14155550100", "+442079460000"
FIELDS = {"participant_1": A, "participant_2": B, "voice_connector_id": "abcdef1ghij2klmno3pqr4"}


def examine(**fields):
    return Validator(RowDefaults()).examine(FIELDS | fields)


def request(**fields):
    verdict = examine(**fields)
    assert isinstance(verdict, Accepted), verdict
    return verdict.request


def fault(**fields):
    (only,) = examine(**fields)
    return only


@pytest.mark.parametrize("text", ["Voice|SMS", "sms;VOICE", "SMS+Voice", "SMS, Voice", "Voice SMS"])
def test_capabilities_are_joined_in_many_ways(text):
    assert request(capabilities=text).capabilities == ("Voice", "SMS")


@pytest.mark.parametrize("value", ["|", " ; ", [], [" "], ["Voice", 1], "Voice|Fax", 7])
def test_capabilities_that_are_none_are_a_fault(value):
    assert fault(capabilities=value).column == "capabilities"


def test_a_misspelled_capability_is_corrected():
    assert "did you mean Voice?" in fault(capabilities="Voise").message


@pytest.mark.parametrize("name", ["A", "x" * 30, "Order 7"])
def test_a_name_may_have_thirty_letters_digits_and_spaces(name):
    assert request(name=name).name == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 31, "31 characters; a name has at most 30"),
        ("no. 7", "leave out ."),
        ("Zoë", "leave out ë"),
        ("a\tb", "leave out control codes"),
        (7, "in quotes"),
    ],
)
def test_another_name_is_a_fault(name, said):
    assert said in fault(name=name).message


@pytest.mark.parametrize(
    ("value", "minutes"), [("720", 720), (" 1 ", 1), (1441, 1441), ("060", 60)]
)
def test_expiry_is_whole_minutes(value, minutes):
    assert request(expiry_minutes=value).expiry_minutes == minutes


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("720.0", "write 720"),
        ("720,00", "write 720"),
        ("0", "out of range"),
        (-5, "out of range"),
        (2**31, "out of range"),
        ("9999999999", "out of range"),
        ("9" * 5000, "not a number of minutes"),
        ("-5", "not a number of minutes"),
        ("12h", "not a number of minutes"),
        ("\u0667", "not a number of minutes"),
        (720.0, "in quotes, such as 720"),
        (True, "in quotes"),
    ],
)
def test_another_expiry_is_a_fault(value, said):
    assert said in fault(expiry_minutes=value).message


@pytest.mark.parametrize(
    ("column", "value", "guess"),
    [
        ("number_selection_behavior", "prefersticky", "did you mean PreferSticky?"),
        ("geo_match_level", "areacode", "did you mean AreaCode?"),
        ("geo_match_level", "Planet", "must be exactly Country or AreaCode"),
        ("geo_match_level", 1, "in quotes"),
    ],
)
def test_a_choice_is_spelled_exactly(column, value, guess):
    assert guess in fault(**{column: value}).message


@pytest.mark.parametrize(
    ("country", "area_code", "said"),
    [
        ("us", "415", "write US"),
        ("USA", "415", "its ISO code"),
        ("US", "41", "leading zeros included"),
        ("US", 415, 'in quotes, such as "415"'),
        ("US", "\u0664\u0661\u0665", "three digits"),
        ("US", "", "is empty while geo_match_country is not"),
        ("", "415", "is empty while geo_match_area_code is not"),
    ],
)
def test_geography_is_a_country_and_an_area_code(country, area_code, said):
    assert said in fault(geo_match_country=country, geo_match_area_code=area_code).message


@pytest.mark.parametrize(
    "connector",
    ["x" * 129, "a b", "a/b", "https://x?y#z", "a%20b", "..", "abc\x07", "naïve", 7, "a\\b"],
)
def test_a_connector_id_stands_in_a_path(connector):
    assert fault(voice_connector_id=connector).column == "voice_connector_id"


def test_a_connector_id_may_be_long():
    assert request(voice_connector_id="x" * 128).voice_connector_id == "x" * 128


@pytest.mark.parametrize("job_id", [1.5, True, ["a"]])
def test_a_job_id_is_text(job_id):
    assert fault(job_id=job_id).column == "job_id"


def test_one_number_twice_is_a_fault_however_it_is_written():
    only = fault(participant_2="+1 (415) 555-0100")
    assert only.column == "participant_2"
    assert "same number as participant_1" in only.message


@pytest.mark.parametrize(
    ("default", "option"),
    [
        (RowDefaults(voice_connector_id="a b"), "--voice-connector-id a b"),
        (RowDefaults(capabilities="Fax"), "--capabilities Fax"),
        (RowDefaults(expiry_minutes=0), "--expiry-minutes 0"),
        (RowDefaults(number_selection_behavior="Sticky"), "--number-selection-behavior Sticky"),
        (RowDefaults(geo_match_level="x"), "--geo-match-level x"),
        (RowDefaults(geo_match_country="us"), "--geo-match-country us"),
        (RowDefaults(geo_match_area_code="1"), "--geo-match-area-code 1"),
    ],
)
def test_a_default_no_row_could_use_is_refused_by_its_option(default, option):
    with pytest.raises(ConfigurationError, match=option) as caught:
        Validator(default)
    assert caught.value.hint


def test_an_empty_default_is_none():
    assert Validator(RowDefaults(capabilities=" ")).examine(FIELDS) == examine()


def known_terms():
    return KnownTerms(Validator(RowDefaults()), lambda raw: {"voice_connector_id": raw})


def test_rows_that_say_the_same_share_their_terms():
    first, second, third = known_terms().of(["c1", "c2", "c1"])
    assert first is third
    assert (first.connector, second.connector) == ("c1", "c2")


def test_one_row_whose_terms_are_not_sound_spoils_its_block():
    assert known_terms().of(["c1", "a b", "c1"]) is None


def test_what_is_remembered_is_bounded():
    known = known_terms()
    (first,) = known.of(["c0"])
    assert len(known.of(f"c{number}" for number in range(5000))) == 5000
    (again,) = known.of(["c0"])
    assert again == first
    assert again is not first
