import pytest

from provisioner.source.masking import SHOWN_LENGTH, shown, shown_participant


@pytest.mark.parametrize(
    "value", ["+14155550100", "+1 (415) 555-0100", "tel: 415-555-0100 ext 7", 14155550100]
)
def test_a_participants_number_is_never_shown(value):
    text = shown_participant(value)
    assert "***" in text
    assert "555" not in text


@pytest.mark.parametrize("value", ["n/a", "unknown", "see row 12"])
def test_a_participant_that_holds_no_number_is_shown(value):
    assert shown_participant(value) == value


@pytest.mark.parametrize("value", ["call +14155550100", "x +1 (415) 555-0100", ["+14155550100"]])
def test_a_number_in_another_column_is_masked(value):
    text = shown(value)
    assert "***" in text
    assert "5550" not in text


def test_a_long_value_is_cut():
    assert len(shown("x" * 1000)) == len(shown_participant("x" * 1000)) == SHOWN_LENGTH


def test_control_codes_do_not_reach_the_terminal():
    assert shown("a\x1b[31m\nb") == "a\ufffd[31m\ufffdb"
