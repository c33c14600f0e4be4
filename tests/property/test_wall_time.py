"""Times of day in zones whose clocks jump."""

from __future__ import annotations

import time as system
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ConfigurationError
from provisioner.wall_time import (
    moment_after,
    next_time,
    parse_moment,
    parse_time,
    told,
    zone_named,
)

HOUR = 3600.0
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
moments = st.floats(1_262_304_000.0, 1_893_456_000.0)


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@given(times, zones, moments)
def test_the_next_time_is_later_and_within_a_day_and_a_jump(
    wanted: time, zone: ZoneInfo, after: float
) -> None:
    found = next_time(wanted, zone, after)
    assert after < found <= after + 49 * HOUR


@given(times, zones, moments)
def test_the_clock_shows_the_time_unless_it_skips_it(
    wanted: time, zone: ZoneInfo, after: float
) -> None:
    found = datetime.fromtimestamp(next_time(wanted, zone, after), zone)
    as_typed = datetime.combine(found.date(), wanted, tzinfo=zone)
    skipped = as_typed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != (
        as_typed.replace(tzinfo=None)
    )
    assert found.time() == wanted or skipped


@given(times, zones, moments)
def test_no_earlier_moment_shows_the_time(wanted: time, zone: ZoneInfo, after: float) -> None:
    found = next_time(wanted, zone, after)
    moment = datetime.fromtimestamp(after, UTC) + timedelta(seconds=1)
    while moment.timestamp() < found - 60:
        assert moment.astimezone(zone).time().replace(second=0, microsecond=0) != wanted or (
            moment.timestamp() - after <= 60
        )
        moment += timedelta(minutes=7)


@pytest.mark.parametrize(
    ("wanted", "after", "expected"),
    [
        ("02:30", "2026-03-29 00:00", "2026-03-29 03:30+02:00"),  # the clocks skip it
        ("02:30", "2026-10-25 00:00", "2026-10-25 02:30+02:00"),  # the first of two
        ("02:30", "2026-10-25 02:45", "2026-10-25 02:30+01:00"),  # the second
        ("06:00", "2026-10-25 06:00", "2026-10-26 06:00+01:00"),  # now is not later
    ],
)
def test_clocks_that_jump(wanted: str, after: str, expected: str) -> None:
    zone = zone_named("Europe/Berlin")
    found = next_time(parse_time(wanted), zone, at(after, "Europe/Berlin"))
    assert told(found, zone) == expected.replace("+", ":00+")


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    system.tzset()
    yield
    monkeypatch.undo()
    system.tzset()


@pytest.mark.usefixtures("berlin")
def test_without_a_zone_the_machines_own_counts() -> None:
    after = at("2026-10-25 02:45", "Europe/Berlin")
    found = next_time(time(2, 30), zone_named(None), after)
    assert told(found, None) == "2026-10-25 02:30:00+01:00"


@pytest.mark.parametrize("text", ["", "6", "24:00", "06:60", "6:0", "06:00:00", "noon", "-1:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="06:00"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", "2026-10-25 18:00:00+01:00"),
        ("2026-11-25 18:00", "2026-11-25 18:00:00+01:00"),
        ("2026-11-25T18:00:00Z", "2026-11-25 19:00:00+01:00"),
    ],
)
def test_a_moment_is_a_time_of_day_or_a_date_with_one(text: str, expected: str) -> None:
    zone = zone_named("Europe/Berlin")
    after = at("2026-10-25 02:45", "Europe/Berlin")
    assert told(moment_after(parse_moment(text), zone, after), zone) == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "25:00", "-"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-25 18:00"):
        parse_moment(text)


@pytest.mark.parametrize("name", ["Nowhere/City", "", "../etc/passwd", "CET\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        zone_named(name)
