"""The worker pool: from pending jobs to recorded outcomes."""

from __future__ import annotations

import anyio
import msgspec

from provisioner.errors import ungrouped
from provisioner.events import ConcurrencyChanged, ConnectorSetAside, DrainStarted, EventSink
from provisioner.feed import JobFeed
from provisioner.job import Job, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ports import Clock, Ledger
from provisioner.sending import Sender, Tries

_SPARE_WORKERS = 256
"""A worker that waits to retry holds no connection: so many may wait and cost no throughput."""


class Engine:
    """Sends one campaign's pending jobs through a lane, each attempt recorded before and after.

    `unusable` tells why of the connectors that were set aside.
    """

    def __init__(self, ledger: Ledger, lane: Lane, clock: Clock, emit: EventSink) -> None:
        self._ledger = ledger
        self._sender = Sender(ledger, lane, clock, emit)
        self._lane = lane
        self._clock = clock
        self._emit = emit
        self._width = lane.connections
        self._most = lane.most
        self._connections = anyio.Semaphore(lane.connections, fast_acquire=True)
        self._scope: anyio.CancelScope | None = None
        self.unusable: dict[str, str] = {}
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
        jobs = JobFeed(self._ledger, limit, self._counted)
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                self._scope = tasks.cancel_scope
                for _ in range(self._most + _SPARE_WORKERS):
                    tasks.start_soon(self._work, jobs)
        return self._fatal

    def drain(self, reason: str) -> None:
        """Start no new call; let those in flight finish and be recorded. Safe to repeat."""
        if not self._draining:
            self._draining = True
            in_flight = self._sender.in_flight
            self._emit(DrainStarted(reason=reason, in_flight=in_flight, at=self._clock.time()))
            if self._scope is not None:
                self._scope.cancel()

    def widen(self, wanted: int) -> None:
        """Let so many calls be on the wire at once, within the pool; never fewer than before."""
        more = min(wanted, self._most) - self._width
        if more > 0:
            self._width += more
            for _ in range(more):
                self._connections.release()
            at = self._clock.time()
            self._emit(ConcurrencyChanged(connections=self._width, at=at))

    def set_aside(self, connector_id: str, reason: str) -> None:
        """Leave a connector's jobs pending and send the others'. Safe to repeat."""
        if connector_id not in self.unusable:
            self.unusable[connector_id] = reason
            at = self._clock.time()
            self._emit(ConnectorSetAside(connector_id=connector_id, reason=reason, at=at))

    async def _work(self, jobs: JobFeed) -> None:
        with anyio.CancelScope() as scope:
            while job := await jobs.next():
                await self._provision(job, scope)

    async def _provision(self, job: Job, scope: anyio.CancelScope) -> None:
        """The life of a job: a connection, a token, one attempt; again while it may be retried.

        A cancellation waits for the attempt's end: one scope a worker costs less than one a job.
        """
        tries = Tries()
        while True:
            async with self._connections:
                if not await self._has_turn(job):
                    return
                scope.shield = True
                retry_in = await self._attempt(job, tries)
                scope.shield = False
            if retry_in is None:
                return
            await self._clock.sleep(retry_in)
            job = msgspec.structs.replace(job, attempts=job.attempts + 1)

    async def _has_turn(self, job: Job) -> bool:
        """Wait for a token, and while the service is unwell; False if the job is not to be sent."""
        while not self._is_set_aside(job):
            await self._lane.limiter.take()
            if self._draining or self._is_set_aside(job):
                return False
            wait = self._lane.breaker.admit(self._clock.monotonic())
            if wait <= 0.0:
                return True
            self._give_up_when_due()
            await self._clock.sleep(wait)
        return False

    async def _attempt(self, job: Job, tries: Tries) -> float | None:
        """Send it and heed what came of it; seconds until the retry, or None."""
        sent = await self._sender.send(job, tries)
        outcome = sent.outcome
        if outcome.connector_only:
            self.set_aside(job.request.voice_connector_id, outcome.said)
        elif outcome.verdict is Verdict.FATAL:
            self._stop(outcome)
        self._give_up_when_due()
        return sent.retry_in

    def _give_up_when_due(self) -> None:
        if outcome := self._lane.breaker.given_up(self._clock.monotonic()):
            self._stop(outcome)

    def _stop(self, outcome: Outcome) -> None:
        self._fatal = self._fatal or outcome
        self.drain(outcome.said or outcome.verdict)

    def _is_set_aside(self, job: Job) -> bool:
        return job.request.voice_connector_id in self.unusable
