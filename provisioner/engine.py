"""The worker pool: from pending jobs to recorded outcomes."""

from __future__ import annotations

import anyio
import msgspec
from anyio.abc import ObjectReceiveStream, ObjectSendStream

from provisioner.errors import ungrouped
from provisioner.events import CallSent, DrainStarted, EventSink, OutcomeRecorded, OutcomeUnrecorded
from provisioner.job import (
    TOO_LATE,
    Attempt,
    Job,
    JobState,
    Outcome,
    Verdict,
    state_after,
    stops_lane,
)
from provisioner.ports import Clock, Gateway, Ledger, Limiter, RetryPolicy

_SPARE_WORKERS = 256
"""A worker that waits to retry holds no connection: so many may wait and cost no throughput."""

_CLAIM_AT_ONCE = 256


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One quota scope: the way to its service, its pace, its patience.

    `connections` bounds the calls on the wire at once. A request leaves within `fence` seconds of
    its intent, or not at all: when it counts as too old to arrive is told from the intent. A call
    that took more than `patience` seconds by the wall clock was made by a process that had been
    stopped.
    """

    gateway: Gateway
    limiter: Limiter
    retry: RetryPolicy
    connections: int
    fence: float = 60.0
    patience: float = 300.0


class Engine:
    """Sends one campaign's pending jobs through a lane, each attempt recorded before and after."""

    def __init__(self, ledger: Ledger, lane: Lane, clock: Clock, emit: EventSink) -> None:
        self._ledger = ledger
        self._lane = lane
        self._clock = clock
        self._emit = emit
        self._connections = anyio.Semaphore(lane.connections)
        self._scope: anyio.CancelScope | None = None
        self._in_flight = 0
        self._draining = False
        self._fatal: Outcome | None = None
        self._counted: set[int] = set()

    async def run(self, limit: int | None = None) -> Outcome | None:
        """Provision pending jobs until none is left or the engine is drained.

        `limit` bounds the jobs of all runs of this engine; one that is sent again counts once.

        Returns:
            The outcome that stopped the lane, if one did.

        Raises:
            CannotWriteError: the ledger failed; calls in flight then stay open in it and are
                ambiguous for the next run.
        """
        if self._draining:
            return None
        send, receive = anyio.create_memory_object_stream[Job](self._lane.connections)
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                self._scope = tasks.cancel_scope
                tasks.start_soon(self._feed, send, limit)
                with receive:
                    for _ in range(self._lane.connections + _SPARE_WORKERS):
                        tasks.start_soon(self._work, receive.clone())
        return self._fatal

    def drain(self, reason: str) -> None:
        """Start no new call; let those in flight finish and be recorded. Safe to repeat."""
        if not self._draining:
            self._draining = True
            self._emit(
                DrainStarted(reason=reason, in_flight=self._in_flight, at=self._clock.time())
            )
            if self._scope is not None:
                self._scope.cancel()

    async def _feed(self, jobs: ObjectSendStream[Job], limit: int | None) -> None:
        async with jobs:
            while batch := await self._ledger.claim(_CLAIM_AT_ONCE):
                within = [job for job in batch if self._is_within(limit, job)]
                for job in within:
                    await jobs.send(job)
                if not within:
                    return

    def _is_within(self, limit: int | None, job: Job) -> bool:
        if limit is None or job.id in self._counted:
            return True
        if len(self._counted) >= limit:
            return False
        self._counted.add(job.id)
        return True

    async def _work(self, jobs: ObjectReceiveStream[Job]) -> None:
        async with jobs:
            async for job in jobs:
                await self._provision(job)

    async def _provision(self, job: Job) -> None:
        """The life of a job: a connection, a token, one attempt; again while it may be retried."""
        tries = 1
        while True:
            async with self._connections:
                await self._lane.limiter.take()
                if self._draining:
                    return
                with anyio.CancelScope(shield=True):
                    retry_in = await self._attempt(job, tries)
            if retry_in is None:
                return
            await self._clock.sleep(retry_in)
            tries += 1
            job = msgspec.structs.replace(job, attempts=job.attempts + 1)

    async def _attempt(self, job: Job, tries: int) -> float | None:
        """Intent durable, call, verdict, outcome durable; seconds until the retry, or None."""
        token_at = self._clock.monotonic()
        attempt = await self._ledger.open_attempt(job)
        await self._lane.limiter.depart()
        sent_at = self._clock.monotonic()
        self._in_flight += 1
        try:
            outcome, latency = await self._call(job, attempt)
            retry_in = self._retry_in(outcome, tries)
            state = state_after(outcome, exhausted=retry_in is None)
            await self._record(job, attempt, outcome, state)
        finally:
            self._in_flight -= 1
        self._lane.limiter.observe(outcome, sent_at=sent_at)
        self._emit(
            OutcomeRecorded(
                job_key=job.key,
                attempt=attempt.number,
                outcome=outcome,
                state=state,
                latency=latency,
                recording=max(self._clock.monotonic() - token_at - latency, 0.0),
                retry_in=retry_in,
                at=self._clock.time(),
            )
        )
        if stops_lane(outcome, exhausted=retry_in is None):
            self._fatal = self._fatal or outcome
            self.drain(outcome.error_code or "fatal")
        return retry_in

    async def _record(self, job: Job, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        try:
            await self._ledger.close_attempt(attempt, outcome, state)
        except Exception:
            at = self._clock.time()
            self._emit(
                OutcomeUnrecorded(job_key=job.key, attempt=attempt.number, outcome=outcome, at=at)
            )
            raise

    def _retry_in(self, outcome: Outcome, tries: int) -> float | None:
        return 0.0 if outcome == TOO_LATE else self._lane.retry.delay(outcome, tries)

    async def _call(self, job: Job, attempt: Attempt) -> tuple[Outcome, float]:
        self._emit(CallSent(job_key=job.key, attempt=attempt.number, at=self._clock.time()))
        started = self._clock.monotonic()
        left_at = self._clock.time()
        not_after = attempt.opened_at + self._lane.fence
        outcome = await self._lane.gateway.create(job.request, not_after=not_after)
        if self._clock.time() - left_at > self._lane.patience:
            outcome = _doubted(outcome)
        return outcome, self._clock.monotonic() - started


def _doubted(outcome: Outcome) -> Outcome:
    """What an outcome says of a call whose process was stopped meanwhile.

    A session is sure, and so is what never left. Any other request may have left late, and what
    refuses it for its age says nothing of the lane.
    """
    if outcome.verdict is Verdict.CREATED or outcome == TOO_LATE:
        return outcome
    return msgspec.structs.replace(
        outcome, verdict=Verdict.AMBIGUOUS, answered=False, retry_after=None, fatal_exit=None
    )
