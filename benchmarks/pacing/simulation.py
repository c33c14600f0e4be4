"""The night in virtual time: clients that always have work, a service, answers on their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Protocol

from benchmarks.pacing.service import Gate, Scenario


class Control(Protocol):
    """What paces a client."""

    def take(self, now: float) -> float:
        """Take leave to send and return 0.0, or the seconds after which to ask again."""

    def observe(self, now: float, sent_at: float, *, throttled: bool) -> float:
        """Learn from an answer; the seconds for which its caller then waits before more work."""

    @property
    def rate(self) -> float:
        """Calls/s, for the picture; 0 where there is none."""


@dataclass
class Night:
    """What came of it. `rates` are (time, rate, quota) of the first client, every second.

    `noise` are the throttles that no quota made.
    """

    sent: int = 0
    noise: int = 0
    accepted: int = 0
    by_tenant: int = 0
    rates: list[tuple[float, float, float]] = field(default_factory=list)


class Simulation:
    """One scenario; the events of all parties in one queue."""

    def __init__(self, scenario: Scenario, controls: list[Control], seed: int = 1) -> None:
        self.scenario = scenario
        self.controls = controls
        self.night = Night()
        self._random = Random(seed)
        self._gate = Gate(scenario.quota)
        self._queue: list[tuple[float, int, Callable[..., None], tuple]] = []
        self._number = 0
        self._idle = [scenario.connections] * len(controls)
        self._waits = [False] * len(controls)

    def run(self) -> Night:
        """The whole night."""
        scenario = self.scenario
        for client in range(len(self.controls)):
            self._at(0.01 * client + self._random.uniform(0.0, 0.3), self._on_send, (client,))
        for at, factor in scenario.moves:
            self._at(at, self._on_move, (factor,))
        for second in range(int(scenario.seconds)):
            self._at(float(second), self._on_look, ())
        if scenario.tenant is not None:
            self._at(scenario.tenant[0], self._on_tenant, ())
        while self._queue and self._queue[0][0] < scenario.seconds:
            now, _, what, details = heappop(self._queue)
            what(now, *details)
        return self.night

    def _at(self, time: float, what: Callable[..., None], details: tuple) -> None:
        self._number += 1
        heappush(self._queue, (time, self._number, what, details))

    def _on_send(self, now: float, client: int) -> None:
        self._waits[client] = False
        while self._idle[client] > 0:
            wait = self.controls[client].take(now)
            if wait > 0.0:
                self._waits[client] = True
                self._at(now + min(wait, 0.5), self._on_send, (client,))
                return
            self._idle[client] -= 1
            trip = self.scenario.round_trip(self._random)
            self._at(now + trip / 2, self._on_arrive, (client, now, trip / 2))

    def _on_arrive(self, now: float, client: int, sent_at: float, back: float) -> None:
        noisy = self._random.random() < self.scenario.noise
        accepted = not noisy and self._gate.admit(now)
        self.night.sent += 1
        self.night.accepted += accepted
        self.night.noise += noisy
        self._at(now + back, self._on_answer, (client, sent_at, accepted))

    def _on_answer(self, now: float, client: int, sent_at: float, accepted: bool) -> None:
        pause = self.controls[client].observe(now, sent_at, throttled=not accepted)
        self._at(now + pause, self._on_free, (client,))

    def _on_free(self, now: float, client: int) -> None:
        self._idle[client] += 1
        if not self._waits[client]:
            self._on_send(now, client)

    def _on_move(self, now: float, factor: float) -> None:
        self._gate.set_rate(now, self.scenario.quota.rate * factor)

    def _on_look(self, now: float) -> None:
        self.night.rates.append((now, self.controls[0].rate, self._gate.rate))

    def _on_tenant(self, now: float) -> None:
        _, until, share = self.scenario.tenant or (0.0, 0.0, 1.0)
        self.night.by_tenant += self._gate.admit(now)
        if now < until:
            gap = self._random.expovariate(share * self.scenario.quota.rate)
            self._at(now + gap, self._on_tenant, ())
