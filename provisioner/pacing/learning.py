"""A pace that finds a quota nobody has told: search, measure, close in, hold, probe. Pure."""

from __future__ import annotations

import math
from enum import Enum, auto

from provisioner.pacing.trial import Trial

START = 2.0
"""Calls/s of a first call ever: what the sibling operations' smallest quotas allow."""
SLOW = 8.0
"""Calls/s below which few answers have to do."""
SEARCH_SECONDS = 0.4
SEARCH_ANSWERS = 4
MEASURE_SECONDS = 1.0
MEASURE_ANSWERS = 20
FEW_ANSWERS = 8
OVERWHELMED = 0.6
"""The throttled share above which measuring goes on at a lower rate."""
NOISE = 0.005
"""The throttled share that a service within its quota may show."""
MOVED = 0.1
"""The throttled share that shows a quota to have moved."""
UNEVEN = 0.3
"""Of a flight: how many calls the network may bunch, and a quota throttle for it."""
FINE, COARSE, FINEST_RATE = 0.006, 0.02, 0.05
BELOW = 0.007
NEAR = 1.01
STEP, LARGEST_STEP, SLOW_STEP = 0.05, 1.0, 0.15
PATIENCE, LONGEST_PATIENCE, CONFIDENT_PATIENCE = 20.0, 120.0, 600.0
WORTH, CONFIDENT_WORTH = 1_500.0, 8_000.0
"""Successes to have between two probes, since a failed one costs a few throttles."""
WINDOW = 500
"""Answers over which a held rate is judged."""
LONGEST_TRIAL = 40.0


class Phase(Enum):
    """What the current rate is for."""

    SEARCH = auto()
    MEASURE = auto()
    CLOSE_IN = auto()
    HOLD = auto()
    PROBE = auto()


