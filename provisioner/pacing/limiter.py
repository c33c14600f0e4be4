"""The lane's limiter: callers line up, the first of them waits for the bucket."""

from __future__ import annotations

from collections import deque

import anyio

from provisioner.errors import ConfigurationError
from provisioner.events import EventSink, RateChanged
from provisioner.job import Outcome
from provisioner.pacing.bucket import TokenBucket
from provisioner.pacing.pace import FixedPace, Pace
from provisioner.ports import Clock, Limiter
from provisioner.settings import PaceSettings

RATES = (0.01, 100_000.0)
SHORTEST_SLEEP = 0.001
"""Seconds. uvloop's timers count milliseconds and would spin below; the bucket forgives it."""
LONGEST_SLEEP = 1.0
"""Seconds after which a waiting caller looks again, since the rate may have changed."""


class _Place:
    """A caller's place in the line; `turn` tells it to look: it has a token, or it is first."""

    __slots__ = ("has_token", "turn")

    def __init__(self) -> None:
        self.turn = anyio.Event()
        self.has_token = False


class BucketLimiter:
    """A token bucket whose rate a pace decides; implements `ports.Limiter`.

    The first in line sleeps for all: when it wakes it hands out every token there is by then, so
    that a busy event loop, which wakes late, costs no throughput.
    """

    def __init__(self, bucket: TokenBucket, pace: Pace, clock: Clock, emit: EventSink) -> None:
        self._bucket = bucket
        self._pace = pace
        self._clock = clock
        self._emit = emit
        self._line: deque[_Place] = deque()

    @property
    def rate(self) -> float:
        """Calls/s, now."""
        return self._pace.rate

    async def take(self) -> None:
        """Return when one call may start now; first come, first served."""
        if not self._line and self._bucket.take(self._clock.monotonic()) <= 0.0:
            return
        place = _Place()
        self._line.append(place)
        try:
            if self._line[0] is not place:
                await place.turn.wait()
            if not place.has_token:
                await self._wait_for_token()
        except BaseException:
            self._leave(place)
            raise
        if not place.has_token:
            self._line.popleft()
            self._hand_out()

    async def _wait_for_token(self) -> None:
        while (wait := self._bucket.take(self._clock.monotonic())) > 0.0:
            await self._clock.sleep(min(max(wait, SHORTEST_SLEEP), LONGEST_SLEEP))

    def _hand_out(self) -> None:
        now = self._clock.monotonic()
        while self._line and self._bucket.take(now) <= 0.0:
            place = self._line.popleft()
            place.has_token = True
            place.turn.set()
        self._wake_first()

    def _leave(self, place: _Place) -> None:
        """A cancelled caller costs no token, and nobody behind it waits for it."""
        if place.has_token:
            self._bucket.put_back()
            return
        self._line.remove(place)
        self._wake_first()

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].turn.set()

    def observe(self, outcome: Outcome, *, sent_at: float) -> None:
        """Learn from an answer; a call nobody answered says nothing about the quota."""
        if not outcome.answered:
            return
        now, previous = self._clock.monotonic(), self._pace.rate
        rate = self._pace.observe(now, sent_at=sent_at, throttled=outcome.throttled)
        if rate is not None:
            self._bucket.set_rate(now, rate)
            self._emit(_rate_changed(rate, previous, self._clock.time()))


def build_limiter(settings: PaceSettings, clock: Clock, emit: EventSink) -> Limiter:
    """A limiter at a fixed rate.

    Raises:
        ConfigurationError: the rate or the burst is out of range.
    """
    slowest, fastest = RATES
    if not slowest <= settings.rate <= fastest:
        raise ConfigurationError(
            f"a rate of {settings.rate:g} calls a second cannot be kept",
            hint=f"give --rate a number from {slowest:g} to {fastest:g}",
        )
    if settings.burst < 1:
        raise ConfigurationError(
            f"a burst of {settings.burst} would let no call through",
            hint="give --burst 1 or more",
        )
    now = clock.monotonic()
    bucket = TokenBucket(settings.rate, settings.burst, now=now)
    return BucketLimiter(bucket, FixedPace(settings.rate, now=now), clock, emit)


def _rate_changed(rate: float, previous: float, at: float) -> RateChanged:
    reason = "throttled by the service" if rate < previous else "no throttles"
    return RateChanged(rate=rate, previous=previous, reason=reason, at=at)
