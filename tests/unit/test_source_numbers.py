import pytest

from provisioner.source.numbers import canonical_number, describe_damage


@pytest.mark.parametrize(
    "written",
    [
        "+14155550100",
        " +14155550100 ",
        "+1 415 555 0100",
        "+1 (415) 555-0100",
        "+1.415.555.0100",
        "[+1] 415-555-0100",
        "'+14155550100",
        "+1\u00a0415\u202f555\u20090100",
        "+1\u2011415\u2013555\u22120100",
        "\u202a+14155550100\u202c",
    ],
)
def test_punctuation_is_stripped(written):
    assert canonical_number(written) == "+14155550100"


@pytest.mark.parametrize("number", ["+12", "+123456789012345"])
def test_the_shortest_and_the_longest_number_are_numbers(number):
    assert canonical_number(number) == number


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1.41556E+10", "scientific notation"),
        ("1,41556E+10", "scientific notation"),
        ("+1.4e10", "scientific notation"),
        ("14155550100", "write +1415***0100"),
        ("1 (415) 555-0100", "write +1415***0100"),
        ("0014155550100", "replace the leading 00 by +; write +1415***0100"),
        ("+0014155550100", "replace the leading 00 by +; write +1415***0100"),
        ("+04155550100", "no country code begins with 0"),
        ("02079460000", "no country code begins with 0"),
        ("+1234567890123456", "16 digits are too many"),
        ("+1", "too short"),
        ("+", "too short"),
        ("'", "too short"),
        ("+1415CALLNOW", "'C' does not belong"),
        ("+1/415/5550100", "'/' does not belong"),
        ("+14155550100+", "a + may stand at the beginning only"),
        ("+1415555010\u0660", "digits other than 0 to 9"),
        ("+1415555010\uff10", "digits other than 0 to 9"),
        ("+1415\n5550100", "a control code"),
        ("+1415\u20285550100", "LINE SEPARATOR"),
    ],
)
def test_damage_is_named(written, said):
    assert canonical_number(written) is None
    assert said in describe_damage(written)


@pytest.mark.parametrize(
    "text", ["+14155550100.0", "14155550100.0", "'+14155550100.00", "14155550100,0"]
)
def test_a_number_that_became_a_decimal_is_refused_as_such(text):
    assert canonical_number(text) is None
    assert ".0" in describe_damage(text)


def test_a_number_grouped_with_dots_may_end_in_noughts():
    assert canonical_number("+33.1.99.00.12.00") == "+33199001200"
