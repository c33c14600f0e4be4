"""Rates by the time of day, in zones whose clocks jump."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.timetable import Change, Timetable, parse_timetable

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = parse_timetable("22:00 20/s, 06:00 2/s, 07:00 off")

zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
rates = st.sampled_from([0.0, 0.5, 2.0, 20.0])
moments = st.floats(1_262_304_000.0, 1_893_456_000.0)
# Around the hours in which clocks jump: half of the days here are such.
jumps = st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05"])
near_jumps = st.builds(
    lambda day, minutes: datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + 60 * minutes,
    jumps,
    st.integers(-1000, 1000),
)
timetables = st.dictionaries(times, rates, min_size=1, max_size=6).map(
    lambda table: Timetable(
        changes=tuple(Change(at=at, rate=table[at]) for at in sorted(table)),
    )
)


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@given(timetables, zones, moments | near_jumps)
def test_the_rate_is_that_of_the_last_time_the_clock_has_passed_today(
    timetable: Timetable, zone: ZoneInfo, now: float
) -> None:
    shown = datetime.fromtimestamp(now, zone).time()
    passed = [change for change in timetable.changes if change.at <= shown]
    expected = (passed or timetable.changes)[-1].rate
    assert timetable.rate_at(now, zone) == expected


@given(timetables, zones, moments | near_jumps)
def test_it_is_on_when_it_is_next_on_and_at_no_minute_before(
    timetable: Timetable, zone: ZoneInfo, now: float
) -> None:
    found = timetable.next_on(now, zone)
    if found == math.inf:
        assert all(change.rate == 0.0 for change in timetable.changes)
        return
    assert timetable.rate_at(found, zone) > 0.0
    before = (now // 60 * 60 + 60 * step for step in range(1, 49 * 60))
    assert all(timetable.rate_at(each, zone) == 0.0 for each in before if now < each < found)


@given(timetables, zones, moments | near_jumps)
def test_a_timetable_that_is_ever_on_is_on_again_within_two_days_and_an_hour(
    timetable: Timetable, zone: ZoneInfo, now: float
) -> None:
    if all(change.rate for change in timetable.changes):
        assert timetable.next_on(now, zone) - now <= 60.0


@pytest.mark.parametrize(
    ("now", "rate"),
    [
        ("2026-11-23 21:59", 0.0),
        ("2026-11-23 22:00", 20.0),
        ("2026-11-24 00:00", 20.0),
        ("2026-11-24 06:00", 2.0),
        ("2026-11-24 07:00", 0.0),
    ],
)
def test_a_night(now: str, rate: float) -> None:
    assert NIGHT.rate_at(at(now), BERLIN) == rate


@pytest.mark.parametrize(
    ("now", "rate"),
    [
        ("2026-03-29T00:59:00+00:00", 1.0),
        ("2026-03-29T01:00:00+00:00", 0.0),  # it is three: half past two was skipped
        ("2026-10-25T00:40:00+00:00", 9.0),  # 02:40, summer time
        ("2026-10-25T01:10:00+00:00", 1.0),  # 02:10 again
        ("2026-10-25T01:40:00+00:00", 9.0),
        ("2026-10-25T02:00:00+00:00", 0.0),
    ],
)
def test_hours_that_the_clock_skips_or_shows_twice(now: str, rate: float) -> None:
    timetable = parse_timetable("01:00 1/s, 02:30 9/s, 03:00 off")
    assert timetable.rate_at(datetime.fromisoformat(now).timestamp(), BERLIN) == rate


def test_an_hour_that_is_skipped_was_on_for_nobody() -> None:
    timetable = parse_timetable("02:00 5, 03:00 off")
    evening = at("2026-03-28 22:00")
    assert timetable.next_on(evening, BERLIN) == at("2026-03-30 02:00")


def test_rates_are_taken_in_any_order_with_or_without_their_unit() -> None:
    assert parse_timetable("7:00 off,22:00 20 ,06:00  2.5/s").changes == (
        Change(at=time(6), rate=2.5),
        Change(at=time(7), rate=0.0),
        Change(at=time(22), rate=20.0),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write it like"),
        ("22:00", "write it like"),
        ("22:00 fast", "write it like"),
        ("22:00 -3/s", "write it like"),
        ("22:00 20/m", "write it like"),
        ("22:00 20/s,", "write it like"),
        ("25:00 20/s", "not a time of day"),
        ("22:00 20/s, 22:00 off", "twice"),
        ("22:00 off", "always off"),
        ("22:00 0/s", "cannot be kept"),
        ("22:00 200000/s", "cannot be kept"),
    ],
)
def test_what_is_no_timetable_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_timetable(text)


@given(st.text(max_size=30))
def test_any_text_is_a_timetable_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_timetable(text).changes
