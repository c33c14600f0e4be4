"""What the answers tell whatever the rate is for: the network's trips, throttles of late."""

from __future__ import annotations

SHARE = 0.05
"""The weight of the newest trip in the running means (TCP's estimator, RFC 6298, uses 1/8)."""
FEW = 20
"""Answers over which throttles fade at the least."""
A_WHILE = 1.0
"""Seconds over which they do: a quota of so many a second throttles in one piece at its end."""


class Answers:
    """Counts that outlive a change of the rate.

    `accepted` is a number of calls; `trip` and `uneven` are seconds: the mean round trip, and its
    mean deviation. `flurry` counts the throttles of about one flight and `recent` those of a
    second, or of twenty answers, each fading.
    """

    __slots__ = ("_last", "accepted", "flurry", "recent", "trip", "uneven")

    def __init__(self) -> None:
        self.accepted = 0
        self.trip = self.uneven = 0.0
        self.flurry = self.recent = 0.0
        self._last: float | None = None

    def add(self, now: float, sent_at: float, rate: float, *, throttled: bool) -> float:
        """Count an answer; the seconds since the one before."""
        self._time(now - sent_at)
        self.accepted += not throttled
        self.flurry += throttled - self.flurry / max(FEW, rate * self.trip)
        self.recent += throttled - self.recent / self.memory(rate)
        since = max(0.0, now - self._last) if self._last is not None else 0.0
        self._last = now
        return since

    def memory(self, rate: float) -> float:
        """Answers over which `recent` fades."""
        return max(FEW, rate * max(self.trip, A_WHILE))

    def bunched(self, rate: float) -> float:
        """Calls which the network may put together that were sent apart."""
        return self.uneven * rate

    def forget_throttles(self, count: int) -> None:
        """Begin anew with `count` of them."""
        self.flurry = self.recent = float(count)

    def _time(self, trip: float) -> None:
        if self._last is None:
            self.trip, self.uneven = trip, 0.1 * trip
            return
        self.uneven += SHARE * (abs(trip - self.trip) - self.uneven)
        self.trip += SHARE * (trip - self.trip)
