"""One attempt of a job: intent durable, call, verdict, outcome durable."""

from __future__ import annotations

import msgspec

from provisioner.events import (
    BreakerClosed,
    BreakerOpened,
    CallSent,
    EventSink,
    OutcomeRecorded,
    OutcomeUnrecorded,
)
from provisioner.job import TOO_LATE, Attempt, Job, JobState, Outcome, Verdict, state_after
from provisioner.lane import Lane
from provisioner.ports import Clock, Ledger


class Tries:
    """A job's attempts of this run: all, and those that count towards the most that are made."""

    __slots__ = ("counted", "made")

    def __init__(self) -> None:
        self.made = self.counted = 0


class Sender:
    """Makes calls over a lane, each recorded before and after. `in_flight` counts those now."""

    def __init__(self, ledger: Ledger, lane: Lane, clock: Clock, emit: EventSink) -> None:
        self.in_flight = 0
        self._ledger = ledger
        self._lane = lane
        self._clock = clock
        self._emit = emit

    async def send(self, job: Job, tries: Tries) -> OutcomeRecorded:
        """Make one attempt, and add it to the job's `tries`; what is durable of it.

        Raises:
            CannotWriteError: the intent, and nothing was sent; or the outcome, which then is told
                as `OutcomeUnrecorded`.
        """
        granted_at = self._clock.monotonic()
        attempt = await self._ledger.open_attempt(job)
        await self._lane.limiter.depart()
        left_at = self._clock.monotonic()
        self.in_flight += 1
        try:
            outcome, latency = await self._call(job, attempt)
            change = self._observe(outcome, left_at)
            retry_in = self._retry_in(outcome, tries)
            state = state_after(outcome, exhausted=retry_in is None)
            await self._record(job, attempt, outcome, state)
        finally:
            self.in_flight -= 1
        # Whoever learns of it may fail: it is durable by now.
        self._lane.limiter.observe(outcome, sent_at=left_at)
        recorded = OutcomeRecorded(
            job_key=job.key,
            attempt=attempt.number,
            outcome=outcome,
            state=state,
            latency=latency,
            recording=max(self._clock.monotonic() - granted_at - latency, 0.0),
            retry_in=retry_in,
            at=self._clock.time(),
        )
        self._emit(recorded)
        if change is not None:
            self._emit(change)
        return recorded

    async def _call(self, job: Job, attempt: Attempt) -> tuple[Outcome, float]:
        """What came of the call, and its latency in seconds."""
        self._emit(CallSent(job_key=job.key, attempt=attempt.number, at=self._clock.time()))
        started = self._clock.monotonic()
        left_at = self._clock.time()
        not_after = attempt.opened_at + self._lane.fence
        outcome = await self._lane.gateway.create(job.request, not_after=not_after)
        if self._clock.time() - left_at > self._lane.patience:
            outcome = _doubted(outcome)
        return outcome, self._clock.monotonic() - started

    def _observe(self, outcome: Outcome, left_at: float) -> BreakerOpened | BreakerClosed | None:
        """Let the breaker learn of it; what that changes."""
        breaker, now = self._lane.breaker, self._clock.monotonic()
        before = breaker.open_until
        breaker.observe(now, outcome, sent_at=left_at)
        if breaker.open_until == before:
            return None
        at = self._clock.time()
        if breaker.open_until is None:
            return BreakerClosed(at=at)
        reason = outcome.error_code or outcome.verdict
        return BreakerOpened(reason=reason, seconds=breaker.open_until - now, at=at)

    def _retry_in(self, outcome: Outcome, tries: Tries) -> float | None:
        """Seconds until the job's next attempt, None if there is to be none.

        What says nothing but "later", or comes of a service that is unwell, does not count.
        """
        believed = self._lane.breaker.open_until is None
        tries.made += 1
        tries.counted += believed and outcome.answered and not outcome.throttled
        return self._lane.retry.delay(outcome, tries.made, counted=tries.counted)

    async def _record(self, job: Job, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        try:
            await self._ledger.close_attempt(attempt, outcome, state)
        except Exception:
            at = self._clock.time()
            self._emit(
                OutcomeUnrecorded(job_key=job.key, attempt=attempt.number, outcome=outcome, at=at)
            )
            raise


def _doubted(outcome: Outcome) -> Outcome:
    """What an outcome says of a call whose process was stopped meanwhile.

    A session is sure, and so is what never left. Any other request may have left late, and what
    refuses it for its age says nothing of the lane.
    """
    if outcome.verdict is Verdict.CREATED or outcome == TOO_LATE:
        return outcome
    return msgspec.structs.replace(
        outcome,
        verdict=Verdict.AMBIGUOUS,
        answered=False,
        retry_after=None,
        fatal_exit=None,
        connector_only=False,
    )
