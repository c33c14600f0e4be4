"""The token bucket, as the generic cell rate algorithm (GCRA): one number of state, no timers."""

from __future__ import annotations

TOLERANCE = 0.02
"""Seconds a token may be collected late without lowering the rate."""


class TokenBucket:
    """Tokens at `rate` a second, collected one by one; time is an argument.

    In any window of `length` seconds at most

        rate x length + max(burst, 1 + rate x tolerance)

    tokens are taken. Where `burst >= 1 + rate x tolerance`, and everywhere with `tolerance=0`,
    that is the strict `rate x length + burst`.

    The tolerance is there because a strict burst of 1 keeps successive tokens a full interval
    apart, so that each millisecond a timer fires late is lost for good: at 1,000/s half the rate.
    With it, lateness up to `tolerance` seconds is made up at once, and what a longer stall exceeds
    it by is forfeited: catching that up would be the peak that breaks a quota. Below
    `1 / tolerance` (50/s) no two tokens are ever taken together unless `burst` allows it.

    A new bucket holds one token, not its burst: a run starts at its rate. `rate` is tokens/s,
    0.01 to 100,000; `burst` tokens, at least 1; `tolerance` seconds.

    The state is GCRA's theoretical arrival time (ITU-T I.371): when the bucket would be full.
    """

    __slots__ = ("_burst", "_full_at", "_interval", "_slack", "_tolerance")

    def __init__(
        self, rate: float, burst: int = 1, *, now: float, tolerance: float = TOLERANCE
    ) -> None:
        self._burst = burst
        self._tolerance = tolerance
        self._tune(rate)
        self._full_at = now + self._slack

    @property
    def rate(self) -> float:
        """Tokens/s."""
        return 1 / self._interval

    def take(self, now: float) -> float:
        """Take a token and return 0.0; or take none and return the seconds until there is one."""
        full_at = self._full_at
        wait = full_at - self._slack - now
        if wait > 0.0:
            return wait
        self._full_at = max(full_at, now) + self._interval
        return 0.0

    def put_back(self) -> None:
        """Undo a `take` that was not used."""
        self._full_at -= self._interval

    def set_rate(self, now: float, rate: float) -> None:
        """Go on at `rate` tokens/s with what the bucket holds, fractions included."""
        held = (now + self._slack - max(self._full_at, now)) / self._interval
        self._tune(rate)
        self._full_at = now + max(0.0, self._slack - held * self._interval)

    def _tune(self, rate: float) -> None:
        self._interval = 1 / rate
        self._slack = max((self._burst - 1) * self._interval, self._tolerance)
