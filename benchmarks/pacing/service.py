"""A service with a quota that may move and be shared, and that may refuse at random."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, kw_only=True)
class Quota:
    """`rate` calls/s: a token bucket of `burst` tokens, or windows of `window` seconds."""

    rate: float
    burst: float = 1.0
    window: float | None = None


class Gate:
    """Admits what a quota allows; its rate may change."""

    def __init__(self, quota: Quota) -> None:
        self.rate = quota.rate
        self._share = quota.burst
        self._window = quota.window
        self._tokens = quota.burst
        self._at = 0.0
        self._count = 0

    def set_rate(self, now: float, rate: float) -> None:
        """Move the quota."""
        self._refill(now)
        self.rate = rate

    def admit(self, now: float) -> bool:
        """Whether a call at `now` is within it."""
        if self._window is not None:
            return self._admit_in_window(now, self._window)
        self._refill(now)
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._share, self._tokens + (now - self._at) * self.rate)
            self._at = now

    def _admit_in_window(self, now: float, window: float) -> bool:
        number = now // window
        if number != self._at:
            self._at, self._count = number, 0
        if self._count >= round(self.rate * window):
            return False
        self._count += 1
        return True


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One night: times in seconds, `moves` are (at, factor of the rate from then on).

    `tenant` is (from, until, share of the quota that somebody else asks for). `noise` is the share
    of calls that are throttled for no reason. `latency` is the round trip, one fifth of it random.
    """

    name: str
    quota: Quota
    seconds: float = 600.0
    latency: float = 0.12
    noise: float = 0.0
    moves: tuple[tuple[float, float], ...] = ()
    tenant: tuple[float, float, float] | None = None
    clients: int = 1
    connections: int = 1024
    is_steady: bool = True

    def allowed(self) -> float:
        """Calls that the quota lets through over the night, its burst left out."""
        edges = [0.0, *(at for at, _ in self.moves), self.seconds]
        factors = [1.0, *(factor for _, factor in self.moves)]
        spans = zip(edges, edges[1:], factors, strict=False)
        return sum((until - since) * factor for since, until, factor in spans) * self.quota.rate

    def round_trip(self, random: Random) -> float:
        """Seconds from send to answer."""
        return self.latency * (0.8 + random.expovariate(5.0))
