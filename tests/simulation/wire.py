"""The network: it belongs to no process, so what is on it outlives the one that sent it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from random import Random
from typing import Any, NamedTuple, TypeVar

import msgspec

from provisioner.clock import VirtualClock
from provisioner.emulator.emulator import Emulator, Reply
from provisioner.emulator.faults import FaultPlan
from provisioner.emulator.requests import ProxySessionsAnswer
from provisioner.emulator.settings import EmulatorSettings
from tests.simulation.scenario import LONGEST_DELAY, Scenario

T = TypeVar("T")


class Intent(NamedTuple):
    """The attempt that the current task opened last."""

    job_id: int
    job_key: str
    attempt_id: int


MOST_EVENTS = 50_000
"""Many times those of the longest nights that end by themselves."""

INTENT: ContextVar[Intent | None] = ContextVar("intent", default=None)


class Call:
    """One request: the emulator and the clock as the request meets them.

    `left_at` and `arrived_at` are true seconds; `stalled` is how long the harness itself held the
    call up between its departure and the wire. `session_id` is what the emulator created for it.
    `cross` is told when the request arrives, and when the deed is done.
    """

    def __init__(
        self,
        wire: Wire,
        life: int,
        signed_at: float,
        intent: Intent | None,
        cross: Callable[[str], None],
    ) -> None:
        self.wire = wire
        self.life = life
        self.intent = intent
        self.cross = cross
        self.operation = ""
        self.left_at = wire.clock.now
        self.arrived_at: float | None = None
        self.stalled = 0.0
        self.session_id: str | None = None
        self.status = 0
        self.held_up = wire.delay()
        self.was_held_up = self.held_up > 0.0
        self.dropped = wire.drops()
        self._signed_at = signed_at

    @property
    def settings(self) -> EmulatorSettings:
        """The emulator's."""
        return self.wire.emulator.settings

    def request_id(self, number: int) -> str:
        """The emulator's."""
        return self.wire.emulator.request_id(number)

    def latency(self, _: int) -> float:
        """There and back, in seconds."""
        return self.wire.latency()

    def time(self) -> float:
        """The sender's clock when it signed."""
        return self._signed_at

    async def sleep(self, seconds: float) -> None:
        """A way; the way there may be long, or lead nowhere."""
        await self.wire.clock.sleep(seconds)
        if self.arrived_at is None:
            while self.held_up > 0.0:
                seconds, self.held_up = self.held_up, 0.0
                await self.wire.clock.sleep(seconds)
            if self.dropped:
                await asyncio.get_running_loop().create_future()

    def call(
        self, operation: str, parameters: Mapping[str, object], _: float, *, signed_at: float
    ) -> Reply:
        """The deed, at its true time."""
        return self.wire.arrive(self, operation, parameters, signed_at)


class Wire:
    """Every call of the night, in the order in which they left."""

    def __init__(self, scenario: Scenario, clock: VirtualClock, emulator: Emulator) -> None:
        self.clock = clock
        self.emulator = emulator
        self.calls: list[Call] = []
        self.stale = 0
        self.missed: set[str] = set()
        self.trace: list[tuple[object, ...]] = []
        self.too_much: asyncio.Future[str]
        self._scenario = scenario
        self._random = Random(scenario.seed * 2 + 1)
        self._moves = Random(scenario.seed * 2 + 2)
        self._carried: set[asyncio.Task[Any]] = set()

    def calm_down(self) -> None:
        """The storm is over: from now on a campaign must come to its end."""
        plan = FaultPlan(latency=self._scenario.emulator.faults.latency)
        self.emulator.change_faults(plan)
        self.emulator.service.change_quota(None)
        calm = dict.fromkeys(("late", "dropped", "stale", "moving"), 0.0)
        self._scenario = msgspec.structs.replace(self._scenario, **calm)

    def delay(self) -> float:
        """Seconds that a request is held up."""
        if self._random.random() >= self._scenario.late:
            return 0.0
        return self._random.uniform(0.0, LONGEST_DELAY)

    def drops(self) -> bool:
        """Whether a request never arrives."""
        return self._random.random() < self._scenario.dropped

    def latency(self) -> float:
        """Seconds there and back."""
        plan = self._scenario.emulator.faults
        return plan.latency + self._random.uniform(-plan.jitter, plan.jitter)

    def orphan(self, call: Call) -> None:
        """The sender died: its request may arrive on time, late, or not at all."""
        if call.arrived_at is None:
            fate = self._random.random()
            call.dropped = call.dropped or fate < 0.3
            if fate > 0.6:
                call.held_up += self._random.uniform(0.0, LONGEST_DELAY)
                call.was_held_up = True

    def note(self, *facts: object) -> None:
        """Remember an event, so that two nights can be compared."""
        self.trace.append((self.clock.now, *facts))
        if len(self.trace) == MOST_EVENTS:
            self.is_too_much(f"{MOST_EVENTS:,} events")

    def is_too_much(self, of_what: str) -> None:
        """The night has to be broken off."""
        if not self.too_much.done():
            self.too_much.set_result(of_what)

    def carry(self, call: Call, request: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Send; the request goes on whatever becomes of its sender."""
        self.calls.append(call)
        task = asyncio.get_running_loop().create_task(request)
        self._carried.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._carried.discard(task)
        if not task.cancelled():
            # What a read raises may be for somebody who no longer listens.
            task.exception()

    def arrive(
        self, call: Call, operation: str, parameters: Mapping[str, object], signed_at: float
    ) -> Reply:
        """A request reaches the service."""
        call.cross("arrive")
        now = self.clock.time()
        if operation == "ListProxySessions":
            parameters = {**parameters, "MaxResults": self._scenario.page}
        sessions = self.emulator.service._sessions
        before = len(sessions)
        reply = self.emulator.call(operation, parameters, now, signed_at=signed_at)
        call.operation, call.arrived_at, call.status = operation, self.clock.now, reply.status
        if len(sessions) > before:
            call.session_id = next(reversed(sessions))
        self.note("arrived", call.life, operation, reply.status, call.session_id)
        call.cross("deed")
        return self._less_what_moved(self._from_the_past(reply, now))

    def _less_what_moved(self, reply: Reply) -> Reply:
        """A session may move to an earlier page between two pages, and be missed this once."""
        page = reply.body
        if not isinstance(page, ProxySessionsAnswer):
            return reply
        if self._moves.random() >= self._scenario.moving:
            return reply
        ids = sorted({each.proxy_session_id for each in page.proxy_sessions} - self.missed)
        if not ids:
            return reply
        moved = self._moves.choice(ids)
        self.missed.add(moved)
        left = tuple(each for each in page.proxy_sessions if each.proxy_session_id != moved)
        return msgspec.structs.replace(
            reply, body=msgspec.structs.replace(page, proxy_sessions=left)
        )

    def _from_the_past(self, reply: Reply, now: float) -> Reply:
        """A listing may come from a copy that lacks what was created of late."""
        page = reply.body
        if (
            not isinstance(page, ProxySessionsAnswer)
            or self._random.random() > self._scenario.stale
        ):
            return reply
        until = now - self._scenario.staleness
        records = self.emulator.service._sessions
        known = tuple(
            each
            for each in page.proxy_sessions
            if records[each.proxy_session_id].listed_at <= until
        )
        self.stale += len(known) < len(page.proxy_sessions)
        body = msgspec.structs.replace(page, proxy_sessions=known)
        return msgspec.structs.replace(reply, body=body)
