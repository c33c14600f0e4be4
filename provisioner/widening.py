"""How many calls on the wire at once a rate asks for."""

from __future__ import annotations

import math

from provisioner.engine import Engine
from provisioner.events import ConcurrencyLimits, EventSink
from provisioner.lane import Lane
from provisioner.ports import Clock
from provisioner.report import RunTally

LOOK_EVERY = 0.5
"""Seconds."""
SPARE = 1.5
"""Latency is not even, and the rate may grow before the next look."""


def connections_for(rate: float, p99: float | None) -> int:
    """Calls at once for `rate` calls/s, each of which takes up to `p99` seconds: Little's law.

    0 before the first answer.
    """
    return math.ceil(rate * (p99 or 0.0) * SPARE)


class Widening:
    """Gives an engine the connections that its rate and latency ask for.

    Tells once if even the most there may be are too few: at the median latency they are all busy
    before the rate is reached.
    """

    def __init__(self, engine: Engine, lane: Lane, tally: RunTally, emit: EventSink) -> None:
        self._engine = engine
        self._lane = lane
        self._tally = tally
        self._emit = emit
        self._is_told = False

    async def keep(self, clock: Clock) -> None:
        """Look again and again until cancelled."""
        while True:
            await clock.sleep(LOOK_EVERY)
            self.look(clock.time())

    def look(self, now: float) -> None:
        """Widen, or tell; `now` in epoch seconds."""
        rate, latency = self._lane.limiter.rate, self._tally.since_token
        self._engine.widen(connections_for(rate, latency.quantile(0.99)))
        reachable = self._lane.most / (latency.quantile(0.5) or math.inf)
        if 0.0 < reachable < rate and not self._is_told:
            self._is_told = True
            most = self._lane.most
            self._emit(ConcurrencyLimits(connections=most, reachable=reachable, at=now))
