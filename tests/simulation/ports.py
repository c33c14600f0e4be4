"""The ports of a process, each crossing of them a step at which it may freeze or die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from provisioner.emulator.gateway import EmulatedGateway
from provisioner.errors import ServiceError
from provisioner.job import TOO_LATE, Attempt, Job, JobState, Outcome, Verdict
from provisioner.ledger import SqliteLedger
from provisioner.ports import Ledger
from provisioner.session import ConnectorProxy, SessionPage, SessionRequest
from tests.simulation.wire import INTENT, Call, Intent

if TYPE_CHECKING:
    from tests.simulation.process import Process

T = TypeVar("T")

UNANSWERED = Outcome(verdict=Verdict.AMBIGUOUS, error_code="ReadTimeoutError", answered=False)


class Shell(Ledger, Protocol):
    """The Ledger port and what the settlement needs."""

    async def perform(self, deed: Callable[[SqliteLedger], T]) -> T:
        """Do something else with the core."""


class SteppedLedger:
    """A ledger, each of whose crossings is a step."""

    def __init__(self, process: Process, ledger: Shell) -> None:
        self._process = process
        self._ledger = ledger

    async def claim(self, limit: int) -> Sequence[Job]:
        """See the port."""
        await self._process.step("claim")
        jobs = await self._ledger.claim(limit)
        await self._process.step("claimed", len(jobs))
        return jobs

    async def open_attempt(self, job: Job) -> Attempt:
        """See the port."""
        INTENT.set(None)
        await self._process.step("open", job.key)
        with self._process.disk():
            attempt = await self._ledger.open_attempt(job)
        INTENT.set(Intent(job.id, job.key, attempt.id))
        await self._process.step("opened", job.key)
        return attempt

    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        """See the port."""
        await self._process.step("close", attempt.id, outcome.verdict)
        with self._process.disk():
            await self._ledger.close_attempt(attempt, outcome, state)
        await self._process.step("closed", attempt.id, state)

    async def perform(self, deed: Callable[[SqliteLedger], T]) -> T:
        """Whatever else the core is asked to do, each deed a transaction or a look."""
        await self._process.step("perform")
        with self._process.disk():
            done = await self._ledger.perform(deed)
        await self._process.step("performed")
        return done

    async def counts(self) -> dict[JobState, int]:
        """See the port."""
        return await self._ledger.counts()


class SteppedGateway:
    """The gateway port over the wire; sending, the deed and the answer are steps."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """See the port."""
        process = self._process
        began = process.wire.clock.now
        await process.step("sign")
        signed_at = process.clock.time()
        await process.step("check")
        if process.clock.time() > not_after:
            return TOO_LATE
        await process.step("send")
        call = Call(process.wire, process.number, signed_at, INTENT.get(), process.cross)
        call.stalled = process.wire.clock.now - began
        if not process.has_intent(call):
            process.unrecorded.append(call)
        gateway = EmulatedGateway(call, call, timeout=process.scenario.timeout)  # type: ignore[arg-type]
        outcome = await self._answer(call, gateway.create(request, not_after=not_after))
        await process.step("answer", call.status)
        return outcome or UNANSWERED

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        """See the port."""
        process = self._process
        began = process.wire.clock.now
        await process.step("list", connector_id)
        call = Call(process.wire, process.number, process.clock.time(), None, process.cross)
        call.stalled = process.wire.clock.now - began
        gateway = EmulatedGateway(call, call, timeout=process.scenario.timeout)  # type: ignore[arg-type]
        page = await self._answer(call, gateway.list_sessions(connector_id, next_token))
        await process.step("listed", call.status)
        return page or msgspec.structs.replace(UNANSWERED, verdict=Verdict.RETRYABLE)

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        """See the port."""
        process = self._process
        began = process.wire.clock.now
        await process.step("proxy", connector_id)
        call = Call(process.wire, process.number, process.clock.time(), None, process.cross)
        call.stalled = process.wire.clock.now - began
        gateway = EmulatedGateway(call, call, timeout=process.scenario.timeout)  # type: ignore[arg-type]
        proxy = await self._answer(call, gateway.connector_proxy(connector_id))
        await process.step("described", call.status)
        if proxy is None:
            raise ServiceError("nobody answers", hint="")
        return proxy

    async def _answer(self, call: Call, request: Coroutine[Any, Any, T]) -> T | None:
        """The answer, or None when the caller's patience ends first."""
        process = self._process
        process.on_wire.add(call)
        answer = process.wire.carry(call, request)
        done, _ = await asyncio.wait({answer}, timeout=process.scenario.timeout)
        process.on_wire.discard(call)
        process.cross("answered", bool(done))
        return answer.result() if done else None
