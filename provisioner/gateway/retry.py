"""When to try again: tenacity's strategies, evaluated as pure functions of the attempt number."""

from __future__ import annotations

from random import Random

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential

from provisioner.job import Outcome, Verdict

BASE = 0.2
CAP = 20.0
LONGEST_RETRY_AFTER = 300.0


class FullJitter(wait_exponential):
    """Uniform between 0 and tenacity's exponential wait, drawn from a generator of our own.

    tenacity's `wait_random_exponential` is the same drawn from the global generator, which no
    seed of a simulation should share.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(multiplier=BASE, max=CAP)
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds, from 0 to min(20, 0.2 x 2^(attempt - 1))."""
        return self._random.uniform(0.0, super().__call__(retry_state))


class BackoffPolicy:
    """Exponential backoff with full jitter; implements `ports.RetryPolicy`.

    After the n-th attempt: `uniform(0, min(20, 0.2 x 2^(n-1)))` seconds, on top of the service's
    `Retry-After` (at most 300) where it gave one. Only a RETRYABLE outcome is tried again, and at
    most `max_attempts` attempts are made, of those that count.

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self, max_attempts: int, random: Random) -> None:
        self._stop = stop_after_attempt(max_attempts)
        self._wait = FullJitter(random)
        self._retrying = Retrying(stop=self._stop, wait=self._wait)

    def delay(self, outcome: Outcome, attempts: int, *, counted: int | None = None) -> float | None:
        """Seconds until the next attempt after `attempts` of this run; None: no more."""
        if outcome.verdict is not Verdict.RETRYABLE:
            return None
        state = RetryCallState(self._retrying, None, (), {})
        state.attempt_number = attempts if counted is None else counted
        if self._stop(state):
            return None
        state.attempt_number = attempts
        asked = min(outcome.retry_after or 0.0, LONGEST_RETRY_AFTER)
        return asked + self._wait(state)
