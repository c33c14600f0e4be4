"""How fast to go, decided from what the service answers; pure, time is an argument."""

from __future__ import annotations

import math
from typing import Protocol

WINDOW = 1.0
"""Seconds of answers a decision needs at least."""
ENOUGH = 20
"""Answers that decide."""
PROOF = 2
"""Throttles that decide, however few the answers: one alone proves nothing."""
PATIENCE = 5.0
"""Seconds after which answers without a throttle decide, however few."""
NOISE = 0.02
"""The throttled share that a service within its quota may show."""
GROWTH = 1.05
LARGEST_CUT = 0.5
SMALLEST_SHARE = 0.01
SMALLEST_RATE = 0.1


class Pace(Protocol):
    """A rate that learns. The seat of any controller."""

    rate: float
    """Calls/s, now."""

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> float | None:
        """Learn from an answer to a call sent at `sent_at`; return the new rate if it changes."""


class FixedPace:
    """A given rate, never exceeded; throttles slow it down and their absence lets it recover.

    Answers are judged in windows of at least a second and twenty answers (or two throttles; or
    five seconds without any). A window with more than 2 % throttles, and more than one, cuts the
    rate to what was accepted of it, at most by half, never below the larger of 0.1/s and 1 % of
    the ceiling. Any other window lets it grow by 5 %, and each one that follows by twice as much,
    at most doubling, until the ceiling is reached.

    Only answers to calls sent since the last change count: one flight of throttles is one cut.
    """

    def __init__(self, ceiling: float) -> None:
        self.rate = ceiling
        self._ceiling = ceiling
        self._floor = min(ceiling, max(SMALLEST_RATE, ceiling * SMALLEST_SHARE))
        self._growth = GROWTH
        self._changed_at = -math.inf
        self._began_at = math.inf
        self._answers = 0
        self._throttled = 0

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> float | None:
        """As `Pace.observe`."""
        if sent_at < self._changed_at:
            return None
        self._began_at = min(self._began_at, sent_at)
        self._answers += 1
        self._throttled += throttled
        return self._conclude(now) if self._is_conclusive(now - self._began_at) else None

    def _is_conclusive(self, elapsed: float) -> bool:
        if elapsed < WINDOW:
            return False
        quiet = not self._throttled and elapsed >= PATIENCE
        return quiet or self._answers >= ENOUGH or self._throttled >= PROOF

    def _conclude(self, now: float) -> float | None:
        previous, self.rate = self.rate, self._judge()
        self._began_at, self._answers, self._throttled = math.inf, 0, 0
        if self.rate == previous:
            return None
        self._changed_at = now
        return self.rate

    def _judge(self) -> float:
        share = self._throttled / self._answers
        if self._throttled >= PROOF and share > NOISE:
            self._growth = GROWTH
            return max(self._floor, self.rate * max(1 - share, LARGEST_CUT))
        grown = min(self._ceiling, self.rate * self._growth)
        self._growth = min(2.0, 1 + 2 * (self._growth - 1))
        return grown
