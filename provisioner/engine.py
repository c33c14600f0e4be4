"""The worker pool: from pending jobs to recorded outcomes."""

from __future__ import annotations

from typing import NamedTuple

import anyio
import msgspec
from anyio.abc import TaskGroup

from provisioner.errors import ungrouped
from provisioner.events import ConcurrencyChanged, ConnectorSetAside, DrainStarted, EventSink
from provisioner.feed import JobFeed
from provisioner.job import Job, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ports import Clock, Ledger
from provisioner.sending import Sender, Tries

_MOST_PUT_OFF = 256
"""Jobs that may wait to be retried and hold no connection."""


class _Run(NamedTuple):
    """What its workers share."""

    jobs: JobFeed
    tasks: TaskGroup


class Engine:
    """Sends one campaign's pending jobs through a lane, each attempt recorded before and after.

    A worker is a connection. It holds none for a job to be retried: whoever is free next has that.
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
        self._working = 0
        self._put_off: dict[int, Tries] = {}
        self._run: _Run | None = None
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
        self._working = 0
        self._put_off.clear()
        try:
            with ungrouped():
                async with anyio.create_task_group() as tasks:
                    jobs = JobFeed(self._ledger, limit, self._counted)
                    self._run = _Run(jobs, tasks)
                    self._employ(self._width, self._run)
        finally:
            self._run = None
        return self._fatal

    def drain(self, reason: str) -> None:
        """Start no new call; let those in flight finish and be recorded. Safe to repeat."""
        if not self._draining:
            self._draining = True
            in_flight = self._sender.in_flight
            self._emit(DrainStarted(reason=reason, in_flight=in_flight, at=self._clock.time()))
            if self._run is not None:
                self._run.tasks.cancel_scope.cancel()

    def widen(self, wanted: int) -> None:
        """Let so many calls be on the wire at once, within the pool; never fewer than before."""
        more = min(wanted, self._most) - self._width
        if more > 0:
            self._width += more
            if self._run is not None:
                self._employ(more, self._run)
            at = self._clock.time()
            self._emit(ConcurrencyChanged(connections=self._width, at=at))

    def set_aside(self, connector_id: str, reason: str) -> None:
        """Leave a connector's jobs pending and send the others'. Safe to repeat."""
        if connector_id not in self.unusable:
            self.unusable[connector_id] = reason
            at = self._clock.time()
            self._emit(ConnectorSetAside(connector_id=connector_id, reason=reason, at=at))

    def _employ(self, more: int, run: _Run) -> None:
        """As many workers more, but no more than may be on the wire at once."""
        for _ in range(min(more, self._width - self._working)):
            self._working += 1
            run.tasks.start_soon(self._work, run)

    async def _work(self, run: _Run) -> None:
        """Job after job: a token, and one attempt, whose end any cancellation waits for."""
        with anyio.CancelScope() as scope:
            while job := await run.jobs.next():
                tries = self._put_off.pop(job.id, None) or Tries()
                if not await self._has_turn(job):
                    continue
                # One scope a worker costs a tenth of one an attempt.
                scope.shield = True
                retry_in = await self._attempt(job, tries)
                scope.shield = False
                if retry_in is not None:
                    await self._put_off_for(retry_in, job, tries, run)
        self._working -= 1

    async def _put_off_for(self, seconds: float, job: Job, tries: Tries, run: _Run) -> None:
        """Let somebody have a job again later; wait for it here where too many wait already."""
        self._put_off[job.id] = tries
        if len(self._put_off) <= _MOST_PUT_OFF:
            run.tasks.start_soon(self._put_back, seconds, job, run)
        else:
            await self._put_back(seconds, job, run)

    async def _put_back(self, seconds: float, job: Job, run: _Run) -> None:
        await self._clock.sleep(seconds)
        run.jobs.put_back(msgspec.structs.replace(job, attempts=job.attempts + 1))
        self._employ(1, run)

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
