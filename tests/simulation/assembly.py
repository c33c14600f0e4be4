"""A run as `provisioner.run` has it, over the ports of a simulated process."""

from __future__ import annotations

from contextvars import ContextVar
from random import Random
from typing import TYPE_CHECKING

import anyio

from provisioner.audit import Auditor
from provisioner.campaign import conclude
from provisioner.errors import ungrouped
from provisioner.events import Event, JobSettled, StrayFound
from provisioner.gateway import BackoffPolicy
from provisioner.job import Outcome
from provisioner.lane import Lane
from provisioner.ledger import ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.pacing import CircuitBreaker, build_limiter
from provisioner.report import RunTally
from provisioner.run import _Run
from provisioner.settings import ServiceSettings, Settings
from provisioner.settler import Settler
from provisioner.stopping import Stop
from provisioner.subscribers import each_of
from provisioner.wiring import call_patience, settle_policy, settling
from tests.simulation.ports import SteppedGateway, SteppedLedger

if TYPE_CHECKING:
    from tests.simulation.process import Process


BESIDE: ContextVar[bool] = ContextVar("beside", default=False)
"""Whether the current task settles while others send."""


class SimulatedRun(_Run):
    """The product's own loop of sending and settling; only its surroundings are simulated."""

    def __init__(self, process: Process, core: SqliteLedger, stop: Stop) -> None:
        night = process.scenario
        settings = Settings(
            settle=night.settle,
            pace=night.pace,
            service=ServiceSettings(timeout=night.timeout, connections=night.connections),
            limit=process.life.limit,
            preflight=False,
            out=process.out,
        )
        tally = RunTally()
        super().__init__(settings, process.campaign, tally, each_of(tally, self._hear), stop)
        self._process = process
        self._clock = process.clock
        self._core = core

    async def provision(self) -> Outcome | None:
        """As `_Run._provision`."""
        safe = self._process.safeguards
        ledger = SteppedLedger(self._process, safe.ledger(ImmediateLedger(self._core)))
        lane = self._lane()
        engine = safe.engine(ledger, lane, self._clock)
        settlement = safe.settlement(LedgerSettlement(ledger))
        policy = safe.policy(settle_policy(self._settings))
        desk = settling(settlement, lane, self._clock, policy, self._emit)
        if self._process.adopts:
            await self._adopt(desk[1])
            if desk[0].unlisted:
                return None
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                self._drain_when_told(engine)
                outcome = await self._work(engine, *desk)
                tasks.cancel_scope.cancel()
        self._process.told = frozenset(self._process.reported)
        stopped = outcome is not None or self._stop.is_set()
        self._process.audited = not stopped and not desk[0].unlisted
        if self._process.life.morning:
            await self._look_at_everything(desk[1])
        return outcome

    def conclude(self) -> None:
        """Write the results, as `provisioner.run` does."""
        conclude(self._core, self._campaign, self._settings, self._tally, None)

    async def _adopt(self, auditor: Auditor) -> None:
        """As `provisioner reconcile --adopt` does on a ledger made anew."""
        process, connectors = self._process, self._campaign.connectors
        process.forget_what_has_closed()
        for _ in range(2):
            await auditor.list_all(connectors)
            process.forget_what_has_closed()
            await auditor.adopt()
        process.adopted = True

    async def _attend(self, settler: Settler) -> None:
        BESIDE.set(True)
        await super()._attend(settler)

    async def _look_at_everything(self, auditor: Auditor) -> None:
        """As `provisioner reconcile` does."""
        await auditor.list_all(self._campaign.connectors)
        async for _ in auditor.strays():
            pass

    def _lane(self) -> Lane:
        process, pace = self._process, self._settings.pace
        safe = process.safeguards
        limiter = build_limiter(pace, self._clock, self._emit)
        lane = Lane(
            gateway=safe.gateway(SteppedGateway(process)),
            limiter=safe.limiter(limiter),
            breaker=CircuitBreaker(give_up=pace.give_up, budget=pace.retry_budget),
            retry=BackoffPolicy(pace.max_attempts, Random(process.scenario.seed + process.number)),
            connections=self._settings.service.connections,
            patience=call_patience(self._settings.service.timeout),
        )
        return safe.lane(lane)

    def _hear(self, event: Event) -> None:
        if isinstance(event, JobSettled):
            self._process.settled_beside += BESIDE.get()
        if isinstance(event, StrayFound):
            self._process.reported.add(event.session_id)
