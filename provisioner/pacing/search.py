"""The first search for a quota: doubling until throttles stop it."""

from __future__ import annotations

STEP_SECONDS = 0.3
"""Between two doublings, at least; an answer to a call at the last rate is needed too."""
CHEAP_FLIGHT, CAREFUL, MOST_SECONDS = 60.0, 200.0, 3.0
"""Calls on their way that may all be throttled; each 200 more make a step a second longer, up to
three: so much of what a bucket has saved is spent before the next."""
SENT = 0.7
"""The share of a rate that has to be sent before its acceptance allows it."""
LULL = 5.0
"""Seconds after which what was not sent at the rate is forgotten: a pause is no lasting want."""
FLIGHT_HITS, MOST_HITS = 0.1, 20
"""Throttles that end it, besides one: of a flight; at most."""


class Search:
    """A step of the search. One throttle stops the doubling, a few end it.

    `trip` is the mean round trip in seconds, `rate` in calls/s.
    """

    def __init__(self, now: float) -> None:
        self._since = self._began = now
        self._calls = self._hits = 0

    def is_over(self, now: float, rate: float, trip: float) -> bool:
        """Count a throttle: whether there are too many to be chance."""
        self._calls += 1
        if self._hits == 0:
            self._began = now
        self._hits += 1
        return self._hits >= 1 + min(FLIGHT_HITS * rate * trip, MOST_HITS)

    def is_proved(self, now: float, sent_at: float, rate: float, trip: float) -> bool:
        """Count a call let through: whether it allows twice the rate."""
        self._calls += 1
        if self._hits:
            if now > self._began + STEP_SECONDS + trip:
                self._hits, self._began = 0, now
            return False
        is_sent = self._calls >= SENT * rate * (sent_at - self._since)
        if not is_sent and now > self._began + LULL:
            self._since, self._began, self._calls = sent_at, now, 0
        careful = min(MOST_SECONDS, max(0.0, rate * trip - CHEAP_FLIGHT) / CAREFUL)
        return now >= self._began + STEP_SECONDS + careful and is_sent
