"""A pace that finds a quota nobody has told: search, measure, close in, hold, probe. Pure."""

from __future__ import annotations

import math
from enum import Enum

START = 2.0
"""Calls/s of a first call ever: what the sibling operations' smallest quotas allow."""
COARSE = 0.02
FINE = 0.006
BELOW = 0.007
NEAR = 1.01
"""The gap between what is allowed and what is not, as a share, below which nobody looks closer."""
NOISE = 0.005
"""The throttled share that a service within its quota may show."""
MOVED = 0.1
FEW = 6
ENOUGH = 20
STEP = 0.05
LARGEST_STEP = 1.0
PATIENCE = 20.0
LONGEST_PATIENCE = 120.0
CONFIDENT_PATIENCE = 600.0
WORTH_COLD = 1500.0
WORTH = 4000.0
"""Successes that a failed probe, of a few throttles, may cost at most."""


class Phase(Enum):
    """What the current rate is for."""

    SEARCH = "search"
    MEASURE = "measure"
    CLOSE_IN = "close in"
    HOLD = "hold"
    PROBE = "probe"


class Trial:
    """The answers to the calls sent since the rate was set; throttles of older ones say nothing."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.last = since
        self.answers = 0
        self.throttled = 0
        self.calm = 0

    def add(self, sent_at: float, *, throttled: bool) -> None:
        """Count one."""
        self.answers += 1
        self.throttled += throttled
        self.calm = 0 if throttled else self.calm + 1
        self.last = max(self.last, sent_at)

    @property
    def seconds(self) -> float:
        """How long calls were sent for whose answers are here."""
        return self.last - self.since

    @property
    def share(self) -> float:
        """Throttled, of all."""
        return self.throttled / self.answers if self.answers else 0.0



class LearningPace:
    """Starts at 2/s, or at what is `known`, and keeps close below the quota; never above `ceiling`.

    It knows a rate that is allowed and one that is not. While the second is unknown it searches,
    doubling. Then it measures what is let through, halves the gap until it is half a percent, and
    holds the rate that is allowed. From time to time it probes a percent above what was not: more
    and more rarely while that stays so, and growing fast when it no longer does.

    Throttles that nothing it did explains mean that the quota moved: it measures again.

    Rates are in calls/s.
    """

    def __init__(self, *, now: float, known: float | None = None, sure: bool = True) -> None:
        self.rate = _kept(known) if known else START
        self._ceiling = math.inf
        self._allowed = known or 0.0
        self._refused = math.inf
        self._step = STEP
        self._failed_probes = 0
        self._patience = CONFIDENT_PATIENCE if known and sure else LONGEST_PATIENCE
        self._trial = Trial(now)
        self._held_since = now
        self._flight = 0.0
        self._refusals = 0
        self._proven = 0.0
        self._before = (0, LONGEST_PATIENCE)
        self._phase = Phase.SEARCH
        if known:
            self._refused = known * (1 + FINE)
            self._phase = Phase.HOLD

    @property
    def learned(self) -> float | None:
        """What the quota is believed to allow; None before there was a throttle."""
        return None if self._refused == math.inf else self._allowed or None

    def set_ceiling(self, now: float, ceiling: float) -> None:
        """As `Pace.set_ceiling`."""
        self._ceiling = ceiling
        if self.rate > ceiling:
            self._try(now, ceiling, self._phase)

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> None:
        """As `Pace.observe`."""
        trial = self._trial
        if sent_at < trial.since:
            return
        trial.add(sent_at, throttled=throttled)
        self._flight += 0.05 * (self.rate * (now - sent_at) - self._flight)
        match self._phase:
            case Phase.SEARCH:
                self._search(now, trial)
            case Phase.MEASURE:
                self._measure(now, trial)
            case Phase.CLOSE_IN:
                self._close_in(now, trial)
            case Phase.HOLD:
                self._hold(now, trial)
            case Phase.PROBE:
                self._probe(now, trial)

    def _search(self, now: float, trial: Trial) -> None:
        if self._is_refused(trial):
            self._try(now, self._let_through(trial, 1.0), Phase.MEASURE)
        elif self._is_steady(trial) and trial.seconds >= 0.4 and trial.answers >= 4:
            self._allowed = self.rate
            self._try(now, self.rate * 2, Phase.SEARCH)

    def _measure(self, now: float, trial: Trial) -> None:
        if trial.share > 0.6 and self._is_plain(trial):
            self._refused = self.rate
            self._allowed = min(self._allowed, self.rate / 4)
            self._try(now, self._let_through(trial, 0.5), Phase.MEASURE)
        elif trial.answers >= self._enough() and trial.seconds >= 1.0:
            if trial.calm < trial.answers / 2:
                measured, doubt = self.rate * (1 - trial.share), self._needed() / trial.answers
                self._refused = min(self.rate, measured * (1 + doubt))
                self._allowed = min(self.rate * (1 - self._fine), measured * (1 - doubt))
            else:
                self._allowed = self.rate
                if self._refused <= self.rate:
                    self._refused = math.inf
            self._refusals = 0
            if self._allowed <= self._proven * NEAR and self._refused >= self._proven / NEAR:
                self._fall_back(now)
            else:
                self._proven = 0.0
                self._settle(now)

    def _fall_back(self, now: float) -> None:
        """What looked like growth was a bucket that had filled up meanwhile."""
        self._allowed, self._refused = self._proven, self._proven * (1 + self._fine)
        self._failed_probes, self._patience = self._before
        self._failed_probes += 1
        self._settle(now)

    def _let_through(self, trial: Trial, most: float) -> float:
        """About the rate that was accepted, at most a share `most` of the current one."""
        guess = self.rate if trial.answers < 8 else self.rate * (1 - trial.share) * 1.2
        return min(max(guess, self.rate / 4), most * self.rate)

    def _is_plain(self, trial: Trial) -> bool:
        return trial.seconds >= (0.15 if trial.answers >= ENOUGH else 0.5) and trial.answers >= 5

    @property
    def _fine(self) -> float:
        return _fine(self.rate)

    def _enough(self) -> int:
        return 8 if self.rate < 8 else ENOUGH

    def _close_in(self, now: float, trial: Trial) -> None:
        if self._is_refused(trial):
            self._refused = self.rate
            self._refusals += 1
            if trial.share > MOVED and trial.throttled >= max(3, self._needed()):
                self._try(now, self.rate, Phase.MEASURE)
                return
            if self._refusals >= 2 or self.rate <= self._allowed * (1 + self._fine):
                self._allowed = min(self._allowed, self.rate) * (
                    1 - min(2 * self._fine * self._refusals, 0.5)
                )
            self._settle(now)
        elif self._is_steady(trial) and trial.seconds >= self._long_enough():
            self._allowed = self.rate
            self._refusals = 0
            self._settle(now)

    def _long_enough(self) -> float:
        excess = (self._refused - self._allowed) / 2
        return max(1.0, min((1.0 + self._needed()) / excess, 40.0))

    def _settle(self, now: float) -> None:
        """Look closer, or hold."""
        if self._refused == math.inf:
            self._try(now, self._allowed * (1 + self._step), Phase.PROBE)
        elif self._refused <= self._allowed * (1 + self._fine):
            self._try(now, _kept(self._allowed), Phase.HOLD)
        else:
            self._try(now, (self._allowed + self._refused) / 2, Phase.CLOSE_IN)

    def _hold(self, now: float, trial: Trial) -> None:
        needed = max(3, self._needed())
        if trial.throttled >= needed and trial.share > MOVED:
            self._failed_probes, self._patience = 0, LONGEST_PATIENCE
            self._proven = 0.0
            self._try(now, self.rate, Phase.MEASURE)
        elif trial.throttled >= needed and trial.share > 2 * NOISE:
            self._refused = self.rate
            self._allowed = self.rate * (1 - trial.share)
            self._settle(now)
        elif now - self._held_since >= self._wait():
            self._step, self._proven = self._first_step(), self._allowed
            self._before = self._failed_probes, self._patience
            self._try(now, self._refused * (1 + self._step), Phase.PROBE)
        elif trial.answers >= 500:
            trial.answers = trial.throttled = 0

    def _wait(self) -> float:
        """Seconds until the next probe."""
        if self._patience == CONFIDENT_PATIENCE:
            return max(min(WORTH / self.rate, self._patience), PATIENCE)
        longest = max(min(WORTH_COLD / self.rate, self._patience), PATIENCE)
        return min(PATIENCE * 2.0**self._failed_probes, longest)

    def _probe(self, now: float, trial: Trial) -> None:
        if self._is_refused(trial):
            if self._refused == math.inf:
                self._refused = self.rate
                self._try(now, self._allowed, Phase.MEASURE)
            else:
                self._failed_probes += 1
                self._try(now, _kept(self._allowed), Phase.HOLD)
        elif self._is_steady(trial) and trial.seconds >= self._proof():
            self._failed_probes, self._patience = 0, LONGEST_PATIENCE
            self._allowed, self._refused = self.rate, math.inf
            self._try(now, self.rate * (1 + self._step), Phase.PROBE)
            self._step = min(LARGEST_STEP, self._step * 2)

    def _first_step(self) -> float:
        return min(max(STEP, 0.15 / self.rate), 0.5)

    def _proof(self) -> float:
        """Seconds without a throttle that prove a probe: what was saved up while holding is used up."""
        saved = 0.0 if self._refused == math.inf else FINE * self._wait()
        return max(1.0, (saved + self._needed() / self.rate) / self._step)

    def _needed(self) -> int:
        """Throttles that are more than the unevenness of one flight."""
        return 1 + int(0.3 * self._flight)

    def _is_refused(self, trial: Trial) -> bool:
        return trial.throttled >= self._needed() and trial.share > NOISE

    def _is_steady(self, trial: Trial) -> bool:
        """Whether calls really were sent at the rate, so that their acceptance allows it."""
        return trial.answers >= 0.7 * self.rate * trial.seconds

    def _try(self, now: float, rate: float, phase: Phase) -> None:
        if phase is Phase.HOLD:
            self._held_since = now
        self.rate = min(rate, self._ceiling)
        self._phase = phase
        self._trial = Trial(now)


def _fine(rate: float) -> float:
    """The gap, as a share, below which nobody looks closer: what some ten seconds can show."""
    return min(max(0.05 / rate, FINE), COARSE)


def _kept(allowed: float) -> float:
    """What is used of what is allowed."""
    return allowed * (1 - max(0.5 * _fine(allowed), BELOW))