class LearningPace:
    """Starts at 2/s, or at what is `known`, and keeps close below the quota; never above a ceiling.

    It knows a rate that is allowed and one that is refused. While the second is unknown it
    searches, doubling. Then it measures what is let through, halves the gap until it is half a
    percent (two, at the slowest rates), and holds just below. Where a bucket holds a single token,
    less is let through than is allowed, so a measure is tried before it is believed. From time to
    time it probes a rate above: more rarely each time it is refused, and growing ever faster while
    it is not.

    A rate is refused when more than half a percent of its calls are throttled, and more calls than
    an uneven network explains. Throttles at a held rate mean that the quota moved, or is shared:
    it measures again. Calls that were not sent at the rate, for want of connections or of work,
    allow nothing.

    `known` is believed; `start` is only a place to search from. All rates are in calls/s.
    """

    def __init__(self, *, now: float, known: float | None = None, start: float = START) -> None:
        self.rate = self._wanted = _kept(known) if known else start
        self._allowed = known or 0.0
        self._refused = known * (1 + _fine(known)) if known else math.inf
        self._ceiling = math.inf
        self._patience = CONFIDENT_PATIENCE if known else LONGEST_PATIENCE
        self._is_known = known is not None
        self._is_guess = False
        self._step = STEP
        self._failed_probes = self._refusals = 0
        self._before_probe: tuple[float, int, float] | None = None
        self._flight = 0.0
        self._phase = Phase.HOLD if known else Phase.SEARCH
        self._trial = Trial(now, self.rate)
        self._phases = {
            Phase.SEARCH: self._search,
            Phase.MEASURE: self._measure,
            Phase.CLOSE_IN: self._close_in,
            Phase.HOLD: self._hold,
            Phase.PROBE: self._probe,
        }

    @property
    def learned(self) -> float | None:
        """What the quota is believed to allow; None before it was measured."""
        return self._allowed if self._is_known else None

    def set_ceiling(self, now: float, ceiling: float) -> None:
        """As `Pace.set_ceiling`."""
        self._ceiling = ceiling
        if self.rate != min(self._wanted, ceiling):
            self._try(now, self._wanted, self._phase)

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> None:
        """As `Pace.observe`."""
        trial = self._trial
        if sent_at >= trial.since:
            trial.add(sent_at, throttled=throttled)
            self._flight += 0.05 * (self.rate * (now - sent_at) - self._flight)
            self._phases[self._phase](now, trial)

    def _search(self, now: float, trial: Trial) -> None:
        if self._is_refused(trial):
            self._try(now, _let_through(trial, at_most=1.0), Phase.MEASURE)
        elif self._is_proved(trial, SEARCH_SECONDS) and trial.answers >= SEARCH_ANSWERS:
            self._allowed = self.rate
            self._try(now, self.rate * 2, Phase.SEARCH)

    def _measure(self, now: float, trial: Trial) -> None:
        if _is_overwhelming(trial):
            self._refused = self.rate
            self._allowed = min(self._allowed, self.rate / 4)
            self._try(now, _let_through(trial, at_most=0.5), Phase.MEASURE)
        elif trial.answers >= self._enough() and trial.seconds >= MEASURE_SECONDS:
            self._take_measure(trial)
            self._refusals = 0
            self._fall_back()
            self._settle(now)

    def _take_measure(self, trial: Trial) -> None:
        if trial.calm >= trial.answers / 2:
            # What was throttled at first was the rest of the rate before.
            self._allowed = self.rate
            self._refused = self._refused if self._refused > self.rate else math.inf
            return
        self._is_known = True
        measured, doubt = trial.accepted_rate, self._needed() / trial.answers
        self._refused = min(self.rate, measured * (1 + doubt))
        self._is_guess = True
        self._allowed = min(self.rate * (1 - _fine(self.rate)), measured * (1 - doubt))

    def _fall_back(self) -> None:
        """To the rate before the probe, if that is still right: only a full bucket let it grow."""
        if self._before_probe is None:
            return
        allowed, failed_probes, patience = self._before_probe
        if self._allowed <= allowed * NEAR and self._refused >= allowed / NEAR:
            self._allowed, self._refused = allowed, allowed * (1 + _fine(allowed))
            self._failed_probes, self._patience = failed_probes + 1, patience
        self._before_probe = None

    def _close_in(self, now: float, trial: Trial) -> None:
        if self._is_refused(trial):
            self._is_guess = False
            self._refused = self.rate
            self._refusals += 1
            if trial.share > MOVED and trial.throttled >= self._many():
                self._try(now, self.rate, Phase.MEASURE)
                return
            if self._refusals > 1 or self.rate <= self._allowed * (1 + _fine(self.rate)):
                lower = min(2 * _fine(self.rate) * self._refusals, 0.5)
                self._allowed = min(self._allowed, self.rate) * (1 - lower)
            self._settle(now)
        elif self._is_proved(trial, self._long_enough()):
            self._allowed = self.rate
            self._refusals = 0
            if self._is_guess:
                self._start_probe(now)
            else:
                self._settle(now)

    def _long_enough(self) -> float:
        """Seconds in which an excess of half the gap shows."""
        excess = (self._refused - self._allowed) / 2
        return max(MEASURE_SECONDS, min((1 + self._needed()) / excess, LONGEST_TRIAL))

    def _settle(self, now: float) -> None:
        """Look further, or closer, or hold."""
        if self._refused == math.inf:
            self._try(now, self._allowed * (1 + self._step), Phase.PROBE)
        elif self._refused <= self._allowed * (1 + _fine(self.rate)):
            self._try(now, _kept(self._allowed), Phase.HOLD)
        else:
            self._try(now, (self._allowed + self._refused) / 2, Phase.CLOSE_IN)

    def _hold(self, now: float, trial: Trial) -> None:
        if trial.throttled >= self._many() and trial.share > MOVED:
            self._failed_probes, self._patience = 0, LONGEST_PATIENCE
            self._before_probe = None
            self._try(now, self.rate, Phase.MEASURE)
        elif trial.throttled >= self._many() and trial.share > 2 * NOISE:
            # What was known is so no longer: it is worth looking soon whether it is again.
            self._failed_probes, self._patience = 0, LONGEST_PATIENCE
            self._refused = self.rate
            self._allowed = trial.accepted_rate
            self._settle(now)
        elif trial.seconds >= self._wait():
            self._start_probe(now)
        elif trial.answers >= WINDOW:
            trial.forget()

    def _wait(self) -> float:
        """Seconds until the next probe."""
        if self._patience == CONFIDENT_PATIENCE:
            return max(min(CONFIDENT_WORTH / self.rate, CONFIDENT_PATIENCE), PATIENCE)
        longest = max(min(WORTH / self.rate, self._patience), PATIENCE)
        return min(PATIENCE * 2.0**self._failed_probes, longest)

    def _start_probe(self, now: float) -> None:
        self._is_guess = False
        self._step = min(max(STEP, SLOW_STEP / self.rate), 0.5)
        self._before_probe = self._allowed, self._failed_probes, self._patience
        self._try(now, self._refused * (1 + self._step), Phase.PROBE)

    def _probe(self, now: float, trial: Trial) -> None:
        if self._is_refused(trial):
            self._give_up_probe(now)
        elif self._is_proved(trial, self._proof()):
            self._failed_probes, self._patience = 0, LONGEST_PATIENCE
            self._allowed, self._refused = self.rate, math.inf
            self._try(now, self.rate * (1 + self._step), Phase.PROBE)
            self._step = min(LARGEST_STEP, self._step * 2)

    def _give_up_probe(self, now: float) -> None:
        if self._refused == math.inf:
            self._refused = self.rate
            self._try(now, self._allowed, Phase.MEASURE)
        else:
            self._failed_probes += 1
            self._settle(now)

    def _proof(self) -> float:
        """Seconds that prove a probe: what the service saved up meanwhile is used up by then."""
        saved = 0.0 if self._refused == math.inf else FINE * self._wait()
        return max(MEASURE_SECONDS, (saved + self._needed() / self.rate) / self._step)

    def _enough(self) -> int:
        return FEW_ANSWERS if self.rate < SLOW else MEASURE_ANSWERS

    def _needed(self) -> int:
        """Throttles that the unevenness of a flight does not explain."""
        return 1 + int(UNEVEN * self._flight)

    def _many(self) -> int:
        return max(3, self._needed())

    def _is_refused(self, trial: Trial) -> bool:
        return trial.throttled >= self._needed() and trial.share > NOISE

    def _is_proved(self, trial: Trial, seconds: float) -> bool:
        # At the ceiling there is nothing to prove.
        return trial.seconds >= seconds and trial.is_sent and self.rate < self._ceiling

    def _try(self, now: float, rate: float, phase: Phase) -> None:
        self._wanted = rate
        self.rate = min(rate, self._ceiling)
        self._phase = phase
        self._trial = Trial(now, self.rate)


def _is_overwhelming(trial: Trial) -> bool:
    soon = 0.15 if trial.answers >= MEASURE_ANSWERS else 0.5
    return trial.share > OVERWHELMED and trial.answers > SEARCH_ANSWERS and trial.seconds >= soon


def _let_through(trial: Trial, *, at_most: float) -> float:
    """About the rate that was let through; a quarter to `at_most` of the one tried."""
    guess = trial.rate if trial.answers < FEW_ANSWERS else 1.2 * trial.accepted_rate
    return min(max(guess, trial.rate / 4), at_most * trial.rate)


def _fine(rate: float) -> float:
    """The gap, as a share, below which nobody looks closer: what some ten seconds can show."""
    return min(max(FINEST_RATE / rate, FINE), COARSE)


def _kept(allowed: float) -> float:
    """What is used of what is allowed."""
    return allowed * (1 - max(0.5 * _fine(allowed), BELOW))
