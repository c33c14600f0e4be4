"""The time that a clock on the wall shows, where summer time comes and goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from provisioner.errors import ConfigurationError

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_DAYS_AHEAD = 3
_FOLDS = (0, 1)


def parse_time(text: str) -> time:
    """`06:00`, on 24 hours, to the minute.

    Raises:
        ValueError: it is no such time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a time of day; write it like 06:00 or 22:30")
    return time(int(found[1]), int(found[2]))


def parse_moment(text: str) -> time | datetime:
    """A time of day, or a date with it: `18:00`, `2026-11-25 18:00`; with an offset, if given one.

    Raises:
        ValueError: it is neither.
    """
    try:
        return datetime.fromisoformat(text.strip()) if "-" in text else parse_time(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no moment; write it like 18:00 or 2026-11-25 18:00"
        ) from None


def zone_named(name: str | None) -> tzinfo | None:
    """A time zone by its IANA name, such as `Europe/Berlin`; None stays None, the machine's own.

    Raises:
        ConfigurationError: this machine knows none of that name.
    """
    try:
        return None if name is None else ZoneInfo(name)
    except (OSError, LookupError, ValueError):
        raise ConfigurationError(
            f"{name!r} is not a time zone this machine knows",
            hint="write it like Europe/Berlin, or UTC; the names come from the tzdata package",
        ) from None


def next_time(at: time, zone: tzinfo | None, after: float) -> float:
    """When the clock next shows `at`, later than `after`; both in epoch seconds.

    `zone` None is the machine's own. A time that comes twice as the clocks go back is taken as
    often as it comes; one that they skip comes as much later as they go forward (PEP 495).
    """
    first = datetime.fromtimestamp(after, zone or UTC).date() - timedelta(days=1)
    moments = (
        datetime.combine(first + timedelta(days=days), at.replace(fold=fold), tzinfo=zone)
        for days in range(_DAYS_AHEAD + 1)
        for fold in _FOLDS
    )
    return min(each for moment in moments for each in _comings(moment) if each > after)


def moment_after(moment: time | datetime, zone: tzinfo | None, after: float) -> float:
    """Epoch seconds of a date, or of the next such time of day later than `after`."""
    if isinstance(moment, time):
        return next_time(moment, zone, after)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def told(at: float, zone: tzinfo | None) -> str:
    """A moment, epoch seconds, as the clock shows it: `2026-11-24 06:00:00+01:00`."""
    moment = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return moment.isoformat(sep=" ", timespec="seconds")


def _comings(moment: datetime) -> list[float]:
    """The moment in epoch seconds; nothing for the second coming of what does not come twice."""
    stamp = moment.timestamp()
    back = datetime.fromtimestamp(stamp, UTC).astimezone(moment.tzinfo)
    shown = back.replace(tzinfo=None, fold=0) == moment.replace(tzinfo=None, fold=0)
    return [stamp] if shown or moment.fold == 0 else []
