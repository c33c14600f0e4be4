"""The controllers compared: ours, and what people do instead. Each keeps `Control`."""
# ruff: noqa: D102, ARG002 - their methods are the protocol's, which says what they do

from __future__ import annotations

from random import Random

from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.adaptive import ClientRateLimiter, RateClocker
from botocore.retries.bucket import TokenBucket as BotoBucket
from botocore.retries.throttling import CubicCalculator

from provisioner.pacing.bucket import TokenBucket
from provisioner.pacing.learning import LearningPace


class Learning:
    """`--rate auto`: cold, or warm with what it learned before."""

    def __init__(self, known: float | None = None) -> None:
        self.pace = LearningPace(now=0.0, known=known)
        self._bucket = TokenBucket(self.pace.rate, now=0.0)

    @property
    def rate(self) -> float:
        return self.pace.rate

    def take(self, now: float) -> float:
        return self._bucket.take(now)

    def observe(self, now: float, sent_at: float, *, throttled: bool) -> float:
        before = self.pace.rate
        left_out = self.pace.observe(now, sent_at=sent_at, throttled=throttled)
        if self.pace.rate != before:
            self._bucket.set_rate(now, self.pace.rate)
        if left_out:
            self._bucket.leave_out(now, left_out)
        return 0.0


class Fixed:
    """A rate somebody knew, and nothing else."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._bucket = TokenBucket(rate, now=0.0)

    def take(self, now: float) -> float:
        return self._bucket.take(now)

    def observe(self, now: float, sent_at: float, *, throttled: bool) -> float:
        return 0.0


class FullJitter:
    """No limiter: callers that back off with full jitter, 0.2 s base, 20 s cap."""

    rate = 0.0

    def __init__(self) -> None:
        self._random = Random(5)
        self._tries = 0

    def take(self, now: float) -> float:
        return 0.0

    def observe(self, now: float, sent_at: float, *, throttled: bool) -> float:
        # A caller's own streak is not known here: how all 64 fare stands in for it.
        self._tries = min(self._tries + 1, 64 * 7) if throttled else max(self._tries - 7, 0)
        if not throttled:
            return 0.0
        return self._random.uniform(0.0, min(20.0, 0.2 * 2.0 ** (self._tries / 64)))


class Aimd:
    """One call a second more each second; nine tenths after a throttle, once a flight."""

    def __init__(self) -> None:
        self.rate = 2.0
        self._bucket = TokenBucket(self.rate, now=0.0)
        self._cut_at = self._grown_at = 0.0

    def take(self, now: float) -> float:
        return self._bucket.take(now)

    def observe(self, now: float, sent_at: float, *, throttled: bool) -> float:
        if throttled and sent_at >= self._cut_at:
            self.rate, self._cut_at = max(self.rate * 0.9, 0.1), now
        elif not throttled:
            self.rate += now - self._grown_at
        self._grown_at = now
        self._bucket.set_rate(now, self.rate)
        return 0.0


class _Clock:
    """botocore's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def current_time(self) -> float:
        return self.now


class _Told:
    """botocore's throttling detector, told what it does not know: this service's error."""

    def is_throttling_error(self, *, throttled: bool, **_: object) -> bool:
        return throttled


class Cubic:
    """botocore's adaptive mode, its own classes, with 64 callers and its own backoff."""

    def __init__(self) -> None:
        self._clock = _Clock()
        self._bucket = BotoBucket(max_rate=1, clock=self._clock)
        self._limiter = ClientRateLimiter(
            rate_adjustor=CubicCalculator(starting_max_rate=0, start_time=0.0),
            rate_clocker=RateClocker(self._clock),
            token_bucket=self._bucket,
            throttling_detector=_Told(),
            clock=self._clock,
        )
        self._random = Random(5)

    @property
    def rate(self) -> float:
        return float(self._bucket.max_rate)

    def take(self, now: float) -> float:
        self._clock.now = now
        if not self._limiter._enabled:  # noqa: SLF001 - it sleeps in there
            return 0.0
        try:
            self._bucket.acquire(block=False)
        except CapacityNotAvailableError:
            return max(self._bucket._sleep_amount(1), 1e-6)  # noqa: SLF001 - as above
        return 0.0

    def observe(self, now: float, sent_at: float, *, throttled: bool) -> float:
        self._clock.now = now
        self._limiter.on_receiving_response(throttled=throttled)
        return self._random.random() if throttled else 0.0
