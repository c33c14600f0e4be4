"""A campaign against an emulated service, in virtual time, for those who settle it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Self

import msgspec

from provisioner.clock import VirtualClock
from provisioner.emulator.emulator import Emulator
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.gateway import EmulatedGateway
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from provisioner.engine import Engine
from provisioner.entry import Entry, entry
from provisioner.errors import ServiceError
from provisioner.events import (
    Event,
)
from provisioner.gateway import BackoffPolicy
from provisioner.job import JobState, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ledger import ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.pacing import CircuitBreaker, build_limiter
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import Question, SettlePolicy, Stray
from provisioner.session import ConnectorProxy, SessionPage, SessionRequest, session_name
from provisioner.settings import PaceSettings
from provisioner.wiring import settling

FORBIDDEN = Outcome(verdict=Verdict.FATAL, status=403, error_code="AccessDenied", fatal_exit=77)
SILENCE = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
UNWELL = Outcome(verdict=Verdict.RETRYABLE, status=503, error_code="ServiceUnavailableException")


class Gateway(EmulatedGateway):
    """Counts listings; a script may answer one instead."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.listed: list[str] = []
        self.script: Callable[[str | None], SessionPage | Outcome | None] = lambda _: None

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        self.listed.append(connector_id)
        return self.script(next_token) or await super().list_sessions(connector_id, next_token)


class Night:
    """A campaign of `jobs` rows against an emulated service."""

    def __init__(self, folder: Path, jobs: int = 20, **service: Any) -> None:
        self.clock = VirtualClock()
        self.wall = 0.0
        self.events: list[Event] = []
        self.core = SqliteLedger(folder / "ledger.db", self.time)
        self.emulator = Emulator(EmulatorSettings(pool_size=400, **service))
        self.gateway = Gateway(self.emulator, self)
        self.jobs = jobs
        self.connectors = [CONNECTOR]
        self.name: Callable[[int], str] = lambda number: session_name("n", f"j{number}")
        self.policy = SettlePolicy(settle=900.0)

    def time(self) -> float:
        """A wall clock that can be set: `wall` seconds ahead."""
        return self.clock.time() + self.wall

    def monotonic(self) -> float:
        return self.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def __enter__(self) -> Self:
        self.core.__enter__()
        campaign = NewCampaign(name="n", input_name="n", input_sha256="0", defaults="{}")
        with self.core.begin_intake(campaign) as intake:
            intake.add([self._row(number) for number in range(1, self.jobs + 1)])
            self.core.select(intake.commit(Layout(format="csv")).id)
        pace = PaceSettings(rate=100.0, max_attempts=3)
        self.lane = Lane(
            gateway=self.gateway,
            limiter=build_limiter(pace, self, self.events.append),
            breaker=CircuitBreaker(give_up=900.0, budget=10_000.0),
            retry=BackoffPolicy(3, Random(1)),
            connections=4,
        )
        self.ledger = ImmediateLedger(self.core)
        self.settlement = LedgerSettlement(self.ledger)
        self.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self.core.__exit__(None, None, None)

    def prepare(self) -> None:
        self.engine = Engine(self.ledger, self.lane, self, self.events.append)
        self.settler, self.auditor = settling(
            self.settlement, self.lane, self, self.policy, self.events.append
        )

    def _row(self, number: int) -> Entry:
        request = SessionRequest(
            voice_connector_id=self.connectors[number % len(self.connectors)],
            participants=(f"+1206555{number:04}", f"+1312555{number:04}"),
            capabilities=("Voice",),
            name=self.name(number),
        )
        return entry(number=number, line=number, cells="[]", key=f"j{number}", request=request)

    def slow(self, rate: float) -> None:
        """Send so many calls a second from now on."""
        pace = PaceSettings(rate=rate)
        limiter = build_limiter(pace, self, self.events.append)
        self.lane = msgspec.structs.replace(self.lane, limiter=limiter)
        self.prepare()

    def faults(self, text: str) -> None:
        self.emulator.change_faults(parse_faults(text))

    def send(self, faults: str = "") -> None:
        """Send what is pending under faults, then have none."""
        self.faults(faults)
        self.clock.run(self.engine.run())
        self.faults("")

    def settle(self) -> int:
        return self.clock.run(self.settler.settle())

    def finish(self) -> None:
        while self.settle():
            self.send()

    def questions(self) -> Sequence[Question]:
        return self.clock.run(self.settlement.questions(0, 100))

    def strays(self) -> list[Stray]:
        async def found() -> list[Stray]:
            await self.auditor.list_all(self.connectors)
            return [each async for each in self.auditor.strays()]

        return self.clock.run(found())

    @property
    def counts(self) -> dict[JobState, int]:
        return self.core.counts()

    @property
    def made(self) -> list[str]:
        return [record.request.name or "" for record in self.emulator.service.records()]

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Twins(Night):
    """Two rows of the same Name and numbers that ask for different capabilities, unless `alike`."""

    def __init__(self, folder: Path, jobs: int = 20, *, alike: bool = False, **more: Any) -> None:
        super().__init__(folder, jobs, **more)
        self.alike = alike

    def _row(self, number: int) -> Entry:
        row = super()._row(1)
        capabilities = ("Voice",) if number == 1 or self.alike else ("Voice", "SMS")
        request = msgspec.structs.replace(row.request, name="Smith", capabilities=capabilities)
        return entry(number, row.line, row.cells, request=request, key=f"j{number}")


async def unreachable(_: str) -> ConnectorProxy:
    raise ServiceError("nobody answers")


class Rebuilding(Night):
    """A ledger made anew while the service has the sessions of the first `kept` rows."""

    def rebuild(self, kept: int) -> int:
        async def create_then_adopt() -> int:
            for number in range(1, kept + 1):
                request = self._row(number).request
                assert request is not None
                await self.gateway.create(request, not_after=math.inf)
            await self.auditor.list_all(self.connectors)
            return await self.auditor.adopt()

        return self.clock.run(create_then_adopt())


class RebuildingTwins(Twins, Rebuilding):
    pass
