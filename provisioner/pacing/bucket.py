"""The token bucket, as the generic cell rate algorithm (GCRA): one number of state, no timers."""

from __future__ import annotations

LATENESS = 0.02
"""Seconds for which the least burst makes up: what timers and a busy event loop are late by."""


def least_burst(rate: float) -> int:
    """The burst that loses no token to lateness of 20 ms: 1 below 50/s, 3 at 100/s, 41 at 2,000/s.

    A window may hold `rate x length + burst` tokens only because some of them were late. With a
    burst of 1 whatever a timer is late by is therefore lost for good, in any implementation: half
    the rate at 1,000/s and a millisecond.
    """
    return 1 + int(rate * LATENESS)


class TokenBucket:
    """Tokens at `rate` a second, collected one by one; time is an argument.

    In any window of `length` seconds at most `rate x length + burst` tokens are taken. So many
    tokens late are made up at once; what a longer stall exceeds them by is forfeited, since
    catching that up would be the peak that breaks a quota.

    A new bucket holds one token, not its burst: a run starts at its rate. `rate` is tokens/s,
    0.01 to 100,000; `burst` tokens, at least 1, None for the least burst of whatever the rate is;
    `spare` makes it as many tokens more as make up for lateness.

    The state is GCRA's theoretical arrival time (ITU-T I.371): when the bucket would be full.
    """

    __slots__ = ("_burst", "_full_at", "_interval", "_slack", "_spare", "burst")

    def __init__(
        self, rate: float, burst: int | None = None, *, now: float, spare: bool = False
    ) -> None:
        self._burst = burst
        self._spare = spare
        self._tune(rate)
        self._full_at = now + self._slack

    @property
    def rate(self) -> float:
        """Tokens/s."""
        return 1 / self._interval

    def wait(self, now: float) -> float:
        """Seconds until there is a token, at most 0.0 where there is one."""
        return self._full_at - self._slack - now

    def take(self, now: float) -> float:
        """Take a token and return 0.0; or take none and return the seconds until there is one."""
        full_at = self._full_at
        wait = full_at - self._slack - now
        if wait > 0.0:
            return wait
        self._full_at = max(full_at, now) + self._interval
        return 0.0

    def tokens(self, now: float) -> int:
        """How many `take` would give now."""
        return max(int((now + self._slack - self._full_at) / self._interval) + 1, 0)

    def set_rate(self, now: float, rate: float) -> None:
        """Go on at `rate` tokens/s with what the bucket holds, fractions included."""
        held = (now + self._slack - max(self._full_at, now)) / self._interval
        self._tune(rate)
        self._full_at = now + max(0.0, self._slack - held * self._interval)

    def leave_out(self, now: float, tokens: float) -> None:
        """Take so many tokens at once, fractions included, there or not: nobody gets them."""
        self._full_at = max(self._full_at, now) + tokens * self._interval

    def _tune(self, rate: float) -> None:
        self._interval = 1 / rate
        self.burst = (self._burst or least_burst(rate)) + self._spare * least_burst(rate)
        self._slack = (self.burst - 1) * self._interval
