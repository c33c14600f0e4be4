"""What an option's value may look like, beyond click's own types."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, ClassVar, cast

import click

from provisioner import defaults

if TYPE_CHECKING:
    from datetime import datetime, time

    from provisioner.halting import HaltRule
    from provisioner.timetable import Timetable


class Duration(click.ParamType[float]):
    """Seconds from `90s`, `15m`, `2h`, `1h30m`, `500ms`; with `positive`, more than none."""

    name = "duration"
    _PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
    _SECONDS: ClassVar = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

    def __init__(self, *, positive: bool = False) -> None:
        self._positive = positive

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Seconds; fails with what a duration looks like."""
        if isinstance(value, float):
            return value
        text = str(value)
        parts = self._PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{text!r} is not a duration; write it like 90s, 15m or 2h", param, ctx)
        seconds = sum(float(number) * self._SECONDS[unit] for number, unit in parts)
        if self._positive and seconds == 0:
            self.fail(f"{text!r} is no time at all; write it like 30s", param, ctx)
        return seconds

    @classmethod
    def text(cls, seconds: float) -> str:
        """Seconds, to the millisecond, as they would be typed: in the largest unit that fits."""
        milliseconds = round(seconds * 1000)
        for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
            if milliseconds % size == 0:
                return f"{milliseconds // size}{unit}"
        return f"{milliseconds}ms"


class TimeOfDay(click.ParamType["time"]):
    """A time such as `06:00`."""

    name = "time"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> time:
        """The time; fails with what one looks like."""
        from provisioner.wall_time import parse_time  # noqa: PLC0415  # keeps --help light

        try:
            return parse_time(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType["time | datetime"]):
    """A time such as `18:00`, or a date with one."""

    name = "moment"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> time | datetime:
        """The time, or the date with it; fails with what they look like."""
        from provisioner.wall_time import parse_moment  # noqa: PLC0415  # keeps --help light

        try:
            return parse_moment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Rate(click.FloatRange):
    """A number in a range: `nan`, which no comparison refuses, is not one."""

    name = "number"

    def convert(
        self,
        value: float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class HaltRules(click.ParamType["tuple[HaltRule, ...]"]):
    """Rules such as `failed=5%,min=200`, several after semicolons; none from an empty text."""

    name = "rules"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[HaltRule, ...]:
        """The rules; fails with what is wrong with one."""
        from provisioner.halting import parse_halt  # noqa: PLC0415  # keeps --help light

        try:
            return parse_halt(str(value)) if value else ()
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RateSchedule(click.ParamType["Timetable | None"]):
    """Rates by the time of day, `22:00 20/s, 07:00 off`; none from an empty text."""

    name = "timetable"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Timetable | None:
        """The timetable; fails with what is wrong with it."""
        from provisioner.timetable import parse_timetable  # noqa: PLC0415  # keeps --help light

        try:
            return parse_timetable(str(value)) if value else None
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RateOrAuto(click.ParamType[float | None]):
    """Calls a second, or `auto`, which is None."""

    name = "auto|number"
    _RANGE = Rate(min=defaults.SLOWEST, max=defaults.FASTEST)

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float | None:
        """The number, or None."""
        if str(value).strip().lower() == "auto":
            return None
        try:
            return self._RANGE.convert(cast("float", value), param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message} Give calls a second, or auto.", param, ctx)


class CountOrAuto(click.ParamType[int | None]):
    """A number in a range, or `auto`, which is None."""

    name = "auto|number"

    def __init__(self, most: int) -> None:
        self._range = click.IntRange(1, most)

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int | None:
        """The number, or None."""
        if str(value).strip().lower() == "auto":
            return None
        return int(self._range.convert(cast("int", value), param, ctx))


class RowsToRetry(click.ParamType[str | None]):
    """An error code, or `*` for every failed row; `yes` and `no` stand for all and none."""

    name = "code"
    _ALL = ("1", "true", "yes", "on")
    _NONE = ("0", "false", "no", "off", "")

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002  # click's signature
        ctx: click.Context | None,  # noqa: ARG002  # click's signature
    ) -> str | None:
        """The code, `*`, or None for no row."""
        text = str(value)
        word = text.strip().lower()
        if word in self._ALL:
            return "*"
        return None if word in self._NONE else text
