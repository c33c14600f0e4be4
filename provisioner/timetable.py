"""Rates by the time of day; pure.

    22:00 20/s, 06:00 2/s, 07:00 off

Each counts until the next, and the last of a day until the first of the next. What counts goes by
what the clock shows: an hour that it shows twice is lived twice, one that it skips not at all.
"""

from __future__ import annotations

import math
import re
from bisect import bisect
from datetime import UTC, datetime, time, tzinfo

import msgspec

from provisioner import defaults
from provisioner.wall_time import parse_time

_ENTRY = re.compile(r"(\S+)\s+(?:off|(\d{1,6}(?:\.\d{1,6})?)(?:/s)?)", re.ASCII)
_MINUTE = 60.0
_MINUTES_AHEAD = 49 * 60
"""Two days and an hour: there was a zone that left out a whole day."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """From `at` on `rate` calls/s; 0 is off."""

    at: time
    rate: float


class Timetable(msgspec.Struct, frozen=True, kw_only=True):
    """Changes in the order of the day, one at least."""

    changes: tuple[Change, ...]

    def rate_at(self, now: float, zone: tzinfo | None) -> float:
        """Calls/s at `now`, epoch seconds, 0 for off; `zone` None is the machine's own."""
        shown = datetime.fromtimestamp(now, UTC).astimezone(zone).time()
        return self.changes[bisect(self.changes, shown, key=_time_of) - 1].rate

    def next_on(self, now: float, zone: tzinfo | None) -> float:
        """The first full minute later than `now` that is not off; infinity if none is."""
        minute = now // _MINUTE * _MINUTE
        moments = (minute + step * _MINUTE for step in range(1, _MINUTES_AHEAD))
        return next((each for each in moments if self.rate_at(each, zone) > 0.0), math.inf)


def parse_timetable(text: str) -> Timetable:
    """`22:00 20/s, 06:00 2/s, 07:00 off`, in any order.

    Raises:
        ValueError: it is no timetable, or names a time twice, or is never on.
    """
    changes = sorted((_change(part.strip()) for part in text.split(",")), key=_time_of)
    if len({change.at for change in changes}) < len(changes):
        raise ValueError(f"{text!r} has a time twice; give each time of day one rate")
    if not any(change.rate for change in changes):
        raise ValueError(f"{text!r} is always off; give one time of day a rate, like 22:00 20/s")
    return Timetable(changes=tuple(changes))


def _change(text: str) -> Change:
    found = _ENTRY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no rate at a time; write it like 22:00 20/s, or 07:00 off")
    at, rate = parse_time(found[1]), float(found[2] or 0.0)
    if found[2] and not defaults.SLOWEST <= rate <= defaults.FASTEST:
        raise ValueError(
            f"a rate of {rate:g} calls a second cannot be kept; give one from "
            f"{defaults.SLOWEST:g} to {defaults.FASTEST:g}, or off"
        )
    return Change(at=at, rate=rate)


def _time_of(change: Change) -> time:
    return change.at
