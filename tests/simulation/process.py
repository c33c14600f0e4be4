"""A process under test: the engine behind ports at which it may freeze, jump in time, or die."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Coroutine, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from provisioner import engine as engines
from provisioner.clock import VirtualClock
from provisioner.emulator.gateway import EmulatedGateway
from provisioner.engine import Engine, Lane
from provisioner.gateway import BackoffPolicy
from provisioner.intake import IntakePolicy, admit
from provisioner.job import Attempt, Job, JobState, Outcome, Verdict
from provisioner.ledger import ImmediateLedger, SqliteLedger
from provisioner.pacing import build_limiter
from provisioner.ports import Ledger, NewCampaign
from provisioner.session import ConnectorProxy, SessionRequest
from tests.simulation.ablations import Safeguards
from tests.simulation.rows import RowsInMemory
from tests.simulation.scenario import Life, Scenario
from tests.simulation.wire import INTENT, Call, Intent, Wire

T = TypeVar("T")

# A night has few jobs: the thousands of a real run need more workers that wait.
engines._SPARE_WORKERS = 16

CAMPAIGN = "night"
UNANSWERED = Outcome(verdict=Verdict.AMBIGUOUS, error_code="ReadTimeoutError", answered=False)


class Process:
    """One life on a ledger file. `steps` counts the crossings of ports so far."""

    def __init__(
        self, scenario: Scenario, life: Life, wire: Wire, ledger: Path, number: int
    ) -> None:
        self.scenario = scenario
        self.life = life
        self.wire = wire
        self.path = ledger
        self.number = number
        self.steps = 0
        self.alive = True
        self.reaped = False
        self.skew = 0.0
        self.clock = ProcessClock(self, wire.clock)
        self.counts: dict[JobState, int] = {}
        self.on_wire: set[Call] = set()
        self.frozen = self.jumped = self.drained = 0
        self.ended = False
        self.unrecorded: list[Call] = []
        self._frozen_until = 0.0
        self._freezes = dict(life.freezes)
        self._jumps = dict(life.jumps)
        self._safeguards = Safeguards()
        self._core: SqliteLedger | None = None

    async def live(self, safeguards: Safeguards) -> bool:
        """Run to the end; whether it was an orderly one."""
        self._safeguards = safeguards
        self.death = asyncio.get_running_loop().create_future()
        # Kept for as long as the process is, or the loop forgets what only waits for ever.
        self._task = asyncio.get_running_loop().create_task(self._main())
        await asyncio.wait({self._task, self.death}, return_when=asyncio.FIRST_COMPLETED)
        if self.alive:
            self._task.result()
        return self.alive

    def bury(self) -> None:
        """Let go of the files it held."""
        if self._core is not None:
            self._reader.close()
            self._core.__exit__()
            self._core = None

    def cross(self, port: str, *facts: object) -> None:
        """A port is crossed: the moment at which things happen to a process."""
        if not self.alive:
            return
        self.steps += 1
        self.wire.note(self.number, self.steps, port, *facts)
        if self.steps in self._jumps:
            self.jumped += 1
            self.skew = self._jumps[self.steps]
        if self.steps in self._freezes:
            self.frozen += 1
            self._frozen_until = self.wire.clock.now + self._freezes[self.steps]
        if self.steps == self.life.crash_at:
            self._die()

    async def step(self, port: str, *facts: object) -> None:
        """Cross a port; return once alive and awake, or never."""
        self.cross(port, *facts)
        await self.awake()

    async def awake(self) -> None:
        """Stand still while frozen, and for ever when dead."""
        while self.alive and self.wire.clock.now < self._frozen_until:
            await self.wire.clock.sleep(self._frozen_until - self.wire.clock.now)
        if self.reaped:
            raise asyncio.CancelledError
        if not self.alive:
            await asyncio.get_running_loop().create_future()

    def _die(self) -> None:
        """At once: the ledger's bytes as they are now are all that is left."""
        self.alive = False
        grave = self.path.with_name(f"ledger-{self.number + 1}.db")
        for suffix in ("", "-wal"):
            if (file := Path(f"{self.path}{suffix}")).exists():
                shutil.copyfile(file, f"{grave}{suffix}")
        self.path = grave
        for call in sorted(self.on_wire, key=lambda call: call.left_at):
            self.wire.orphan(call)
        self.death.set_result(None)

    async def _main(self) -> None:
        await self.step("start")
        core = self._safeguards.core(self.path, self.clock.time)
        core.__enter__()
        self._reader = sqlite3.connect(self.path, isolation_level=None)
        self._core = core
        await self.step("recovered")
        self._enrol(core)
        await self.step("enrolled")
        await self._provision(core)
        self.counts = core.counts()
        self.bury()
        self.ended = True

    def _enrol(self, core: SqliteLedger) -> None:
        rows = self.scenario.rows
        if not self.life.extended:
            rows = rows[: self.scenario.first_rows]
        source = RowsInMemory(rows)
        campaign = NewCampaign(
            name=CAMPAIGN, input_name=source.name, input_sha256=source.sha256, defaults="{}"
        )
        policy = IntakePolicy(skip_invalid=True, extend=True)
        record = admit(core, source, campaign, policy, lambda _: None)
        if self.life.retry_failed:
            core.requeue_failed(record.id, "*")
        core.select(record.id)

    async def _provision(self, core: SqliteLedger) -> None:
        ledger = SteppedLedger(self, self._safeguards.ledger(ImmediateLedger(core)))
        pace = self.scenario.pace
        lane = Lane(
            gateway=self._safeguards.gateway(SteppedGateway(self)),
            limiter=self._safeguards.limiter(build_limiter(pace, self.clock, lambda _: None)),
            retry=BackoffPolicy(pace.max_attempts, Random(self.scenario.seed + self.number)),
            connections=self.scenario.connections,
        )
        engine = self._safeguards.engine(ledger, lane, self.clock)
        if self.life.drain_at is not None:
            asyncio.get_running_loop().call_later(self.life.drain_at, self._drain, engine)
        await engine.run(self.life.limit)

    def _drain(self, engine: Engine) -> None:
        if self.alive and not self.ended:
            self.drained += 1
            self.wire.note(self.number, "drain")
            engine.drain("asked to stop")

    def has_intent(self, call: Call) -> bool:
        """Whether the ledger's file says, to a stranger, that this call is about to be made."""
        if call.intent is None:
            return False
        found = self._reader.execute(
            "SELECT 1 FROM attempts WHERE id = ? AND job_id = ? AND state = 'open'",
            (call.intent.attempt_id, call.intent.job_id),
        ).fetchone()
        return found is not None


