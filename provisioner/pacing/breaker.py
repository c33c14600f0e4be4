"""When to leave a service alone, and when to give up on it; pure, time is an argument."""

from __future__ import annotations

import math
from enum import Enum, auto

import msgspec

from provisioner.errors import ExitCode
from provisioner.job import TOO_LATE, Outcome, Verdict

REFUND = 0.5
"""What a call that went well gives back of the budget, of which a failure takes 1."""
REMNANT = 0.25
"""The share of its budget with which a breaker closes: a service that fails again is left alone."""
SHORTEST_WAIT = 1.0
LONGEST_WAIT = 60.0
PROBE_WATCH = 0.5
"""Seconds after which to ask again while the one probing call is out."""
LONGEST_SILENCE = 300.0
"""Seconds between two calls that count at most: a lane that was idle has not been failing."""
PROOF = 3
"""Calls without which no time is long enough to give up."""


class Sign(Enum):
    """What an outcome says of the service."""

    WELL = auto()
    SICK = auto()
    BUSY = auto()
    NOTHING = auto()


def sign_of(outcome: Outcome) -> Sign:
    """A refusal of one row shows a service that is well; a 429 one that is busy, not sick."""
    if outcome.verdict is Verdict.CREATED and outcome.answered:
        return Sign.WELL
    if outcome == TOO_LATE or outcome.verdict is Verdict.FATAL:
        return Sign.NOTHING
    if outcome.throttled:
        return Sign.BUSY
    if outcome.verdict in {Verdict.RETRYABLE, Verdict.AMBIGUOUS}:
        return Sign.SICK
    return Sign.WELL if outcome.answered else Sign.NOTHING


class CircuitBreaker:
    """A retry budget for a lane and a breaker that opens when it is spent.

    Each failure (a 503, no connection, an outcome that nobody knows) takes 1 of `budget`, each
    call that went well gives 0.5 back: up to a third of the calls may fail for ever. A 429 counts
    as neither. When nothing is left no call is admitted for a second, then one as a probe. A probe
    that fails doubles the wait, up to a minute; one that is answered, be it by a 429, closes the
    breaker, with a quarter of the budget. Waits begin at a second again once the budget is full.

    `given_up` is due when no call went well for `give_up` seconds: as unwell (69), or, when most
    were throttled and the breaker is closed, as misconfigured (78). Of a silence between calls
    five minutes count.

    Times are seconds of one monotonic clock. Retry budgets: Finagle's, and the AWS SDKs' standard
    mode; breakers: Nygard, Release It!
    """

    def __init__(self, *, give_up: float, budget: float) -> None:
        self._give_up = give_up
        self._most = budget
        self._budget = budget
        self._wait = SHORTEST_WAIT
        self._probed_at: float | None = None
        self._ailment = _Ailment()
        self.open_until: float | None = None

    def admit(self, now: float) -> float:
        """0.0 for a call that may be made now, and then has to be; or seconds to ask again in."""
        if self.open_until is None:
            return 0.0
        if self._probed_at is not None:
            return PROBE_WATCH
        wait = self.open_until - now
        if wait > 0.0:
            left = self._give_up - self._ailment.seconds(now)
            return min(wait, left) if left > 0.0 else wait
        self._probed_at = now
        return 0.0

    def observe(self, now: float, outcome: Outcome, *, sent_at: float) -> None:
        """Learn from an outcome of a call that left at `sent_at`."""
        sign = sign_of(outcome)
        self._ailment.observe(now, sign, outcome)
        if self.open_until is None:
            self._spend(now, sign)
        elif self._probed_at is not None and sent_at >= self._probed_at:
            self._judge_probe(now, sign)

    def given_up(self, now: float) -> Outcome | None:
        """Why no more calls are to be made, as the last failure turned fatal; None to go on."""
        ailment = self._ailment
        if ailment.last is None or ailment.calls < PROOF:
            return None
        seconds = ailment.seconds(now)
        if seconds < self._give_up:
            return None
        throttled = self.open_until is None and ailment.throttles > ailment.calls / 2
        told = filter(None, (f"no call went well for {seconds:.0f} s", ailment.last.message))
        return msgspec.structs.replace(
            ailment.last,
            verdict=Verdict.FATAL,
            message="; the last: ".join(told),
            fatal_exit=ExitCode.CONFIGURATION if throttled else ExitCode.SERVICE,
        )

    def _spend(self, now: float, sign: Sign) -> None:
        if sign is Sign.SICK:
            self._budget -= 1.0
        elif sign is Sign.WELL:
            self._budget = min(self._most, self._budget + REFUND)
        if self._budget >= self._most:
            self._wait = SHORTEST_WAIT
        if self._budget <= 0.0:
            self._open(now)

    def _judge_probe(self, now: float, sign: Sign) -> None:
        self._probed_at = None
        if sign is Sign.SICK:
            self._open(now)
        elif sign is not Sign.NOTHING:
            self.open_until = None
            self._budget = max(1.0, self._most * REMNANT)

    def _open(self, now: float) -> None:
        self.open_until = now + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT)


class _Ailment:
    """How long no call went well, and what its calls came to."""

    def __init__(self) -> None:
        self._heal()

    def _heal(self) -> None:
        self.calls = self.throttles = 0
        self.last: Outcome | None = None
        self._sum = 0.0
        self._last_at = math.inf

    def observe(self, now: float, sign: Sign, outcome: Outcome) -> None:
        if sign is Sign.WELL:
            self._heal()
        elif sign is not Sign.NOTHING:
            self._sum = self.seconds(now)
            self._last_at = now
            self.last = outcome
            self.calls += 1
            self.throttles += sign is Sign.BUSY

    def seconds(self, now: float) -> float:
        return self._sum + min(max(now - self._last_at, 0.0), LONGEST_SILENCE)
