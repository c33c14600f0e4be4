"""Keeping a limiter to a timetable."""

from __future__ import annotations

import math

from provisioner.ports import Clock, Limiter
from provisioner.settings import Settings
from provisioner.stopping import Stop
from provisioner.timetable import Timetable
from provisioner.wall_time import told, zone_named

LOOK_EVERY = 0.5
"""Seconds between two looks at the clock on the wall, which may be set."""


class Timekeeper:
    """Sets a limiter's ceiling as the timetable says: at once, and in `keep` whenever it changes.

    `--rate` stays a ceiling, too. A rate that an operator orders counts until the next change.
    While the timetable is off nothing is sent; a run that must be done before it is on again stops.
    """

    def __init__(self, settings: Settings, limiter: Limiter, stop: Stop, clock: Clock) -> None:
        self._timetable = settings.pace.timetable
        self._zone = zone_named(settings.time_zone)
        self._most = settings.pace.rate or math.inf
        self._deadline = settings.deadline or math.inf
        self._limiter = limiter
        self._stop = stop
        self._clock = clock
        self._rate: float | None = None
        if self._timetable is not None:
            self._obey(self._timetable)

    async def keep(self) -> None:
        """Follow the timetable until cancelled; return at once without one."""
        while self._timetable is not None:
            await self._clock.sleep(LOOK_EVERY)
            self._obey(self._timetable)

    def _obey(self, timetable: Timetable) -> None:
        now = self._clock.time()
        rate = min(timetable.rate_at(now, self._zone), self._most)
        if rate == self._rate:
            return
        self._rate = rate
        if rate > 0.0:
            self._limiter.set_ceiling(rate, "timetable")
        else:
            self._pause(timetable.next_on(now, self._zone))

    def _pause(self, until: float) -> None:
        self._limiter.set_ceiling(0.0, f"timetable, on again at {told(until, self._zone)}")
        if until >= self._deadline:
            deadline = told(self._deadline, self._zone)
            self._stop.now(f"the timetable is off until the deadline {deadline}")
