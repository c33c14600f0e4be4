from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cli.values import CountOrAuto, Duration, RateSchedule
from provisioner.timetable import parse_timetable


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    written = Duration.text(seconds)
    assert abs(Duration().convert(written, None, None) - seconds) < 1e-6 * max(1, seconds)


@given(st.integers(min_value=1, max_value=4096))
def test_a_count_is_itself(count: int) -> None:
    assert CountOrAuto(4096).convert(str(count), None, None) == count


@pytest.mark.parametrize("text", ["auto", " Auto "])
def test_auto_is_no_count(text: str) -> None:
    assert CountOrAuto(4096).convert(text, None, None) is None


@pytest.mark.parametrize("text", ["0", "5000", "many", "1.5", ""])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        CountOrAuto(4096).convert(text, None, None)


def test_no_timetable_is_none_and_a_bad_one_is_refused() -> None:
    assert RateSchedule().convert("", None, None) is None
    assert RateSchedule().convert("22:00 20/s", None, None) == parse_timetable("22:00 20/s")
    with pytest.raises(click.BadParameter, match="always off"):
        RateSchedule().convert("22:00 off", None, None)
