"""How fast to go, decided from what the service answers; pure, time is an argument."""

from __future__ import annotations

from typing import Protocol

WINDOW = 1.0
"""Seconds of sending a decision needs at least."""
ENOUGH = 20
"""Answers that decide."""
PROOF = 2
"""Throttles that decide, however few the answers: one alone proves nothing."""
PATIENCE = 5.0
CALM = 3
"""Seconds after which that many answers in a row without a throttle decide."""
NOISE = 0.02
"""The throttled share that a service within its quota may show."""
STEP = 0.05
LARGEST_STEP = 1.0
LARGEST_CUT = 0.5
SMALLEST_SHARE = 0.01
SMALLEST_RATE = 0.1
LONGEST_HOLD = 16


class Pace(Protocol):
    """A rate that learns. The seat of any controller."""

    rate: float
    """Calls/s, now."""

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> float:
        """Learn from an answer to a call sent at `sent_at`; how many calls to leave out now."""

    @property
    def learned(self) -> float | None:
        """Calls/s that the quota was found to allow, if that is known."""

    def set_ceiling(self, now: float, ceiling: float) -> None:
        """From now on never exceed `ceiling` calls/s."""


class FixedPace:
    """A given rate, never exceeded; throttles slow it down and their absence lets it recover.

    Answers are judged in windows of at least a second of sending and twenty answers (or two
    throttles; or, after five seconds, three answers in a row without one). Only answers to calls
    sent since the last judgement count: one flight of throttles is one cut.

    A window with more than one throttle, and more than 2 % of them, cuts the rate to the share
    that was accepted, at most by half, never below the larger of 0.1/s and 1 % of the ceiling.
    Any other lets it grow towards the ceiling: by 5 %, then 10 %, doubling with each success.

    A growth that meets throttles was a failed probe. It goes back to the rate before it, which
    was clean, and waits twice as many clean windows as the last time, at most 16, for the next.

    `ceiling` is in calls/s; `now` on the clock of `observe`.
    """

    learned = None

    def __init__(self, ceiling: float, *, now: float) -> None:
        self.set_ceiling(now, ceiling)

    def set_ceiling(self, now: float, ceiling: float) -> None:
        """As `Pace.set_ceiling`; what was learned is forgotten, so that the rate is the ceiling."""
        self.rate = ceiling
        self._ceiling = ceiling
        self._floor = min(ceiling, max(SMALLEST_RATE, ceiling * SMALLEST_SHARE))
        self._step = STEP
        self._clean_rate = ceiling
        self._hold = self._held = 0
        self._since = now
        self._answers = self._throttled = self._calm = 0

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> float:
        """As `Pace.observe`; leaves none out."""
        if sent_at >= self._since:
            self._answers += 1
            self._throttled += throttled
            self._calm = 0 if throttled else self._calm + 1
            if self._is_conclusive(sent_at - self._since):
                self._judge(now)
        return 0.0

    def _is_conclusive(self, elapsed: float) -> bool:
        if elapsed < WINDOW:
            return False
        quiet = self._calm >= CALM and elapsed >= PATIENCE
        return quiet or self._answers >= ENOUGH or self._throttled >= PROOF

    def _judge(self, now: float) -> None:
        share = self._throttled / self._answers
        guilty = self._throttled >= PROOF and share > NOISE
        self.rate = self._cut(share) if guilty else self._grow()
        self._since = now
        self._answers = self._throttled = self._calm = 0

    def _cut(self, share: float) -> float:
        accepted = max(self._floor, self.rate * max(1 - share, LARGEST_CUT))
        probed = self._clean_rate < self.rate
        self._hold = min(max(1, 2 * self._hold), LONGEST_HOLD) if probed else 0
        target = max(accepted, self._clean_rate) if probed else accepted
        self._step, self._held, self._clean_rate = STEP, 0, self._ceiling
        return target

    def _grow(self) -> float:
        self._clean_rate = self.rate
        if self._held < self._hold:
            self._held += 1
            return self.rate
        grown = min(self._ceiling, self.rate * (1 + self._step))
        self._step = min(LARGEST_STEP, 2 * self._step)
        return grown
