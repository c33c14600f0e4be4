"""Steps above what is believed of a quota, each with twice the excess of the one before."""

from __future__ import annotations

LEAST_STEP, GENTLE_STEP, LARGEST_STEP, SPENDING_STEP = 0.01, 0.1, 0.5, 0.2
"""Shares of the quota: the least, a slow quota's, a short flight's, and to use what is saved."""
EXCESS, FIRST_EXCESS = 30.0, 8.0
"""Calls in flight beyond the quota by which a step may grow; and that a first one may cost."""
STEP_SECONDS = 1.1
"""Longer than a second, at whose end a quota in windows throttles."""
SECONDS = 30.0
"""In which the first step is to show its throttle."""
PROOF = 2.0
"""Calls beyond what the service may have saved that prove a step."""
HITS, FLIGHT_HITS = 0.003, 0.2
"""Throttles that refuse a step, besides one: of its calls, and of its excess in flight."""
FLURRY, FLURRY_NOISE = 2.5, 0.005
"""Throttles of one flight that refuse it in any case, besides those; and of the flight's calls."""
LEAST = 1e-9
"""Of a flight: one that was not yet seen has no calls."""


class Probe:
    """The course of one probe; `step` and `proved` are shares above the quota.

    `is_first` is one after a spell, which only opens the case; `is_regular` one like those to come,
    whose cost tells theirs.
    """

    def __init__(self, now: float, step: float, *, is_first: bool, is_regular: bool) -> None:
        self.is_first = is_first
        self.is_regular = is_regular
        self.proved = 0.0
        self._begin(now, step)

    def _begin(self, now: float, step: float) -> None:
        self.step = step
        self._began = now
        self._calls = self._hits = 0

    @property
    def gap(self) -> float:
        """Between the step that was refused and the one that was proved, as a share."""
        return (1 + self.step) / (1 + self.proved) - 1

    def is_proved(self, now: float, excess: float, doubt: float, flight: float) -> bool:
        """Count a call let through; whether `excess` calls prove the step. The next one begins."""
        self._calls += 1
        if excess < PROOF + doubt or now - self._began < STEP_SECONDS:
            return False
        self.proved = self.step
        self._begin(now, self.step + min(self.step, max(LEAST_STEP, EXCESS / max(flight, LEAST))))
        return True

    def is_refused(self, flight: float, flurry: float) -> bool:
        """Count a throttle; `flight` is how many calls of the quota are on their way at once.

        `flurry` is how many of one flight were throttled.
        """
        self._hits += 1
        excess = FLIGHT_HITS * self.step * flight
        is_flurry = flurry >= FLURRY + FLURRY_NOISE * flight + excess
        return is_flurry or self._hits >= 1 + int(HITS * self._calls + excess)


def largest_step(flight: float) -> float:
    """Of a known quota's first probe, which is to spend what the service saved before it began."""
    flight = max(flight, LEAST)
    return min(LARGEST_STEP, max(1.0, min(SPENDING_STEP * flight, FIRST_EXCESS)) / flight)


def first_step(wanted: float, quota: float, doubt: float, saved: float, flight: float) -> float:
    """The step to begin with: at least `wanted`, and larger while the service has something saved.

    It is large enough to tell within half a minute and so small that it costs about one throttle.
    `doubt` is how many calls beyond the quota prove nothing, `saved` of them from its bucket.
    """
    slowest = (PROOF + doubt) / (SECONDS * quota)
    least = max(wanted, min(max(LEAST_STEP, slowest), GENTLE_STEP))
    cheap = max(LEAST_STEP, min(LARGEST_STEP, 1 / max(flight, LEAST)))
    return max(min(least, cheap), min(SPENDING_STEP, saved / (4 * quota + 25)))
