"""A campaign in a ledger and a gateway that does as it is told, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Self

import anyio

from provisioner.clock import VirtualClock
from provisioner.engine import Engine
from provisioner.entry import Entry, entry
from provisioner.events import Event
from provisioner.gateway import BackoffPolicy
from provisioner.job import TOO_LATE, Attempt, Job, JobState, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ledger import ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.pacing import CircuitBreaker, build_limiter
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import Decision, Ruling
from provisioner.session import ConnectorProxy, Session, SessionPage, SessionRequest
from provisioner.settings import PaceSettings

CREATED = Outcome(verdict=Verdict.CREATED, session=Session(proxy_session_id="s"))
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
UNREACHABLE = Outcome(verdict=Verdict.RETRYABLE, error_code="ConnectionRefused", answered=False)
UNAVAILABLE = Outcome(
    verdict=Verdict.RETRYABLE, status=503, error_code="ServiceUnavailableException"
)
BROKEN = Outcome(verdict=Verdict.AMBIGUOUS, status=500, error_code="ServiceFailureException")
LOST = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
SICKNESSES = (UNAVAILABLE, UNREACHABLE, BROKEN, LOST)
REFUSED = Outcome(verdict=Verdict.REFUSED, status=400, error_code="BadRequestException")
MISSING = Outcome(
    verdict=Verdict.FATAL,
    status=404,
    error_code="NotFoundException",
    message="no such connector",
    connector_only=True,
)
FORBIDDEN = Outcome(verdict=Verdict.FATAL, status=403, error_code="ForbiddenException")

Script = Callable[[str, int], Outcome]


class ScriptedGateway:
    """Answers each call as a script says, after a latency in virtual seconds."""

    def __init__(self, clock: VirtualClock, script: Script, latency: float) -> None:
        self.calls: list[tuple[float, str]] = []
        self.at_call: Callable[[], None] = lambda: None
        self.in_flight = self.most_in_flight = 0
        self._clock = clock
        self._script = script
        self._latency = latency

    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        if self._clock.time() > not_after:
            return TOO_LATE
        name = request.name or ""
        self.calls.append((self._clock.monotonic(), name))
        self.at_call()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self._clock.sleep(self._latency)
        self.in_flight -= 1
        return self._script(name, [each for _, each in self.calls].count(name))

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        raise NotImplementedError(connector_id)

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        raise NotImplementedError(connector_id, next_token)


class Night:
    """An engine over a real ledger of `jobs` rows, in virtual time."""

    def __init__(self, folder: Path, jobs: int, connectors: Sequence[str] = ("c",)) -> None:
        self._connectors = connectors
        self.clock = VirtualClock()
        self.events: list[Event] = []
        self.core = SqliteLedger(folder / "ledger.db", self.clock.time)
        self.jobs = jobs
        self.pace = PaceSettings(rate=1000.0, max_attempts=3)
        self.connections = 4
        self.pool: int | None = None
        self.latency = 0.1

    def __enter__(self) -> Self:
        self.core.__enter__()
        campaign = NewCampaign(name="n", input_name="n", input_sha256="0", defaults="{}")
        with self.core.begin_intake(campaign) as intake:
            intake.add([self._row(number) for number in range(1, self.jobs + 1)])
            self.core.select(intake.commit(Layout(format="csv")).id)
        return self

    def __exit__(self, *_: object) -> None:
        self.core.__exit__(None, None, None)

    def _row(self, number: int) -> Entry:
        request = SessionRequest(
            voice_connector_id=self._connectors[number % len(self._connectors)],
            participants=("+1", "+2"),
            capabilities=(),
            name=f"j{number}",
        )
        return entry(number=number, line=number, cells="[]", key=f"j{number}", request=request)

    def stop_between_intent_and_call(self, seconds: float) -> None:
        """The first intent takes so long to become durable."""
        ledger, clock = self.engine._sender._ledger, self.clock
        pauses = [seconds]

        class Stopping(ImmediateLedger):
            async def open_attempt(self, job: Job) -> Attempt:
                attempt = await ledger.open_attempt(job)
                clock.now += pauses.pop() if pauses else 0.0
                return attempt

        self.engine._sender._ledger = Stopping(self.core)

    def send_one_back(self) -> None:
        """Settling finds that the first ambiguous job has no session."""
        settlement = LedgerSettlement(ImmediateLedger(self.core))

        async def settle() -> None:
            (question,) = await settlement.questions(0, 1)
            decision = Decision(question=question, ruling=Ruling.RESEND, listed_at=0.0)
            await settlement.record([decision])

        self.clock.run(settle())

    def prepare(self, script: Script) -> None:
        self.gateway = ScriptedGateway(self.clock, script, self.latency)
        self.lane = lane = Lane(
            gateway=self.gateway,
            limiter=build_limiter(self.pace, self.clock, self.events.append),
            breaker=CircuitBreaker(give_up=self.pace.give_up, budget=self.pace.retry_budget),
            retry=BackoffPolicy(self.pace.max_attempts, Random(1)),
            connections=self.connections,
            pool=self.pool,
        )
        self.engine = Engine(ImmediateLedger(self.core), lane, self.clock, self.events.append)

    def run(self, script: Script, limit: int | None = None) -> Outcome | None:
        self.prepare(script)
        return self.clock.run(self.engine.run(limit))

    def run_and_drain(self, script: Script, *, after: float) -> None:
        self.prepare(script)

        async def both() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.engine.run)
                await self.clock.sleep(after)
                self.engine.drain("told")

        self.clock.run(both())

    @property
    def counts(self) -> dict[JobState, int]:
        return self.core.counts()

    @property
    def most_calls_while_sick(self) -> float:
        """The budget, what was in flight when it was spent, and the probes of ten minutes."""
        return self.pace.retry_budget + self.connections + 16

    @property
    def called(self) -> list[str]:
        return [name for _, name in self.gateway.calls]


def always(outcome: Outcome) -> Script:
    return lambda _name, _nth: outcome


def first(outcome: Outcome) -> Script:
    """The outcome at each job's first call, a session at the next."""
    return lambda _name, nth: outcome if nth == 1 else CREATED
