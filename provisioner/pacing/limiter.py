"""The lane's limiter: tokens before an intent, departures after it, at a rate a pace decides."""

from __future__ import annotations

from datetime import UTC, datetime

from provisioner import defaults
from provisioner.errors import ConfigurationError
from provisioner.events import EventSink, RateChanged
from provisioner.job import Outcome
from provisioner.pacing.bucket import TokenBucket
from provisioner.pacing.learning import LearningPace
from provisioner.pacing.line import Line
from provisioner.pacing.pace import FixedPace, Pace
from provisioner.ports import Clock, Limiter
from provisioner.record import LearnedRate
from provisioner.settings import PaceSettings

RATES = (defaults.SLOWEST, defaults.FASTEST)
STALE = 30 * 86_400.0
"""Seconds after which a learned rate is no more than a hint."""


class BucketLimiter:
    """Two lines of one rate, which a pace decides; implements `ports.Limiter`.

    The first lets a call record its intent, the second lets it leave. Between them a slow disk may
    hold calls up: they leave at the rate all the same, and meanwhile the first line pauses.
    """

    def __init__(self, burst: int | None, pace: Pace, clock: Clock, emit: EventSink) -> None:
        now, rate = clock.monotonic(), pace.rate
        self._departures = Line(TokenBucket(rate, burst, now=now), clock)
        # With some to spare, so that only the second line's lateness counts.
        tokens = TokenBucket(rate, burst, now=now, spare=True)
        self._tokens = Line(tokens, clock, ahead=self._departures)
        self._pace = pace
        self._closed_at = now
        self._closed_for = 0.0
        self._clock = clock
        self._emit = emit

    @property
    def rate(self) -> float:
        """See the port."""
        return self._pace.rate if self._tokens.is_open else 0.0

    @property
    def learned(self) -> float | None:
        """See the port."""
        return self._pace.learned

    async def take(self) -> None:
        """Return when one call may be prepared; first come, first served."""
        await self._tokens.take()

    async def depart(self) -> None:
        """Return when the prepared call may leave; at once, unless preparing it took long."""
        await self._departures.take()

    def set_ceiling(self, ceiling: float, reason: str) -> None:
        """See the port."""
        now, previous = self._clock.monotonic(), self.rate
        self._open(now, is_open=ceiling > 0)
        if ceiling > 0:
            self._pace.set_ceiling(now - self._closed_for, ceiling)
        self._follow(now, previous, reason)

    def observe(self, outcome: Outcome, *, sent_at: float) -> None:
        """Learn from an answer; a call nobody answered says nothing about the quota."""
        if not outcome.answered:
            return
        now, previous = self._clock.monotonic(), self.rate
        closed = self._closed_for
        left_out = self._pace.observe(
            now - closed, sent_at=sent_at - closed, throttled=outcome.throttled
        )
        lower = self.rate < previous
        self._follow(now, previous, "throttled by the service" if lower else "no throttles")
        if left_out:
            self._tokens.leave_out(now, left_out)
            self._departures.leave_out(now, left_out)

    def _open(self, now: float, *, is_open: bool) -> None:
        """Let calls through, or none; for the pace no time goes by in which none may leave."""
        if self._tokens.is_open and not is_open:
            self._closed_at = now
        elif is_open and not self._tokens.is_open:
            self._closed_for += now - self._closed_at
        self._tokens.is_open = is_open

    def _follow(self, now: float, previous: float, reason: str) -> None:
        rate = self.rate
        if rate == previous:
            return
        if rate > 0.0:
            self._tokens.set_rate(now, rate)
            self._departures.set_rate(now, rate)
        at = self._clock.time()
        self._emit(RateChanged(rate=rate, previous=previous, reason=reason, at=at))


def build_limiter(
    settings: PaceSettings, clock: Clock, emit: EventSink, known: LearnedRate | None = None
) -> Limiter:
    """A limiter at a fixed rate; or, without one, at a rate that it learns, from what is `known`.

    What was learned long ago is believed by half, and measured anew. Where a rate is known it is
    told as a change from itself.

    Raises:
        ConfigurationError: the rate or the burst is out of range.
    """
    if settings.burst is not None and settings.burst < 1:
        raise ConfigurationError(
            f"a burst of {settings.burst} would let no call through",
            hint="give --burst 1 or more",
        )
    pace = _pace(settings, clock, known)
    if settings.rate is None and known is not None:
        day, at = datetime.fromtimestamp(known.learned_at, UTC), clock.time()
        reason = f"learned on {day:%F}"
        emit(RateChanged(rate=pace.rate, previous=pace.rate, reason=reason, at=at))
    return BucketLimiter(settings.burst, pace, clock, emit)


def _pace(settings: PaceSettings, clock: Clock, known: LearnedRate | None) -> Pace:
    now, rate = clock.monotonic(), settings.rate
    if rate is None:
        if known is None:
            return LearningPace(now=now)
        if clock.time() - known.learned_at > STALE:
            return LearningPace(now=now, start=known.rate / 2)
        return LearningPace(now=now, known=known.rate)
    slowest, fastest = RATES
    if not slowest <= rate <= fastest:
        raise ConfigurationError(
            f"a rate of {rate:g} calls a second cannot be kept",
            hint=f"give --rate a number from {slowest:g} to {fastest:g}, or auto",
        )
    return FixedPace(rate, now=now)
