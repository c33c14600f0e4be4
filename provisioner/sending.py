"""One attempt of a job: intent durable, call, verdict, outcome durable."""

from __future__ import annotations

import msgspec

from provisioner.events import CallSent, EventSink, OutcomeRecorded, OutcomeUnrecorded
from provisioner.job import TOO_LATE, Attempt, Job, JobState, Outcome, Verdict, state_after
from provisioner.lane import Lane
from provisioner.ports import Clock, Ledger


class Sender:
    """Makes calls over a lane, each recorded before and after. `in_flight` counts those now."""

    def __init__(self, ledger: Ledger, lane: Lane, clock: Clock, emit: EventSink) -> None:
        self.in_flight = 0
        self._ledger = ledger
        self._lane = lane
        self._clock = clock
        self._emit = emit

    async def send(self, job: Job, tries: int) -> OutcomeRecorded:
        """Make one attempt, the job's `tries`-th of this run; what is durable of it.

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
            retry_in = 0.0 if outcome == TOO_LATE else self._lane.retry.delay(outcome, tries)
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