class ProcessClock:
    """A process' view of time: its wall clock may be wrong, its sleep may be cut by a freeze."""

    def __init__(self, process: Process, clock: VirtualClock) -> None:
        self._process = process
        self._clock = clock

    def time(self) -> float:
        """As the machine's clock shows it."""
        return self._clock.time() + self._process.skew

    def monotonic(self) -> float:
        """True seconds."""
        return self._clock.now

    async def sleep(self, seconds: float) -> None:
        """At least so long."""
        await self._clock.sleep(seconds)
        await self._process.awake()


class SteppedLedger:
    """A ledger, each of whose crossings is a step."""

    def __init__(self, process: Process, ledger: Ledger) -> None:
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
        began = self._process.wire.clock.now
        INTENT.set(None)
        await self._process.step("open", job.key)
        attempt = await self._ledger.open_attempt(job)
        INTENT.set(Intent(job.id, job.key, attempt.id, 0.0))
        await self._process.step("opened", job.key)
        stalled = self._process.wire.clock.now - began
        INTENT.set(Intent(job.id, job.key, attempt.id, stalled))
        return attempt

    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        """See the port."""
        await self._process.step("close", attempt.id, outcome.verdict)
        await self._ledger.close_attempt(attempt, outcome, state)
        await self._process.step("closed", attempt.id, state)

    async def counts(self) -> dict[JobState, int]:
        """See the port."""
        return await self._ledger.counts()


class SteppedGateway:
    """The gateway port over the wire; sending, the deed and the answer are steps."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def create(self, request: SessionRequest) -> Outcome:
        """See the port."""
        process = self._process
        began = process.wire.clock.now
        await process.step("send")
        signed_at = process.clock.time()
        call = Call(process.wire, process.number, signed_at, INTENT.get(), process.cross)
        call.stalled += process.wire.clock.now - began
        if not process.has_intent(call):
            process.unrecorded.append(call)
        gateway = EmulatedGateway(call, call, timeout=process.scenario.timeout)  # type: ignore[arg-type]
        outcome = await self._answer(call, gateway.create(request))
        await process.step("answer", call.status)
        return outcome or UNANSWERED

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        """Nobody asks."""
        raise NotImplementedError(connector_id)

    async def _answer(self, call: Call, request: Coroutine[Any, Any, T]) -> T | None:
        """The answer, or None when the caller's patience ends first."""
        process = self._process
        process.on_wire.add(call)
        answer = process.wire.carry(call, request)
        done, _ = await asyncio.wait({answer}, timeout=process.scenario.timeout)
        process.on_wire.discard(call)
        process.cross("answered", bool(done))
        return answer.result() if done else None
